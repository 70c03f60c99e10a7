"""What is finished, noted picture by picture, so that a killed run goes on where it was.

``<folder>/pictures.jsonl``: a line for each picture, appended as it is done; a line cut short by a
kill is passed over. ``<folder>/fibres/``: a file for each picture. The key of a line is a hash of
all that its numbers depend on: a picture that changed, or other options, are read anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from db.locks import lock, open_lock
from engine.bulk.picture import PictureReading
from engine.bulk.request import make_output_folder
from engine.errors import StateError, place
from surrogate.files import write_whole

LINES = "pictures.jsonl"
FIBRES = "fibres"


@dataclass
class Journal:
    """A folder of finished pictures; open it with ``with``, by one process at a time.

    Raises:
        StateError: another process holds it, or it cannot be written.
    """

    folder: Path
    _descriptor: int | None = None

    def __enter__(self) -> Journal:
        make_output_folder(self.folder)
        try:
            self._descriptor = open_lock(self.folder)
            is_ours = lock(self._descriptor, wait=False)
        except OSError:
            is_ours = True  # a file system without locks
        if not is_ours:
            self.__exit__()
            raise StateError(
                f"{place(self.folder)}: another run is reading into this table; wait for it, or "
                "name another one"
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def fibres_of(self, key: str) -> Path:
        """Return where the fibres of a picture belong."""
        return self.folder / FIBRES / f"{key}.csv"

    def readings(self) -> dict[str, PictureReading]:
        """Return finished pictures by their keys."""
        path = self.folder / LINES
        by_key = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            try:
                key, document = json.loads(line)
                by_key[str(key)] = replace(PictureReading.from_json(document), is_resumed=True)
            except (ValueError, TypeError):
                continue  # cut short, or of another version
        return by_key

    def add(self, key: str, reading: PictureReading) -> None:
        """Note a finished picture."""
        with (self.folder / LINES).open("a", encoding="utf-8") as file:
            # A line of its own even after one that was cut short.
            file.write("\n" + json.dumps([key, reading.as_json()]))

    def replace_all(self, readings: Iterable[tuple[str, PictureReading]]) -> None:
        """Keep these and forget all others, with their fibres."""
        lines = {key: json.dumps([key, reading.as_json()]) for key, reading in readings}
        write_whole(self.folder / LINES, "\n".join(lines.values()))
        for path in (self.folder / FIBRES).glob("*.csv"):
            if path.stem not in lines:
                path.unlink()
