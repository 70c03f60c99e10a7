"""Errors on their way between processes: a document on one line, with its marks and its field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from db import errors as db_errors
from engine import errors


def error_document(error: Exception) -> dict[str, Any]:
    """Return an error as JSON types; its message still says where voices differ."""
    field = getattr(error, "field", None)
    return {"error": type(error).__name__, "message": errors.marked(error), "field": field}


def error_of(document: Mapping[str, Any]) -> Exception:
    """Return the error of a document; of a kind that is not ours, a ``RuntimeError``.

    >>> error = error_of(error_document(errors.UsageError("expected 1 or more", field="k")))
    >>> type(error).__name__, error.field, error.worded("cli")
    ('UsageError', 'k', '--k: expected 1 or more')
    """
    kind, message = document["error"], document["message"]
    for module in (errors, db_errors):
        error_type = getattr(module, kind, None)
        if isinstance(error_type, type) and issubclass(error_type, Exception):
            error: Exception = error_type(message)
            if isinstance(error, errors.SpinneretError):
                error.field = document.get("field")  # the message begins with it already
            return error
    return RuntimeError(message)
