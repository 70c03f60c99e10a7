"""A folder of pictures → what each of them shows: the one function behind command, page, Python."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from engine.bulk.files import find_pictures, sample_names
from engine.bulk.journal import Journal
from engine.bulk.picture import PictureReading, PictureTask
from engine.bulk.pool import read_pictures
from engine.bulk.request import ReadRequest
from engine.bulk.samples import SampleSummary, summarise
from surrogate.progress import Progress, silent

STAGE = "measuring pictures"


class Scratch:
    """A temporary folder that is there for as long as this object is."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="spinneret-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class FolderReading:
    """What the pictures of a folder show; ``scratch`` holds the fibres where no journal does."""

    pictures: tuple[PictureReading, ...]
    samples: tuple[SampleSummary, ...]
    notes: tuple[str, ...] = ()
    is_stopped: bool = False
    scratch: Scratch | None = None

    @property
    def failures(self) -> tuple[PictureReading, ...]:
        """Pictures that could not be measured."""
        return tuple(picture for picture in self.pictures if picture.problem is not None)

    @property
    def n_resumed(self) -> int:
        """How many pictures an earlier run had measured."""
        return sum(picture.is_resumed for picture in self.pictures)


def read_folder(
    request: ReadRequest,
    progress: Progress = silent,
    should_stop: Callable[[], bool] = lambda: False,
) -> FolderReading:
    """Measure every picture of a folder, over all cores.

    A picture that cannot be measured is told in its reading, and the others go on. Needs the memory
    of one picture a core, however many there are.

    Raises:
        NotFoundError: no such folder.
        DataError: no picture in it, or a table of samples that does not fit.
        UsageError: a way to name samples that is none.
        StateError: the journal is in use, or cannot be written.
    """
    outputs = [path for path in (request.overlays, request.drawings) if path is not None]
    pictures = find_pictures(request.folder, outputs)
    samples = sample_names(pictures.names, request.sample)
    scratch = Scratch() if request.journal is None else None
    folder = request.journal if scratch is None else scratch.path
    assert folder is not None  # noqa: S101 -- one of the two
    with Journal(folder) as journal:
        readings, is_stopped = _read_all(request, pictures.names, journal, progress, should_stop)
    complete = tuple(
        replace(readings[name], name=name, sample=sample)
        for name, sample in zip(pictures.names, samples, strict=True)
        if name in readings
    )
    return FolderReading(complete, summarise(complete), pictures.notes, is_stopped, scratch)


def _read_all(
    request: ReadRequest,
    names: Sequence[str],
    journal: Journal,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> tuple[Mapping[str, PictureReading], bool]:
    tasks = {name: _task(request, name) for name in names}
    finished = {} if request.is_fresh else journal.readings()
    readings: dict[str, PictureReading] = {}
    keys: dict[str, str] = {}
    waiting = []
    for name, task in tasks.items():
        try:
            key = keys[name] = task.key()
        except OSError as error:
            problem = f"{name}: {error.strerror or error}"
            readings[name] = PictureReading(name, problem=problem)
            continue
        fibres = journal.fibres_of(key)
        reading = finished.get(key)
        if reading is not None and _is_complete(request, task, fibres):
            readings[name] = replace(reading, fibres=str(fibres) if request.has_fibres else None)
            continue
        waiting.append(replace(task, fibres=str(fibres)) if request.has_fibres else task)
    progress(STAGE, len(readings), len(names))
    is_stopped = False
    for task, reading in read_pictures(waiting, request.n_processes, should_stop):
        readings[task.name] = reading
        if reading.problem is None:
            journal.add(keys[task.name], reading)
        progress(STAGE, len(readings), len(names))
    is_stopped = len(readings) < len(names)
    if not is_stopped:
        journal.replace_all(
            (keys[name], replace(reading, is_resumed=False))
            for name, reading in readings.items()
            if reading.problem is None
        )
    return readings, is_stopped


def _task(request: ReadRequest, name: str) -> PictureTask:
    overlay = None if request.overlays is None else str(request.overlays / f"{name}.png")
    return PictureTask(
        path=str(request.folder / name),
        name=name,
        stated=asdict(request.stated),
        max_megapixels=request.max_megapixels,
        overlay=overlay,
    )


def _is_complete(request: ReadRequest, task: PictureTask, fibres: Path) -> bool:
    """Whether what an earlier run wrote beside the numbers is there, too."""
    has_overlay = task.overlay is None or Path(task.overlay).is_file()
    return has_overlay and (not request.has_fibres or fibres.is_file())
