"""How many nanometres a pixel is: as stated, or as the instrument wrote it beside or inside.

======================  ============================================================
Hitachi                 a ``.txt`` of the picture's name: ``PixelSize=…`` in nm, for a
                        picture of ``DataSize=…`` pixels
Zeiss (SmartSEM)        TIFF tag 34118: ``AP_IMAGE_PIXEL_SIZE`` (of the stored picture;
                        ``AP_PIXEL_SIZE`` is that of the screen), or ``AP_WIDTH``
FEI, Thermo Fisher      TIFF tag 34682: ``[Scan] PixelWidth`` in m
======================  ============================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import DataError, UsageError, field, place

# A sidecar has some kilobytes; any other text of the picture's name may be huge.
MAX_SIDECAR_BYTES = 1 << 20
# The micro sign and the Greek letter are two characters, and instruments write either.
_IN_NM = {"pm": 1e-3, "nm": 1.0, "µm": 1e3, "μm": 1e3, "um": 1e3, "mm": 1e6, "m": 1e9}


AXES = ("x", "y")


@dataclass(frozen=True)
class HowTaken:
    """What the user says of pictures: nm per pixel (else the instrument's word), rotation axis.

    Raises:
        UsageError: an axis that is none, or a size that cannot be.
    """

    nm_per_pixel: float | None = None
    rotation_axis: str | None = None

    def __post_init__(self) -> None:
        if self.rotation_axis not in (None, *AXES):
            raise UsageError(
                "expected x (the collector's rotation lies along the picture's width) or y (along "
                f"its height), got '{self.rotation_axis}'",
                field="rotation_axis",
            )
        _check_size(self.nm_per_pixel)


@dataclass(frozen=True)
class Scale:
    """A pixel's size and where it was read."""

    nm_per_pixel: float
    source: str


def scale_of(path: Path, width_px: int, stated: float | None = None) -> Scale | None:
    """Return the pixel size of a picture ``width_px`` wide; ``None`` where nobody wrote it.

    ``stated`` (by the user, nm) wins over what the instrument wrote.

    Raises:
        UsageError: a stated size that cannot be.
        DataError: the instrument's sidecar contradicts itself or the picture.
    """
    _check_size(stated)
    if stated is not None:
        return Scale(stated, "stated")
    # The sidecar first: it knows of which width it speaks.
    return _of_sidecar(path, width_px) or _of_tags(path, width_px)


def _check_size(stated: float | None) -> None:
    if stated is not None and not (math.isfinite(stated) and stated > 0):
        raise UsageError(f"expected a size above 0 nm, got {stated:g}", field="nm_per_pixel")


def _of_sidecar(path: Path, width_px: int) -> Scale | None:
    sidecar = next(
        (file for suffix in (".txt", ".TXT") if (file := path.with_suffix(suffix)).is_file()), None
    )
    if sidecar is None or sidecar == path or sidecar.stat().st_size > MAX_SIDECAR_BYTES:
        return None
    # Instruments write in their locale's encoding; the keys that are read are ASCII in all of them.
    text = sidecar.read_bytes().decode("utf-8", errors="replace")
    fields = dict(re.findall(r"^\s*(\w+)\s*=\s*(.*?)\s*$", text, re.MULTILINE))
    if "PixelSize" not in fields:
        return None
    size = _number(fields["PixelSize"])
    if size is None:
        raise DataError(
            f"{place(sidecar)}: expected PixelSize in nm, above 0, got '{fields['PixelSize']}'; "
            f"mend the file or state {field('nm_per_pixel')}"
        )
    stored = re.match(r"(\d+)\s*x\s*(\d+)", fields.get("DataSize", ""))
    if stored and int(stored[1]) != width_px:
        size *= int(stored[1]) / width_px  # the picture was scaled after it was taken
        return Scale(size, f"{sidecar.name}: PixelSize, rescaled")
    return Scale(size, f"{sidecar.name}: PixelSize")


def _of_tags(path: Path, width_px: int) -> Scale | None:
    """Read the TIFF tags; a file that is no TIFF, or one that tifffile cannot read, has none."""
    with path.open("rb") as file:
        # A look at two bytes: importing tifffile for a PNG would be the dearer part.
        if file.read(2) not in (b"II", b"MM"):
            return None
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            zeiss: Mapping[str, Any] = tiff.sem_metadata or {}
            fei: Mapping[str, Any] = tiff.fei_metadata or {}
    except Exception:  # what it raises for a damaged header is not documented
        return None
    return _of_zeiss(zeiss, width_px) or _of_fei(fei)


def _of_zeiss(tags: Mapping[str, Any], width_px: int) -> Scale | None:
    # The stored picture's size first, the screen's last: they differ where the picture was stored
    # larger than it was shown.
    for name in ("ap_image_pixel_size", "ap_width", "ap_pixel_size"):
        value = tags.get(name)
        if not isinstance(value, tuple) or len(value) < 3 or value[2] not in _IN_NM:
            continue
        size = _number(value[1])
        if size is not None:
            size *= _IN_NM[value[2]] / (width_px if name == "ap_width" else 1)
            return Scale(size, f"TIFF tag: {name.upper()}")
    return None


def _of_fei(tags: Mapping[str, Any]) -> Scale | None:
    for section in ("Scan", "EScan"):
        size = _number(tags.get(section, {}).get("PixelWidth"))
        if size is not None:
            return Scale(size * 1e9, f"TIFF tag: [{section}] PixelWidth")
    return None


def _number(value: object) -> float | None:
    """Return a finite number above zero, or ``None``."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None
