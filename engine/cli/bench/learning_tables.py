"""How ``engine bench ablation``, ``calibration`` and ``composite`` show what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.cli.bench.tables import print_line, print_where, report_screen
from engine.cli.output import grid

Document = Mapping[str, Any]

TITLES = {
    "r2": "R² of the truth without noise, mean over outcomes",
    "nlpd": "NLPD of measurements not learnt from, mean over outcomes [nat]",
    "coverage": "measurements inside their 90 % intervals [%]",
    "r2_noisy": "R² of measurements not learnt from, mean over outcomes",
}
SHOWN = {
    "ablation": ("r2", "nlpd"),
    "calibration": ("nlpd", "coverage", "r2", "r2_noisy"),
    "composite": ("r2", "r2_noisy", "nlpd", "coverage"),
}
SCALES = {"coverage": 100.0}


def print_learning(document: Document, jobs: int) -> None:
    """Print the scores by number of experiments, the differences, and what each row is."""
    screen, summary = report_screen(), document["summary"]
    first, last = document["seeds"]
    print_line(
        screen,
        f"{document['kind']}: mean ± SD over seeds {first}–{last}, after so many experiments; "
        f"tested on {document['config']['n_test']} others",
    )
    for score in SHOWN[document["kind"]]:
        rows = _score_rows(summary, score)
        if rows:
            print_line(screen, TITLES[score])
            screen.print(grid(_headings(summary, "row"), rows))
    for score in ("r2", "nlpd"):
        rows = _difference_rows(summary, score)
        if rows:
            worst = "worst" if score == "nlpd" else "best"
            print_line(
                screen,
                f"{'R²' if score == 'r2' else 'NLPD [nat]'} less that of {summary['reference']} "
                "on the same truth, paired over seeds, with 95 % bootstrap intervals",
            )
            screen.print(grid([*_headings(summary, "row"), worst], rows))
    _print_hypervolumes(screen, document)
    for row in document["rows"]:
        about = f": {row['about']}" if row["about"] else ""
        print_line(screen, f"{row['name']} = {row['model']} on {row['truth']}{about}")
    print_where(screen, document, f"{jobs} {'job' if jobs == 1 else 'jobs'} of 1 thread")


def markdown(document: Document) -> str:
    """Return the table for a document: R² and, if it was run, the hypervolume won."""
    summary, loops = document["summary"], document.get("final_hypervolume")
    score = SHOWN[document["kind"]][0]
    headings = [*_headings(summary, "row")]
    if loops:
        headings += ["hypervolume at the end [%]"]
    lines = [
        f"{TITLES[score]}; mean ± SD over {len(_seeds(document))} seeds",
        "",
        f"| {' | '.join(headings)} |",
        f"|---|{'--:|' * (len(headings) - 1)}",
    ]
    for cells in _score_rows(summary, score):
        if loops:
            cells = [*cells, _final(loops.get(cells[0]))]  # noqa: PLW2901
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _seeds(document: Document) -> range:
    first, last = document["seeds"]
    return range(first, last + 1)


def _headings(summary: Document, first: str) -> list[str]:
    return [first, *(str(n) for n in summary["sizes"])]


def _score_rows(summary: Document, score: str) -> list[list[str]]:
    digits = 1 if score == "coverage" else 3
    scale = SCALES.get(score, 1.0)
    rows = []
    for name, found in summary["rows"].items():
        told = found[score]
        if told is None:
            continue
        spreads: Sequence[float | None] = told["sd"] or [None] * len(told["mean"])
        rows.append(
            [
                name,
                *(
                    f"{scale * mean:.{digits}f}"
                    + (f" ± {scale * sd:.{digits}f}" if sd is not None else "")
                    for mean, sd in zip(told["mean"], spreads, strict=True)
                ),
            ]
        )
    return rows


def _difference_rows(summary: Document, score: str) -> list[list[str]]:
    rows = []
    for name, found in summary["rows"].items():
        told = found["differences"] and found["differences"][score]
        if not told:
            continue
        bounds = list(zip(*told["interval"], strict=True)) if told["interval"] else None
        rows.append(
            [
                name,
                *(
                    f"{mean:+.3f}"
                    + (f" ({bounds[i][0]:.3f} … {bounds[i][1]:.3f})" if bounds else "")
                    for i, mean in enumerate(told["mean"])
                ),
                f"{told['max']:+.3f}",
            ]
        )
    return rows


def _print_hypervolumes(screen: Any, document: Document) -> None:
    loops = document.get("final_hypervolume")
    if not loops:
        return
    print_line(
        screen,
        "hypervolume won after 56 experiments, share of the true front's, mean ± SD over seeds; "
        "difference to the plain GP with its standard error; experiments to reach the plain GP's",
    )
    rows = []
    for name, found in loops.items():
        reach = found["reach"]
        error = reach["final_difference_se"]
        rows.append(
            [
                name,
                _final(found),
                f"{100 * reach['final_difference']:+.1f}"
                + (f" ± {100 * error:.1f}" if error is not None else ""),
                f"{'>' if reach['is_censored'] else ''}{reach['experiments']:.1f}",
            ]
        )
    screen.print(grid(["row", "final [%]", "difference [%]", "experiments"], rows))


def _final(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    spread = f" ± {100 * found['sd']:.1f}" if found["sd"] is not None else ""
    return f"{100 * found['final']:.1f}{spread}"
