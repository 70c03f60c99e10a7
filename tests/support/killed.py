"""A process killed at every moment at which it changes the disk."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from itertools import count

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "shutil.rmtree"}


def killed_at_each_change(work: Callable[[], None], prepare: Callable[[], None]) -> Iterator[int]:
    """Yield after a process of its own did ``work`` up to its k-th change of the disk; k from 0.

    ``prepare`` makes the place anew before each. Ends with the first ``work`` that is not killed.
    """
    for moment in count():
        prepare()
        pid = os.fork()
        if pid == 0:
            _work_up_to(moment, work)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, f"the work failed before its change {moment}"
            return
        assert os.WTERMSIG(status) == signal.SIGKILL
        yield moment


def _work_up_to(moment: int, work: Callable[[], None]) -> None:
    left = [moment]

    def kill(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and str(arguments[1]) not in {"r", "rb"}
        if event in _CHANGES or writes:
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

    sys.addaudithook(kill)
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
