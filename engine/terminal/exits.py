"""How a command ends that failed: one line on standard error and an exit code, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from engine.errors import SpinneretError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Translate the errors that a user can mend.

    Raises:
        typer.Exit: after the line was written, with the error's exit code.
    """
    try:
        yield
    except SpinneretError as error:
        _fail(error.worded("cli"), error.exit_code)
    except KeyboardInterrupt:
        _fail("stopped; nothing half-written was kept.", 130)
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(1) from None
    except Exception as error:
        # Whoever raised it has loaded db: importing it here would slow every command down.
        if "db.errors" in sys.modules and isinstance(error, sys.modules["db.errors"].DatabaseError):
            _fail(error.worded("cli"), 1)
        raise


class OneLineGroup(TyperGroup):
    """A group of commands whose errors end in one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed."""
        with one_line_errors():
            return super().invoke(ctx)


class OneLineCommand(TyperCommand):
    """A command on its own whose errors end in one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        with one_line_errors():
            return super().invoke(ctx)


def _fail(message: str, exit_code: int) -> None:
    sys.stderr.write(f"error: {message}\n")
    raise typer.Exit(exit_code) from None
