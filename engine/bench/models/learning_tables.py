"""How ablation, calibration and composite are run from the terminal, and their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.bench.harness.plots import plot_learning
from engine.bench.harness.pool import jobs_of
from engine.bench.harness.results import check_folders, write_json
from engine.bench.harness.screen import (
    jobs_text,
    print_line,
    print_where,
    progress_bar,
    report_screen,
    show,
)
from engine.bench.models.learning import LearningConfig, learning
from engine.errors import DataError, place
from engine.terminal.output import grid
from surrogate.files import write_whole

Document = Mapping[str, Any]

TITLES = {
    "r2": "R² of the truth without noise, mean over outcomes",
    "nlpd": "NLPD of measurements not learnt from, mean over outcomes [nat]",
    "coverage": "measurements inside their 90 % intervals [%]",
    "r2_noisy": "R² of measurements not learnt from, mean over outcomes",
}
SCORES_OF = {
    "ablation": ("r2", "nlpd"),
    "calibration": ("nlpd", "coverage", "r2", "r2_noisy"),
    "composite": ("r2", "r2_noisy", "nlpd", "coverage"),
}
SCALES = {"coverage": 100.0}


def run_and_show(
    config: LearningConfig,
    *,
    jobs: int,
    out: Path | None,
    resume: bool,
    plot: Path | None,
    markdown_file: Path | None,
    as_json: bool,
    extend: Callable[[int], Mapping[str, Any]] | None = None,
) -> None:
    """Run the benchmark with a bar, keep what is to be kept, and print it.

    ``extend``: run afterwards with the number of processes; its entries join the document.
    """
    check_folders(out, plot, markdown_file)
    n_jobs = jobs_of(jobs)
    with progress_bar(len(config.tasks) * config.sizes[-1], "experiments") as progress:
        document = learning(config, jobs=n_jobs, out=out, resume=resume, progress=progress)
    if extend is not None:
        document |= extend(n_jobs)
        if out is not None:
            write_json(out, document)
    if plot is not None:
        plot_learning(document, plot)
    if markdown_file is not None:
        try:
            write_whole(markdown_file, markdown(document))
        except OSError as error:
            raise DataError(
                f"{place(markdown_file)} cannot be written: {error.strerror or error}"
            ) from error
    show(
        document,
        lambda: print_learning(document, n_jobs),
        as_json=as_json,
        files=(out, plot, markdown_file),
    )


def print_learning(document: Document, jobs: int) -> None:
    """Print the scores by number of experiments, the differences, and what each row is."""
    screen, summary = report_screen(), document["summary"]
    first, last = document["seeds"]
    print_line(
        screen,
        f"{document['kind']}: mean ± SD over seeds {first}–{last}, after so many experiments; "
        f"tested on {document['config']['n_test']} others",
    )
    for score in SCORES_OF[document["kind"]]:
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
    print_where(screen, document, jobs_text(jobs))


def markdown(document: Document) -> str:
    """Return the table for a document: R² and, if it was run, the hypervolume won."""
    summary, loops = document["summary"], document.get("final_hypervolume")
    score = SCORES_OF[document["kind"]][0]
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
    for name, scores in summary["rows"].items():
        values = scores[score]
        if values is None:
            continue
        spreads: Sequence[float | None] = values["sd"] or [None] * len(values["mean"])
        rows.append(
            [
                name,
                *(
                    f"{scale * mean:.{digits}f}"
                    + (f" ± {scale * sd:.{digits}f}" if sd is not None else "")
                    for mean, sd in zip(values["mean"], spreads, strict=True)
                ),
            ]
        )
    return rows


def _difference_rows(summary: Document, score: str) -> list[list[str]]:
    rows = []
    for name, scores in summary["rows"].items():
        values = scores["differences"] and scores["differences"][score]
        if not values:
            continue
        bounds = list(zip(*values["interval"], strict=True)) if values["interval"] else None
        rows.append(
            [
                name,
                *(
                    f"{mean:+.3f}"
                    + (f" ({bounds[i][0]:.3f} … {bounds[i][1]:.3f})" if bounds else "")
                    for i, mean in enumerate(values["mean"])
                ),
                f"{values['max']:+.3f}",
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
    for name, scores in loops.items():
        reach = scores["reach"]
        error = reach["final_difference_se"]
        rows.append(
            [
                name,
                _final(scores),
                f"{100 * reach['final_difference']:+.1f}"
                + (f" ± {100 * error:.1f}" if error is not None else ""),
                f"{'>' if reach['is_censored'] else ''}{reach['experiments']:.1f}",
            ]
        )
    screen.print(grid(["row", "final [%]", "difference [%]", "experiments"], rows))


def _final(scores: Mapping[str, Any] | None) -> str:
    if scores is None:
        return "–"
    spread = f" ± {100 * scores['sd']:.1f}" if scores["sd"] is not None else ""
    return f"{100 * scores['final']:.1f}{spread}"
