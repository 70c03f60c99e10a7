"""How many threads the numerical libraries take, and which versions they are."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from engine import __version__
from engine.errors import UsageError

if TYPE_CHECKING:
    import torch

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_LIBRARIES = (
    "torch",
    "botorch",
    "gpytorch",
    "ax-platform",
    "numpy",
    "scipy",
    "scikit-learn",
    "pymoo",
)


def thread_count(configured: int) -> int:
    """Return the number of threads: as configured, or 1 on up to 4 cores, half of them above.

    On few cores threads that wait for one another cost more than they bring, above all when the
    machine is busy with something else.
    """
    cores = os.cpu_count() or 1
    return configured or (1 if cores <= 4 else cores // 2)


@cache
def keep_memory() -> bool:
    """Ask the C library to keep what is freed for what comes next; return whether it will.

    By default glibc gives matrices back to the system soon after they are freed, and
    the system clears every page of the next one: half a million page faults in a proposal from 200
    runs, a second of processor time. 128 MiB at most are kept. Elsewhere nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    # No such function (macOS, musl), or no library by that way (Windows).
    except (AttributeError, OSError, TypeError):
        return False
    # The numbers of M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD in malloc.h; 32 MiB is the
    # most that the first may be: https://man7.org/linux/man-pages/man3/mallopt.3.html
    options = {-3: 32 * 2**20, -1: 128 * 2**20, -2: 16 * 2**20}
    return all(mallopt(option, value) == 1 for option, value in options.items())


@contextmanager
def loading() -> Iterator[None]:
    """While modules are loaded, do without the collector of cyclic garbage.

    Nothing of a module is garbage, but the collector looks at all of it again and again: a quarter
    of the time that torch and BoTorch take to load. What was loaded it never looks at again.

    Where everything had been loaded before, nothing is set aside: a server and a notebook come by
    here with every batch, and cyclic garbage that is set aside is never freed.
    """
    was_enabled = gc.isenabled()
    n_modules = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        if len(sys.modules) > n_modules:
            gc.freeze()


def limit_threads(configured: int) -> int:
    """Set the number of threads of torch and the BLAS; call it before torch is imported."""
    n = thread_count(configured)
    # OpenMP and BLAS read these once, when they are loaded; `setdefault`, as who runs a cluster may
    # have said it already.
    if "torch" not in sys.modules:
        for variable in _THREAD_VARIABLES:
            os.environ.setdefault(variable, str(n))
    with loading():
        import torch

    keep_memory()
    # And once more for a torch that was there already.
    torch.set_num_threads(n)
    return n


def device_of(configured: str) -> torch.device:
    """Return the device to compute on.

    Raises:
        UsageError: a GPU is asked for that is not there.
    """
    import torch

    if configured == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(configured)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"[propose] device: expected a device of this machine, got '{configured}', and torch "
            f"sees {torch.cuda.device_count()} GPUs: set it to auto or cpu"
        )
    return device


@cache
def versions() -> dict[str, str]:
    """Return the versions that a result may depend on, by name."""
    by_library = {"spinneret": __version__, "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            by_library[library] = version(library)
        except PackageNotFoundError:
            continue
    return by_library


def is_first_process() -> bool:
    """Whether this process is the one that records: the first of those `accelerate` launched."""
    # Set by accelerate and torchrun; the only word of it before torch is imported.
    # https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables
    return os.environ.get("RANK", "0") == "0"
