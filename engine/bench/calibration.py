"""``python -m engine.bench.calibration``: whether intervals hold as results come."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.bench.options import (
    CheckpointsOption,
    FirstSeedOption,
    JobsOption,
    MarkdownOption,
    OutOption,
    PlotOption,
    ResumeOption,
    SeedsOption,
    SizesOption,
    TestOption,
    by_commas,
    sizes_of,
    study,
)
from engine.terminal.options import JsonOption


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
            show_default="gp, botorch, matmcl, matmcl:bad",
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
    from engine.bench.models.learning_tables import run_and_show
    from engine.bench.models.rows import USUAL_MODELS, grid_of

    config = LearningConfig(
        "calibration",
        grid_of(by_commas(truths) or ("standard", "unlike"), by_commas(models) or USUAL_MODELS),
        sizes=sizes_of(sizes),
        n_seeds=seeds,
        first_seed=first_seed,
        n_test=test,
        checkpoints=checkpoints,
    )
    run_and_show(
        config,
        jobs=jobs,
        out=out,
        resume=resume,
        plot=plot,
        markdown_file=markdown_file,
        as_json=as_json,
    )


app = study(calibration, "calibration --model gp,botorch --sizes 8,32 --seeds 3")

if __name__ == "__main__":
    app()
