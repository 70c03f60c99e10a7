"""``engine``: the commands, put together. Imports here stay light: no torch, no SQLAlchemy."""

from __future__ import annotations

from typing import Annotated

import typer

from engine import __version__, logs
from engine.cli import (
    campaign,
    curve,
    data,
    database,
    demo,
    doctor,
    micrograph,
    models,
    predict,
    pretrain,
    preview,
    propose,
    refresh,
    report,
    retrieve,
    schedule,
    serve,
    source,
    undo,
    users,
    watch,
)
from engine.cli.bench import commands as bench
from engine.cli.examples import add_examples
from engine.terminal.exits import OneLineGroup

app = typer.Typer(
    cls=OneLineGroup,
    name="engine",
    help="Which mats do I spin next? Active learning for electrospinning labs.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from engine.compute import versions

        for library, version in {"spinneret": __version__, **versions()}.items():
            typer.echo(f"{library} {version}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version, and those of the libraries that compute.",
        ),
    ] = False,
) -> None:
    logs.set_up()


for _module in (
    data, undo, micrograph, curve, campaign, database, source, pretrain, refresh, models, schedule,
    propose, preview, predict, retrieve, report, serve, users, watch, doctor, demo, bench,
):  # fmt: skip
    _module.register(app)
add_examples(app)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
