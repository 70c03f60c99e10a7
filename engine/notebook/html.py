"""What a notebook shows of a batch, a run, a campaign: small tables, everything escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import pandas as pd

from engine.results.material import rounded


def table_html(title: str, frame: pd.DataFrame, *, remarks: Iterable[str] = ()) -> str:
    """Return a frame as a table: units in its headings, numbers to four digits, remarks below."""
    units: Mapping[str, str] = frame.attrs.get("units", {})
    headings = [
        escape(f"{name} [{units[name]}]" if name in units else str(name)) for name in frame.columns
    ]
    head = "".join(f"<th>{name}</th>" for name in [escape(str(frame.index.name or "")), *headings])
    rows = [
        f"<tr><th>{escape(str(index))}</th>{''.join(f'<td>{_cell(x)}</td>' for x in row)}</tr>"
        for index, row in zip(
            frame.index, frame.astype(object).itertuples(index=False), strict=True
        )
    ]
    return (
        f"<div><strong>{escape(title)}</strong>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"{remarks_html(remarks)}</div>"
    )


def remarks_html(remarks: Iterable[str]) -> str:
    """Return remarks as a list, or nothing where there are none."""
    items = "".join(f"<li>{escape(remark)}</li>" for remark in remarks)
    return f"<ul>{items}</ul>" if items else ""


def _cell(value: Any) -> str:
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        return escape(rounded(value))
    return escape(str(value))
