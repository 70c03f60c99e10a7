"""``engine bench ablation``, ``calibration``, ``composite``: what knowing beforehand is worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.bench.learning_tables import markdown, print_learning
from engine.cli.bench.options import (
    CheckpointsOption,
    FirstSeedOption,
    JobsOption,
    OutOption,
    PlotOption,
    ResumeOption,
    SeedsOption,
    check_folders,
    jobs_of,
    step_progress,
    words,
)
from engine.cli.output import JsonOption, print_json, say
from engine.errors import DataError, UsageError

SizesOption = Annotated[
    str, typer.Option("--sizes", help="Numbers of experiments to learn from, by commas.")
]
TestOption = Annotated[
    int, typer.Option("--test", help="Settings to be tested on, each run once too.")
]
MarkdownOption = Annotated[
    Path | None, typer.Option("--markdown", help="Write the table here, for a document.")
]


def ablation(
    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--row",
            help="A row (an unknown one lists all); repeatable. Plain counterparts come along.",
            show_default="all",
        ),
    ] = None,
    sizes: SizesOption = "8,16,32,64",
    seeds: SeedsOption = 10,
    first_seed: FirstSeedOption = 0,
    test: TestOption = 128,
    hypervolume: Annotated[
        bool,
        typer.Option(
            "--hypervolume",
            help="Run the closed loop of each row too: 8 Sobol experiments, batches of 8 to 56.",
        ),
    ] = False,
    checkpoints: CheckpointsOption = None,
    out: OutOption = None,
    resume: ResumeOption = False,
    plot: PlotOption = None,
    markdown_file: MarkdownOption = None,
    jobs: JobsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """What each kind of source is worth: R² after so many experiments, row by row."""
    from engine.bench.models.learning import LearningConfig
    from engine.bench.models.rows import ablation_rows

    config = LearningConfig(
        "ablation",
        ablation_rows(tuple(rows or ())),
        sizes=_sizes(sizes),
        n_seeds=seeds,
        first_seed=first_seed,
        n_test=test,
        checkpoints=checkpoints,
    )
    how = {"jobs": jobs, "out": out, "resume": resume, "plot": plot}
    _run(config, how, markdown_file, as_json, loops=hypervolume)


def calibration(
    truths: Annotated[
        list[str] | None,
        typer.Option(
            "--truth",
            help="standard, family (another lab each seed), unlike, lots, older, module:Class or "
            "FILE.toml; repeatable.",
            show_default="standard, unlike",
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="Such as gp or botorch (an unknown one lists all); repeat it to compare.",
            show_default="gp, botorch and what sources allow",
        ),
    ] = None,
    sizes: SizesOption = "8,16,32,64,128",
    seeds: SeedsOption = 10,
    first_seed: FirstSeedOption = 0,
    test: TestOption = 128,
    checkpoints: CheckpointsOption = None,
    out: OutOption = None,
    resume: ResumeOption = False,
    plot: PlotOption = None,
    markdown_file: MarkdownOption = None,
    jobs: JobsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Whether intervals hold as results come: NLPD, coverage and R² on runs not learnt from."""
    from engine.bench.models.learning import LearningConfig
    from engine.bench.models.rows import USUAL_MODELS, grid_of

    config = LearningConfig(
        "calibration",
        grid_of(words(truths) or ("standard", "unlike"), words(models) or USUAL_MODELS),
        sizes=_sizes(sizes),
        n_seeds=seeds,
        first_seed=first_seed,
        n_test=test,
        checkpoints=checkpoints,
    )
    how = {"jobs": jobs, "out": out, "resume": resume, "plot": plot}
    _run(config, how, markdown_file, as_json)


def composite(
    sizes: SizesOption = "30",
    seeds: SeedsOption = 10,
    first_seed: FirstSeedOption = 0,
    test: TestOption = 256,
    checkpoints: CheckpointsOption = None,
    out: OutOption = None,
    resume: ResumeOption = False,
    plot: PlotOption = None,
    markdown_file: MarkdownOption = None,
    jobs: JobsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """What a nanofibre campaign is worth to the scarce composites made of its mats."""
    from engine.bench.models.learning import LearningConfig
    from engine.bench.models.rows import COMPOSITE

    config = LearningConfig(
        "composite",
        COMPOSITE,
        sizes=_sizes(sizes),
        n_seeds=seeds,
        first_seed=first_seed,
        n_test=test,
        checkpoints=checkpoints,
    )
    how = {"jobs": jobs, "out": out, "resume": resume, "plot": plot}
    _run(config, how, markdown_file, as_json)


def _run(
    config: Any,
    how: Mapping[str, Any],
    markdown_file: Path | None,
    as_json: bool,
    *,
    loops: bool = False,
) -> None:
    from engine.bench.models.learning import learning

    out, plot = how["out"], how["plot"]
    check_folders(out, plot, markdown_file)
    n_jobs = jobs_of(how["jobs"])
    with step_progress(len(config.tasks) * config.sizes[-1]) as progress:
        document = learning(config, jobs=n_jobs, out=out, resume=how["resume"], progress=progress)
    if loops:
        document["final_hypervolume"] = _loops(config, n_jobs, out, resume=how["resume"])
        if out is not None:
            from engine.bench.harness.results import write_json

            write_json(out, document)
    if plot is not None:
        from engine.bench.harness.plots import plot_learning

        plot_learning(document, plot)
    if markdown_file is not None:
        _write(markdown_file, markdown(document))
    if as_json:
        print_json(document)
        return
    print_learning(document, n_jobs)
    for path in (out, plot, markdown_file):
        if path is not None:
            say(f"written: {path}")


def _loops(config: Any, jobs: int, out: Path | None, *, resume: bool) -> dict[str, Any]:
    from engine.bench.models.rows import proposes
    from engine.bench.search.row_loops import final_hypervolumes

    options = {
        "n_seeds": config.n_seeds,
        "first_seed": config.first_seed,
        "checkpoints": config.checkpoints,
    }
    with step_progress(sum(map(proposes, config.rows)) * config.n_seeds * 56) as progress:
        return final_hypervolumes(
            config.rows, options, jobs=jobs, out=out, resume=resume, progress=progress
        )


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words([text]))
    except ValueError:
        raise UsageError(
            f"--sizes: expected whole numbers by commas, such as 8,16,32, got '{text}'"
        ) from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
