"""``python -m engine.bench.ablation``: what each kind of source is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    sizes_of,
    study,
)
from engine.terminal.options import JsonOption

if TYPE_CHECKING:
    from engine.bench.models.learning import LearningConfig

LOOP_BUDGET = 56


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
    from engine.bench.models.learning_tables import run_and_show
    from engine.bench.models.rows import ablation_rows

    config = LearningConfig(
        "ablation",
        ablation_rows(tuple(rows or ())),
        sizes=sizes_of(sizes),
        n_seeds=seeds,
        first_seed=first_seed,
        n_test=test,
        checkpoints=checkpoints,
    )

    def loops(n_jobs: int) -> dict[str, object]:
        return {"final_hypervolume": _final_hypervolumes(config, n_jobs, out, resume=resume)}

    run_and_show(
        config,
        jobs=jobs,
        out=out,
        resume=resume,
        plot=plot,
        markdown_file=markdown_file,
        as_json=as_json,
        extend=loops if hypervolume else None,
    )


def _final_hypervolumes(
    config: LearningConfig, jobs: int, out: Path | None, *, resume: bool
) -> dict[str, object]:
    from engine.bench.harness.screen import progress_bar
    from engine.bench.models.rows import proposes
    from engine.bench.search.row_loops import final_hypervolumes

    options = {
        "n_seeds": config.n_seeds,
        "first_seed": config.first_seed,
        "checkpoints": config.checkpoints,
    }
    n_loops = sum(map(proposes, config.rows)) * config.n_seeds
    with progress_bar(n_loops * LOOP_BUDGET, "experiments") as progress:
        return final_hypervolumes(
            config.rows, options, jobs=jobs, out=out, resume=resume, progress=progress
        )


app = study(ablation, "ablation --row starter --seeds 3 --out ablation.json")

if __name__ == "__main__":
    app()
