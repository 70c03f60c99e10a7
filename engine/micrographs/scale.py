"""How many nanometres a pixel is: as stated, or as the instrument wrote it beside or inside.

Sidecars (:mod:`engine.micrographs.sidecars`) and the file's tags (:mod:`engine.micrographs.tags`)
are read and compared with each other and with the file's own sides
(:mod:`engine.micrographs.calibration`). What does not fit is asked about, never assumed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from engine.errors import UsageError, spell
from engine.micrographs.calibration import Calibration, Doubt, Scale, ScaleReading, agreed, applied
from engine.micrographs.lengths import length_nm

Box = tuple[int, int, int, int]
AXES = ("x", "y")


@dataclass(frozen=True)
class HowTaken:
    """What the user says of pictures; ``None``: nothing.

    Attributes:
        nm_per_pixel: a pixel's size, instead of the instrument's word.
        rotation_axis: where the collector's rotation lies, ``x`` or ``y``.
        crop: left, top, right, bottom [px] of what is to be measured.
        dark_fibres: whether the fibres are darker than their ground.
        scale_bar: how long the scale bar in the picture is, as ``2 um``.

    Raises:
        UsageError: an axis, size, box or length that cannot be.
    """

    nm_per_pixel: float | None = None
    rotation_axis: str | None = None
    crop: Box | None = None
    dark_fibres: bool | None = None
    scale_bar: str | None = None

    def __post_init__(self) -> None:
        if self.rotation_axis not in (None, *AXES):
            raise UsageError(
                "expected x (the collector's rotation lies along the picture's width) or y (along "
                f"its height), got '{self.rotation_axis}'",
                field="rotation_axis",
            )
        size = self.nm_per_pixel
        if size is not None and not (math.isfinite(size) and size > 0):
            raise UsageError(f"expected a size above 0 nm, got {size:g}", field="nm_per_pixel")
        if self.crop is not None:
            x_from, top, right, bottom = self.crop
            if min(x_from, top) < 0 or right <= x_from or bottom <= top:
                raise UsageError(
                    "expected left, top, right, bottom in pixels from the upper left corner, as "
                    f"0,0,1280,900; got {x_from},{top},{right},{bottom}",
                    field="crop",
                )
        if self.scale_bar is not None and length_nm(self.scale_bar) is None:
            raise UsageError(
                f"expected a length with its unit, as '2 um', got '{self.scale_bar}'",
                field="scale_bar",
            )

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Return what a job's or request's parameters say, as ``dataclasses.asdict`` wrote them."""
        crop = params.get("crop")
        return cls(
            params.get("nm_per_pixel"),
            params.get("rotation_axis"),
            None if crop is None else (crop[0], crop[1], crop[2], crop[3]),
            params.get("dark_fibres"),
            params.get("scale_bar"),
        )


def crop_of(text: str) -> Box:
    """Read a box: ``0,0,1280,900``.

    Raises:
        UsageError: it is none.
    """
    parts = [part.strip() for part in text.replace(";", ",").split(",")]
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(
            "expected left,top,right,bottom in pixels from the upper left corner, as "
            f"0,0,1280,900; got '{text}'",
            field="crop",
        )
    x_from, top, right, bottom = (int(part[:9]) for part in parts)
    return x_from, top, right, bottom


def read_scale(
    path: Path, size: tuple[int, int], stated: float | None = None, bar_px: int | None = None
) -> ScaleReading:
    """Return the pixel size of a picture of ``size``, (width, height) [px].

    ``stated`` (by the user, nm) wins over what the instrument wrote. ``bar_px``: the height of the
    data bar that is seen in it, if it was looked for.

    Raises:
        UsageError: a stated size that cannot be.
    """
    from engine.micrographs.sidecars import sidecar_scale, sidecars_of
    from engine.micrographs.tags import scales_of_tags

    if stated is not None:
        HowTaken(stated)
        return ScaleReading(Scale(stated, "stated"))
    sidecar_words = [sidecar_scale(file) for file in sidecars_of(path)]
    scales: list[Scale] = []
    doubts: list[Doubt] = []
    # The sidecar first: it knows of which size it speaks.
    for word in [*sidecar_words, *scales_of_tags(path)]:
        outcome = applied(word, size, bar_px) if isinstance(word, Calibration) else word
        if isinstance(outcome, Scale):
            scales.append(outcome)
        elif outcome is not None:
            doubts.append(outcome)
    if any(s.source.endswith("resolution") for s in scales[:1]) and doubts:
        scales = []  # a copied tag, as doubtful as what it was copied with
    return agreed(scales, doubts)


def source_of(reading: ScaleReading) -> str | None:
    """Return what is recorded as a pixel size's source: where there is no size, why."""
    if reading.scale is not None:
        return reading.scale.source
    return spell("; ".join(reading.warnings), "page") or None
