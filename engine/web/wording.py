"""The engine's messages in the words of a page (labels of its inputs) or of a program (JSON names).

Nothing that leaves the server names an option of the command line or a path of this machine.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from db import errors as db_errors
from engine.errors import SpinneretError, Voice, spell

_LOG = logging.getLogger("spinneret.web")

LABELS = {
    "name": "Name",
    "password": "Password",
    "old_password": "Current password",
    "password_again": "New password again",
    "key": "Key",
    "role": "Role",
    "scope": "Allowed to",
    "days": "Valid for so many days",
    "n": "Runs",
    "at": "Today's readings",
    "fixed": "Held",
    "max_distinct": "At most so many values",
    "robust": "Judge each setting by the worst of the recent readings",
    "preview": "Draw what to expect, where possible",
    "strategy": "Strategy",
    "seed": "Seed",
    "replicates": "Settings already run may be proposed again",
    "explore": "Where no run reaches a threshold yet, search all trade-offs instead",
    "full": "Start from the starter model with all runs (otherwise go on from the serving model)",
    "accept_suspicious": "Also learn from results that contradict the others",
    "steps": "Most training steps",
    "conditions": "As it was run",
    "actual": "How it was really run",
    "results": "Results",
    "which": "Which",
    "failed": "Record a failure",
    "failure": "What happened",
    "running": "Being made now",
    "abandon": "Exclude this run",
    "label": "Label",
    "note": "Note",
    "why": "Why",
    "facts": "Who, when, with what",
    "micrographs": "Pictures",
    "nm_per_pixel": "Pixel size",
    "rotation_axis": "Rotation axis in the picture",
    "crop": "What to measure",
    "dark_fibres": "What is seen is darker than its ground",
    "scale_bar": "Length of its scale bar",
    "exclude": "Exclude an area",
    "scale": "Set the scale",
    "delete": "Delete a fibre",
    "add": "Add a fibre",
    "kind": "What to do",
    "sample": "What one sample is",
    "pattern": "Pattern of names",
    "length": "Length between the two places",
    "curve": "Curves",
    "direction": "Direction in which it was pulled",
    "width": "Width",
    "thickness": "Thickness",
    "gauge_length": "Gauge length",
    "units": "Units of columns",
    "columns": "Headings of columns",
    "encoding": "Encoding",
}
"""What the pages call their inputs, by the fields of requests; the templates take them from here.

>>> worded(SpinneretError("expected 1 or more, got 0", field="n"), "page")
'Runs: expected 1 or more, got 0'
"""

# Other names of the same inputs, as errors of the engine may give them.
_ALIASES = {
    "set": "conditions",
    "new": "conditions",
    "fix": "fixed",
    "micrograph": "micrographs",
    "result": "results",
    "with": "facts",
}
_PAGE_LABELS = LABELS | {alias: LABELS[name] for alias, name in _ALIASES.items()}

_LOOK = "who runs the server finds the reason in its log"
_DATABASE: tuple[tuple[type[Exception], str], ...] = (
    (
        db_errors.DatabaseBusyError,
        "the database was locked by another process for too long; nothing was written. Try again",
    ),
    (
        db_errors.CollisionError,
        "another change came in the way; nothing was written. Try again",
    ),
    (db_errors.ServerUnreachableError, "the database's server does not answer; try again later"),
    (
        db_errors.ConnectionLostError,
        "the connection to the database broke; nothing was written. Try again",
    ),
    (
        db_errors.OutcomeUnknownError,
        "the connection to the database broke while this was being recorded: it may be recorded "
        "or not, as a whole. Look before you send it again",
    ),
    (db_errors.ReadOnlyDatabaseError, f"the database cannot be written; {_LOOK}"),
)


def worded(error: Exception, voice: Voice, relabelled: Mapping[str, str] | None = None) -> str:
    """Return what an expected error says on a page or to a program.

    Errors of the database name its place and the commands that mend it. Those are for whoever runs
    the server, and go to its log.
    """
    if isinstance(error, SpinneretError):
        return error.worded(
            voice, {**_PAGE_LABELS, **(relabelled or {})} if voice == "page" else None
        )
    if isinstance(error, db_errors.DatabaseError) and not isinstance(
        error, db_errors.ConflictError
    ):
        _LOG.warning("%s", error.worded("cli"))
        return next(
            (sentence for kind, sentence in _DATABASE if isinstance(error, kind)),
            f"the database cannot be used now; {_LOOK}",
        )
    return str(error)


def spelled(document: Any, voice: Voice) -> Any:
    """Fill in the marks of every text of a document (see :func:`engine.errors.spell`).

    >>> from engine.errors import field
    >>> spelled({"notes": [f"state {field('nm_per_pixel')}"], "n": 3}, "page")
    {'notes': ['state Pixel size'], 'n': 3}
    """
    # Markup was put together from texts that were spelled and escaped already.
    if isinstance(document, str):
        # Nearly every text has no mark: looking for one letter is quicker than the expression.
        if "⟦" not in document or isinstance(document, Markup):
            return document
        return spell(document, voice, _PAGE_LABELS if voice == "page" else None)
    if isinstance(document, dict):
        return {key: spelled(item, voice) for key, item in document.items()}
    if isinstance(document, list | tuple):
        return [spelled(item, voice) for item in document]
    return document


def on_page(value: Any) -> Any:
    """Return a value as a template is to show it."""
    return spelled(value, "page") if isinstance(value, str) else value
