"""Pictures over all cores: a process for each, which takes one picture after the other."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.bulk.picture import PictureReading, PictureTask
from engine.host import helper_options

_ROOT = Path(__file__).parents[2]
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def read_pictures(
    tasks: Sequence[PictureTask], n_processes: int, should_stop: Callable[[], bool]
) -> Iterator[tuple[PictureTask, PictureReading]]:
    """Yield every task with its reading, in the order in which they are done.

    Args:
        tasks: the pictures.
        n_processes: how many at a time.
        should_stop: asked after each picture; once true, no further one is begun.
    """
    n = min(n_processes, len(tasks))
    if not n:
        return
    idle: queue.SimpleQueue[_Helper] = queue.SimpleQueue()
    helpers = [_Helper() for _ in range(n)]
    for helper in helpers:
        idle.put(helper)

    def read(task: PictureTask) -> PictureReading:
        helper = idle.get()
        try:
            return helper.read(task)
        finally:
            idle.put(helper)

    with ThreadPoolExecutor(n) as threads:
        futures: dict[Future[PictureReading], PictureTask] = {
            threads.submit(read, task): task for task in tasks
        }
        try:
            for future in as_completed(futures):
                yield futures.pop(future), future.result()
                if should_stop():
                    return
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for helper in helpers:
                helper.end()


@dataclass
class _Helper:
    """One process; begun with its first picture, and anew after it died."""

    process: subprocess.Popen[str] | None = None
    is_over: bool = False

    def read(self, task: PictureTask) -> PictureReading:
        """Return the reading of a picture."""
        if self.is_over:
            return PictureReading(task.name, problem=f"{task.name}: not read, as the run was ended")
        if self.process is None:
            self.process = _begin()
        process = self.process
        assert process.stdin is not None  # noqa: S101 -- a pipe, by construction
        assert process.stdout is not None  # noqa: S101
        with suppress(OSError, ValueError):
            process.stdin.write(json.dumps(asdict(task)) + "\n")
            process.stdin.flush()
            if answer := process.stdout.readline():
                return PictureReading.from_json(json.loads(answer))
        self._end_process()
        return PictureReading(
            task.name,
            problem=f"{task.name}: the process that measured it died, for want of memory perhaps",
        )

    def end(self) -> None:
        """End the process, and begin no other."""
        self.is_over = True
        self._end_process()

    def _end_process(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError, ValueError):
                    pipe.close()


def _begin() -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-m", "engine.bulk.worker"],
        # Closes with this process, however it ends: that is how a helper hears of it.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, **_ONE_THREAD, "PYTHONPATH": path, "PYTHONUTF8": "1"},
        **helper_options(),  # Ctrl-C is for who reads the folder, which then ends the others
    )
