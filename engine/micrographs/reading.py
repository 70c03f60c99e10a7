"""Picture files → grey values: TIFF, PNG, JPEG, BMP of 1 to 64 bits, grey, colour or palette.

The size is read from the header and checked before a single pixel is unpacked, so that a
decompression bomb costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import DataError, place
from engine.micrographs.store import inspect_picture
from engine.micrographs.unpacking import unpacking, upright_image

_BAND_PX = 4_000_000
"""A picture is reduced in bands of so many pixels: as numbers, all of it would be four times as
large as its file unpacked."""


def read_grey(path: Path, *, max_megapixels: float, name: str | None = None) -> NDArray[np.float32]:
    """Return a picture's grey values, (height, width), whatever their scale.

    Colour becomes luma (ITU-R 601), transparency is laid on black; where zero is white, it is
    turned round. Of a TIFF with several pictures the largest is taken. Upright, as an Orientation
    tag says. ``name`` is what messages call the file.

    Raises:
        DataError: no picture, a damaged one, one of more than ``max_megapixels``, one that is
            smaller than 32 × 32, or one without any contrast.
    """
    return _read(path, _grey, max_megapixels, name)


def read_reduced(
    path: Path, side: int, *, max_megapixels: float, name: str | None = None
) -> NDArray[np.float32]:
    """Return the same, averaged over square blocks so that its longer side has ``side`` pixels.

    Up to three times ``side``, as a block is a whole number of pixels. Needs the memory of the
    file unpacked and little more.

    Raises:
        DataError: as of :func:`read_grey`.
    """
    return _read(path, lambda image: _reduced(image, side), max_megapixels, name)


def _read(
    path: Path,
    convert: Callable[[Image.Image], NDArray[np.float32]],
    max_megapixels: float,
    name: str | None,
) -> NDArray[np.float32]:
    label = name or place(path)
    _, width, height = inspect_picture(path, max_megapixels, name=name, decode=False)
    try:
        with unpacking(path) as image:
            _refuse_blank(image, label)
            grey = convert(upright_image(image))
            if _is_inverted(image):
                grey = grey.max() - grey
    except DataError:
        raise
    except MemoryError:
        raise DataError(f"{label}: not enough memory for {width} × {height} pixels") from None
    except Exception as error:  # Pillow's decoders raise what they like
        raise DataError(f"{label} is a damaged picture: {error}") from error
    if not np.isfinite(grey).all():
        n = int(grey.size - np.isfinite(grey).sum())
        raise DataError(
            f"{label}: expected finite grey values, got NaN or infinity in {n} of {grey.size} "
            "pixels; cut them off, or give them the value of an empty margin (0), and save it again"
        )
    if grey.max() <= grey.min():
        raise DataError(f"{label} shows nothing: every pixel has the grey value {grey.flat[0]:g}")
    return grey


def _refuse_blank(image: Image.Image, source: str) -> None:
    """Refuse a picture, unpacking it, whose pixels all have one value.

    Asked of the pixels as Pillow holds them, a byte each: as numbers they are four.

    Raises:
        DataError: there is nothing on it.
    """
    extremes = image.getextrema()
    bands = extremes if isinstance(extremes[0], tuple) else (extremes,)
    # A palette's numbers are no grey values: two of them may be the same colour.
    if all(low == high for low, high in bands):
        greys = ", ".join(f"{low:g}" for low, _ in bands)
        raise DataError(f"{source} shows nothing: every pixel has the grey value {greys}")


def _reduced(image: Image.Image, side: int) -> NDArray[np.float32]:
    block = max(1, max(image.size) // side // 2)
    columns = image.width // block
    rows = max(1, _BAND_PX // (image.width * block))
    bands = []
    for top in range(0, image.height // block, rows):
        bottom = min(top + rows, image.height // block)
        band = _luma(image.crop((0, top * block, columns * block, bottom * block)))
        # Pillow's own mean, of deep pictures too, is rounded to the kind of their pixels.
        bands.append(np.asarray(band.reduce(block) if block > 1 else band, dtype=np.float32))
    return np.concatenate(bands)


def _is_inverted(image: Image.Image) -> bool:
    """Tell whether zero is white: Pillow turns TIFFs of 8 bits round, deeper ones it does not."""
    tags = getattr(image, "tag_v2", {})
    return image.mode in ("I;16", "I;16B", "I;16L", "I", "F") and tags.get(262) == 0


def _grey(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(_luma(image), dtype=np.float32)


def _luma(image: Image.Image) -> Image.Image:
    # More than 8 bits stay as they are: `convert("L")` would cut them off at 255.
    # https://pillow.readthedocs.io/en/stable/handbook/concepts.html#concept-modes
    if image.mode in ("I;16", "I;16B", "I;16L"):
        return image.convert("I")  # `reduce` knows no 16-bit pixels
    if image.mode in ("I", "F", "L"):
        return image
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        # Laid on black, not just dropped: under full transparency files hold any colour.
        clear = image.convert("RGBA")
        ground = Image.new("RGBA", clear.size, (0, 0, 0, 255))
        image = Image.alpha_composite(ground, clear)
    elif image.mode == "1":
        return image.convert("L")
    # By way of RGB, as a palette's numbers are no grey values.
    return image.convert("RGB").convert("L")
