"""An Excel workbook's sheets as grids of cells."""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import Any

from engine.curves.reading.grid import Grid
from engine.errors import DataError

MAX_CELLS = 20_000_000


def read_grids(content: bytes) -> list[Grid]:
    """Return one grid for each sheet that holds anything.

    Raises:
        DataError: no workbook that can be read.
    """
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > 20 * MAX_CELLS:
                raise DataError("the workbook is too large: export the curve as text")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise DataError(f"the workbook cannot be read ({error}); save it again as .xlsx") from error
    try:
        grids = [
            Grid(
                tuple(tuple(map(_text, row)) for row in sheet.iter_rows(values_only=True)),
                "sheet",
                name=sheet.title,
            )
            for sheet in book.worksheets
        ]
    finally:
        book.close()
    return [grid for grid in grids if any(any(row) for row in grid.rows)]


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, int | float):
        return repr(value)
    return str(value).strip()
