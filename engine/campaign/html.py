"""What a notebook shows of a campaign, a batch, a run: headings and tables, everything escaped.

No colours and no sizes: light or dark, the notebook's own style sheet decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from engine.campaign.numbers import as_set, range_text
from engine.campaign.parameters import Parameter


def section_html(title: str, *parts: str, remarks: Iterable[str] = ()) -> str:
    """Return parts under a title, remarks as a list below them.

    >>> section_html("A < B", remarks=["one"])
    '<div><strong>A &lt; B</strong><ul><li>one</li></ul></div>'
    """
    return f"<div><strong>{escape(title)}</strong>{''.join(parts)}{_list_html(remarks)}</div>"


def rows_html(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose rows begin with what they are called; nothing where there are no rows.

    >>> rows_html(["name", "value"], [["heat", "20"]])[-56:]
    '<tbody><tr><th>heat</th><td>20</td></tr></tbody></table>'
    """
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in rows
    )
    if not body:
        return ""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def parameters_html(parameters: Iterable[Parameter]) -> str:
    """Return a table of what is set, and of what the room gives."""
    rows = [
        [
            f"{p.name} [{p.unit}]" if p.unit else p.name,
            range_text(p.low, p.high, p.settable),
            "" if p.step is None else as_set(p.step),
            "" if p.role == "controlled" else p.role,
        ]
        for p in parameters
    ]
    return rows_html(["parameter", "values", "step", ""], rows)


def _list_html(remarks: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(remark)}</li>" for remark in remarks)
    return f"<ul>{items}</ul>" if items else ""
