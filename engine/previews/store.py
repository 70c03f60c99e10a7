"""Pictures of a preview as one PNG below the data folder, by content; there whole or not at all."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import DataError, place
from surrogate.files import write_whole
from surrogate.private_files import make_folder

FOLDER = "previews"


@dataclass(frozen=True)
class KeptPreview:
    """Where the pictures are: ``path`` counts from the data folder."""

    sha256: str
    path: str


def keep_pictures(data_dir: Path, pictures: NDArray[np.uint8]) -> KeptPreview:
    """Write pictures (n, s, s) side by side; the same pictures are written once.

    Raises:
        DataError: the folder cannot be written (a full disk): nothing is left of it then.
    """
    stream = io.BytesIO()
    Image.fromarray(np.concatenate(list(pictures), axis=1)).save(stream, format="PNG")
    data = stream.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    path = data_dir / FOLDER / sha256[:2] / f"{sha256}.png"
    # A name by content, so the same size is the same file; a shorter one is a copy cut off.
    if not path.is_file() or path.stat().st_size != len(data):
        write_png(path, data)
    return KeptPreview(sha256, path.relative_to(data_dir).as_posix())


def write_png(path: Path, data: bytes) -> None:
    """Write a file whole, its folder made if need be.

    Raises:
        DataError: it cannot be written.
    """
    try:
        make_folder(path.parent)
        write_whole(path, data)
    except OSError as error:
        raise DataError(f"{place(path)} cannot be written: {error.strerror or error}") from error


def read_pictures(path: Path, n: int) -> NDArray[np.uint8]:
    """Return the pictures (n, s, s) that :func:`keep_pictures` wrote.

    Raises:
        DataError: the file is gone or is another.
    """
    try:
        # Only PNG: a file that was exchanged is not handed to Pillow's other decoders.
        with Image.open(path, formats=["PNG"]) as image:
            strip = np.asarray(image.convert("L"))
    except OSError as error:
        raise DataError(f"the preview {place(path)} cannot be read") from error
    if strip.shape[1] != n * strip.shape[0]:
        raise DataError(
            f"{place(path)}: expected {n} square pictures side by side, got {strip.shape}"
        )
    return np.stack(np.split(strip, n, axis=1))
