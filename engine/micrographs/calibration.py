"""What an instrument wrote of a picture's scale, and whether it is true of the file at hand.

A picture that was cut out, or made smaller, after it was taken may keep what its instrument wrote:
that a pixel is so wide, and the picture so many pixels. If the file has other sides, a pixel's size
is what was written only if it was cut out. Nothing is assumed where that cannot be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import field
from engine.micrographs.lengths import is_plausible

Size = tuple[int, int]

NOT_SQUARE, UNEQUAL = 0.02, 0.03
"""Relative differences: of a pixel's sides, and of what two sources say, that are no rounding."""


@dataclass(frozen=True)
class Scale:
    """A pixel's size and where it was read."""

    nm_per_pixel: float
    source: str


@dataclass(frozen=True)
class Doubt:
    """Why a scale that was written is not taken.

    ``sizes``: what a pixel measures [nm], if it is one of a few.
    """

    reason: str
    sizes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """A pixel's sides [nm] by an instrument's word.

    ``width_px``, ``height_px``: of the picture that it speaks of; ``bar_px``: the height of the
    data bar below it; ``None``: not written.
    """

    source: str
    x_nm: float
    y_nm: float | None = None
    width_px: int | None = None
    height_px: int | None = None
    bar_px: int | None = None


@dataclass(frozen=True)
class ScaleReading:
    """A picture's scale, ``None`` where there is none to rely on; and why something was not taken.

    ``sizes``: what a pixel may measure [nm], if it is known but for which.
    """

    scale: Scale | None = None
    warnings: tuple[str, ...] = ()
    sizes: tuple[float, ...] = ()


def applied(calibration: Calibration, size: Size, bar_px: int | None = None) -> Scale | Doubt:
    """Return the scale of a picture, (width, height) [px], by an instrument's word, or a doubt.

    ``bar_px``: the height of the data bar that is seen in it.
    """
    source, x_nm = calibration.source, calibration.x_nm
    if not is_plausible(x_nm):
        return Doubt(f"{source} gives {x_nm:.4g} nm, which is no micrograph's pixel size")
    if calibration.y_nm is not None and abs(calibration.y_nm / x_nm - 1.0) > NOT_SQUARE:
        return Doubt(
            f"{source}: a pixel is {x_nm:.4g} nm wide and {calibration.y_nm:.4g} nm high, but only "
            "square ones can be measured; resample the picture first"
        )
    if calibration.width_px is None and _bar_differs(calibration.bar_px, bar_px):
        return Doubt(
            f"{source} is of a picture with a data bar of {calibration.bar_px} px, the file's has "
            f"{bar_px} px: it was scaled, or cut out"
        )
    if calibration.width_px is None or _has_its_pixels(calibration, size):
        return Scale(x_nm, source)
    scaled = x_nm * calibration.width_px / size[0]
    if _is_rescaled(calibration, size, bar_px):
        return Scale(scaled, f"{source}, rescaled")
    recorded = f"{calibration.width_px} × {calibration.height_px or '?'}"
    return Doubt(
        f"{source} is of a picture of {recorded} pixels, the file has {size[0]} × {size[1]}: a "
        f"pixel is {x_nm:.4g} nm if it was cut out, {scaled:.4g} nm if it was scaled, or another "
        "size if both",
        (x_nm, scaled),
    )


def _bar_differs(written_px: int | None, bar_px: int | None) -> bool:
    return bool(written_px and bar_px) and abs((bar_px or 0) / (written_px or 1) - 1.0) > 0.15


def _has_its_pixels(calibration: Calibration, size: Size) -> bool:
    """Tell whether one of the picture's sides is as it was: its pixels are then what they were."""
    width, height = calibration.width_px, calibration.height_px
    if size[0] == width:
        return True  # with its data bar, or without
    if height is None or width == height:
        return False
    # Cut at its sides only, or turned by a right angle.
    return size[1] == height or (size[1] == width and size[0] <= 1.25 * height)


def _is_rescaled(calibration: Calibration, size: Size, bar_px: int | None) -> bool:
    """Tell by the data bar's height whether the whole picture was made smaller or larger."""
    width, height, written_px = calibration.width_px, calibration.height_px, calibration.bar_px
    if width is None or height is None or not written_px or bar_px is None:
        return False
    factor = size[0] / width
    is_whole = any(abs(size[1] - factor * full) <= 1.5 for full in (height, height + written_px))
    # A cut-out that has the bar has it as high as it was.
    return is_whole and abs(bar_px - factor * written_px) <= 2.0 < abs(bar_px - written_px)


def agreed(scales: Sequence[Scale], doubts: Sequence[Doubt]) -> ScaleReading:
    """Return what several sources say: the first's word, if no other contradicts it."""
    asking = f"; state {field('nm_per_pixel')}"
    if scales:
        first = scales[0]
        rival = next((s for s in scales if _differ(s.nm_per_pixel, first.nm_per_pixel)), None)
        if rival is None:
            return ScaleReading(first)
        reason = (
            f"{first.source} gives {first.nm_per_pixel:.4g} nm per pixel, but {rival.source} "
            f"{rival.nm_per_pixel:.4g} nm"
        )
        return ScaleReading(None, (reason + asking,), (first.nm_per_pixel, rival.nm_per_pixel))
    return ScaleReading(
        None,
        tuple(doubt.reason + asking for doubt in doubts),
        tuple(size for doubt in doubts for size in doubt.sizes),
    )


def _differ(first: float, second: float) -> bool:
    return abs(first / second - 1.0) > UNEQUAL
