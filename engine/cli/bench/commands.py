"""``engine bench``: strategies against a lab, a finished table, the clock; models by accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.bench.harness.screen import progress_bar, say_stage, show
from engine.bench.options import (
    BatchOption,
    BudgetOption,
    CampaignOption,
    CheckpointsOption,
    ConstraintOption,
    FirstSeedOption,
    FormatOption,
    JobsOption,
    ObjectivesOption,
    OutOption,
    PlotOption,
    ReferenceOption,
    ResumeOption,
    SeedsOption,
    StartOption,
    StrategyOption,
    TableOption,
    TemplateOption,
    by_commas,
    campaign_for,
)
from engine.cli.bench.accuracy import accuracy
from engine.cli.bench.suite import suite
from engine.cli.bench.tables import print_comparison, print_latency
from engine.cli.completion import complete_lab
from engine.errors import UsageError, field
from engine.terminal.options import JsonOption


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    bench = typer.Typer(
        help="Compare strategies on a lab, on a finished table, by the clock; and models.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    bench.command("closed-loop")(closed_loop)
    bench.command("replay")(replay)
    bench.command("suite")(suite)
    bench.command("accuracy")(accuracy)
    bench.command("latency")(latency)
    app.add_typer(bench, name="bench")


def closed_loop(
    strategies: StrategyOption = None,
    seeds: SeedsOption = 5,
    first_seed: FirstSeedOption = 0,
    start: StartOption = 8,
    batch: BatchOption = 8,
    budget: BudgetOption = 56,
    start_by: Annotated[
        str,
        typer.Option(
            "--start-by", help="sobol: all start alike; source: each by what it knows beforehand."
        ),
    ] = "sobol",
    lab: Annotated[
        str,
        typer.Option(
            "--truth",
            "--lab",
            help="standard, family (another lab each seed), unlike, lots, older, composite, "
            "another distribution's, module:Class, or FILE.toml with a virtual lab's constants.",
            autocompletion=complete_lab,
        ),
    ] = "standard",
    objectives: ObjectivesOption = None,
    constraint: ConstraintOption = None,
    reference: ReferenceOption = None,
    checkpoints: CheckpointsOption = None,
    keep_limits: Annotated[
        bool,
        typer.Option("--keep-limits", help="Keep the campaign's max_distinct on each batch."),
    ] = False,
    out: OutOption = None,
    resume: ResumeOption = False,
    plot: PlotOption = None,
    jobs: JobsOption = 0,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Spread the seeds over a Ray cluster: auto, ray://host:10001, or local for one "
            "of --jobs processes here. Needs the extra `ray`.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Let strategies run a lab's experiments, round by round, and compare what they reach."""
    from engine.bench.harness.pool import jobs_of
    from engine.bench.harness.results import check_folders
    from engine.bench.search import closed_loop as bench

    config = bench.ClosedLoopConfig(
        strategies=by_commas(strategies) or ("sobol", "gp"),
        n_seeds=seeds,
        first_seed=first_seed,
        start=start,
        batch=batch,
        budget=budget,
        lab=lab,
        objectives=by_commas([objectives] if objectives else None),
        constraints=tuple(constraint or ()),
        keep_limits=keep_limits,
        start_by=start_by,
        reference=reference or "",
        checkpoints=checkpoints,
    )
    check_folders(out, plot)
    n_jobs = jobs_of(jobs)
    with progress_bar(len(config.tasks) * budget, "experiments") as progress:
        document = bench.closed_loop(
            config, jobs=n_jobs, ray=ray, out=out, resume=resume, progress=progress
        )
    _finish(document, n_jobs, out, plot, as_json)


