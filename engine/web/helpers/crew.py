"""The server's other processes: whatever needs torch runs there, at a lower priority.

``bench`` proposes and measures, ``training`` refreshes; each is started when there is something to
do, and takes one task after the other. Nothing is passed but lines of text.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from db.errors import DatabaseError
from engine.compute import thread_count
from engine.host import helper_options, lower_priority
from engine.jobs.queue import tidy, worker_name
from engine.web.helpers.worker import LANES
from engine.workspace import Workspace

# How much less urgent than the server's own answers.
NICENESS = {"bench": 5, "training": 10, "reading": 5, "oracle": 3}
WATCH_S = 1.0
PATIENCE_S = 20.0
"""A task that does not stop by itself so long after it was asked to is stopped with its process."""


def spawn(
    module: str, arguments: tuple[str, ...], lane: str, threads: int
) -> subprocess.Popen[bytes]:
    """Start ``python -m module arguments`` with few threads and a low priority."""
    # OpenMP and BLAS read these once, when they are loaded: later is too late.
    n = str(thread_count(threads))
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), n)
    process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 -- this program's own module
        [sys.executable, "-m", module, *arguments],
        # Closes with this process, however it ends: that is how a helper hears of it.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if lane == "oracle" else subprocess.DEVNULL,
        env={**os.environ, **limits},
        **helper_options(),  # Ctrl-C is for the server, which then ends the others
    )
    lower_priority(process, NICENESS[lane])
    return process


def end(process: subprocess.Popen[bytes], patience_s: float = 5.0) -> None:
    """End a process: asked first, then killed."""
    with suppress(OSError):
        process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


@dataclass
class Crew:
    """Starts workers when there is work, and cleans up after those that ended."""

    workspace: Workspace
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    cancelled_at: dict[int, float] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    over: threading.Event = field(default_factory=threading.Event)
    watcher: threading.Thread | None = None

    def start(self) -> None:
        """See to what an earlier server left, then watch."""
        tidy(self.workspace)
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()
        self.wake()

    def wake(self) -> None:
        """Say that a task may wait; start the worker of its lane if there is none."""
        with self.workspace.database.read() as tx:
            lanes = [lane for lane, kinds in LANES.items() if tx.tasks.has_waiting(kinds)]
        with self.lock:
            for lane in lanes if not self.over.is_set() else ():
                process = self.processes.get(lane)
                if process is None or process.poll() is not None:
                    self.processes[lane] = self._started(lane)
                    continue
                with suppress(OSError):
                    assert process.stdin is not None  # noqa: S101 -- a pipe, by construction
                    process.stdin.write(b"\n")
                    process.stdin.flush()

    def stop(self) -> None:
        """End every worker; what they were at is marked as interrupted."""
        self.over.set()
        if self.watcher is not None:
            self.watcher.join(5.0)
        with self.lock:
            for process in self.processes.values():
                end(process)
                tidy(self.workspace, lost=worker_name(process.pid))
            self.processes.clear()

    def _started(self, lane: str) -> subprocess.Popen[bytes]:
        arguments = (str(self.workspace.config_path), lane)
        threads = self.workspace.settings.compute.threads
        return spawn("engine.web.helpers.worker", arguments, lane, threads)

    def _watch(self) -> None:
        while not self.over.wait(WATCH_S):
            with suppress(DatabaseError):
                self._look_after()
                self.wake()

    def _look_after(self) -> None:
        with self.lock:
            for lane, process in list(self.processes.items()):
                if process.poll() is not None:
                    del self.processes[lane]
                    end(process)
                    tidy(self.workspace, lost=worker_name(process.pid))
            mine = {worker_name(p.pid): p for p in self.processes.values()}
        with self.workspace.database.read() as tx:
            running = [task for task in tx.tasks.running() if task.is_cancelled]
        clock = time.monotonic()
        self.cancelled_at = {t.id: self.cancelled_at.get(t.id, clock) for t in running}
        for task in running:
            stubborn = clock - self.cancelled_at[task.id] > PATIENCE_S
            if stubborn and task.worker in mine:
                mine[task.worker].kill()  # the database undoes what was not yet committed
