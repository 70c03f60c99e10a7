"""The kinds of failure that a table's own column of them names."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from engine.campaign.failures import SPINNING, Failure, loose
from engine.campaign.vocabulary import RESERVED, loosely
from engine.drafts.columns import TableColumn
from engine.experiments.importers import cells
from engine.experiments.importers.words import CellError

_MOST_KINDS = 12


def failure_words(columns: Sequence[TableColumn]) -> tuple[str, ...]:
    """Return the kinds that a column ``failed`` holds; none where those of spinning cover it."""
    names: dict[str, str] = {}
    is_new = False
    for column in columns:
        if RESERVED.get(loosely(column.heading)) != "failed":
            continue
        for text in filter(None, column.texts):
            try:
                if cells.parse_failure(text, SPINNING) is None:
                    continue
            except CellError:
                is_new = True
            try:
                names.setdefault(loose(text), Failure.model_validate(text).name)
            except ValidationError:  # no word that could be one: the import says so, with its row
                return ()
    return tuple(names.values()) if is_new and len(names) <= _MOST_KINDS else ()
