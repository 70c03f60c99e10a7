"""A file's bytes → headings and rows of text cells, or the reason why it cannot be read."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from engine.curves.reading.decoding import decode
from engine.errors import DataError, NotFoundError, field, place
from engine.experiments.importers.cells import is_number
from engine.experiments.importers.excel import read_workbook
from engine.experiments.importers.raw import MAX_BYTES, RawTable, assemble, refuse_too_many
from engine.workspace.files import refuse_broken_name

_SUFFIXES = ".csv, .tsv, .txt, .xlsx or .xlsm"
_SEPARATOR_LINE = re.compile(
    r"[\"']?sep=(?P<mark>[,;\t|])[\"']?[ \t]*(?:\r\n|\r|\n)", re.IGNORECASE
)
_ZIP = b"PK\x03\x04"
# OLE2's signature: .xls, and any workbook with a password.
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


def read_table(
    path: Path,
    *,
    max_rows: int,
    sheet: str | None = None,
    encoding: str | None = None,
    hidden: bool = False,
    title_rows: int | None = None,
) -> RawTable:
    """Read a CSV, TSV or Excel file as text.

    Blank rows are skipped, and the first ``title_rows`` of the file; without, titles are guessed.
    ``sheet`` names a workbook's sheet, where it has several; ``hidden``: its hidden, filtered and
    struck-out rows are taken, too. ``encoding`` is that of a text, guessed (and told) where it is
    not UTF-8.

    Raises:
        NotFoundError: no such file.
        DataError: no table: a folder, a binary file, empty, unreadable, or too many rows.
        ImportRefusedError: rows with more or fewer cells than headings.
    """
    check_is_file(path)
    with path.open("rb") as file:
        head = file.read(8)
    is_workbook = path.suffix.casefold() in (".xlsx", ".xlsm")
    if head.startswith(_OLD_EXCEL) or path.suffix.casefold() == ".xls":
        raise DataError(
            f"{place(path)}: an old or encrypted Excel file; save it as plain .xlsx or as .csv"
        )
    if is_workbook:
        if not head.startswith(_ZIP):
            raise DataError(
                f"{place(path)}: expected an Excel workbook, got something else named so"
            )
        if encoding is not None:
            raise DataError(f"{place(path)}: {field('encoding')} is for text; this is a workbook")
        return read_workbook(
            path, max_rows=max_rows, sheet=sheet, hidden=hidden, title_rows=title_rows
        )
    if sheet is not None:
        raise DataError(
            f"{place(path)}: {field('sheet')} is for Excel workbooks; this file has no sheets"
        )
    if hidden:
        raise DataError(
            f"{place(path)}: {field('hidden')} is for Excel workbooks; a text hides no rows"
        )
    if head.startswith(_ZIP):
        raise DataError(
            f"{place(path)}: expected text, got a ZIP archive such as an Excel workbook; "
            "if it is one, name it .xlsx"
        )
    text, notes = _decode(path, encoding)
    return _parse(path, text, notes, max_rows, title_rows)


def check_is_file(path: Path) -> None:
    """Refuse what is no readable file of a sensible size.

    Raises:
        NotFoundError: nothing is there.
        DataError: a folder, not readable, or larger than ``MAX_BYTES``.
    """
    if not path.exists():
        raise NotFoundError(f"{place(path)}: no such file")
    refuse_broken_name(path)
    if path.is_dir():
        raise DataError(
            f"{place(path)} is a folder; expected a file ({_SUFFIXES}). "
            f"MatMCL's published folder needs {field('format')} matmcl"
        )
    if not path.is_file():
        raise DataError(f"{place(path)}: expected a regular file ({_SUFFIXES})")
    try:
        with path.open("rb"):
            size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{place(path)} cannot be read: {error.strerror}") from error
    if size > MAX_BYTES:
        raise DataError(
            f"{place(path)}: expected at most {MAX_BYTES >> 20} MiB, got {size >> 20} MiB; "
            "split the file"
        )


def decode_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return a text file's content, and a note where it is not UTF-8.

    Raises:
        DataError: binary content, or nothing at all.
    """
    check_is_file(path)
    return _decode(path)


