"""Retrieved micrographs side by side, all at one scale, as a PNG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.errors import DataError, place
from engine.micrographs.opened import Opened
from engine.retrieval.encoder import levelled, read_picture
from engine.retrieval.gallery import Item
from engine.retrieval.search import Retrieved
from surrogate.files import whole_file

SIDE_PX = 300
_MARGIN, _LINE, _COLUMNS = 12, 17, 4
_INK, _GROUND = (20, 20, 20), (255, 255, 255)
_BAR_SHARE = 0.3


@dataclass(frozen=True)
class Panel:
    """A picture with its scale and the lines below it."""

    grey: NDArray[np.float32]
    nm_per_pixel: float
    lines: tuple[str, ...]


def write_contact_sheet(
    retrieved: Retrieved,
    path: Path,
    *,
    max_megapixels: float,
    query: Panel | None = None,
) -> None:
    """Write the retrieved pictures (the query first, if it is a picture) to ``path``.

    Every panel shows the same field of view, the smallest of them all, and a bar of its length;
    above them stands what was expected, where conditions were asked for.

    Raises:
        NotFoundError, DataError: a picture is gone or damaged, or ``path`` cannot be written.
    """
    panels = [query] if query is not None else []
    for rank, match in enumerate(retrieved.matches, 1):
        picture = match.item.picture
        grey = read_picture(
            picture.path,
            max_megapixels=max_megapixels,
            crop=picture.crop,
            rotation_axis=picture.rotation_axis,
        )
        looks = match.item.statistics.in_words or "not measured"
        lines = (f"{rank}.  run {match.item.run}", looks, *_condition_lines(match.item))
        panels.append(Panel(grey, picture.nm_per_pixel or 1.0, lines))
    expected = retrieved.statistics.in_words if retrieved.is_expected else ""
    sheet = draw(panels, f"expected of these conditions: {expected}" if expected else "")
    try:
        with whole_file(path) as draft:
            sheet.save(draft, format="PNG")
    except OSError as error:
        raise DataError(f"{place(path)} cannot be written: {error.strerror or error}") from error


def query_panel(picture: Opened, retrieved: Retrieved) -> Panel:
    """Return the panel of the picture that was asked with."""
    lines = (f"the query: {picture.path.name}", retrieved.statistics.in_words)
    return Panel(picture.upright, retrieved.nm_per_pixel or 1.0, lines)


def _condition_lines(item: Item) -> tuple[str, ...]:
    names = [axis.name for axis in item.axes if axis.name in item.conditions]
    conditions = [
        f"{name} {value}" if isinstance(value, str) else f"{name} {value:g} {item.unit_of(name)}"
        for name, value in ((name, item.conditions[name]) for name in names)
    ]
    return tuple(", ".join(conditions[start : start + 2]) for start in range(0, len(conditions), 2))


def draw(panels: Sequence[Panel], title: str = "") -> Image.Image:
    """Return the sheet of at least one panel, under a title."""
    field = min(min(panel.grey.shape) * panel.nm_per_pixel for panel in panels)
    n_lines = max(len(panel.lines) for panel in panels)
    cell = (SIDE_PX + _MARGIN, SIDE_PX + _MARGIN + _LINE * n_lines)
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    head = _MARGIN + (_LINE if title else 0)
    size = (columns * cell[0] + _MARGIN, head + rows * cell[1])
    sheet = Image.new("RGB", size, _GROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    pen.text((_MARGIN, _MARGIN // 2), title, fill=_INK, font=font)
    for index, panel in enumerate(panels):
        x = _MARGIN + index % columns * cell[0]
        y = head + index // columns * cell[1]
        sheet.paste(_thumbnail(panel, field), (x, y))
        _scale_bar(pen, x, y, field)
        for line, text in enumerate(panel.lines):
            baseline = y + SIDE_PX + 2 + line * _LINE
            pen.text((x, baseline), _fitting(text, font), fill=_INK, font=font)
    return sheet


def _thumbnail(panel: Panel, field: float) -> Image.Image:
    side = max(1, min(round(field / panel.nm_per_pixel), *panel.grey.shape))
    y_start, x_start = ((length - side) // 2 for length in panel.grey.shape)
    cut = levelled(panel.grey)[y_start : y_start + side, x_start : x_start + side]
    return Image.fromarray(cut).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)


def _scale_bar(pen: ImageDraw.ImageDraw, corner_x: int, corner_y: int, field: float) -> None:
    micrometres = field * _BAR_SHARE / 1000
    magnitude = 10 ** math.floor(math.log10(micrometres))
    length = max(step for step in (1, 2, 5) if step * magnitude <= micrometres) * magnitude
    width = round(SIDE_PX * length * 1000 / field)
    x, y = corner_x + 10, corner_y + SIDE_PX - 14
    pen.rectangle((x - 4, y - 16, x + max(width, 40) + 4, y + 8), fill=(0, 0, 0))
    pen.rectangle((x, y, x + width, y + 3), fill=_GROUND)
    # "um": Pillow's built-in font has no µ.
    pen.text((x, y - 14), f"{length:g} um", fill=_GROUND)


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    shortened = text
    while shortened and font.getlength(shortened) > SIDE_PX:
        shortened = shortened[:-2]
    return shortened if shortened == text else f"{shortened[:-1]}…"
