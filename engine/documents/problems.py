"""What went wrong, as a document (RFC 9457): the API's problem+json, and what ``--json`` prints.

>>> document = problem_document(404, "there is no batch 7", field="batch")
>>> document["title"], document["field"]
('Not found', 'batch')
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from db import errors as db_errors
from engine import errors
from engine.errors import RowProblem

# The first that fits counts: subclasses stand before what they derive from.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (errors.AccessError, 401),
    (errors.NotFoundError, 404),
    (errors.EditedMeanwhileError, 412),
    (errors.StateError, 409),
    (errors.PluginError, 409),
    (errors.ModelError, 409),
    (errors.DataError, 422),
    (errors.UsageError, 422),
    (errors.SpinneretError, 400),
    (db_errors.ConflictError, 409),
    (db_errors.DatabaseError, 503),
)

# RFC 9110's reason phrases, in the forms that the IANA registry lists:
# https://www.iana.org/assignments/http-status-codes
TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    412: "Precondition failed",
    413: "Content too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
}


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error; 500 for one that was not expected.

    >>> status_of(errors.NotFoundError("there is no batch 7"))
    404
    >>> status_of(ZeroDivisionError())
    500
    """
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def title_of(status: int) -> str:
    """Return what a status is called."""
    return TITLES.get(status, "Error")


def problem_document(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    problems: Iterable[RowProblem] = (),
) -> dict[str, Any]:
    """Return the document of a problem.

    Args:
        status: an HTTP status, which names the kind of problem.
        detail: expected, got and the mend, in the words of who shows it.
        field: the field of the request that is off, as requests name it.
        problems: what is wrong with the rows of a file.
    """
    text = detail.encode("utf-8", "replace").decode()  # half a letter cannot be sent
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": text,
    }
    if field is not None:
        document["field"] = field.encode("utf-8", "replace").decode()
    rows = [row_problem_document(problem) for problem in problems]
    return document | ({"problems": rows} if rows else {})


def row_problem_document(problem: RowProblem) -> dict[str, Any]:
    """Return one thing that is wrong with a file as plain JSON types."""
    return {
        "row": problem.row,
        "column": problem.column,
        "value": problem.value,
        "expected": problem.expected,
        "mend": problem.mend,
    }
