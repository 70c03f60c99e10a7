"""Pillow's door to a picture's pixels: our own limits, and one picture at a time in a process.

Eight pictures of 98 megapixels unpacked at once would need eight times the memory of one; and the
limit and the warnings that are set aside here are the whole process's, not a thread's.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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

    Raises:
        Exception: whatever Pillow's decoders like.
    """
    from PIL import Image

    with one_at_a_time:
        limit = Image.MAX_IMAGE_PIXELS
        try:
            # Pillow warns at 89 megapixels and refuses at twice that.
            # https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.open
            Image.MAX_IMAGE_PIXELS = None
            with warnings.catch_warnings(), Image.open(path, formats=formats) as image:
                warnings.simplefilter("ignore")
                yield image
        finally:
            Image.MAX_IMAGE_PIXELS = limit
