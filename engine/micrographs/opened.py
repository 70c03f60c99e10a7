"""A micrograph opened: grey values, pixel size, data bar. The only way in to a picture's content.

Each file is decoded once, whatever is done with it: measured, embedded, drawn.

>>> import dataclasses
>>> import numpy as np
>>> grey = np.arange(4800, dtype=np.float32).reshape(60, 80)
>>> picture = Opened(Path("a.tif"), "a.tif", grey, Scale(5.0, "stated"), crop=(0, 0, 80, 50))
>>> picture.inside.shape
(50, 80)
>>> dataclasses.replace(picture, rotation_axis="y").upright.shape
(80, 50)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError, UsageError, field, place, spell
from engine.micrographs.barlabel import by_label, label_of_bar
from engine.micrographs.calibration import Scale, ScaleReading
from engine.micrographs.corrections import Correction, as_measured
from engine.micrographs.databar import Box, find_crop
from engine.micrographs.lengths import length_nm
from engine.micrographs.polarity import has_dark_fibres
from engine.micrographs.reading import read_grey
from engine.micrographs.scale import HowTaken, read_scale, source_of
from engine.micrographs.scalebar import find_bar
from engine.micrographs.store import check_is_picture_file
from engine.micrographs.tiff_pages import page_warnings

LEAST_DIAMETER_NM, MOST_DIAMETER_NM = 5.0, 50_000.0
"""What an electrospun fibre may measure; beyond, the pixel size is more likely to be off."""

MUCH_CUT = 0.15
"""A larger share of a picture is not left out in silence: no usual data bar takes so much."""

FEWEST_LEVELS, GLANCED_PX = 4, 256
"""A picture of no more grey values was thresholded; looked at are so many rows and columns."""

if TYPE_CHECKING:
    from generator.statistics import Measured

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class Opened:
    """A micrograph in memory.

    Attributes:
        path: where its file is.
        name: what messages call it.
        grey: (height, width), all of the picture, whatever the scale of its values.
        scale: a pixel's size [nm], ``None`` where nobody wrote it.
        crop: left, top, right, bottom [px] of what is no data bar; ``None``: there is no bar.
        rotation_axis: the collector's rotation lies along the picture's width (``x``) or height
            (``y``); ``None``: nobody said.
        dark_fibres: its fibres are darker than their ground; ``inside`` and ``upright`` are then
            turned round, so that they are bright.
        warnings: what is doubtful of its scale, pages, pixels: marked sentences
            (:mod:`engine.errors`).
        scale_source: where the pixel size was read; if there is none, why.
        corrections: what a person says against what is measured on it.
    """

    path: Path
    name: str
    grey: Grey
    scale: Scale | None = None
    crop: Box | None = None
    rotation_axis: str | None = None
    dark_fibres: bool = False
    warnings: tuple[str, ...] = ()
    scale_source: str | None = None
    corrections: tuple[Correction, ...] = ()

    @property
    def nm_per_pixel(self) -> float | None:
        """A pixel's size [nm]."""
        return None if self.scale is None else self.scale.nm_per_pixel

    @property
    def inside(self) -> Grey:
        """(height, width): the picture without its data bar.

        Raises:
            DataError: nothing is left of it.
        """
        x_from, y_from, x_to, y_to = self.crop or (0, 0, *self.grey.shape[::-1])
        inside = self.grey[y_from:y_to, x_from:x_to]
        if not inside.size:
            raise DataError(f"{self.name}: nothing is left inside its crop box")
        return inside.max() + inside.min() - inside if self.dark_fibres else inside

    @property
    def upright(self) -> Grey:
        """The picture without its data bar, turned so that the rotation lies along its width."""
        # Transposed, not turned: what is measured does not know left from right, and no pixel is
        # interpolated.
        return np.ascontiguousarray(self.inside.T) if self.rotation_axis == "y" else self.inside

    def require_scale(self, reason: str = "") -> float:
        """Return a pixel's size [nm].

        Raises:
            DataError: nobody wrote it; ``reason`` says why it is needed.
        """
        if self.scale is None:
            doubts = "".join(f" ({warning})" for warning in self.warnings)
            lacking = f"{self.name}: nobody wrote its scale{reason}"
            raise DataError(f"{lacking}; state {field('nm_per_pixel')}{doubts}")
        return self.scale.nm_per_pixel

    def document(self, measured: Measured) -> dict[str, Any]:
        """Return what was measured as plain JSON, with what is doubtful of it as ``warnings``."""
        statistics = measured.statistics.as_json()
        doubts = [*self.warnings, *size_warnings(statistics), *statistics.pop("doubts")]
        if measured.n_unmatched:
            n = measured.n_unmatched
            doubts.append(
                f"{n} of the deleted fibres {'is' if n == 1 else 'are'} not seen as this is "
                "measured now; look at the overlay"
            )
        corrected = {"corrections": [item.as_json() for item in self.corrections]}
        return {
            **statistics,
            **(corrected if self.corrections else {}),
            "dark_fibres": self.dark_fibres,
            # Kept for every voice: without the marks of one.
            "warnings": [spell(doubt, "page") for doubt in doubts],
        }

    def measure(self) -> Measured:
        """Measure what is no data bar.

        Raises:
            DataError: it cannot be measured.
        """
        from generator.statistics import measure

        try:
            return measure(
                self.inside,
                self.nm_per_pixel,
                rotation_axis="y" if self.rotation_axis == "y" else "x",
                corrections=as_measured(self.corrections, self.crop),
            )
        except ValueError as error:
            raise DataError(f"{self.name} cannot be measured: {error}") from error


