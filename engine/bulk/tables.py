"""What was read as tables: a row a picture, a fibre, a sample, a class of diameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.bulk.picture import PictureReading
from engine.bulk.read import FolderReading
from engine.bulk.samples import SampleSummary
from engine.errors import StateError, UsageError, Voice, field, place, spell
from engine.experiments.export import render_table, workbook_of
from engine.workspace.files import write_aside, write_parts_aside

Cell = str | float | None
ENDINGS = (".csv", ".xlsx")
_MOST_SHEET_ROWS = 1_048_575
"""Of a worksheet, less its headings."""

_Value = Callable[[PictureReading], Cell]


def check_table(path: Path | None, name: str) -> None:
    """Refuse a table's place before anything is measured.

    Raises:
        UsageError: its ending is none of ``.csv`` and ``.xlsx``.
        StateError: its folder is not there, or a folder is in its place.
    """
    if path is None:
        return
    if path.suffix.casefold() not in ENDINGS:
        raise UsageError(
            f"expected a name ending in {' or '.join(ENDINGS)}, got {path.name}", field=name
        )
    if path.is_dir():
        raise StateError(f"{field(name)}: {place(path)} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise StateError(f"{field(name)}: {place(path.parent)}: no such folder; make it first")


def _of_statistics(*keys: str | int, scaled: bool | None = None) -> _Value:
    """Return a reader of one number; lengths only where they are in nm (``scaled``), or in px."""

    def read(picture: PictureReading) -> Cell:
        if scaled is not None and scaled != (picture.nm_per_pixel is not None):
            return None
        value: Any = picture.statistics
        for key in keys:
            if value is None:
                return None
            value = value[key]
        number: Cell = value
        return number

    return read


def _in_pixels(*keys: str | int) -> _Value:
    read = _of_statistics(*keys)

    def read_px(picture: PictureReading) -> Cell:
        value = read(picture)
        return value / (picture.nm_per_pixel or 1.0) if isinstance(value, int | float) else None

    return read_px


_PICTURE: tuple[tuple[str, _Value], ...] = (
    ("picture", lambda p: p.name),
    ("sample", lambda p: p.sample),
    ("width [px]", lambda p: p.width_px),
    ("height [px]", lambda p: p.height_px),
    ("pixel size [nm]", lambda p: p.nm_per_pixel),
    ("pixel size from", lambda p: p.nm_per_pixel_source),
    ("mean diameter [nm]", _of_statistics("diameter", "mean", scaled=True)),
    ("standard error [nm]", _of_statistics("standard_errors", "diameter", scaled=True)),
    ("SD [nm]", _of_statistics("diameter", "sd", scaled=True)),
    ("5 % [nm]", _of_statistics("diameter", "quantiles", 0, scaled=True)),
    ("median [nm]", _of_statistics("diameter", "quantiles", 2, scaled=True)),
    ("95 % [nm]", _of_statistics("diameter", "quantiles", 4, scaled=True)),
    ("mean diameter [px]", _in_pixels("diameter", "mean")),
    ("standard error [px]", _in_pixels("standard_errors", "diameter")),
    ("SD [px]", _in_pixels("diameter", "sd")),
    ("fibres", lambda p: p.n_fibres),
    ("order S [–]", _of_statistics("order")),
    ("standard error of S [–]", _of_statistics("standard_errors", "order")),
    ("areal porosity [–]", _of_statistics("porosity")),
    ("standard error of porosity [–]", _of_statistics("standard_errors", "porosity")),
    ("mean pore diameter [nm]", _of_statistics("pore", "mean", scaled=True)),
    ("bead share [–]", _of_statistics("bead_fraction")),
    ("standard error of bead share [–]", _of_statistics("standard_errors", "bead_fraction")),
    ("beads", _of_statistics("n_beads")),
    ("rotation axis", _of_statistics("rotation_axis")),
    ("measured rows [px]", lambda p: f"{p.crop[1]} to {p.crop[3]}" if p.crop else None),
)
_SAMPLE: tuple[tuple[str, Callable[[SampleSummary], Cell]], ...] = (
    ("sample", lambda s: s.name),
    ("pictures", lambda s: s.n_pictures),
    ("failed", lambda s: s.n_failed),
    ("with a pixel size", lambda s: s.n_scaled),
    ("fibres", lambda s: s.n_fibres),
    ("mean diameter [nm]", lambda s: s.diameter_nm.mean),
    ("standard error [nm]", lambda s: s.diameter_nm.error),
    ("SD [nm]", lambda s: s.sd_nm),
    ("order S [–]", lambda s: s.order.mean),
    ("standard error of S [–]", lambda s: s.order.error),
    ("areal porosity [–]", lambda s: s.porosity.mean),
    ("standard error of porosity [–]", lambda s: s.porosity.error),
    ("bead share [–]", lambda s: s.bead_fraction.mean),
    ("standard error of bead share [–]", lambda s: s.bead_fraction.error),
)
PICTURE_HEADINGS = [heading for heading, _ in _PICTURE] + ["warnings", "problem"]
SAMPLE_HEADINGS = [heading for heading, _ in _SAMPLE]
FIBRE_HEADINGS = [
    "picture", "sample", "fibre", "x [px]", "y [px]", "angle [°]", "width [nm]",
    "standard error [nm]", "width [px]", "standard error [px]", "places",
]  # fmt: skip


def picture_rows(pictures: Iterable[PictureReading], voice: Voice = "cli") -> Iterator[list[Cell]]:
    """Yield a row a picture below :data:`PICTURE_HEADINGS`; lengths in nm where that is known."""
    for picture in pictures:
        yield [
            *(_rounded(value(picture)) for _, value in _PICTURE),
            spell("; ".join(picture.warnings), voice) or None,
            spell(picture.problem, voice) if picture.problem else None,
        ]


def sample_rows(samples: Iterable[SampleSummary]) -> Iterator[list[Cell]]:
    """Yield a row a sample below :data:`SAMPLE_HEADINGS`."""
    for sample in samples:
        yield [_rounded(value(sample)) for _, value in _SAMPLE]


def fibre_rows(pictures: Iterable[PictureReading]) -> Iterator[list[Cell]]:
    """Yield a row a fibre below :data:`FIBRE_HEADINGS`, picture by picture.

    ``x`` from the left and ``y`` from the top of the file's picture, 0 in the middle of the first
    pixel; the angle from the picture's width, anticlockwise.
    """
    for picture in pictures:
        if picture.fibres is None or picture.problem is not None:
            continue
        scale = picture.nm_per_pixel
        lines = Path(picture.fibres).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            x, y, angle, width, error, n_places = map(float, line.split(","))
            lengths = (None, None) if scale is None else (width * scale, error * scale)
            row = [picture.name, picture.sample, number, x, y, angle, *lengths, width, error,
                   n_places]  # fmt: skip
            yield list(map(_rounded, row))


def picture_table(reading: FolderReading, ending: str, voice: Voice = "cli") -> bytes:
    """Return the table of pictures as a file's bytes; a workbook has the samples on a second
    sheet."""
    rows = picture_rows(reading.pictures, voice)
    if ending == ".xlsx":
        samples = ("samples", SAMPLE_HEADINGS, sample_rows(reading.samples))
        return workbook_of([("pictures", PICTURE_HEADINGS, rows), samples])
    return render_table("csv", PICTURE_HEADINGS, list(rows))


def sample_table(reading: FolderReading, ending: str) -> bytes:
    """Return the table of samples as a file's bytes."""
    rows = sample_rows(reading.samples)
    if ending == ".xlsx":
        return workbook_of([("samples", SAMPLE_HEADINGS, rows)])
    return render_table("csv", SAMPLE_HEADINGS, list(rows))


