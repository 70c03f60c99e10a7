"""Errors of a command that was asked for JSON: a document like the API's problem+json.

It goes where the answer would have gone, to standard output, so that a program reads one document
there whatever happens; to standard error if an answer stands there already. The sentence for people
is on standard error all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from typer.exceptions import TyperException

from engine.terminal import output

_is_asked: ContextVar[bool] = ContextVar("is_asked", default=False)


@contextmanager
def asked_for_json(arguments: Sequence[str]) -> Iterator[None]:
    """Print errors within as JSON, if the words of the command line ask for it."""
    # Behind "--" nothing is an option.
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    request = _is_asked.set("--json" in options)
    answer = output.is_answered.set(False)
    try:
        yield
    finally:
        _is_asked.reset(request)
        output.is_answered.reset(answer)


def print_problem(error: Exception, detail: str | None = None) -> None:
    """Print the document of an error, if JSON was asked for.

    Args:
        error: of the engine, of the database, of the words themselves, or a fault of the program.
        detail: the sentence for people, where the error does not hold it as it is shown.
    """
    if not _is_asked.get():
        return
    from engine.documents.problems import problem_document, status_of

    if isinstance(error, TyperException):
        document = problem_document(422, _sentence_of(error), field=_field_of(error))
    else:
        document = problem_document(
            status_of(error),
            detail or f"{type(error).__name__}: {error}",
            field=getattr(error, "field", None),
            problems=getattr(error, "problems", ()),
        )
    output.print_json(document, to_stderr=output.is_answered.get())
    sys.stdout.flush()


def _sentence_of(error: Any) -> str:
    # A group without a command: its message is the whole of its help.
    return "expected a command" if "NoArgs" in type(error).__name__ else error.format_message()


def _field_of(error: Any) -> str | None:
    """Return the field that an error of the words names, in snake case as requests have it."""
    parameter = getattr(error, "param", None)
    if parameter is None:
        name = getattr(error, "option_name", None)
    elif parameter.param_type_name == "option":
        name = max(parameter.opts, key=len)
    else:
        name = parameter.name
    return None if name is None else name.lstrip("-").replace("-", "_")
