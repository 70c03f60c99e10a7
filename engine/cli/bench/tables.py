"""How ``engine bench`` shows what it found: tables with units, spread, and where it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.bench.harness.screen import jobs_text, print_line, print_where, report_screen
from engine.terminal.output import grid

if TYPE_CHECKING:
    from rich.console import Console

MAX_CHECKPOINTS = 11


def print_comparison(document: Mapping[str, Any], jobs: int) -> None:
    """Print a closed-loop or replay document: scores by experiments, then beside the baseline."""
    screen, summary = report_screen(), document["summary"]
    unit, scale = _unit(document)
    first, last = document["seeds"]
    print_line(
        screen,
        f"{document['score']}{unit} after so many experiments, mean of seeds {first}–{last}",
    )
    _print_curves(screen, summary, scale)
    smoothed = document.get("smoothed")
    if smoothed:
        print_line(screen, f"the same runs, judged by what {smoothed['judge']} expects of them")
        _print_curves(screen, smoothed["summary"], scale)
        _print_reach(screen, smoothed["summary"], unit, scale)
        print_line(screen, "and by what was measured")
    baseline = summary["baseline"]
    print_line(
        screen,
        f"after {summary['checkpoints'][-1]} experiments; how many it takes to reach {baseline}'s "
        "final mean, and how many times fewer (95 % bootstrap intervals, paired over seeds)",
    )
    headings = ["strategy", "seeds", f"final{unit}", f"SD{unit}", f"− {baseline}{unit}"]
    rows = [
        _comparison_row(name, scores, scale, is_baseline=name == baseline)
        for name, scores in summary["strategies"].items()
    ]
    screen.print(grid([*headings, "experiments", "acceleration", "batch [s]"], rows))
    _print_reach(screen, summary, unit, scale)
    print_where(screen, document, jobs_text(jobs))


def _print_curves(screen: Console, summary: Mapping[str, Any], scale: float) -> None:
    columns = _spread(len(summary["checkpoints"]), MAX_CHECKPOINTS)
    rows = [
        [name, *(f"{scale * scores['mean'][i]:.1f}" for i in columns)]
        for name, scores in summary["strategies"].items()
    ]
    screen.print(grid(["strategy", *(str(summary["checkpoints"][i]) for i in columns)], rows))


def _print_reach(screen: Console, summary: Mapping[str, Any], unit: str, scale: float) -> None:
    reference, at = summary["reference"], summary["read_at"]
    plain = unit.replace("[", "").replace("]", "")
    reaches = {name: scores["reach"] for name, scores in summary["strategies"].items()}
    rows = [
        _reach_row(name, reach, scale)
        for name, reach in reaches.items()
        if reach is not None and name != reference
    ]
    if not rows or reaches[reference] is None:
        return
    print_line(
        screen,
        f"experiments to reach what {reference} has after {at}, "
        f"{scale * reaches[reference]['target']:.1f}{plain} in the mean, read between batches "
        "along a line: of the mean curves, with 95 % bootstrap intervals over paired seeds, and "
        "seed by seed; > and 'never' count as the budget",
    )
    columns = [
        "strategy",
        "experiments",
        f"ratio to {at}",
        "ratio by seed.mean",
        "ratio by seed.median",
        "never [seeds]",
        f"final − {reference}.± SE{unit}",
    ]
    screen.print(grid(columns, rows))


def _reach_row(name: str, reach: Mapping[str, Any], scale: float) -> list[str]:
    by_seed, error = reach["by_seed"], reach["final_difference_se"]
    sign = ">" if reach["is_censored"] else ""
    return [
        name,
        f"{sign}{reach['experiments']:.1f}",
        f"{sign}{reach['ratio']:.2f}{_interval(reach['ratio_interval'], 1.0, 2)}",
        f"{by_seed['ratio']:.2f}",
        f"{by_seed['ratio_median']:.2f}",
        f"{sum(by_seed['censored'])} of {len(by_seed['censored'])}",
        f"{scale * reach['final_difference']:+.1f}"
        + (f" ± {scale * error:.1f}" if error is not None else ""),
    ]


def print_latency(document: Mapping[str, Any]) -> None:
    """Print a latency document: seconds by part, the ratio, the whole process."""
    screen, config, measured = report_screen(), document["config"], document["measured"]
    print_line(
        screen,
        f"{config['n']} suggestions from {config['observations']} observations, "
        f"seed {config['seed']}, median of {config['repeats']}",
    )
    middles = [_middle(entry) for entry in measured]
    parts = list(
        dict.fromkeys(
            part for middle in middles for part in middle if part not in ("total", "generation")
        )
    )
    rows = []
    for entry, middle in zip(measured, middles, strict=True):
        totals = [repeat["generation"] for repeat in entry["seconds"]]
        rows.append(
            [
                entry["strategy"],
                str(entry["threads"]),
                f"{entry['import_seconds']:.1f}",
                *(f"{middle[part]:.2f}" if part in middle else "–" for part in parts),
                f"{entry['median']:.2f}",
                f"{min(totals):.2f} … {max(totals):.2f}",
            ]
        )
    columns = [f"{part} [s]" for part in ("imports", *parts, "generation", "range")]
    screen.print(grid(["strategy", "threads", *columns], rows))
    if document["ratio"] is not None:
        print_line(screen, f"Ax's generation, at its fastest, takes {document['ratio']:.1f} × ours")
    if document.get("process_seconds"):
        seconds = sorted(document["process_seconds"])
        print_line(
            screen,
            f"engine propose --n {config['n']} --json, from start to exit: "
            f"{seconds[len(seconds) // 2]:.1f} s",
        )
    print_where(screen, document, f"threads for ours: {measured[0]['threads']}")


def _middle(entry: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the repeat whose generation is nearest to the median."""
    repeats: list[Mapping[str, float]] = entry["seconds"]
    return min(repeats, key=lambda repeat: abs(repeat["generation"] - entry["median"]))


