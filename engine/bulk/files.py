"""The pictures of a folder, and which sample each of them shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from db.words import nfc
from engine.errors import DataError, UsageError, place
from engine.experiments.importers.reading import read_table
from engine.micrographs.layout import SUFFIXES, id_of

_SIDECARS = (".txt", ".hdr", ".xml", ".csv", ".tsv", ".xlsx", ".json", ".md", ".pdf", ".db", "")
_TABLES = (".csv", ".tsv", ".xlsx", ".xlsm")
_MOST_ROWS = 200_000
_MARK = "{sample}"
SampleOf = Callable[[str], str]


@dataclass(frozen=True)
class FolderPictures:
    """Pictures by their names below the folder (``/`` between folders), and what was left aside."""

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find_pictures(folder: Path, leave_out: Collection[Path] = ()) -> FolderPictures:
    """Return the pictures in a folder and below it, 2 before 10; hidden ones are passed over.

    Args:
        folder: where to look.
        leave_out: folders whose pictures are no micrographs: overlays.

    Raises:
        DataError: there is none.
    """
    outside = [path.resolve() for path in leave_out]
    names: list[str] = []
    strangers: Counter[str] = Counter()
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if any(part.startswith(".") for part in relative.parts) or not path.is_file():
            continue
        if any(path.resolve().is_relative_to(parent) for parent in outside):
            continue
        suffix = path.suffix.casefold()
        if suffix in SUFFIXES:
            names.append(relative.as_posix())
        elif suffix not in _SIDECARS:
            strangers[suffix] += 1
    notes: tuple[str, ...] = ()
    if strangers:
        counts = ", ".join(f"{n} {suffix}" for suffix, n in sorted(strangers.items()))
        notes = (f"left aside: {counts}; pictures end in {', '.join(SUFFIXES)}",)
    if not names:
        raise DataError(
            f"{place(folder)}: expected pictures ({', '.join(SUFFIXES)}) in it or below it, "
            f"found none{'; ' + notes[0] if notes else ''}"
        )
    return FolderPictures(tuple(sorted(names, key=_natural)), notes)


def sample_names(names: Sequence[str], sample: str | None) -> list[str]:
    """Return the sample that each picture shows; see :class:`engine.bulk.request.ReadRequest`.

    Raises:
        UsageError: a word that is no way to name samples.
        DataError: a table that does not name each picture, or that cannot be read.

    >>> sample_names(["a/1.tif", "b/1.tif"], None)
    ['a', 'b']
    >>> sample_names(["PCL-12_1.tif", "PCL-12_2.tif"], None)
    ['PCL-12', 'PCL-12']
    >>> sample_names(["2024 PCL 12kV 1.tif"], "* {sample} *.tif")
    ['PCL']
    """
    if sample is None:
        sample = "folder" if any("/" in name for name in names) else "name"
    return list(map(_reader_of(sample, names), names))


def _reader_of(sample: str, names: Sequence[str]) -> SampleOf:
    if sample == "folder":
        return lambda name: str(PurePosixPath(name).parent) if "/" in name else "–"
    if sample == "name":
        return lambda name: id_of(Path(name))
    if sample.count(_MARK) == 1:
        return _pattern(sample)
    if Path(sample).suffix.casefold() in _TABLES:
        return _table(Path(sample), names)
    raise UsageError(
        f"expected folder, name, a pattern with {_MARK} once such as '{_MARK}_*.tif', or a table "
        f"(.csv, .xlsx) with the columns file and sample; got '{sample}'",
        field="sample",
    )


def _pattern(sample: str) -> SampleOf:
    pieces = re.split(r"(\{sample\}|\*)", sample)
    expressions = {_MARK: "(?P<sample>.+?)", "*": ".*?"}
    pattern = re.compile("".join(expressions.get(piece, re.escape(piece)) for piece in pieces))
    has_folders = "/" in sample

    def read(name: str) -> str:
        match = pattern.fullmatch(name if has_folders else PurePosixPath(name).name)
        if match is None:
            raise UsageError(f"the pattern '{sample}' does not fit {name}", field="sample")
        return match["sample"]

    return read


def _table(path: Path, names: Sequence[str]) -> SampleOf:
    table = read_table(path, max_rows=_MOST_ROWS)
    headings = [heading.casefold() for heading in table.headings]
    columns = [
        next((headings.index(word) for word in synonyms if word in headings), None)
        for synonyms in (("file", "picture", "micrograph"), ("sample",))
    ]
    if columns[0] is None or columns[1] is None:
        raise DataError(
            f"{place(path)}: expected the columns file and sample, got {', '.join(table.headings)}"
        )
    by_file = {
        nfc(row[columns[0]].strip().replace("\\", "/")): row[columns[1]].strip()
        for row in table.rows
    }
    missing = [name for name in names if _entry(by_file, name) is None]
    if missing:
        listed = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        raise DataError(f"{place(path)}: expected a row for every picture; none for {listed}")
    return lambda name: _entry(by_file, name) or "–"


def _entry(by_file: dict[str, str], name: str) -> str | None:
    path = PurePosixPath(nfc(name))
    return next((by_file[key] for key in (str(path), path.name, path.stem) if key in by_file), None)


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    parts = re.split(r"(\d+)", name.casefold())
    return tuple((1, int(p), p) if p.isdecimal() and p.isascii() else (0, 0, p) for p in parts)
