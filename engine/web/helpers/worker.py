"""Does tasks of the background: ``python -m engine.web.helpers.worker CONFIG LANE``.

It ends with the server: its standard input is a pipe from there, and closes with it. A line on it
says that a task waits.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from pathlib import Path

from engine.jobs.kinds import TASK_HANDLERS
from engine.jobs.queue import BENCH, READING, TRAINING
from engine.jobs.worker import work
from engine.workspace import Workspace

LANES = {"bench": BENCH, "training": TRAINING, "reading": READING}
# Tasks of other processes (a second server on the database) ring no bell here.
POLL_S = 1.0


def main(config: str, lane: str) -> None:
    """Do the tasks of a lane until the server is gone."""
    woken: queue.SimpleQueue[None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(woken,), daemon=True).start()
    with Workspace.open(Path(config)) as workspace:
        while True:
            if work(workspace, LANES[lane], TASK_HANDLERS):
                continue
            try:
                woken.get(timeout=POLL_S)
            except queue.Empty:
                continue


def _listen(woken: queue.SimpleQueue[None]) -> None:
    for _ in sys.stdin:
        woken.put(None)
    os._exit(0)  # the server is gone; a transaction under way is undone by the database


if __name__ == "__main__":
    main(*sys.argv[1:3])