def _unit(document: Mapping[str, Any]) -> tuple[str, float]:
    """Return the heading's unit and what scores are multiplied by: per cent, or raw volume."""
    if "fraction" in document["score"]:
        return " [%]", 100.0
    units = {
        name: prop.get("unit", "1")
        for prop in document["campaign"]["properties"]
        for name in [prop["name"], *(f"{prop['name']}.{d}" for d in prop.get("directions", ()))]
    }
    product = "·".join(units[o["outcome"]] for o in document["campaign"]["objectives"])
    return f" [{product}]", 1.0


def _comparison_row(
    name: str, scores: Mapping[str, Any], scale: float, *, is_baseline: bool
) -> list[str]:
    seconds = scores["seconds_per_batch"]
    row = [
        name,
        str(len(scores["seeds"])),
        f"{scale * scores['final']:.1f}{_interval(scores['final_interval'], scale)}",
        f"{scale * scores['sd'][-1]:.1f}" if scores["sd"] is not None else "–",
    ]
    if is_baseline or not scores["paired_seeds"]:
        row += ["–", "–", "–"]
    else:
        needed, gained = scores["experiments_to_target"], scores["acceleration"]
        row += [
            f"{scale * scores['difference']:+.1f}{_interval(scores['difference_interval'], scale)}",
            str(needed) if needed is not None else "not reached",
            f"{gained:.2f}{_interval(scores['acceleration_interval'], 1.0, 2)}" if gained else "–",
        ]
    return [*row, f"{seconds:.2f}" if seconds is not None else "–"]


def _interval(bounds: Sequence[float] | None, scale: float, digits: int = 1) -> str:
    if bounds is None:
        return ""
    low, high = (f"{scale * bound:.{digits}f}" for bound in bounds)
    return f" ({low} … {high})"


def _spread(n: int, limit: int) -> list[int]:
    """Return up to ``limit`` indices below ``n``, evenly, with the first and the last."""
    if n <= limit:
        return list(range(n))
    return sorted({round(i * (n - 1) / (limit - 1)) for i in range(limit)})
