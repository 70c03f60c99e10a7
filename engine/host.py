"""What Windows does otherwise than Linux and macOS about processes, signals and cores.

Locks stand in :mod:`db.locks`, the syncing of folders in :mod:`surrogate.files`; nothing else asks
which system it runs on. Modules that only one system has are imported within functions, so that
everything can be imported everywhere.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import Any

WINDOWS = os.name == "nt"

# https://learn.microsoft.com/en-us/windows/win32/procthread/process-creation-flags
_NEW_PROCESS_GROUP = 0x00000200
_BELOW_NORMAL_PRIORITY = 0x00004000
# https://learn.microsoft.com/en-us/windows/win32/procthread/process-security-and-access-rights
_QUERY_LIMITED_INFORMATION = 0x1000
_STILL_ACTIVE = 259
_ERROR_INVALID_PARAMETER = 87


def is_running(pid: int) -> bool:
    """Return whether a process of this machine runs; true also where nobody may look."""
    if WINDOWS:
        return _is_running_on_windows(pid)
    try:
        # Signal 0 is only looked up. EPERM means that somebody else's process lives.
        # https://man7.org/linux/man-pages/man2/kill.2.html
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _is_running_on_windows(pid: int) -> bool:
    # Not `os.kill(pid, 0)`: there it sends a Ctrl-C.
    # https://docs.python.org/3/library/os.html#os.kill
    import ctypes

    kernel: Any = getattr(ctypes, "WinDLL")("kernel32", use_last_error=True)  # noqa: B009
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(_QUERY_LIMITED_INFORMATION, False, pid)
    if not handle:
        # The number of no process; anything else: there is one, and it is somebody else's.
        return bool(getattr(ctypes, "get_last_error")() != _ERROR_INVALID_PARAMETER)  # noqa: B009
    code = ctypes.c_ulong()
    is_known = kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(code))
    kernel.CloseHandle(ctypes.c_void_p(handle))
    return not is_known or code.value == _STILL_ACTIVE


def helper_options() -> dict[str, Any]:
    """Return options of ``Popen`` for a helper whom Ctrl-C at the console does not reach."""
    if WINDOWS:
        return {"creationflags": _NEW_PROCESS_GROUP | _BELOW_NORMAL_PRIORITY}
    return {"start_new_session": True}


def lower_priority(process: subprocess.Popen[bytes], niceness: int) -> None:
    """Make a helper less urgent than this process, as far as the system lets that be."""
    if WINDOWS:  # said when it was started
        return
    with suppress(OSError):
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, process.pid, min(19, ours + niceness))


def end_by(number: signal.Signals) -> None:
    """End this process by a signal, as who sent it expects; Windows tells an exit code only."""
    if WINDOWS:
        os._exit(128 + number)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    # Of Linux alone; the others tell how many there are.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
