"""Pillow's door to a picture's pixels: our own limits, and one picture at a time in a process.

Eight pictures of 98 megapixels unpacked at once would need eight times the memory of one; and the
limit and the warnings that are set aside here are the whole process's, not a thread's.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

# Taken again by the same thread: a rendition is unpacked while its drawing holds the lock.
one_at_a_time = threading.RLock()
"""Held while a picture is unpacked, or drawn from what was."""


@contextmanager
def unpacking(path: Path, formats: list[str] | None = None) -> Iterator[Image.Image]:
    """Open a picture without Pillow's limit of megapixels; the caller checks its own.

    Of a file with several pages the largest is yielded. A TIFF is upright, as its Orientation tag
    says; what else may be turned is so by :func:`upright_image`.

    Raises:
        Exception: whatever Pillow's decoders like.
    """
    from PIL import Image

    from engine.micrographs.tiff_pages import DeepTiff, choose_page

    with one_at_a_time:
        limit = Image.MAX_IMAGE_PIXELS
        try:
            # Pillow warns at 89 megapixels and refuses at twice that.
            # https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.open
            Image.MAX_IMAGE_PIXELS = None
            page = choose_page(path)
            if page is not None and page.n_missing:
                # Pillow would take the file's first bytes for their pixels.
                raise ValueError(f"{page.n_missing} of its {page.n_strips} strips are missing")
            if page is not None and page.is_deep:
                yield DeepTiff(path, page.index, page.subpage)
                return
            # A TIFF by its handle, as Pillow maps an uncompressed one that it knows by name into
            # memory with width and height exchanged, if it is to be turned by a right angle.
            with (
                warnings.catch_warnings(),
                nullcontext(path) if page is None else path.open("rb") as source,
                Image.open(source, formats=formats) as image,
            ):
                warnings.simplefilter("ignore")
                if page is not None and page.index:
                    image.seek(page.index)
                yield image
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def upright_image(image: Image.Image) -> Image.Image:
    """Return a JPEG or PNG turned as its EXIF Orientation says, unpacking it only if it does."""
    from PIL import Image

    turn = _turn(image)
    methods = (
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
    )
    return image if turn == 1 else image.transpose(methods[turn - 2])


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of what :func:`upright_image` returns."""
    width, height = image.size
    return (height, width) if _turn(image) >= 5 else (width, height)


def _turn(image: Image.Image) -> int:
    # A PNG may bear it behind its pixels, where it is looked for by unpacking them: not so here.
    has_exif = "exif" in image.info or "Raw profile type exif" in image.info
    if image.format == "TIFF" or (image.format == "PNG" and not has_exif):
        return 1
    turn = image.getexif().get(274, 1)
    return turn if isinstance(turn, int) and 2 <= turn <= 8 else 1
