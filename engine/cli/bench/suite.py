"""``engine bench suite``: every finished campaign of a folder replayed, beside the plain loop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.bench.harness.screen import (
    print_line,
    print_where,
    progress_bar,
    report_screen,
    show,
)
from engine.bench.options import (
    BatchOption,
    BudgetOption,
    FirstSeedOption,
    JobsOption,
    PlotOption,
    ResumeOption,
    SeedsOption,
    StartOption,
    by_commas,
)
from engine.terminal.options import JsonOption
from engine.terminal.output import grid


def suite(
    data: Annotated[
        Path, typer.Option("--data", help="Folder of the finished tables.", envvar="SPINNERET_DATA")
    ] = Path("../shared/data"),
    tables: Annotated[
        str | None, typer.Option("--tables", help="Names by commas.", show_default="all")
    ] = None,
    definitions: Annotated[
        Path | None,
        typer.Option(
            "--definitions",
            help="TOML file with tables of your own: [tables.NAME] file, inputs, maximize, "
            "minimize.",
        ),
    ] = None,
    strategies: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            help="Such as random, botorch (the plain loop at its defaults), gp, matmcl, ax or "
            "baybe (with the extra 'peers'); repeat it to compare.",
            show_default="random, botorch, gp, matmcl",
        ),
    ] = None,
    reference: Annotated[
        str, typer.Option("--reference", help="The peer whose final score is to be reached.")
    ] = "botorch",
    seeds: SeedsOption = 20,
    first_seed: FirstSeedOption = 0,
    start: StartOption = 10,
    batch: BatchOption = 5,
    budget: BudgetOption = 40,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder that keeps each table's results (JSON).")
    ] = None,
    resume: ResumeOption = False,
    plot: PlotOption = None,
    jobs: JobsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Replay finished campaigns of many fields, and compare who finds what is best in them."""
    from engine.bench.harness.pool import jobs_of
    from engine.bench.harness.results import check_folders
    from engine.bench.search import suite as bench
    from engine.bench.search.finished_tables import read_definitions, tables_named

    config = bench.SuiteConfig(
        strategies=by_commas(strategies) or bench.SuiteConfig.strategies,
        n_seeds=seeds,
        first_seed=first_seed,
        start=start,
        batch=batch,
        budget=budget,
        reference=reference,
    )
    chosen = tables_named(
        by_commas([tables] if tables else None),
        read_definitions(definitions) if definitions is not None else None,
    )
    check_folders(plot)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    n_jobs = jobs_of(jobs)
    n_runs = len(config.strategies) * seeds * budget
    with progress_bar(n_runs, "experiments") as progress:
        document = bench.suite(
            config, data, chosen, jobs=n_jobs, out=out, resume=resume, progress=progress
        )
    if plot is not None:
        from engine.bench.harness.plots import plot_suite

        plot_suite(document, plot)
    show(document, lambda: print_suite(document, n_jobs), as_json=as_json, files=(out, plot))


def print_suite(document: Mapping[str, Any], jobs: int) -> None:
    """Print a suite: scores after so many runs, table by table, then the mean of all."""
    from engine.bench.harness.screen import jobs_text
    from engine.bench.search.suite import score_after

    screen, read_at = report_screen(), document["read_at"]
    first, last = document["seeds"]
    print_line(
        screen,
        f"table's hypervolume [%] after {', '.join(map(str, read_at))} runs, mean of seeds "
        f"{first}–{last}; in brackets the runs it takes to have what {document['reference']} has "
        "in the end",
    )
    strategies = list(document["mean"])
    rows = []
    for table, summary in document["tables"].items():
        cells = []
        for strategy in strategies:
            scores = [score_after(summary, strategy, n) for n in read_at]
            text = " ".join("–" if score is None else f"{100 * score:.1f}" for score in scores)
            reach = summary["strategies"][strategy]["reach"]
            if reach is not None and strategy != document["reference"]:
                text += f" ({'>' if reach['is_censored'] else ''}{reach['experiments']:.0f})"
            cells.append(text)
        rows.append([table, *cells])
    mean_scores = document["mean"]
    rows.append(
        [
            "mean of the tables",
            *(
                " ".join(f"{100 * score:.1f}" for score in mean_scores[name].values())
                for name in mean_scores
            ),
        ]
    )
    screen.print(grid(["table", *strategies], rows))
    print_where(screen, document, jobs_text(jobs))