def write_table(path: Path, content: bytes) -> None:
    """Write a table whole, or not at all.

    Raises:
        StateError: its folder cannot be written.
    """
    write_aside(path, content)


def write_fibres(path: Path, pictures: Sequence[PictureReading]) -> None:
    """Write a row a fibre, picture by picture: never all of them in memory.

    Raises:
        StateError: more rows than a worksheet has, or the folder cannot be written.
    """
    if path.suffix.casefold() == ".xlsx":
        n_rows = sum(picture.n_fibres or 0 for picture in pictures)
        if n_rows > _MOST_SHEET_ROWS:
            raise StateError(
                f"{place(path)}: {n_rows:,} fibres are more than a worksheet has rows; name a .csv"
            )
        write_aside(path, workbook_of([("fibres", FIBRE_HEADINGS, fibre_rows(pictures))]))
        return
    write_parts_aside(path, fibre_parts(pictures))


def fibre_parts(pictures: Iterable[PictureReading]) -> Iterator[bytes]:
    """Yield the same as CSV, part by part."""
    headings = render_table("csv", FIBRE_HEADINGS, [])
    yield headings
    for picture in pictures:
        yield render_table("csv", FIBRE_HEADINGS, list(fibre_rows([picture])))[len(headings) :]


def _rounded(value: Cell) -> Cell:
    """Return a number with six digits, more than any picture tells, and counts as numbers."""
    return value if isinstance(value, str) or value is None else float(f"{value:.6g}")
