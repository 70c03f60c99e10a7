"""Many pictures read at once, without a run: laid into their folder, checked, queued."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from starlette.datastructures import UploadFile

from db.records import TaskRecord
from engine.bulk.dropped import DroppedPictures, all_dropped, dropped_pictures, new_pictures
from engine.bulk.files import sample_names
from engine.errors import StateError, UsageError
from engine.jobs.queue import READING, newest, submit
from engine.micrographs.layout import SUFFIXES
from engine.micrographs.scale import HowTaken
from engine.micrographs.sidecars import is_sidecar
from engine.web import forms
from engine.web.site import Site
from engine.workspace import Workspace

MOST_FOLDERS = 4
"""So many folders one in another, as a lab keeps them: project, day, sample, magnification."""

N_TASKS = 200
"""So many of the newest readings are looked through."""


@dataclass
class LaidPictures:
    """A folder of pictures to be read, and what one request laid into it."""

    dropped: DroppedPictures
    is_new: bool
    laid: list[Path] = field(default_factory=list)

    def take_back(self) -> None:
        """Remove what the request laid; what came before it stays."""
        if self.is_new:
            self.dropped.remove()
        for path in self.laid:
            path.unlink(missing_ok=True)


def tasks_of_readings(workspace: Workspace) -> dict[str, TaskRecord]:
    """Return the newest job of each reading, by the folder's name."""
    tasks: dict[str, TaskRecord] = {}
    for task in newest(workspace, kinds=READING, n=N_TASKS):
        tasks.setdefault(str(task.params.get("pictures")), task)
    return tasks


def readings_of(workspace: Workspace, campaign_id: int) -> list[tuple[DroppedPictures, TaskRecord]]:
    """Return the readings of a campaign that are still here, newest first, with their jobs."""
    tasks = tasks_of_readings(workspace)
    dropped = all_dropped(workspace, campaign_id)
    return [(folder, tasks[folder.token]) for folder in dropped if folder.token in tasks]


def plain_place(name: str) -> PurePosixPath:
    """Return where a file is kept: its plain name, below the plain names of its folders.

    Raises:
        UsageError: too many folders one in another.

    >>> str(plain_place("PCL 12 kV/a_1.tif")), str(plain_place("C:\\\\x\\\\..\\\\..\\\\b.tif"))
    ('PCL 12 kV/a_1.tif', 'C_/x/b.tif')
    """
    *folders, name = name.replace("\\", "/").split("/")
    folders = [folder for folder in folders if folder.strip(" .")]
    if len(folders) > MOST_FOLDERS:
        raise UsageError(
            f"expected at most {MOST_FOLDERS} folders one in another, got {'/'.join(folders)}"
        )
    return PurePosixPath(*map(forms.plain_name, folders), forms.plain_name(name))


@contextmanager
def lay_pictures(
    site: Site, campaign_id: int, files: Sequence[UploadFile], token: str | None = None
) -> Iterator[LaidPictures]:
    """Lay files into a folder, for as long as nothing goes wrong in the block: else they go again.

    Args:
        site: where they go, and for which campaign.
        campaign_id: the campaign's number.
        files: pictures and their instruments' text files; their names may name sub-folders.
        token: the folder of files that came before; ``None``: a new one.

    Raises:
        UsageError: no file, or one that is neither picture nor an instrument's text file.
        StateError: more than is read at once, or they are read already.
        NotFoundError: the folder that they belong to is gone.
    """
    if not files and not token:
        raise UsageError("expected pictures, got none: choose files first")
    places = [plain_place(file.filename or "") for file in files]
    for place in places:
        if not place.name.casefold().endswith((*SUFFIXES, ".txt", ".hdr")):
            raise UsageError(
                f"expected pictures ({', '.join(SUFFIXES)}) and their .txt or .hdr, got {place}"
            )
    if token and token in tasks_of_readings(site.workspace):
        raise StateError("these pictures are being read already; send further ones apart")
    pictures = LaidPictures(
        dropped_pictures(site.workspace, campaign_id, token)
        if token
        else new_pictures(site.workspace, campaign_id),
        is_new=not token,
    )
    dropped = pictures.dropped
    try:
        dropped.refuse_too_many(len(files), sum(file.size or 0 for file in files))
        for file, place in zip(files, places, strict=True):
            path = dropped.pictures / place
            if path.exists() or any(
                (dropped.pictures / folder).is_file() for folder in place.parents
            ):
                raise UsageError(f"expected names that differ, got {place} twice")
            pictures.laid.append(path)
            forms.lay_file(path.parent, file)
        dropped.refuse_too_many()
        yield pictures
    except BaseException:
        pictures.take_back()
        raise


def sample_of(text: str | None) -> str | None:
    """Return what one sample is: ``folder``, ``name`` or a pattern; ``None``: as the names say.

    Raises:
        UsageError: it is something else; a table of samples would be a file of the server's.
    """
    if not text:
        return None
    if text not in ("folder", "name") and text.count("{sample}") != 1:
        raise UsageError(
            f"expected folder, name, or a pattern with {{sample}} once, as '{{sample}}_*.tif', "
            f"got '{text}'",
            field="sample",
        )
    return text


def start_reading(
    workspace: Workspace,
    dropped: DroppedPictures,
    stated: HowTaken,
    sample: str | None,
    *,
    actor: str,
) -> TaskRecord:
    """Have pictures read by a job.

    Raises:
        UsageError: there is no picture, or a pattern of names does not fit one of them.
    """
    names = [name for name in dropped.names if not is_sidecar(Path(name))]
    if not names:
        raise UsageError("expected a picture beside its text file, got none")
    sample_names(names, sample)  # a pattern has to fit before anything is measured
    params = {"pictures": dropped.token, **asdict(stated), "sample": sample}
    return submit(workspace, "read", params, actor=actor)


def discard(workspace: Workspace, dropped: DroppedPictures) -> None:
    """Remove pictures and results before their time.

    Raises:
        StateError: they are being read.
    """
    task = tasks_of_readings(workspace).get(dropped.token)
    if task is not None and not task.status.is_over:
        raise StateError(f"job {task.id} reads these pictures: cancel it first")
    dropped.remove()
