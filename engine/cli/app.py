"""``engine``: the commands, put together. Imports here stay light: no torch, no SQLAlchemy."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from engine import __version__, logs
from engine.cli import (
    campaign,
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
    users,
)
from engine.cli.bench import commands as bench
from engine.errors import SpinneretError


class ErrorTranslatingGroup(TyperGroup):
    """Turns the errors a user can mend into one line and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; translate what it raises."""
        try:
            return super().invoke(ctx)
        except SpinneretError as error:
            _fail(error.worded("cli"), error.exit_code)
        except KeyboardInterrupt:
            _fail("stopped; nothing half-written was kept.", 130)
        except BrokenPipeError:
            sys.stderr.close()
            raise typer.Exit(1) from None
        except Exception as error:
            if "db.errors" in sys.modules and isinstance(
                error, sys.modules["db.errors"].DatabaseError
            ):
                _fail(str(error), 1)
            raise


def _fail(message: str, exit_code: int) -> None:
    sys.stderr.write(f"error: {message}\n")
    raise typer.Exit(exit_code) from None


app = typer.Typer(
    cls=ErrorTranslatingGroup,
    name="engine",
    help="Which mats do I spin next? Active learning for electrospinning labs.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"spinneret {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    logs.set_up()


for _module in (
    data, micrograph, campaign, database, source, pretrain, refresh, models, schedule, propose,
    preview, predict, retrieve, report, serve, users, doctor, demo, bench,
):  # fmt: skip
    _module.register(app)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