def open_micrograph(
    path: Path,
    stated: HowTaken | None = None,
    *,
    max_megapixels: float,
    name: str | None = None,
    crop: Box | None = None,
) -> Opened:
    """Decode a micrograph, once; find its pixel size, its data bar, and what is doubtful of them.

    Args:
        path: the file; text files of its name beside it are read, too.
        stated: what the user says of it.
        max_megapixels: a larger one is refused before it is decoded.
        name: what messages call it; else its path.
        crop: what is known to be no data bar; else, and if it is not stated, the bar is looked for.

    Raises:
        NotFoundError: no such file.
        DataError: no picture, a damaged one, too large or too small.
        UsageError: a stated pixel size that cannot be, or a stated box outside the picture.
    """
    stated = stated or HowTaken()
    check_is_picture_file(path, name)
    grey = read_grey(path, max_megapixels=max_megapixels, name=name)
    height, width = grey.shape
    box = stated.crop or crop or find_crop(grey)
    _check_box(stated.crop, width, height)
    bar_px = None if box is None else height - box[3]
    reading = ScaleReading()
    if stated.nm_per_pixel is not None or stated.scale_bar is None:
        reading = read_scale(path, (width, height), stated.nm_per_pixel, bar_px)
    if reading.scale is None:
        reading = _by_its_bar(grey, box, stated.scale_bar, reading, name or place(path))
    picture = Opened(
        path,
        name or place(path),
        grey,
        reading.scale,
        box,
        stated.rotation_axis,
        bool(stated.dark_fibres),
        (
            *page_warnings(path),
            *reading.warnings,
            *_cut_warnings(grey, box, stated.crop),
            *_level_warnings(grey, box),
        ),
        source_of(reading),
    )
    if stated.dark_fibres is None and has_dark_fibres(picture.inside):
        doubt = (
            "its fibres look darker than their ground, and are measured as if they were brighter; "
            f"if they are dark, state {field('dark_fibres')}"
        )
        return replace(picture, warnings=(*picture.warnings, doubt))
    return picture


def _cut_warnings(grey: Grey, box: Box | None, stated: Box | None) -> list[str]:
    """Return what is to be said where much of a picture is left out that nobody stated."""
    if box is None or box == stated:
        return []
    height, width = grey.shape
    share = 1.0 - (box[2] - box[0]) * (box[3] - box[1]) / (width * height)
    # What is recorded may have been stated once; what is seen anew was seen then.
    if share <= MUCH_CUT or box != find_crop(grey):
        return []
    return [
        f"{100 * share:.0f} % of the picture is taken for data bars or empty margins and left out: "
        f"measured are columns {box[0]} to {box[2]}, rows {box[1]} to {box[3]}; if that is wrong, "
        f"state {field('crop')}"
    ]


def _level_warnings(grey: Grey, box: Box | None) -> list[str]:
    """Return what is to be said of a picture that was made a mask of."""
    x_from, top, right, bottom = box or (0, 0, *grey.shape[::-1])
    step = max(1, min(right - x_from, bottom - top) // GLANCED_PX)
    n = np.unique(grey[top:bottom:step, x_from:right:step]).size
    if n > FEWEST_LEVELS:
        return []
    return [
        f"it has {n} grey values only, as of a mask: edges and noise by which fibres are measured "
        "are lost; measure the picture as the microscope wrote it"
    ]


def _by_its_bar(
    grey: Grey, box: Box | None, length: str | None, reading: ScaleReading, name: str
) -> ScaleReading:
    """Return the scale by the bar in the picture, of stated length; else tell that there is one.

    Raises:
        DataError: a length is stated, and no bar is seen.
    """
    line = find_bar(grey, box)
    if line is None:
        if length is None:
            return reading
        raise DataError(
            f"{name}: no scale bar is seen that would be {length} long; state "
            f"{field('nm_per_pixel')}"
        )
    if length is not None:
        source = f"scale bar of {line.length_px} px, stated to be {length}"
        return ScaleReading(Scale((length_nm(length) or 0.0) / line.length_px, source))
    label = label_of_bar(grey, box, line)
    return by_label(reading, line, None if label is None else label.text)


def _check_box(box: Box | None, width: int, height: int) -> None:
    if box is not None and (box[2] > width or box[3] > height):
        raise UsageError(
            f"expected a box within {width} × {height} pixels, got {','.join(map(str, box))}",
            field="crop",
        )


def size_warnings(statistics: Mapping[str, Any]) -> list[str]:
    """Return a question where the fibres' diameter is none that electrospun fibres have."""
    mean = (statistics.get("diameter") or {}).get("mean")
    if statistics.get("unit") != "nm" or mean is None:
        return []
    if LEAST_DIAMETER_NM <= mean <= MOST_DIAMETER_NM:
        return []
    return [
        f"a mean diameter of {mean:.3g} nm is outside {LEAST_DIAMETER_NM:g} nm to "
        f"{MOST_DIAMETER_NM / 1000:g} µm: is the pixel size of {statistics['nm_per_pixel']:.4g} nm "
        f"right? Else state {field('nm_per_pixel')}"
    ]