def replay(
    table: TableOption = None,
    table_format: FormatOption = "table",
    campaign: CampaignOption = None,
    template: TemplateOption = None,
    strategies: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            help="Such as random (or sobol), gp, matmcl, ax, ax-matmcl or nsga2 (an unknown one "
            "lists all); repeat it to compare.",
            show_default="random, gp",
        ),
    ] = None,
    seeds: SeedsOption = 20,
    first_seed: FirstSeedOption = 0,
    start: StartOption = 10,
    batch: BatchOption = 5,
    budget: BudgetOption = 60,
    objectives: ObjectivesOption = None,
    constraint: ConstraintOption = None,
    reference: ReferenceOption = None,
    read_at: Annotated[
        int,
        typer.Option("--read-at", help="Experiments after which the reference's score is read."),
    ] = 40,
    smoothed: Annotated[
        bool,
        typer.Option(
            "--smoothed",
            help="Score the chosen runs once more, by what BoTorch's default model of the whole "
            "table expects of them: measured values reward luck.",
        ),
    ] = False,
    out: OutOption = None,
    resume: ResumeOption = False,
    plot: PlotOption = None,
    jobs: JobsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Let strategies choose among the runs of a finished table, and compare what they find."""
    from engine.bench.harness.pool import jobs_of
    from engine.bench.harness.results import check_folders
    from engine.bench.search import replay as bench

    if table is None:
        raise UsageError(f"expected a finished table: {field('table')} FILE")
    config = bench.ReplayConfig(
        table=table.name,
        strategies=by_commas(strategies) or ("random", "gp"),
        n_seeds=seeds,
        first_seed=first_seed,
        start=start,
        batch=batch,
        budget=budget,
        objectives=by_commas([objectives] if objectives else None),
        constraints=tuple(constraint or ()),
        reference=reference or "",
        read_at=read_at,
        smoothed=smoothed,
    )
    check_folders(out, plot)
    definition = campaign_for(campaign, template, table_format)
    runs = bench.read_pool(table, definition, table_format=table_format)
    n_jobs = jobs_of(jobs)
    with progress_bar(len(config.tasks) * budget, "experiments") as progress:
        document = bench.replay(
            config, definition, runs, jobs=n_jobs, out=out, resume=resume, progress=progress
        )
    _finish(document, n_jobs, out, plot, as_json)


def latency(
    n: Annotated[int, typer.Option("--n", help="Suggestions to ask for.")] = 8,
    observations: Annotated[
        int, typer.Option("--observations", help="Virtual runs to learn from, without --table.")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Seed of data and suggestions.")] = 0,
    table: TableOption = None,
    table_format: FormatOption = "table",
    repeats: Annotated[int, typer.Option("--repeats", help="How often each is timed.")] = 1,
    threads: Annotated[int, typer.Option("--threads", help="Threads of ours.")] = 1,
    peer: Annotated[
        bool, typer.Option("--ax/--no-ax", help="Time Ax's own generation too.")
    ] = True,
    peer_threads: Annotated[
        list[int] | None,
        typer.Option(
            "--ax-threads", help="Threads of Ax; repeatable.", show_default="ours, and the cores"
        ),
    ] = None,
    process: Annotated[
        bool, typer.Option("--process/--no-process", help="Time `engine propose` as a whole too.")
    ] = True,
    out: Annotated[Path | None, typer.Option("--out", help="Keep the numbers here (JSON).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Time a proposal beside Ax's own default generation, on the same data."""
    from engine.bench.harness.results import check_folders, write_json
    from engine.bench.search import latency as bench
    from engine.bench.search.replay import read_pool

    config = bench.LatencyConfig(
        n=n,
        observations=observations,
        seed=seed,
        repeats=repeats,
        threads=threads,
        peer="ax" if peer else None,
        peer_threads=tuple(peer_threads or ()),
    )
    check_folders(out)
    if table is not None:
        campaign = campaign_for(None, "nanofibre", table_format)
        runs = read_pool(table, campaign, table_format=table_format)
    else:
        campaign, runs = bench.virtual_runs(observations, seed)
    time_process = (
        bench.propose_process(campaign, runs, n=n, seed=seed, threads=threads) if process else None
    )
    document = bench.latency(config, campaign, runs, process=time_process, progress=say_stage)
    if out is not None:
        write_json(out, document)
    show(document, lambda: print_latency(document), as_json=as_json, files=(out,))


def _finish(
    document: Mapping[str, Any], jobs: int, out: Path | None, plot: Path | None, as_json: bool
) -> None:
    if plot is not None:
        from engine.bench.harness.plots import plot_comparison

        plot_comparison(document, plot)
    show(document, lambda: print_comparison(document, jobs), as_json=as_json, files=(out, plot))
