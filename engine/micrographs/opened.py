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

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError, field, place
from engine.micrographs.databar import Box, find_crop
from engine.micrographs.reading import read_grey
from engine.micrographs.scale import HowTaken, Scale, scale_of
from engine.micrographs.store import check_is_picture_file

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
    """

    path: Path
    name: str
    grey: Grey
    scale: Scale | None = None
    crop: Box | None = None
    rotation_axis: str | None = None

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
        if self.crop is None:
            return self.grey
        x_from, y_from, x_to, y_to = self.crop
        inside = self.grey[y_from:y_to, x_from:x_to]
        if not inside.size:
            raise DataError(f"{self.name}: nothing is left inside its crop box")
        return inside

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
            raise DataError(
                f"{self.name}: nobody wrote its scale{reason}; state {field('nm_per_pixel')}"
            )
        return self.scale.nm_per_pixel

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
    """Decode a micrograph, once; find its pixel size and its data bar.

    Args:
        path: the file.
        stated: what the user says of it.
        max_megapixels: a larger one is refused before it is decoded.
        name: what messages call it; else its path.
        crop: what is known to be no data bar; else the bar is looked for.

    Raises:
        NotFoundError: no such file.
        DataError: no picture, a damaged one, too large or too small, or its pixel size is
            contradictory.
        UsageError: a stated pixel size that cannot be.
    """
    stated = stated or HowTaken()
    check_is_picture_file(path, name)
    grey = read_grey(path, max_megapixels=max_megapixels, name=name)
    scale = scale_of(path, grey.shape[1], stated.nm_per_pixel)
    box = crop if crop is not None else find_crop(grey)
    return Opened(path, name or place(path), grey, scale, box, stated.rotation_axis)
