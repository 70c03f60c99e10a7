"""TIFF pages: the largest is the picture, thumbnails are none; deep pixels are unpacked here.

Pillow reads grey and colour of 8 bits, and grey of 16 or as 32-bit floats. Of what is deeper it
refuses some (64-bit floats, 16-bit grey with transparency) and mixes up other (16-bit planes,
unsigned 32-bit numbers): that is read by tifffile.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# A stack of more pages is none of a microscope's pictures; each page's header takes time to read.
MOST_PAGES, MOST_SUBPAGES = 500, 8
_NONE, _DEFLATE, _ADOBE_DEFLATE = 1, 32946, 8
_WHITE_IS_ZERO, _RGB, _PALETTE, _CMYK = 0, 2, 3, 5
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601, as Pillow's


@dataclass(frozen=True)
class PageChoice:
    """Which page of a TIFF is the picture; how many are as large; whether its pixels are deep.

    ``subpage``: its place among the page's sub-pages (SubIFDs), ``None``: it is the page itself.
    ``n_missing`` of its ``n_strips`` are not in the file.
    """

    index: int
    n_alike: int
    is_deep: bool
    subpage: int | None = None
    n_missing: int = 0
    n_strips: int = 0


def is_tiff(path: Path) -> bool:
    """Tell by the first two bytes: importing tifffile for a PNG would be the dearer part."""
    with path.open("rb") as file:
        return file.read(2) in (b"II", b"MM")


@contextmanager
def tiff_file(path: Path) -> Iterator[Any]:
    """Open a file as ``tifffile.TiffFile``, which keeps its complaints for itself.

    Raises:
        Exception: whatever tifffile raises for a damaged header.
    """
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with tifffile.TiffFile(path) as tiff:
        yield tiff


def choose_page(path: Path) -> PageChoice | None:
    """Return which page of a TIFF is the picture; ``None``: no TIFF, or one of damaged headers."""
    if not is_tiff(path):
        return None
    try:
        with tiff_file(path) as tiff:
            pages = [tiff.pages[n] for n in range(_n_pages(tiff))]
            places: list[tuple[int, int | None]] = [(n, None) for n in range(len(pages))]
            for n, page in enumerate(pages):
                places += [(n, subpage) for subpage in range(len(page.subifds or ()))][
                    :MOST_SUBPAGES
                ]
            sizes = [_n_pixels(page_at(tiff, *place)) for place in places]
            best = int(np.argmax(sizes))  # the first of equals: a page before what is below it
            index, subpage = places[best]
            page = page_at(tiff, index, subpage)
            alike = [size for size, place in zip(sizes, places, strict=True) if place[1] is None]
            n_alike = alike.count(sizes[best]) if subpage is None else 1
            strips = list(zip(page.dataoffsets, page.databytecounts, strict=True))
            n_missing = sum(not (start and n_bytes) for start, n_bytes in strips)
            is_deep = subpage is not None or _is_deep(page)
            return PageChoice(index, n_alike, is_deep, subpage, n_missing, len(strips))
    except Exception:  # what it raises for a damaged header is not documented
        return None


def page_at(tiff: Any, index: int, subpage: int | None) -> Any:
    """Return a page of an open file, or the one at a place among its sub-pages."""
    page = tiff.pages[index]
    return page if subpage is None else page.pages[subpage]


def _n_pixels(page: Any) -> int:
    return int(page.imagewidth * page.imagelength)


def page_warnings(path: Path) -> list[str]:
    """Return what to say of a file that holds several pictures."""
    page = choose_page(path)
    if page is None or page.n_alike < 2:
        return []
    return [f"{page.n_alike} pictures of one size are in the file; the first of them is measured"]


def _n_pages(tiff: Any) -> int:
    for n in range(1, MOST_PAGES):
        try:
            _ = tiff.pages[n]
        except IndexError:
            return n
    return MOST_PAGES


def _is_deep(page: Any) -> bool:
    """Tell whether a page is one that Pillow refuses or mixes up, and tifffile unpacks."""
    if page.compression not in (_NONE, _DEFLATE, _ADOBE_DEFLATE) or page.dtype is None:
        return False
    if page.dtype.kind not in "uif" or page.dtype == np.uint8:
        return False
    if page.samplesperpixel > 1:
        return True
    if page.photometric == _WHITE_IS_ZERO:
        return page.dtype not in (np.uint16, np.float32)
    if page.dtype == np.uint16 and page.parent.byteorder == ">":
        return True  # which Pillow reads, but does not convert
    return page.photometric != 1 or page.dtype not in (np.uint16, np.int16, np.int32, np.float32)


class DeepTiff(Image.Image):
    """A page as grey 32-bit floats, unpacked when its pixels are asked for."""

    format = "TIFF"

    def __init__(self, path: Path, index: int, subpage: int | None = None) -> None:
        super().__init__()
        self._path, self._place, self._mode = path, (index, subpage), "F"
        with tiff_file(path) as tiff:
            page = page_at(tiff, index, subpage)
            size = (page.imagewidth, page.imagelength)
            tag = page.tags.get(274)
            self._turn = int(tag.value) if tag is not None else 1
        self._size = size[::-1] if 5 <= self._turn <= 8 else size

    def load(self) -> Any:
        """Unpack the page.

        Raises:
            ValueError: it is damaged.
        """
        if self._im is None:
            with tiff_file(self._path) as tiff:
                grey = _grey_of(page_at(tiff, *self._place))
            self.im = Image.fromarray(upright(grey, self._turn)).im
        return super().load()


def upright(grey: NDArray[Any], turn: int) -> NDArray[Any]:
    """Turn pixels as TIFF's (and EXIF's) tag 274, Orientation, says they are to be shown.

    >>> upright(np.array([[1, 2], [3, 4]]), 6).tolist()
    [[3, 1], [4, 2]]
    """
    if turn >= 5:
        grey = grey.T
        turn = {5: 1, 6: 2, 7: 3, 8: 4}.get(turn, 1)
    if turn in (2, 3):
        grey = grey[:, ::-1]
    if turn in (3, 4):
        grey = grey[::-1]
    return np.ascontiguousarray(grey)


def _grey_of(page: Any) -> NDArray[np.float32]:
    _refuse_bomb(page)
    pixels = page.asarray()
    if page.photometric == _PALETTE:
        luma = np.asarray(LUMA @ page.colormap.astype(np.float32), dtype=np.float32)
        return np.asarray(luma[pixels])
    if page.samplesperpixel == 1:
        return _not_inverted(pixels, page)
    if page.planarconfig == 2:
        pixels = np.moveaxis(pixels, 0, -1)
    n_colours = {_RGB: 3, _CMYK: 4}.get(int(page.photometric), 1)
    white = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "ui" else 1.0
    colours = _not_inverted(pixels[..., :n_colours], page)
    if n_colours == 4:
        ink = np.clip(colours / np.float32(white), 0.0, 1.0)
        grey = ((1.0 - ink[..., :3]) @ LUMA) * (1.0 - ink[..., 3])
    else:
        grey = colours @ LUMA if n_colours == 3 else colours[..., 0]
    # Of other kinds of extra samples none covers; 1 is laid on black already.
    if page.extrasamples and page.extrasamples[0] == 2 and pixels.shape[-1] > n_colours:
        grey = grey * (pixels[..., n_colours].astype(np.float32) / np.float32(white))
    return np.asarray(grey, dtype=np.float32)


def _not_inverted(pixels: NDArray[Any], page: Any) -> NDArray[np.float32]:
    if page.photometric == _WHITE_IS_ZERO:
        # Turned round before it is rounded to 32-bit floats.
        pixels = np.invert(pixels) if pixels.dtype.kind in "ui" else -pixels
    return pixels.astype(np.float32)


def _refuse_bomb(page: Any) -> None:
    """Refuse compressed strips that hold more than their pixels: tifffile unpacks all there is.

    Raises:
        ValueError: they do, or they are packed in a way that is not read here.
    """
    if page.compression == _NONE:
        return
    if page.compression not in (_DEFLATE, _ADOBE_DEFLATE):
        raise ValueError(
            f"its full picture is a sub-page packed as {getattr(page.compression, 'name', '?')}, "
            "which is not read here: save it as a plain TIFF"
        )
    limit = int(np.prod(page.chunks)) * page.dtype.itemsize
    file = page.parent.filehandle
    for start, n_bytes in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(start)
        unpacked = zlib.decompressobj().decompress(file.read(n_bytes), limit + 1)
        if len(unpacked) > limit:
            raise ValueError("a strip holds more than its pixels")
