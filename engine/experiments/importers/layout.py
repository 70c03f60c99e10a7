"""What stands around a table: titles above its headings, units below them, comments, a row count.

Whatever is left aside or read into the headings is told, row by row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from engine.campaign.units import check_unit
from engine.campaign.vocabulary import same_unit, split_heading
from engine.errors import DataError, RowProblem
from engine.experiments.importers.cells import is_number

Record = tuple[int, list[str]]
"""A row's number, as a spreadsheet shows it, and its cells."""

_MOST_TITLES = 30
_SUMMARIES = {
    "mean", "average", "avg", "avg.", "sd", "s.d.", "std", "std.", "stdev", "st. dev.", "std dev",
    "std. dev.", "standard deviation", "sem", "standard error", "cv", "cv%", "cv %", "median",
    "mittelwert", "mw", "durchschnitt", "ø", "x̄", "standardabweichung", "stabw", "moyenne",
    "écart-type", "media", "promedio", "平均", "平均值", "标准差", "標準偏差",
}  # fmt: skip
# Of these no run is called, wherever they stand.
_MEANS = {
    "mean", "average", "mittelwert", "durchschnitt", "moyenne", "promedio", "ø", "x̄", "平均值",
}  # fmt: skip
_BESIDE = _SUMMARIES | {
    "n", "s", "σ", "count", "min", "min.", "minimum", "max", "max.", "maximum", "sum", "total",
    "summe",
}  # fmt: skip
_FOOTNOTE = re.compile(
    r"[*†‡]+\s*\w+\W+\w|(?:notes?|remarks?|legend|source|anm(?:erkung|\.)?|hinweis|nota)\s*:",
    re.IGNORECASE,
)
_NO_UNIT = {"", "-", "–", "—"}
_UNIT_WORDS = {"unit", "units", "einheit", "einheiten", "unité", "unidad", "单位", "単位"}


