"""Look at a folder again and again, and register what is whole.

The database says what was registered, by content, so that a start after a kill goes on where the
last one ended. In memory there is only what has stood still and what was refused, until it changes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from db.errors import DatabaseError
from engine.errors import NotFoundError, SpinneretError, UsageError, marked, place
from engine.inbox.files import Looks, Stamp
from engine.inbox.names import compile_pattern
from engine.inbox.registering import Registered, UnmatchedError, register_file
from engine.workspace import Workspace
from engine.workspace.leases import held
from engine.workspace.settings import WatchSettings

LEASE = "watch"
_LOG = logging.getLogger("spinneret.watch")


@dataclass(frozen=True)
class Outcome:
    """What became of one file: ``registered``, or why not (``problem``).

    ``is_unmatched``: nothing says whose it is; otherwise it cannot be read or recorded.
    """

    path: Path
    registered: Registered | None = None
    problem: str | None = None
    is_unmatched: bool = False

    def __str__(self) -> str:
        """Return the file's name and what became of it, in a line."""
        if self.registered is None:
            return f"{self.path.name}: {self.problem}"
        runs = ", ".join(map(str, self.registered.runs))
        addressee = (
            f" of {'runs' if len(self.registered.runs) > 1 else 'run'} {runs}" if runs else ""
        )
        state = "" if self.registered.is_new else ", recorded already"
        return f"{self.path.name}: {self.registered.kind}{addressee}{state}"


def watched_folder(workspace: Workspace, folder: Path | None = None) -> Path:
    """Return the folder to watch: the one named, or that of ``[watch]``, relative to config.toml.

    Raises:
        UsageError: neither names one.
    """
    if folder is not None:
        return folder
    if not workspace.settings.watch.folder:
        raise UsageError(
            "expected a folder to watch: name one, or write it into config.toml as folder under "
            "[watch]"
        )
    return workspace.root / Path(workspace.settings.watch.folder).expanduser()


@dataclass
class Watcher:
    """The state of one watch over a folder.

    Raises:
        UsageError: a pattern that cannot be.
        NotFoundError: no such folder.
    """

    workspace: Workspace
    folder: Path
    settings: WatchSettings
    _ended: dict[Path, tuple[Stamp, Outcome]] = field(default_factory=dict)
    _watermark: int = -1

    def __post_init__(self) -> None:
        for pattern in self.settings.patterns:
            compile_pattern(pattern)
        if not self.folder.is_dir():
            raise NotFoundError(f"{place(self.folder)}: no such folder; make it first")
        inside = self.folder.resolve()
        if self.workspace.data_dir.resolve().is_relative_to(inside):
            raise UsageError(
                f"{place(self.folder)} holds the data folder, where pictures are kept; watch a "
                "folder beside it"
            )
        self._looks = Looks(self.folder, self.settings.settle_s)

    def look(self) -> list[Outcome]:
        """Look once, and register what is whole; return what became of files since the last look.

        Raises:
            NotFoundError: the folder is gone.
        """
        try:
            files = self._looks.settled(time.monotonic())
        except OSError as error:
            raise NotFoundError(f"{place(self.folder)}: {error.strerror}") from error
        outcomes = []
        with self.workspace.database.read() as tx:
            watermark = tx.watermark()
        # A run may have been added since, or given the label that a file bears.
        is_new_state, self._watermark = watermark != self._watermark, watermark
        present = dict(files)
        self._ended = {path: end for path, end in self._ended.items() if path in present}
        for path, stamp in files:
            former = self._ended.get(path)
            if (
                former is not None
                and former[0] == stamp
                and not (former[1].is_unmatched and is_new_state)
            ):
                continue
            outcome = self._take(path)
            if former is None or former[0] != stamp or outcome != former[1]:
                outcomes.append(outcome)
            self._ended[path] = (stamp, outcome)
        return outcomes

    @property
    def n_waiting(self) -> int:
        """How many files the last look found that are not whole yet."""
        return self._looks.n_waiting

    @property
    def unmatched(self) -> list[Outcome]:
        """The whole files that could not be registered, in the order of their names."""
        return [o for _, (_, o) in sorted(self._ended.items()) if o.problem is not None]

    def run(self, should_stop: Callable[[], bool], look_s: float = 1.0) -> Iterator[list[Outcome]]:
        """Look until told to stop, and yield what became of files; one watch for a database.

        Raises:
            StateError: somebody else watches already.
            NotFoundError: the folder is gone.
        """
        from watchfiles import watch

        with held(self.workspace.database, LEASE, wait_s=1.0) as lease:
            yield self.look()
            # It returns at a change, and at the latest after a second: files settle without one.
            changes = watch(
                self.folder,
                stop_event=None,
                rust_timeout=int(1000 * look_s),
                yield_on_timeout=True,
                raise_interrupt=False,
                debounce=200,
            )
            for _ in changes:
                if should_stop() or lease.is_lost:
                    return
                try:
                    yield self.look()
                except DatabaseError as error:
                    _LOG.warning("the database does not answer: %s", error)

    def _take(self, path: Path) -> Outcome:
        try:
            return Outcome(path, register_file(self.workspace, path, self.settings))
        except UnmatchedError as error:
            return Outcome(path, problem=marked(error), is_unmatched=True)
        except SpinneretError as error:
            return Outcome(path, problem=marked(error))
        except OSError as error:
            return Outcome(path, problem=error.strerror or "it cannot be opened")
