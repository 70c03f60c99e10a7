"""Picture files → grey values: TIFF, PNG, JPEG, BMP of 8 or 16 bit, grey, colour or palette.

The size is read from the header and checked before a single pixel is unpacked, so that a
decompression bomb costs nothing.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import DataError, place
from engine.micrographs.store import inspect_picture

LEAST_SIDE_PX = 32
"""Below so many pixels a side there is no fibre to measure."""

# Pillow's modes of more than 8 bits: `convert("L")` would cut them off at 255.
# https://pillow.readthedocs.io/en/stable/handbook/concepts.html#concept-modes
_DEEP = ("I;16", "I;16B", "I;16L", "I", "F")


def read_grey(path: Path, *, max_megapixels: float, name: str | None = None) -> NDArray[np.float32]:
    """Return a picture's grey values, (height, width), whatever their scale.

    Colour becomes luma (ITU-R 601), transparency is laid on black. Of a TIFF with several
    pictures the first is taken. ``name`` is what messages call the file.

    Raises:
        DataError: no picture, a damaged one, one of more than ``max_megapixels``, one that is
            smaller than 32 × 32, or one without any contrast.
    """
    label = name or place(path)
    _, width, height = inspect_picture(path, max_megapixels, name=name, decode=False)
    if min(width, height) < LEAST_SIDE_PX:
        raise DataError(
            f"{label}: expected a micrograph of at least {LEAST_SIDE_PX} × {LEAST_SIDE_PX} pixels, "
            f"got {width} × {height}"
        )
    limit = Image.MAX_IMAGE_PIXELS
    try:
        Image.MAX_IMAGE_PIXELS = None  # checked above, against the user's own limit
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")
            grey = _grey(image)
    except MemoryError:
        raise DataError(f"{label}: not enough memory for {width} × {height} pixels") from None
    except Exception as error:  # Pillow's decoders raise what they like
        raise DataError(f"{label} is a damaged picture: {error}") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    if not np.isfinite(grey).all():
        raise DataError(f"{label}: expected finite grey values, got NaN or infinity")
    if grey.max() <= grey.min():
        raise DataError(f"{label} shows nothing: every pixel has the grey value {grey.flat[0]:g}")
    return grey


def _grey(image: Image.Image) -> NDArray[np.float32]:
    if image.mode in _DEEP or image.mode == "L":
        return np.asarray(image, dtype=np.float32)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        # Laid on black, not just dropped: under full transparency files hold any colour.
        clear = image.convert("RGBA")
        ground = Image.new("RGBA", clear.size, (0, 0, 0, 255))
        image = Image.alpha_composite(ground, clear)
    # By way of RGB, as a palette's numbers are no grey values.
    return np.asarray(image.convert("RGB").convert("L"), dtype=np.float32)
