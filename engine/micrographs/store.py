"""Micrographs into the data folder: checked, then kept by content hash, never half-written.

``data_dir/micrographs/<aa>/<sha256>.<ext>``: the same picture twice is one file. The file is in
place before a row of the database names it, so that a killed process leaves at most a file that
nothing refers to, never a row without its file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import DataError, NotFoundError, place
from engine.micrographs.unpacking import unpacking, upright_size
from engine.workspace.files import refuse_broken_name
from surrogate.files import draft_of, whole_file
from surrogate.private_files import make_folder, mode_at, touch

FOLDER = "micrographs"
LEAST_SIDE_PX = 32
"""Below so many pixels a side there is no fibre to measure."""

_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "BMP": ".bmp"}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class StoredMicrograph:
    """A picture as it lies in the data folder; ``path`` is relative to that folder."""

    sha256: str
    path: str
    original_name: str
    width_px: int
    height_px: int
    n_bytes: int


def store_micrograph(source: Path, data_dir: Path, *, max_megapixels: float) -> StoredMicrograph:
    """Copy ``source`` into the data folder, unless that content is there already.

    Raises:
        NotFoundError: no such file.
        DataError: no picture (PNG, JPEG, TIFF, BMP), a damaged one, one of more than
            ``max_megapixels``, one smaller than 32 × 32, or the data folder cannot be written.
    """
    check_is_picture_file(source)
    folder = data_dir / FOLDER
    try:
        make_folder(folder)
        stored = _already_stored(source, folder, max_megapixels)
        if stored is not None:
            return replace(stored, original_name=source.name)
        # The place follows from the content, so it is known once all of it is copied.
        with _copy(source, folder) as (copy, sha256, n_bytes):
            kind, width, height = inspect_picture(copy, max_megapixels, name=place(source))
            path = folder / sha256[:2] / f"{sha256}{_SUFFIXES[kind]}"
            make_folder(path.parent)
            with whole_file(path) as draft:
                # Within one folder, so it is a rename and no second copy.
                copy.replace(draft)
    except OSError as error:
        raise DataError(
            f"{place(source)} cannot be kept in {place(folder)}: {error.strerror or error}"
        ) from error
    return StoredMicrograph(
        sha256, path.relative_to(data_dir).as_posix(), source.name, width, height, n_bytes
    )


def check_is_picture_file(path: Path, name: str | None = None) -> None:
    """Refuse what is no file, or one whose name could not be recorded.

    Raises:
        NotFoundError: nothing is there.
        DataError: a folder or device, or a name that is no UTF-8.
    """
    if not path.exists():
        raise NotFoundError(f"{name or place(path)}: no such micrograph, the file is not there")
    if not path.is_file():
        raise DataError(f"{name or place(path)}: expected a picture file, got a folder or device")
    refuse_broken_name(path)


def inspect_picture(
    path: Path, max_megapixels: float, *, name: str | None = None, decode: bool = True
) -> tuple[str, int, int]:
    """Return format, width and height of a picture, after decoding all of it (unless told not to).

    The size is looked at before anything is unpacked; ``name`` is what messages call it.

    Raises:
        DataError: no picture, a damaged one, one of more than ``max_megapixels``, or one that
            is smaller than 32 × 32.
    """
    from PIL import UnidentifiedImageError

    source = name or place(path)
    try:
        # Named formats only: Pillow's decoders of rarer ones are the less tested door for a hostile
        # file.
        with unpacking(path, list(_SUFFIXES)) as image:
            width, height = upright_size(image)
            megapixels = width * height / 1e6
            if megapixels > max_megapixels:
                raise DataError(
                    f"{source}: expected at most {max_megapixels:g} megapixels, got "
                    f"{megapixels:.0f} ({width} × {height}); scale it down, or raise "
                    "max_image_megapixels under [storage] in config.toml"
                )
            if min(width, height) < LEAST_SIDE_PX:
                raise DataError(
                    f"{source}: expected a micrograph of at least {LEAST_SIDE_PX} × "
                    f"{LEAST_SIDE_PX} pixels, got {width} × {height}"
                )
            if decode:
                # `open` reads the header only: a file cut off shows here.
                image.load()
            # A JPEG with a preview inside is one of Pillow's "MPO".
            return "JPEG" if image.format == "MPO" else str(image.format), width, height
    except UnidentifiedImageError:
        formats = ", ".join(_SUFFIXES)
        raise DataError(f"{source} is not a picture; expected {formats}") from None
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise what they like
        raise DataError(f"{source} is a damaged picture: {error}") from error


def _already_stored(source: Path, folder: Path, max_megapixels: float) -> StoredMicrograph | None:
    with source.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    path = next((folder / sha256[:2]).glob(f"{sha256}.*"), None)
    n_bytes = source.stat().st_size
    # A copy cut off is of another size, and is made again.
    if path is None or path.stat().st_size != n_bytes:
        return None
    _, width, height = inspect_picture(path, max_megapixels, name=place(source), decode=False)
    name = path.relative_to(folder.parent).as_posix()
    return StoredMicrograph(sha256, name, source.name, width, height, n_bytes)


@contextmanager
def _copy(source: Path, folder: Path) -> Iterator[tuple[Path, str, int]]:
    """Yield a copy of ``source``, its SHA-256 and size; remove what is not moved away."""
    digest, n_bytes = hashlib.sha256(), 0
    copy = draft_of(folder / "incoming")
    try:
        touch(copy, mode_at(copy))
        with copy.open("wb") as target, source.open("rb") as content:
            # Hashed while it is copied: what lies in the folder is what the hash is of, even if the
            # source changes meanwhile.
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                n_bytes += len(chunk)
                target.write(chunk)
        yield copy, digest.hexdigest(), n_bytes
    finally:
        copy.unlink(missing_ok=True)
