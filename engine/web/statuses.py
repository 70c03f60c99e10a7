"""Which HTTP status an error of the engine has, and what each status is called."""

from __future__ import annotations

from db import errors as db_errors
from engine import errors
from engine.web.helpers.oracle import OracleBusyError

# The first that fits counts: subclasses stand before what they derive from.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (OracleBusyError, 503),
    (errors.AccessError, 401),
    (errors.NotFoundError, 404),
    (errors.EditedMeanwhileError, 412),
    (errors.StateError, 409),
    (errors.ModelError, 409),
    (errors.DataError, 422),
    (errors.UsageError, 422),
    (errors.SpinneretError, 400),
    (db_errors.ConflictError, 409),
    (db_errors.DatabaseError, 503),
)
EXPECTED = (errors.SpinneretError, db_errors.DatabaseError)
"""What a page answers with its form and a message; anything else is a fault of the program."""

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
