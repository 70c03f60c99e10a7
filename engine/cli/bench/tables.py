"""How ``engine bench`` shows what it found: tables with units, spread, and where it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.cli.output import console, grid

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 118
MOST_CHECKPOINTS = 11


def print_comparison(document: Mapping[str, Any], jobs: int) -> None:
    """Print a closed-loop or replay document: scores by experiments, then beside the baseline."""
    screen, summary = report_screen(), document["summary"]
    unit, scale = _unit(document)
    first, last = document["seeds"]
    print_line(
        screen,
        f"{document['score']}{unit} after so many experiments, mean of seeds {first}–{last}",
    )
    shown = _spread(len(summary["checkpoints"]), MOST_CHECKPOINTS)
    rows = [
        [name, *(f"{scale * found['mean'][i]:.1f}" for i in shown)]
        for name, found in summary["strategies"].items()
    ]
    screen.print(grid(["strategy", *(str(summary["checkpoints"][i]) for i in shown)], rows))
    baseline = summary["baseline"]
    print_line(
        screen,
        f"after {summary['checkpoints'][-1]} experiments; how many it takes to reach {baseline}'s "
        "final mean, and how many times fewer (95 % bootstrap intervals, paired over seeds)",
    )
    headings = ["strategy", "seeds", f"final{unit}", f"SD{unit}", f"− {baseline}{unit}"]
    rows = [
        _comparison_row(name, found, scale, is_baseline=name == baseline)
        for name, found in summary["strategies"].items()
    ]
    screen.print(grid([*headings, "experiments", "acceleration", "batch [s]"], rows))
    _print_reach(screen, summary, unit, scale)
    threads = f"{jobs} {'job' if jobs == 1 else 'jobs'} of 1 thread"
    print_where(screen, document, threads)


def _print_reach(screen: Console, summary: Mapping[str, Any], unit: str, scale: float) -> None:
    reference, at = summary["reference"], summary["read_at"]
    plain = unit.replace("[", "").replace("]", "")
    found = {name: each["reach"] for name, each in summary["strategies"].items()}
    rows = [
        _reach_row(name, reach, scale)
        for name, reach in found.items()
        if reach is not None and name != reference
    ]
    if not rows or found[reference] is None:
        return
    print_line(
        screen,
        f"experiments to reach what {reference} has after {at}, "
        f"{scale * found[reference]['target']:.1f}{plain} in the mean, read between batches along "
        "a line: of the mean curves, with 95 % bootstrap intervals over paired seeds, and seed by "
        "seed; > and 'never' count as the budget",
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
    more = ">" if reach["is_censored"] else ""
    return [
        name,
        f"{more}{reach['experiments']:.1f}",
        f"{more}{reach['ratio']:.2f}{_interval(reach['ratio_interval'], 1.0, 2)}",
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
        whole = sorted(document["process_seconds"])
        print_line(
            screen,
            f"engine propose --n {config['n']} --json, from start to exit: "
            f"{whole[len(whole) // 2]:.1f} s",
        )
    print_where(screen, document, f"threads for ours: {measured[0]['threads']}")


def _middle(entry: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the repeat whose generation is nearest to the median."""
    repeats: list[Mapping[str, float]] = entry["seconds"]
    return min(repeats, key=lambda repeat: abs(repeat["generation"] - entry["median"]))


def report_screen() -> Console:
    """Return a console on standard output; into a file or pipe, wide enough for the tables."""
    screen = console()
    if not screen.is_terminal:
        screen.width = WIDTH
    return screen


def print_line(screen: Console, text: str) -> None:
    """Print a line as it stands; into a file or pipe, unbroken."""
    screen.print(text, markup=False, soft_wrap=not screen.is_terminal)


def print_where(screen: Console, document: Mapping[str, Any], threads: str) -> None:
    """Print on which machine, with which threads and versions, a document came about."""
    from engine.bench.harness.environment import environment_line

    print_line(screen, environment_line(document["environment"], threads=threads))


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
    name: str, found: Mapping[str, Any], scale: float, *, is_baseline: bool
) -> list[str]:
    seconds = found["seconds_per_batch"]
    row = [
        name,
        str(len(found["seeds"])),
        f"{scale * found['final']:.1f}{_interval(found['final_interval'], scale)}",
        f"{scale * found['sd'][-1]:.1f}" if found["sd"] is not None else "–",
    ]
    if is_baseline or not found["paired_seeds"]:
        row += ["–", "–", "–"]
    else:
        needed, gained = found["experiments_to_target"], found["acceleration"]
        row += [
            f"{scale * found['difference']:+.1f}{_interval(found['difference_interval'], scale)}",
            str(needed) if needed is not None else "not reached",
            f"{gained:.2f}{_interval(found['acceleration_interval'], 1.0, 2)}" if gained else "–",
        ]
    return [*row, f"{seconds:.2f}" if seconds is not None else "–"]


def _interval(bounds: Sequence[float] | None, scale: float, digits: int = 1) -> str:
    if bounds is None:
        return ""
    low, high = (f"{scale * bound:.{digits}f}" for bound in bounds)
    return f" ({low} … {high})"


def _spread(n: int, most: int) -> list[int]:
    """Return up to ``most`` indices below ``n``, evenly, with the first and the last."""
    if n <= most:
        return list(range(n))
    return sorted({round(i * (n - 1) / (most - 1)) for i in range(most)})
