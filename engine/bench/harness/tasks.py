"""The unit of work of a benchmark: one strategy (or model) from one seed, in one thread.

>>> [str(task) for task in seed_by_seed(["sobol", "gp"], 5, 1)]
['sobol, seed 5', 'gp, seed 5']
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from engine.errors import ModelError, SpinneretError
from surrogate.progress import Progress

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """One strategy from one seed."""

    strategy: str
    seed: int

    def __str__(self) -> str:
        """Return how progress and errors call it."""
        return f"{self.strategy}, seed {self.seed}"


def seed_by_seed(names: Sequence[str], first_seed: int, n_seeds: int) -> list[Task]:
    """Return every (strategy, seed), seed by seed, so that an interrupted run is paired."""
    return [Task(name, first_seed + i) for i in range(n_seeds) for name in names]


@dataclass(frozen=True)
class Trace:
    """What became of one task.

    ``runs``: the experiments in order. ``rounds``: who led each batch and the seconds it took.
    ``curve``: the score after each experiment, (experiments,); set by the parent, which alone
    knows the truth.
    """

    strategy: str
    seed: int
    runs: tuple[Mapping[str, Any], ...]
    rounds: tuple[Mapping[str, Any], ...]
    curve: tuple[float, ...] = ()


Work = Callable[[Task, Progress], Trace]
"""One task; progress is told as experiments (or steps) done, its stage is ``str(task)``."""


@dataclass
class Round:
    """One call of a strategy: how long it took."""

    seconds: float = 0.0

    def record(self, n_done: int, led_by: str, seconds: Mapping[str, float]) -> dict[str, Any]:
        """Return what is kept of it: experiments done by then, who led, seconds by part."""
        parts = {name: float(value) for name, value in seconds.items()}
        return {"n": n_done, "led_by": led_by, "seconds": {**parts, "total": self.seconds}}


@contextlib.contextmanager
def timed_round(task: Task, n_done: int) -> Iterator[Round]:
    """Time a strategy's call; say whose it was if it fails.

    Raises:
        ModelError: the strategy raised an error that is told to users.
    """
    round_ = Round()
    started = time.perf_counter()
    try:
        yield round_
    except SpinneretError as error:
        raise ModelError(f"{task}, after {n_done} experiments: {error}") from error
    round_.seconds = time.perf_counter() - started


def one_thread() -> AbstractContextManager[None]:
    """Hold the numerical libraries to one thread: two on a busy core are slower than one."""
    return threads(1)


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Hold the numerical libraries, and the processes begun meanwhile, to ``n`` threads."""
    from threadpoolctl import threadpool_limits

    saved = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    # Libraries read these when they are loaded: they are for the processes begun meanwhile.
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(n)))
    torch = sys.modules.get("torch")
    n_torch = torch.get_num_threads() if torch is not None else None
    # torch keeps a number of its own, beside that of OpenMP that threadpoolctl sets.
    if torch is not None:
        torch.set_num_threads(n)
    try:
        with threadpool_limits(limits=n):
            yield
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if torch is not None and n_torch is not None:
            torch.set_num_threads(n_torch)
