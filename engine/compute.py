"""How many threads the numerical libraries take, and which versions they are."""

from __future__ import annotations

import os
import platform
import sys
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


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_threads(configured: int) -> int:
    """Set the number of threads of torch and the BLAS; call it before torch is imported."""
    n = thread_count(configured)
    # OpenMP and BLAS read these once, when they are loaded; `setdefault`, as who runs a cluster may
    # have said it already.
    if "torch" not in sys.modules:
        for variable in _THREAD_VARIABLES:
            os.environ.setdefault(variable, str(n))
    import torch

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
