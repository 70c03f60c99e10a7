"""``engine bench refresh``: incremental beside full training, and poisoned updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.bench.options import (
    FirstSeedOption,
    JobsOption,
    OutOption,
    ResumeOption,
    check_folders,
    jobs_of,
    step_progress,
)
from engine.cli.bench.tables import print_line, print_where, report_screen
from engine.cli.output import JsonOption, grid, print_json, say

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
    with step_progress(config.n_seeds * bench.STEPS) as progress:
        document = bench.refresh(config, jobs=n_jobs, out=out, resume=resume, progress=progress)
    if as_json:
        print_json(document)
        return
    print_refresh(document, n_jobs)
    if out is not None:
        say(f"written: {out}")


def print_refresh(document: Mapping[str, Any], jobs: int) -> None:
    """Print a refresh document: time, R², doubts."""
    screen, found, config = report_screen(), document["summary"], document["config"]
    print_line(
        screen,
        f"{config['n_new']} results on top of {config['n_old']}, {found['n_seeds']} seeds of the "
        f"lab '{config['lab']}'; means with 95 % bootstrap intervals over seeds",
    )
    if not config["doubts_only"]:
        _print_trainings(screen, found)
    for poison, n in found["doubted"].items():
        print_line(
            screen,
            f"newest {config['n_poisoned']} results, poison {poison}: "
            f"not believed in {n} of {found['n_seeds']}",
        )
    print_where(screen, document, f"{jobs} {'job' if jobs == 1 else 'jobs'} of 1 thread")


def _print_trainings(screen: Console, found: Mapping[str, Any]) -> None:
    rows = [
        [
            name,
            _shown(found["seconds"].get(name), 1),
            _shown(found["steps"].get(name), 0),
            _shown(found["r2"][name], 4),
            _shown(found["r2_noisy"][name], 4),
        ]
        for name in found["r2"]
    ]
    headings = ["knows", "training [s]", "steps", "R² of the truth [–]", "R² of new runs [–]"]
    screen.print(grid(headings, rows))
    for key, what in (("ratio", "wall-clock"), ("cpu_ratio", "processor")):
        one = found[key]
        print_line(
            screen,
            f"incremental / full, {what} time: {_shown(one, 3)}, worst seed {one['worst']:.3f}",
        )
    for key, what in (("r2", "the truth"), ("r2_noisy", "new runs")):
        one = found["incremental_minus_full"][key]
        print_line(screen, f"incremental − full, R² of {what}: {_shown(one, 4, sign='+')}")


def _shown(one: Mapping[str, float | None] | None, digits: int, *, sign: str = "") -> str:
    if one is None:
        return "–"
    text = f"{one['mean']:{sign}.{digits}f}"
    if one["low"] is None:
        return text
    return f"{text} ({one['low']:{sign}.{digits}f} … {one['high']:{sign}.{digits}f})"
