"""A frame as a notebook shows it beside a title: units in its headings, four digits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import pandas as pd

from engine.campaign.html import rows_html, section_html
from engine.results.material import rounded


def table_html(title: str, frame: pd.DataFrame, *, remarks: Iterable[str] = ()) -> str:
    """Return a frame as a table: units in its headings, numbers to four digits, remarks below."""
    units: Mapping[str, str] = frame.attrs.get("units", {})
    headings = [f"{name} [{units[name]}]" if name in units else str(name) for name in frame.columns]
    rows = [
        [str(index), *map(_cell, row)]
        for index, row in zip(
            frame.index, frame.astype(object).itertuples(index=False), strict=True
        )
    ]
    table = rows_html([str(frame.index.name or ""), *headings], rows)
    return section_html(title, table, remarks=remarks)


class Interval(Protocol):
    """A forecast, recorded or just made."""

    @property
    def mean(self) -> float: ...  # noqa: D102 -- as the names say
    @property
    def lower(self) -> float: ...  # noqa: D102
    @property
    def upper(self) -> float: ...  # noqa: D102


def interval_text(forecast: Interval) -> str:
    """Return ``mean (lower … upper)``, to four digits."""
    return f"{rounded(forecast.mean)} ({rounded(forecast.lower)} … {rounded(forecast.upper)})"


def _cell(value: Any) -> str:
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return "–"
    return rounded(value) if isinstance(value, float) else str(value)
