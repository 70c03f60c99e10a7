"""The engine's answers as JSON documents: one model of each, printed by ``--json`` and by the API.

A file for each noun. A model is read from the record's attributes (``model_validate``); where an
answer needs more than one record, its ``build`` takes them. Notes and warnings keep the marks of
``engine.errors`` until somebody shows them. Numbers that JSON cannot hold become ``null``.

>>> from types import SimpleNamespace
>>> from engine.documents.predictions import ForecastOut
>>> ForecastOut.model_validate(SimpleNamespace(mean=88.0, lower=80.5, upper=float("inf"))).plain()
{'mean': 88.0, 'lower': 80.5, 'upper': None}
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
)

Value = float | str

# Pydantic writes UTC as "Z"; the documents, like the export, have always said "+00:00".
Moment = Annotated[
    datetime,
    PlainSerializer(datetime.isoformat, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time, with its zone."""

Called = BeforeValidator(lambda value: value() if callable(value) else value)
"""Reads a record's method as if it were an attribute."""


class Document(BaseModel):
    """A JSON document, read from the attributes of a record."""

    # defer_build: a command that prints one document does not pay for the validators of the others.
    # Schema: a field with a default is always there in an answer.
    model_config = ConfigDict(
        from_attributes=True,
        populate_by_name=True,
        defer_build=True,
        json_schema_serialization_defaults_required=True,
    )

    def plain(self) -> dict[str, Any]:
        """Return the document as plain JSON types."""
        document: dict[str, Any] = finite(self.model_dump(mode="json"))
        return document


def plain(document: Any) -> Any:
    """Return a document, or dictionaries and lists with documents in them, as plain JSON types."""
    if isinstance(document, Document):
        return document.plain()
    if isinstance(document, dict):
        return {key: plain(item) for key, item in document.items()}
    if isinstance(document, list | tuple):
        return [plain(item) for item in document]
    return finite(document)


def finite(value: Any) -> Any:
    """Replace numbers that JSON cannot hold by ``None``.

    >>> finite({"mean": float("nan"), "values": (1.0, float("inf"))})
    {'mean': None, 'values': [1.0, None]}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