def _decode(path: Path, encoding: str | None = None) -> tuple[str, tuple[str, ...]]:
    content = path.read_bytes()
    if not content.strip():
        raise DataError(f"{place(path)} is empty; expected a row of headings and rows of values")
    notes: tuple[str, ...] = ()
    try:
        if encoding is not None:
            text, _ = decode(content, encoding)
        # Excel's "Unicode text".
        elif content.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = content.decode("utf-16")
        # The same without its mark: of Western text every other byte is zero.
        elif content[1:20:2].count(0) == 10 and content[:20:2].count(0) == 0:
            text = content.decode("utf-16-le")
        elif content[:20:2].count(0) == 10 and content[1:20:2].count(0) == 0:
            text = content.decode("utf-16-be")
        else:
            # With or without the mark that Excel puts in front, which would else stick to the first
            # heading.
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Excel's plain "CSV" is in the encoding of its edition.
        is_chinese = _is_chinese(content)
        text = content.decode("gb18030") if is_chinese else _decode_western(path, content, error)
        name = "GB18030 (Chinese)" if is_chinese else "Windows-1252"
        notes = (
            f"not UTF-8: read as {name}; check the letters in labels and notes, or name the "
            f"encoding with {field('encoding')}",
        )
    bad = next((c for c in text if (c < " " and c not in "\t\r\n\f") or c == "\x7f"), None)
    if bad is not None:
        raise DataError(
            f"{place(path)} holds control character {ord(bad):#04x}: it is a binary file, "
            f"not a table; expected {_SUFFIXES}"
        )
    return text, notes


def _is_chinese(content: bytes) -> bool:
    """Whether all that is not ASCII are Chinese letters, nearly all of them frequent ones."""
    try:
        text = content.decode("gb2312")
    except UnicodeDecodeError:
        return False
    letters = [letter for letter in text if letter > "\x7f"]
    ideographs = [letter for letter in letters if "\u4e00" <= letter <= "\u9fff"]
    # GB 2312's first level, by frequency: "für" and "Größe" give none of its letters.
    n_frequent = sum(letter.encode("gb2312") < b"\xd8" for letter in ideographs)
    # "łąka" of Windows-1250 gives one, too, in the middle of a word.
    n_within_words = len(re.findall("[A-Za-z][一-鿿]|[一-鿿][A-Za-z]", text))
    is_writing = n_within_words <= 0.5 * len(ideographs)
    return n_frequent > 0 and n_frequent >= 0.8 * len(ideographs) and is_writing


def _decode_western(path: Path, content: bytes, error: UnicodeDecodeError) -> str:
    line = content.count(b"\n", 0, error.start) + 1
    unreadable = (
        f"{place(path)}: line {line} is neither UTF-8 nor Windows-1252; save it as UTF-8, "
        f"or name its encoding with {field('encoding')}"
    )
    if b"\0" in content:
        raise DataError(f"{place(path)} is a binary file, not a table; expected {_SUFFIXES}")
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        raise DataError(unreadable) from error


def _parse(
    path: Path, text: str, notes: tuple[str, ...], max_rows: int, title_rows: int | None = None
) -> RawTable:
    if title_rows:
        # Its separator is that of the headings, whatever stands in the titles.
        lines = text.splitlines(keepends=True)
        text = "\n" * title_rows + "".join(lines[title_rows:])
    separator = _SEPARATOR_LINE.match(text)
    if separator is not None:
        # Excel's own hint to itself; it shows the rows below as if the line were not there.
        text = text[separator.end() :]
    delimiter = separator["mark"] if separator is not None else _delimiter(text)
    records: list[tuple[int, list[str]]] = []
    n_rows = -1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, record in enumerate(reader, 1):
            if any(cell.strip() for cell in record):
                n_rows += 1
                if n_rows <= max_rows:
                    records.append((number, record))
    except csv.Error as error:
        raise DataError(
            f"{place(path)}: line {reader.line_num} cannot be read as CSV: {error}"
        ) from error
    refuse_too_many(path, n_rows, max_rows)
    return assemble(path, records, notes, decimal_comma=delimiter != ",", is_ragged_an_error=True)


def _delimiter(text: str) -> str:
    """Return what separates the headings: the most frequent of comma, semicolon, tab and bar.

    Where the first line says nothing, or the next is not of its kind, it is a title: then the line
    of words that has most of one of the four is taken for the headings.
    """
    lines = ["".join(line.split('"')[::2]) for line in text.splitlines() if line.strip()][:30]
    first, following = (*lines, "", "")[:2]
    mark = _most_frequent(first)
    if first.count(mark) <= following.count(mark) and mark in first:
        return mark
    headlines = [line for line in lines if not any(map(is_number, re.split(r"[,;\t|]", line)))]
    likely = [line for line in headlines if line.count(_most_frequent(line))]
    best = max(likely, key=lambda line: line.count(_most_frequent(line)), default=first)
    is_title = best is not first and 2 * (first.count(mark) + 1) <= _n_cells(best)
    return _most_frequent(best) if is_title else mark


def _most_frequent(line: str) -> str:
    return max(",;\t|", key=line.count)


def _n_cells(line: str) -> int:
    return line.count(_most_frequent(line)) + 1
