"""Lines of text → rows of cells, by the separator that gives the most numbers."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.curves.reading.numbers import looks_numeric

SEPARATORS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", " ": "blanks"}
_BLANKS = re.compile(r"(?<=\S)(?:\s{2,}|\t| (?=[-+.\d\"]))")
_SAMPLE = 400


@dataclass(frozen=True)
class Grid:
    """A file's rows of cells, and how it was cut into them."""

    rows: tuple[tuple[str, ...], ...]
    separator: str
    ends_whole: bool = True
    """Whether the last line was closed; else its last number may be cut short."""

    name: str = ""
    """The sheet's name, in a workbook."""


def cut_into_cells(text: str) -> Grid:
    """Return the rows of a text, blank lines included, cells without quotes and outer blanks."""
    lines = text.splitlines()
    stated = None
    if lines and re.fullmatch(r"\s*\"?sep=(.)\"?\s*", lines[0], re.IGNORECASE):
        stated = lines[0].strip().strip('"')[4]
        lines[0] = ""
    separator = stated or _separator(lines)
    rows = tuple(split_line(line, separator) for line in lines)
    return Grid(rows, SEPARATORS.get(separator, separator), text[-1:] in ("\n", "\r", ""))


def split_line(line: str, separator: str) -> tuple[str, ...]:
    """Return the cells of one line."""
    if separator == " ":
        return tuple(cell.strip().strip('"') for cell in _BLANKS.split(line.strip()))
    if '"' not in line:
        return tuple(cell.strip() for cell in line.split(separator))
    try:
        row = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        row = line.split(separator)
    return tuple(cell.strip().strip('"').strip() for cell in row)


def _separator(lines: Sequence[str]) -> str:
    # The middle of a file is table; headings and results stand at its top.
    filled = [line for line in lines if line.strip()]
    middle = len(filled) // 2
    start = max(0, middle - _SAMPLE // 2)
    sample = filled[start : start + _SAMPLE]

    def n_numbers(separator: str) -> float:
        total = 0.0
        for line in sample:
            cells = [cell for cell in split_line(line, separator) if cell]
            n = sum(looks_numeric(cell) for cell in cells)
            if n >= 2:
                total += n * n / len(cells)
        return total

    return max(SEPARATORS, key=lambda separator: (n_numbers(separator), -_rank(separator)))


def _rank(separator: str) -> int:
    return list(SEPARATORS).index(separator)
