"""How a command ends that failed: one line on standard error and an exit code, no traceback."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from engine.errors import SpinneretError
from engine.host import end_by
from engine.terminal.labels import LABELS, labels_of
from engine.terminal.problems import asked_for_json, print_problem
from engine.terminal.streams import take_every_letter


class TerminatedError(BaseException):
    """SIGTERM came. No ``Exception``: nothing but what closes and cleans up may hold it back."""


@contextmanager
def closing_on_sigterm() -> Iterator[None]:
    """Let SIGTERM raise, so that what is open is closed, and only then end the process by it.

    By default it ends a process at once: a database would keep its newest rows in the log beside
    it, where a copy of the file alone misses them. A command with a handler of its own keeps it.
    """
    is_default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    # Handlers are the main thread's.
    # https://docs.python.org/3/library/signal.html#signals-and-threads
    if not is_default or threading.current_thread() is not threading.main_thread():
        yield
        return

    def raise_it(*_: object) -> None:
        # Once: a second one, sent while things are being closed, ends the process at once.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise TerminatedError

    signal.signal(signal.SIGTERM, raise_it)
    try:
        yield
    except TerminatedError:
        sys.stdout.flush()
        sys.stderr.write("stopped; nothing half-written was kept.\n")
        sys.stderr.flush()
        # Of the signal itself, as who sent it expects: systemd takes exit code 143 for a failure.
        # https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#SuccessExitStatus=
        end_by(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def one_line_errors(labels: Mapping[str, str] = LABELS) -> Iterator[None]:
    """Translate the errors that a user can mend; ``labels``: words for fields (see ``labels``).

    Raises:
        typer.Exit: after the line was written, with the error's exit code.
    """
    try:
        yield
    except SpinneretError as error:
        _fail(error.worded("cli", labels), error.exit_code, error)
    except KeyboardInterrupt:
        # 128 + SIGINT, as shells have it.
        _fail("stopped; nothing half-written was kept.", 130)
    except BrokenPipeError:
        # `engine export | head`: Python would complain once more when it flushes its streams at the
        # end.
        # https://docs.python.org/3/library/signal.html#note-on-sigpipe
        sys.stderr.close()
        raise typer.Exit(1) from None
    except Exception as error:
        # Whoever raised it has loaded db: importing it here would slow every command down.
        if "db.errors" in sys.modules and isinstance(error, sys.modules["db.errors"].DatabaseError):
            _fail(error.worded("cli"), 1, error)
        raise


class OneLineGroup(TyperGroup):
    """A group of commands whose errors end in one line, on any console."""

    arguments: tuple[str, ...] = ()

    def main(self, *args: Any, **options: Any) -> Any:
        """Run it."""
        # Before anything is read: help and errors of usage are printed by the library.
        take_every_letter()
        with closing_on_sigterm(), asked_for_json(_words(*args, **options)):
            return super().main(*args, **options)

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the words that were typed, as far as they are this group's own."""
        with _unexpected_told():
            return super().make_context(*args, **options)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words that were typed."""
        self.arguments = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed."""
        with _unexpected_told(), one_line_errors(labels_of(self._typed(ctx))):
            return super().invoke(ctx)

    def _typed(self, ctx: Any) -> Any:
        """Return the command that the first words name, as far as they name one."""
        command: Any = self
        for word in self.arguments:
            if not isinstance(command, TyperGroup):
                break
            command = command.get_command(ctx, word) or command
        return command


class OneLineCommand(TyperCommand):
    """A command on its own whose errors end in one line, on any console."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run it."""
        take_every_letter()
        with closing_on_sigterm(), asked_for_json(_words(*args, **options)):
            return super().main(*args, **options)

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the words that were typed."""
        with _unexpected_told():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        with _unexpected_told(), one_line_errors(labels_of(self)):
            return super().invoke(ctx)


def _words(args: Sequence[str] | None = None, **_: Any) -> Sequence[str]:
    return sys.argv[1:] if args is None else args


@contextmanager
def _unexpected_told() -> Iterator[None]:
    """Print what is no error of the engine's as JSON too, where that was asked for."""
    try:
        yield
    except (typer.Exit, typer.Abort, KeyboardInterrupt):
        raise
    except Exception as error:
        print_problem(error)
        raise


def _fail(message: str, exit_code: int, error: Exception | None = None) -> None:
    if error is not None:
        print_problem(error, message)
    sys.stderr.write(f"error: {message}\n")
    raise typer.Exit(exit_code) from None
