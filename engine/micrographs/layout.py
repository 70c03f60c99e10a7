"""Which experiment a picture belongs to, by its name or folder."""

from __future__ import annotations

from pathlib import Path

from engine.errors import DataError, NotFoundError, by_voice, place

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
# Where the published data set of the nanofibre lab keeps them.
PUBLISHED = Path("images") / "preprocessed"


def named_pictures(folder: Path) -> list[tuple[str, Path]]:
    """Return (ID, file) of every picture in a folder, in order of ID and number.

    ``images/preprocessed/<ID>/`` wins where it is there (``folder`` may also be that folder's own
    parent); else files ``<ID>_<k>`` of the folder itself, or ``<ID>`` alone.

    Raises:
        NotFoundError: no such folder.
        DataError: it is none.
    """
    if not folder.exists():
        raise NotFoundError(f"{place(folder)}: no such folder")
    if not folder.is_dir():
        raise DataError(
            f"{place(folder)}: expected a folder"
            + by_voice("; `engine micrograph add` takes files", "")
        )
    published = folder / PUBLISHED
    flat = _pictures(folder)
    if published.is_dir():
        return _by_folder(published)
    if flat:
        return [(id_of(path), path) for path in sorted(flat, key=_order)]
    return _by_folder(folder)


def _by_folder(parent: Path) -> list[tuple[str, Path]]:
    folders = sorted((child for child in parent.iterdir() if child.is_dir()), key=_order)
    return [
        (inner.name, path) for inner in folders for path in sorted(_pictures(inner), key=_order)
    ]


def _pictures(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if p.is_file() and p.suffix.casefold() in SUFFIXES]


def id_of(path: Path) -> str:
    """Return the ID in a picture's name: all of it, less an underscore and a number.

    >>> id_of(Path("41a_3.tif")), id_of(Path("mat.png"))
    ('41a', 'mat')
    """
    name, separator, number = path.stem.rpartition("_")
    return name if separator and name and number.isdigit() else path.stem


def _order(path: Path) -> tuple[str, int, str]:
    word, number = id_of(path), path.stem.rpartition("_")[2]
    # 2 before 10.
    padded = word.zfill(12) if word.isdigit() else word
    return padded, int(number) if number.isascii() and number.isdigit() else 0, path.name
