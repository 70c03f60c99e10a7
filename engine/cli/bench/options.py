"""What the commands of ``engine bench`` share: options, and what is read from their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.output import console
from engine.errors import UsageError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from engine.campaign import Campaign
    from surrogate.progress import Progress

StrategyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        help="Such as sobol, gp, matmcl, ax, ax-matmcl or nsga2 (an unknown one lists all); "
        "repeat it to compare.",
        show_default="sobol, gp",
    ),
]
ReferenceOption = Annotated[
    str | None,
    typer.Option(
        "--reference",
        help="The strategy whose score the others are to reach with fewer experiments.",
        show_default="gp, or the first",
    ),
]
CheckpointsOption = Annotated[
    Path | None,
    typer.Option(
        "--checkpoints",
        help="Folder that keeps the sources pretrained for the benchmark, and gives them back.",
        show_default="none is kept",
    ),
]
SeedsOption = Annotated[int, typer.Option("--seeds", help="Paired repetitions.")]
FirstSeedOption = Annotated[int, typer.Option("--first-seed", help="Seed of the first repetition.")]
StartOption = Annotated[int, typer.Option("--start", help="Experiments before the first batch.")]
BatchOption = Annotated[int, typer.Option("--batch", help="Experiments in a batch.")]
BudgetOption = Annotated[int, typer.Option("--budget", help="Experiments in all.")]
ObjectivesOption = Annotated[
    str | None,
    typer.Option(
        "--objectives",
        help="Outcomes by commas, each outcome, outcome:min or outcome:max:THRESHOLD.",
        show_default="the campaign's",
    ),
]
ConstraintOption = Annotated[
    list[str] | None,
    typer.Option("--constraint", help="Such as 'elastic_modulus.longitudinal >= 0.2'; repeatable."),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Keep results here (JSON), written as each repetition finishes."),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on with the results already in --out.")
]
PlotOption = Annotated[Path | None, typer.Option("--plot", help="Draw the comparison here (PNG).")]
JobsOption = Annotated[
    int, typer.Option("--jobs", help="Processes, one thread each; 0 takes one a core.")
]
TableOption = Annotated[Path | None, typer.Option("--table", help="A finished table.")]
FormatOption = Annotated[str, typer.Option("--format", help="table or matmcl.")]
CampaignOption = Annotated[
    Path | None, typer.Option("--campaign", help="TOML file with the [campaign].")
]
TemplateOption = Annotated[
    str | None,
    typer.Option("--template", help="Campaign of a template.", show_default="nanofibre for matmcl"),
]


def words(given: Sequence[str] | None) -> tuple[str, ...]:
    """Split by commas, so that ``--strategy gp,ax`` and ``--strategy gp --strategy ax`` are one."""
    return tuple(part.strip() for word in given or () for part in word.split(",") if part.strip())


def check_folders(*paths: Path | None) -> None:
    """Refuse, before anything takes hours, files that could not be written at the end.

    Raises:
        UsageError: the folder is not there, or the name is a folder's.
    """
    for path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise UsageError(
                f"{path}: expected a folder at {path.absolute().parent}; make it first"
            )
        if path is not None and path.is_dir():
            raise UsageError(f"{path}: expected a file's name, got a folder")


def campaign_for(file: Path | None, template: str | None, table_format: str) -> Campaign:
    """Return the campaign of a table: a file's, a template's, or the published table's own.

    Raises:
        UsageError: both given, or neither where one is needed.
    """
    from engine.workspace.settings import parse_campaign, read_campaign_file

    if file is not None:
        if template is not None:
            raise UsageError("--campaign and --template: give one of the two")
        return read_campaign_file(file)
    if template is None and table_format != "matmcl":
        raise UsageError("expected the campaign of the table: --campaign FILE.toml or --template")
    import tomllib

    from engine.workspace.init import template_text

    definition = tomllib.loads(template_text(template or "nanofibre"))["campaign"]
    return parse_campaign(definition, f"--template {template or 'nanofibre'}")


def progress_bar() -> Bar:
    """Return a bar with count, elapsed and remaining time, on standard error."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn  # isort: skip

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console(to_stderr=True))


def jobs_of(jobs: int) -> int:
    """Return how many processes ``--jobs`` means.

    Raises:
        UsageError: below 0.
    """
    from engine.bench.harness.environment import usable_cores

    if jobs < 0:
        raise UsageError(f"--jobs: expected 0 (one a core) or more, got {jobs}")
    return jobs or usable_cores()


@contextmanager
def step_progress(n_steps: int) -> Iterator[Progress]:
    """Show one bar over all steps of all tasks, on standard error; a stage is a task."""
    completed_of: dict[str, int] = {}
    with progress_bar() as bar:
        line = bar.add_task("experiments", total=n_steps)

        def progress(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
        ) -> None:
            completed_of[stage] = completed
            bar.update(line, completed=sum(completed_of.values()), description=stage)

        yield progress
