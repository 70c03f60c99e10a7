"""What the engine says while it works: plain warnings, or one JSON line for each event.

``SPINNERET_LOG=json`` asks for JSON, ``SPINNERET_LOG=info`` for remarks besides warnings. The
standard library's logging does it; what a library under us logs is passed on as it is.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from engine.errors import spell

VARIABLE = "SPINNERET_LOG"
# Of a record that is made for it: Python's versions add fields.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonLine(logging.Formatter):
    """One JSON document a line: time (UTC), level, logger, event, and whatever else was told."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        document: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": spell(record.getMessage(), "cli"),
        }
        document |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False, default=str)


class PlainLine(logging.Formatter):
    """``warning: what happened``; remarks without a word before them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        text = spell(record.getMessage(), "cli")
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        word = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        return f"{word}{text}"


class _ToStderr(logging.Handler):
    """Writes to standard error as it is now: tests and pipes replace it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def set_up(*, as_json: bool | None = None, level: int | None = None) -> None:
    """Say what is logged, and how; ``None`` lets the environment decide."""
    setting = os.environ.get(VARIABLE, "").lower()
    wants_json = "json" in setting if as_json is None else as_json
    if level is None:
        level = logging.INFO if wants_json or "info" in setting else logging.WARNING
    handler = _ToStderr()
    handler.setFormatter(JsonLine() if wants_json else PlainLine())
    logger = logging.getLogger("spinneret")
    # In place of what is there: called twice, each line would be written twice.
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    # A library may hang a handler on the root logger, which would write each line again.
    logger.propagate = False
