"""``python -m engine.bench.curves``: what tensile curves add to MatMCL on the virtual lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

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
from engine.bench.options import FirstSeedOption, JobsOption, OutOption, ResumeOption, study
from engine.errors import UsageError
from engine.terminal.options import JsonOption
from engine.terminal.output import grid


def curves(
    runs: Annotated[int, typer.Option("--runs", help="Runs to train on.")] = 80,
    test: Annotated[int, typer.Option("--test", help="Further runs, to be judged on.")] = 80,
    seeds: Annotated[int, typer.Option("--seeds", "--seed", help="Repetitions.")] = 5,
    first_seed: FirstSeedOption = 0,
    steps: Annotated[int, typer.Option("--steps", help="Of each training.")] = 200,
    shares: Annotated[
        str,
        typer.Option(
            "--shares",
            help="Of the runs to train on, how many have all outcomes logged and not the "
            "strengths alone; by commas, a study each.",
        ),
    ] = "1,0.25",
    out: OutOption = None,
    resume: ResumeOption = False,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Predict the properties of further runs with curves learnt from and without, given or hidden.

    MatMCL is trained from scratch on runs of the virtual lab, once without a curve encoder and once
    with it. Further runs are predicted by their conditions, by these and their own strengths, and
    by these and their own curves.
    """
    from engine.bench.models.curves import CurveConfig, bench_curves

    config = CurveConfig(runs, test, seeds, first_seed, steps, _shares_of(shares))
    check_folders(out)
    n_jobs = jobs_of(jobs)
    n_trainings = len(config.strategies) * config.n_seeds
    with progress_bar(n_trainings * config.steps, "steps") as progress:
        document = bench_curves(config, jobs=n_jobs, out=out, resume=resume, progress=progress)
    show(document, lambda: print_curves(document, n_jobs), as_json=as_json, files=(out,))


def _shares_of(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"expected shares such as 1,0.25, got '{text}'", field="shares") from None


def print_curves(document: Mapping[str, Any], jobs: int) -> None:
    """Print what each model says of further runs: means over seeds, least and greatest seed."""
    screen, config = report_screen(), document["config"]
    headings = ["all logged [%]", "model", "of a further run is given", "R²", "NLPD"]
    rows = [
        [f"{100 * row['share']:g}", row["model"], row["way"], _cell(row["r2"]), _cell(row["nlpd"])]
        for row in document["summary"]
    ]
    screen.print(grid(headings, rows))
    last = config["first_seed"] + config["n_seeds"] - 1
    print_line(
        screen,
        f"{config['runs']} runs to train on, {config['test']} to be judged on, seeds "
        f"{config['first_seed']} to {last}, {config['steps']} steps; eight outcomes that are no "
        "strength, where a curve of their direction is there; in brackets the least and "
        "greatest seed",
    )
    print_where(screen, document, jobs_text(jobs))


def _cell(score: Mapping[str, float]) -> str:
    return f"{score['mean']:.3f} ({score['least']:.3f} … {score['greatest']:.3f})"


app = study(curves, "curves --runs 80 --seeds 5")

if __name__ == "__main__":
    app()
