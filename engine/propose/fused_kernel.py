"""BoTorch's optional C++ kernel for qLogEHVI: used where it is there, never compiled on the way.

BoTorch compiles it with the machine's C++ compiler the first time that the acquisition function is
made. That takes most of a minute, and a process killed meanwhile leaves a lock on which the next
one waits for ever. A proposal must do neither, and the table look-ups of ``acquisition`` hardly
gain from it; benchmarks load it on purpose, so that Ax is timed at its best.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botorch.acquisition.multi_objective import logei


@contextmanager
def without_compiling() -> Iterator[None]:
    """Keep BoTorch from compiling the kernel inside the block; one loaded before is still used."""
    # Private to BoTorch, without an option: where it is renamed, this raises rather than compiles.
    attempted = logei._load_attempted
    logei._load_attempted = True
    try:
        yield
    finally:
        logei._load_attempted = attempted


def load_fused_kernel() -> bool:
    """Compile (once on a machine) and load the kernel; say whether it is there."""
    logei._try_load_fused_kernel()
    return logei._C is not None
