"""Docstrings as the site shows them: roles of other tools become code, examples a block of code."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":\w+:`~?([^`]+)`")
EXAMPLE = re.compile(r"^(>>> .*(?:\n(?!\n).*)*)", re.MULTILINE)


def readable(text: str) -> str:
    """Return a docstring in Markdown.

    >>> readable("See :class:`engine.Lab`.")
    'See `engine.Lab`.'
    """
    return EXAMPLE.sub(r"```pycon\n\1\n```", ROLE.sub(r"`\1`", text).replace("``", "`"))


class Readable(griffe.Extension):
    """Turns every docstring that is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Turn one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = readable(obj.docstring.value)
