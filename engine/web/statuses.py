"""Which HTTP status an error has that a page or the API answers."""

from __future__ import annotations

from db import errors as db_errors
from engine import errors
from engine.documents import problems
from engine.web.helpers.oracle import OracleBusyError

EXPECTED = (errors.SpinneretError, db_errors.DatabaseError)
"""What a page answers with its form and a message; anything else is a fault of the program."""


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error; 500 for one that was not expected.

    >>> status_of(OracleBusyError("the model is busy"))
    503
    """
    return 503 if isinstance(error, OracleBusyError) else problems.status_of(error)
