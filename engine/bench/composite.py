"""``python -m engine.bench.composite``: what a nanofibre campaign is worth to its composites."""

from __future__ import annotations

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
    from engine.bench.models import rows
    from engine.bench.models.learning import LearningConfig
    from engine.bench.models.learning_tables import run_and_show

    config = LearningConfig(
        "composite",
        rows.COMPOSITE,
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


app = study(composite, "composite --sizes 30 --seeds 3 --out composite.json")

if __name__ == "__main__":
    app()
