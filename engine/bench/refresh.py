"""``python -m engine.bench.refresh``: incremental beside full training, and poisoned updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.bench.harness.pool import jobs_of
from engine.bench.harness.results import check_folders
from engine.bench.harness.screen import (
    jobs_text,
    print_line,
    print_where,
    progress_bar,
    report_screen,
    show,
)
from engine.bench.options import (
    FirstSeedOption,
    JobsOption,
    OutOption,
    ResumeOption,
    study,
)
from engine.terminal.options import JsonOption
from engine.terminal.output import grid

if TYPE_CHECKING:
    from rich.console import Console


def refresh(
    seeds: Annotated[int, typer.Option("--seeds", help="Repetitions.")] = 10,
    first_seed: FirstSeedOption = 0,
    old: Annotated[int, typer.Option("--old", help="Results that the champion knows.")] = 200,
    new: Annotated[int, typer.Option("--new", help="Results that come on top.")] = 8,
    test: Annotated[int, typer.Option("--test", help="Held-out runs.")] = 100,
    poisoned: Annotated[int, typer.Option("--poisoned", help="Newest results to poison.")] = 20,
    doubts_only: Annotated[
        bool, typer.Option("--doubts-only", help="Train nothing, only poison and doubt.")
    ] = False,
    truth: Annotated[str, typer.Option("--truth", help="The lab.")] = "standard",
    out: OutOption = None,
    resume: ResumeOption = False,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Compare incremental with full training: time and held-out R²; and poison the newest results.

    Both trainings run in the same process, one after the other. R² is that of the Gaussian
    processes on all results with what each surrogate knows, against the truth and against measured
    runs. The newest results are then shuffled among their runs, or given a unit error, and shown to
    what doubts new results; unpoisoned ones tell how often it doubts without reason.
    """
    from engine.bench.models import refresh as bench

    config = bench.RefreshConfig(
        n_seeds=seeds, first_seed=first_seed, n_old=old, n_new=new, n_test=test,
        n_poisoned=poisoned, lab=truth, doubts_only=doubts_only,
    )  # fmt: skip
    check_folders(out)
    n_jobs = jobs_of(jobs)
    with progress_bar(config.n_seeds * bench.STEPS, "steps") as progress:
        document = bench.refresh(config, jobs=n_jobs, out=out, resume=resume, progress=progress)
    show(document, lambda: print_refresh(document, n_jobs), as_json=as_json, files=(out,))


def print_refresh(document: Mapping[str, Any], jobs: int) -> None:
    """Print a refresh document: time, R², doubts."""
    screen, summary, config = report_screen(), document["summary"], document["config"]
    print_line(
        screen,
        f"{config['n_new']} results on top of {config['n_old']}, {summary['n_seeds']} seeds of the "
        f"lab '{config['lab']}'; means with 95 % bootstrap intervals over seeds",
    )
    if not config["doubts_only"]:
        _print_trainings(screen, summary)
    for poison, n in summary["doubted"].items():
        print_line(
            screen,
            f"newest {config['n_poisoned']} results, poison {poison}: "
            f"not believed in {n} of {summary['n_seeds']}",
        )
    print_where(screen, document, jobs_text(jobs))


def _print_trainings(screen: Console, summary: Mapping[str, Any]) -> None:
    rows = [
        [
            name,
            _cell(summary["seconds"].get(name), 1),
            _cell(summary["steps"].get(name), 0),
            _cell(summary["r2"][name], 4),
            _cell(summary["r2_noisy"][name], 4),
        ]
        for name in summary["r2"]
    ]
    headings = ["knows", "training [s]", "steps", "R² of the truth [–]", "R² of new runs [–]"]
    screen.print(grid(headings, rows))
    for key, clock in (("ratio", "wall-clock"), ("cpu_ratio", "processor")):
        ratio = summary[key]
        print_line(
            screen,
            f"incremental / full, {clock} time: {_cell(ratio, 3)}, worst seed {ratio['worst']:.3f}",
        )
    for key, target in (("r2", "the truth"), ("r2_noisy", "new runs")):
        difference = summary["incremental_minus_full"][key]
        print_line(screen, f"incremental − full, R² of {target}: {_cell(difference, 4, sign='+')}")


def _cell(mean: Mapping[str, float | None] | None, digits: int, *, sign: str = "") -> str:
    """Return a mean with its interval."""
    if mean is None:
        return "–"
    text = f"{mean['mean']:{sign}.{digits}f}"
    if mean["low"] is None:
        return text
    return f"{text} ({mean['low']:{sign}.{digits}f} … {mean['high']:{sign}.{digits}f})"


app = study(refresh, "refresh --seeds 3 --out refresh.json")

if __name__ == "__main__":
    app()
