"""What is asked of a folder of pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import DataError, NotFoundError, StateError, UsageError, place
from engine.host import usable_cores
from engine.micrographs.scale import HowTaken
from engine.workspace.settings import StorageSettings


@dataclass(frozen=True)
class ReadRequest:
    """A folder, and how its pictures are to be read.

    Attributes:
        folder: where the pictures are, in it and in its sub-folders.
        stated: what the user says of all of them.
        sample: which pictures show one sample: ``folder``, ``name``, a pattern with ``{sample}``, a
            table; ``None``: sub-folders, where there are any, else names.
        overlays: a folder for pictures of what was measured.
        drawings: a folder with other drawings, which are no micrographs.
        has_fibres: whether every single fibre is wanted.
        journal: a folder in which finished pictures are noted, so that a killed run goes on.
        is_fresh: read pictures again that the journal knows.
        jobs: how many pictures at a time; 0: one a core.
        max_megapixels: a larger picture is refused.

    Raises:
        UsageError: ``jobs`` below 0.
        NotFoundError: no such folder.
        DataError: it is none.
    """

    folder: Path
    stated: HowTaken = field(default_factory=HowTaken)
    sample: str | None = None
    overlays: Path | None = None
    drawings: Path | None = None
    has_fibres: bool = False
    journal: Path | None = None
    is_fresh: bool = False
    jobs: int = 0
    max_megapixels: float = field(default_factory=lambda: StorageSettings().max_image_megapixels)

    def __post_init__(self) -> None:
        if self.jobs < 0:
            raise UsageError(f"expected 0 (one a core) or more, got {self.jobs}", field="jobs")
        if not self.folder.exists():
            raise NotFoundError(f"{place(self.folder)}: no such folder")
        if not self.folder.is_dir():
            raise DataError(f"{place(self.folder)}: expected a folder of pictures, got a file")

    @property
    def n_processes(self) -> int:
        """How many pictures are measured at a time."""
        return self.jobs or usable_cores()


def make_output_folder(path: Path) -> None:
    """Make a folder for what is written.

    Raises:
        StateError: something else is there, or it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"{place(path)} cannot be made: {error.strerror or error}") from error
