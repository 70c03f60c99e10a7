"""How the numbers of a table are written: ``1.234,5`` or ``1,028.00``, column by column.

A number such as ``18,5`` or ``1,028.00`` settles its column's style, the majority where they
differ; ``1.028`` and ``1,028`` settle nothing. A column that settles nothing goes by the others;
where these differ, such a number is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.campaign import Campaign
from engine.errors import RowProblem
from engine.experiments.importers import cells
from engine.experiments.importers.headings import Column, Columns
from engine.experiments.importers.raw import RawTable

Style = Literal["comma", "point"]

_SIGN, _POWER = r"[+-]?", r"(?:[eE][+-]?[0-9]+)?"
# Thousands as French and Swiss editions write them.
_GROUPS = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:[\u00a0\u202f'’][0-9]{3})+(?![0-9])")
_MARKS = frozenset(",\u00a0\u202f'’")
_EITHER = re.compile(rf"{_SIGN}[1-9][0-9]{{0,2}}[.,][0-9]{{3}}")
_EVIDENCE = {
    style: re.compile(
        rf"{_SIGN}(?:[0-9]*{mark}[0-9]+{_POWER}"
        rf"|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+{mark}[0-9]+|[0-9]{{1,3}}(?:{group}[0-9]{{3}}){{2,}})"
    )
    for style, mark, group in (("comma", ",", r"\."), ("point", r"\.", ","))
}
_GROUPED = {
    style: re.compile(rf"{_SIGN}[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+(?:{mark}[0-9]+)?")
    for style, mark, group in (("comma", ",", r"\."), ("point", r"\.", ","))
}


@dataclass(frozen=True)
class Numbers:
    """A table whose numbers are written plainly, and whether ``1,5`` is one throughout."""

    raw: RawTable
    decimal_comma: bool
    problems: tuple[RowProblem, ...] = ()


def plain_numbers(raw: RawTable, columns: Columns, campaign: Campaign) -> Numbers:
    """Return the table with its numbers written as ``1234.5``; what is rewritten is told."""
    return plain_columns(raw, numeric_columns(columns, campaign))


def plain_columns(raw: RawTable, numeric: Sequence[Column]) -> Numbers:
    """Return the table with the numbers of these columns written plainly."""
    texts = "".join(row[column.index] for column in numeric for row in raw.rows)
    # Without a comma or a mark between thousands there is no other way to read them.
    if not _MARKS.intersection(texts):
        return Numbers(raw, decimal_comma=False)
    rows = [list(row) for row in raw.rows]
    notes: list[str] = []
    problems: list[RowProblem] = []
    for column in numeric:
        for row in rows:
            row[column.index] = _GROUPS.sub(
                lambda match: re.sub(r"[^0-9]", "", match[0]), row[column.index]
            )
    is_comma_table = _uses_decimal_comma(raw, numeric)
    styles = _styles({c.index: [row[c.index] for row in rows] for c in numeric})
    settled = {style for style in styles.values() if style is not None}
    for column in numeric:
        style = styles[column.index]
        for number, row in zip(raw.numbers, rows, strict=True):
            word = cells.number_part(row[column.index])
            # A comma is refused by whoever reads the cell.
            if style is None and len(settled) == 2 and "." in word and _EITHER.fullmatch(word):
                expected = (
                    f"'{word}' may be a thousand or a fraction: other columns have decimal points "
                    "and commas; write it without a separator of thousands"
                )
                problems.append(RowProblem(number, column.heading, word, expected))
        if style is None and settled == {"comma"}:
            style = "comma"
        example = _rewrite(rows, column, style, is_comma_table)
        if example is not None:
            notes.append(f"column '{column.heading}': {example[0]} is read as {example[1]}")
    table = replace(raw, rows=tuple(map(tuple, rows)), notes=(*raw.notes, *notes))
    return Numbers(table, is_comma_table, tuple(problems))


def uses_decimal_comma(raw: RawTable, columns: Columns, campaign: Campaign) -> bool:
    """Whether the numbers of the table are written with decimal commas throughout."""
    return _uses_decimal_comma(raw, numeric_columns(columns, campaign))


def _uses_decimal_comma(raw: RawTable, numeric: Sequence[Column]) -> bool:
    if not raw.may_use_decimal_comma:
        return False
    indices = [column.index for column in numeric]
    texts = [row[index] for row in raw.rows for index in indices]
    # One number with a point settles it: then commas are no decimal ones.
    has_point = any(cells.has_decimal_point(text) for text in texts)
    return not has_point and any(cells.has_decimal_comma(text) for text in texts)


def numeric_columns(columns: Columns, campaign: Campaign) -> list[Column]:
    """Return the columns of numbers: outcomes, and parameters whose choices are no names."""
    names = {parameter.name for parameter in campaign.parameters if parameter.is_categorical}
    return [c for c in columns.of_kind("parameter", "outcome", "scatter") if c.name not in names]


def _styles(columns: Mapping[int, Sequence[str]]) -> dict[int, Style | None]:
    """Return what most of each column's numbers say, of those that settle anything."""
    counts = {index: _count_evidence(texts) for index, texts in columns.items()}
    styles: dict[int, Style | None] = {
        index: None if not n_comma + n_point else "comma" if n_comma > n_point else "point"
        for index, (n_comma, n_point) in counts.items()
    }
    if "point" in styles.values():
        # One comma in a table of points is as likely a slip.
        slips = [i for i, style in styles.items() if style == "comma" and counts[i][0] == 1]
        styles |= dict.fromkeys(slips)
    return styles


def _count_evidence(texts: Sequence[str]) -> tuple[int, int]:
    decided = [word for word in map(cells.number_part, texts) if not _EITHER.fullmatch(word)]
    n_comma, n_point = (
        sum(_EVIDENCE[style].fullmatch(word) is not None for word in decided)
        for style in ("comma", "point")
    )
    return n_comma, n_point


def _rewrite(
    rows: list[list[str]], column: Column, style: Style | None, is_comma_table: bool
) -> tuple[str, str] | None:
    """Write a column's numbers plainly; return the change that says most, if there is any."""
    if style is None:
        return None
    parts = {row[column.index]: cells.number_part(row[column.index]) for row in rows}
    grouped = {word for word in parts.values() if _GROUPED[style].fullmatch(word)}
    # "1,028" beside "0.5" alone is as likely a slip.
    has_groups = style == "comma" or any(not _EITHER.fullmatch(word) for word in grouped)
    examples = []
    for row in rows:
        text = row[column.index]
        word = plain = parts[text]
        if word in grouped and has_groups:
            plain = word.replace("." if style == "comma" else ",", "")
        if style == "comma" and cells.has_decimal_comma(plain):
            plain = plain.replace(",", ".")
        if plain != word:
            row[column.index] = text.replace("−", "-").replace(word, plain, 1)
            if word in grouped or not is_comma_table:
                examples.append((word, plain))
    return max(examples, key=lambda pair: bool(_EITHER.fullmatch(pair[0])), default=None)
