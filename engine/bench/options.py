"""What ``engine bench`` and the studies share: options, what is read from them, a study's command.

A study is a function with these options; :func:`study` makes it a command that is run as
``python -m engine.bench.NAME``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import UsageError, field
from engine.terminal.exits import OneLineCommand

if TYPE_CHECKING:
    from engine.campaign import Campaign

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
        help="Outcomes by commas, each outcome, outcome:min, outcome:max:THRESHOLD or "
        "outcome:target:VALUE:TOLERANCE.",
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


SizesOption = Annotated[
    str, typer.Option("--sizes", help="Numbers of experiments to learn from, by commas.")
]
TestOption = Annotated[
    int, typer.Option("--test", help="Settings to be tested on, each run once too.")
]
MarkdownOption = Annotated[
    Path | None, typer.Option("--markdown", help="Write the table here, for a document.")
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, help="Threads of the numerical libraries.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is drawn.")]


def study(command: Callable[..., None], example: str) -> typer.Typer:
    """Return a study's command line: its errors are one line, its help ends with ``example``."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command(cls=OneLineCommand, epilog=f"Example: python -m engine.bench.{example}")(command)
    return app


def by_commas(texts: Sequence[str] | None) -> tuple[str, ...]:
    """Split by commas, so that ``--strategy gp,ax`` and ``--strategy gp --strategy ax`` are one.

    >>> by_commas(["gp, ax", "nsga2"])
    ('gp', 'ax', 'nsga2')
    """
    return tuple(part.strip() for text in texts or () for part in text.split(",") if part.strip())


def sizes_of(text: str) -> tuple[int, ...]:
    """Read numbers of experiments.

    Raises:
        UsageError: a word that is no whole number.
    """
    try:
        return tuple(int(word) for word in by_commas([text]))
    except ValueError:
        raise UsageError(
            f"expected whole numbers by commas, such as 8,16,32, got '{text}'", field="sizes"
        ) from None


def campaign_for(file: Path | None, template: str | None, table_format: str) -> Campaign:
    """Return the campaign of a table: a file's, a template's, or the published table's own.

    Raises:
        UsageError: both given, or neither where one is needed.
    """
    from engine.workspace.settings import parse_campaign, read_campaign_file

    if file is not None:
        if template is not None:
            raise UsageError(f"{field('campaign')} and {field('template')}: give one of the two")
        return read_campaign_file(file)
    if template is None and table_format != "matmcl":
        raise UsageError(
            f"expected the campaign of the table: {field('campaign')} FILE.toml or "
            f"{field('template')}"
        )
    import tomllib

    from engine.workspace.init import template_text

    definition = tomllib.loads(template_text(template or "nanofibre"))["campaign"]
    return parse_campaign(definition, f"{field('template')} {template or 'nanofibre'}")