def without_titles(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """Return the records from the headings on, and notes on what was left aside above and between.

    Rows of at most half as many cells as the table has are titles, provided that words, and no
    numbers, head the rest. A row of numpy's, ``# voltage,flow``, is headings.
    """
    start = _heading_row(records)
    table = list(records[start:])
    notes = []
    if start:
        rows = listed_rows([number for number, _ in records[:start]])
        notes.append(f"{rows} above the headings left aside: '{_title_text(records[0][1])}'")
    if table and table[0][1][0].lstrip().startswith("#") and table[0][1][0].strip("# "):
        table[0] = (table[0][0], [table[0][1][0].lstrip("# "), *table[0][1][1:]])
    body = [record for record in table[1:] if not _is_comment(record[1], _filled(table[0][1]))]
    if len(body) < len(table) - 1:
        numbers = [number for number, _ in body]
        comments = [number for number, _ in table[1:] if number not in set(numbers)]
        notes.append(f"{listed_rows(comments)} left aside: comments that begin with '#'")
    return [*table[:1], *body], notes


def without_asides(
    headings: Sequence[str], body: Sequence[Record]
) -> tuple[list[Record], list[str]]:
    """Return the rows of runs, and notes on those that only look so.

    Headings that are repeated further down, and sums below the runs or between them: ``Mean``,
    ``SD``, ``Mittelwert ± s``, and what stands beside such a row: ``n = 5``, ``s``, ``max``;
    footnotes: ``* broke at the grip``.
    """
    names = [_folded(heading) for heading in headings]
    repeated = {
        number for number, cells in body if list(map(_folded, cells[: len(names)])) == names
    }
    notes = []
    if repeated:
        notes.append(f"{listed_rows(sorted(repeated))} left aside: the headings once more")
    rows = [record for record in body if record[0] not in repeated]
    end = len(rows)
    while end > 1 and len(headings) > 1 and _is_footnote(rows[end - 1][1]):
        end -= 1
    if rows[end:]:
        numbers = listed_rows([number for number, _ in rows[end:]])
        notes.append(f"{numbers} left aside: a footnote, '{_title_text(rows[end][1])}'")
        rows = rows[:end]
    asides = _summaries_of(rows)
    if asides:
        listed = ", ".join(f"'{cells[0].strip()}'" for _, cells in asides)
        place = "below the runs" if asides[0][0] > rows[-len(asides) - 1][0] else "among the runs"
        notes.append(
            f"{listed_rows([number for number, _ in asides])} {place} left aside: {listed}"
        )
        rows = [record for record in rows if record not in asides]
    return rows, notes


def _is_footnote(cells: Sequence[str]) -> bool:
    return _filled(cells) == 1 and _FOOTNOTE.match(cells[0].strip()) is not None


def _summaries_of(rows: Sequence[Record]) -> list[Record]:
    """Return the rows of means and their scatter, of these rows: below the runs or between them."""
    names = [_summary(cells) for _, cells in rows]
    end = len(rows)
    while end and names[end - 1] in _BESIDE:
        end -= 1
    certain = [
        index
        for index, word in enumerate(names)
        if word in (_SUMMARIES if index >= end else _MEANS)
    ]
    summaries: set[int] = set(certain)
    for index in certain:
        # A mat may well be called "max"; beside a mean it is none.
        for step in (1, -1):
            place = index + step
            while 0 <= place < len(rows) and names[place] in _BESIDE:
                summaries.add(place)
                place += step
    # Nothing but means: then these are the runs' names.
    return [rows[index] for index in sorted(summaries)] if len(summaries) < len(rows) else []


def _summary(cells: Sequence[str]) -> str:
    """Return what a row is called, without its number of specimens and its scatter."""
    word = re.sub(r"\s*\(?\bn\s*=\s*[0-9]+\)?$", "", _folded(cells[0]))
    return re.split(r"\s*(?:±|\+/-|\()", word, maxsplit=1)[0] or _count(cells[0])


def _count(cell: str) -> str:
    return "n" if "=" in cell else ""


def _folded(cell: str) -> str:
    return cell.strip().rstrip(":").casefold()


def with_units_below(
    records: Sequence[Record],
) -> tuple[list[Record], list[str], list[RowProblem]]:
    """Return the records with a row of units below the headings read into these, and what is off.

    ``voltage`` above ``kV`` becomes ``voltage [kV]``.
    """
    if len(records) < 3 or not _is_unit_row(records):
        return list(records), [], []
    (heading_row, headings), (number, units), *body = records
    cells = []
    problems = []
    for heading, text in zip(headings, _padded(units, len(headings)), strict=True):
        unit = _bare(text)
        name, own_unit = split_heading(heading)
        if unit in _NO_UNIT or unit.casefold() in _UNIT_WORDS or not heading.strip():
            cells.append(heading)
        elif own_unit is None and not _ends_in(heading, unit):
            cells.append(f"{heading.strip()} [{unit}]")
        else:
            if own_unit is not None and not same_unit(own_unit, unit):
                expected = f"the heading says {own_unit}, the row below it {unit}; keep one"
                problems.append(RowProblem(number, name, None, expected))
            cells.append(heading)
    note = f"row {number} holds the units: {', '.join(filter(None, map(_bare, units)))}"
    return [(heading_row, cells), *body], [note], problems


def counts_rows(values: Sequence[str]) -> bool:
    """Whether a column without a heading is the index that pandas writes: 0, 1, 2 … or 1, 2 …"""
    return any(
        list(values) == [str(number) for number in range(first, first + len(values))]
        for first in (0, 1)
    )


def listed_rows(numbers: Sequence[int]) -> str:
    """Return ``row 3``, or ``rows 3, 4, 5, 6, 7 …``."""
    listed = ", ".join(map(str, numbers[:5])) + (" …" if len(numbers) > 5 else "")
    return f"row {listed}" if len(numbers) == 1 else f"rows {listed}"


def _heading_row(records: Sequence[Record]) -> int:
    """Return where the headings stand: 0 unless rows above them are certainly titles."""
    head = [cells for _, cells in records[:_MOST_TITLES]]
    width = max((_filled(cells) for cells in head if not _starts_with_hash(cells)), default=0)
    for place, cells in enumerate(head):
        if _starts_with_hash(cells) and not _is_hashed_heading(head, place, width):
            continue
        if 2 * _filled(cells) <= width:
            continue
        return 0 if any(map(is_number, cells)) else place
    return 0


def _is_hashed_heading(head: Sequence[Sequence[str]], place: int, width: int) -> bool:
    following = head[place + 1 : place + 2]
    return (
        _filled(head[place]) == width
        and bool(following)
        and not _starts_with_hash(following[0])
        and any(map(is_number, following[0]))
    )


def _is_comment(cells: Sequence[str], width: int) -> bool:
    if width == 1 or not _starts_with_hash(cells):
        return False
    # A row as wide as the table is one: "#1" is a sample's number.
    return len(cells) < width or _filled(cells) == 1


def _is_unit_row(records: Sequence[Record]) -> bool:
    width = len(records[0][1])
    cells_below = _padded(records[1][1], width)
    if any(map(is_number, cells_below)):
        return False
    texts = list(map(_bare, cells_below))
    n_units = 0
    for index, text in enumerate(texts):
        if text in _NO_UNIT or text.casefold() in _UNIT_WORDS:
            continue
        values = [_padded(cells, width)[index].strip() for _, cells in records[2:]]
        # "A" above names is a name, above numbers it is ampere.
        if not _is_unit(text) or not any(map(is_number, values)):
            return False
        n_units += 1
    return n_units > 0


@cache
def _is_unit(text: str) -> bool:
    try:
        check_unit(text)
    except DataError:
        return False
    return True


def _bare(text: str) -> str:
    """Return a unit without its brackets; ``[1]`` says that there is none."""
    word = text.strip()
    return "" if word in ("[1]", "(1)") else re.sub(r"^[\[(](.*)[\])]$", r"\1", word).strip()


def _ends_in(heading: str, unit: str) -> bool:
    return re.split(r"[_\s]", heading.strip())[-1].casefold() == unit.casefold()


def _padded(cells: Sequence[str], width: int) -> list[str]:
    return [*cells, *[""] * (width - len(cells))][:width]


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)


def _starts_with_hash(cells: Sequence[str]) -> bool:
    return bool(cells) and cells[0].lstrip().startswith("#")


def _title_text(cells: Sequence[str]) -> str:
    title = " ".join(cell.strip() for cell in cells if cell.strip())
    return title if len(title) <= 60 else f"{title[:59]}…"
