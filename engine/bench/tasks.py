"""Many (strategy, seed) at once, each in one thread, kept on disk as they finish.

A benchmark's file is one JSON document. It is written anew, aside and then put in place, each time
a (strategy, seed) is done, so that a run of hours that is stopped goes on where it was.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.bench.environment import environment
from engine.errors import DataError, ModelError, SpinneretError, UsageError

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """One strategy from one seed."""

    strategy: str
    seed: int


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


@dataclass(frozen=True)
class Step:
    """A round is done: ``n_done`` of ``n_total`` experiments of one task."""

    task: Task
    n_done: int
    n_total: int


Tell = Callable[[Step], None]
Work = Callable[[Task, Tell], Trace]


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
        raise ModelError(
            f"{task.strategy}, seed {task.seed}, after {n_done} experiments: {error}"
        ) from error
    round_.seconds = time.perf_counter() - started


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold the numerical libraries to one thread: two on a busy core are slower than one."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    torch = sys.modules.get("torch")
    n_torch = torch.get_num_threads() if torch is not None else None
    if torch is not None:
        torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if torch is not None and n_torch is not None:
            torch.set_num_threads(n_torch)


def run_tasks(
    tasks: Sequence[Task], work: Work, *, jobs: int, tell: Tell, ray: str | None = None
) -> Iterator[Trace]:
    """Yield the traces of ``tasks`` as they finish, ``jobs`` at a time.

    With more than one job, or on the Ray cluster at ``ray``, ``work`` goes to other processes: it
    must be picklable.

    Raises:
        UsageError: ``jobs`` below 1; see :func:`engine.bench.fleet.run_on_ray`.
    """
    if jobs < 1:
        raise UsageError(f"--jobs: expected at least 1, got {jobs}")
    if ray is not None:
        from engine.bench.fleet import run_on_ray

        yield from run_on_ray(tasks, work, address=ray, jobs=jobs, tell=tell)
        return
    with one_thread():
        if min(jobs, len(tasks)) <= 1:
            for task in tasks:
                yield work(task, tell)
            return
        yield from _run_elsewhere(tasks, work, min(jobs, len(tasks)), tell)


def _run_elsewhere(tasks: Sequence[Task], work: Work, jobs: int, tell: Tell) -> Iterator[Trace]:
    context = multiprocessing.get_context("spawn")
    steps: Any = context.Queue()

    def listen() -> None:
        while (step := steps.get()) is not None:
            tell(step)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(steps, list(sys.path))
    )
    try:
        futures = [pool.submit(_work_and_tell, work, task) for task in tasks]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise ModelError(
            "a worker process died, perhaps for want of memory: use fewer --jobs; "
            "what was finished is in --out, go on with --resume"
        ) from error
    except BaseException:
        # Nobody waits for what is left: a task may have hours to go.
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        steps.put(None)
        listener.join(timeout=5.0)
        steps.close()
        steps.join_thread()


_steps: Any = None


def _begin(steps: Any, path: list[str]) -> None:
    """Prepare a worker process: where to tell its steps, where to find the user's modules."""
    global _steps  # noqa: PLW0603 -- one per process, set once before any work
    _steps = steps
    sys.path[:] = path


def _work_and_tell(work: Work, task: Task) -> Trace:
    return work(task, _steps.put)


@dataclass
class ResultFile:
    """The benchmark's document, on disk (``path``) or in memory alone (``None``)."""

    path: Path | None
    kind: str
    config: Mapping[str, Any]
    traces: list[Trace] = field(default_factory=list)

    def begin(self, *, resume: bool) -> None:
        """Go on with an interrupted run, or see to it that none is lost.

        Raises:
            DataError, UsageError: as of :meth:`resume` and :meth:`refuse_loss`.
        """
        if resume:
            self.resume()
        else:
            self.refuse_loss()

    def resume(self) -> None:
        """Take over the traces of an interrupted run of the same benchmark.

        Raises:
            DataError: the file is something else, or was run with other options.
        """
        if self.path is None:
            raise UsageError("--resume: expected --out FILE.json, the file to go on with")
        if not self.path.exists():
            return
        document = _read(self.path)
        if document.get("kind") != self.kind:
            raise DataError(
                f"{self.path}: expected results of {self.kind}, got {document.get('kind')!r}; "
                "choose another --out"
            )
        then, now = document["config"], json.loads(json.dumps(dict(self.config)))
        different = [key for key in now if then.get(key) != now[key]]
        if different:
            told = "; ".join(f"{key}: {then.get(key)} then, {now[key]} now" for key in different)
            raise DataError(
                f"{self.path} was run with other options ({told}); repeat these, or choose "
                "another --out"
            )
        self.traces = [
            Trace(t["strategy"], t["seed"], tuple(t["runs"]), tuple(t["rounds"]), tuple(t["curve"]))
            for t in document["traces"]
        ]

    def refuse_loss(self) -> None:
        """Refuse to write over an interrupted run.

        Raises:
            UsageError: the file holds results of a run that was not finished.
        """
        if self.path is None or not self.path.exists():
            return
        with contextlib.suppress(DataError):
            document = _read(self.path)
            if not document.get("complete", True) and document.get("traces"):
                raise UsageError(
                    f"{self.path} holds {len(document['traces'])} results of a run that was "
                    "stopped: go on with --resume, or remove the file"
                )

    def missing(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks that have no trace yet."""
        done = {(trace.strategy, trace.seed) for trace in self.traces}
        return [task for task in tasks if (task.strategy, task.seed) not in done]

    def fill(
        self,
        tasks: Sequence[Task],
        work: Work,
        *,
        jobs: int,
        tell: Tell,
        ray: str | None = None,
        scored: Callable[[Trace], Trace] = lambda trace: trace,
    ) -> None:
        """Run what is missing (:func:`run_tasks`), and keep each trace, ``scored``, as it comes."""
        for trace in run_tasks(self.missing(tasks), work, jobs=jobs, tell=tell, ray=ray):
            self.add(scored(trace))

    def of(self, tasks: Sequence[Task]) -> list[Trace]:
        """Return the traces of these tasks alone: a file may hold further ones."""
        wanted = set(tasks)
        return [trace for trace in self.traces if Task(trace.strategy, trace.seed) in wanted]

    def add(self, trace: Trace) -> None:
        """Keep a trace, on disk too."""
        self.traces.append(trace)
        self.write({"complete": False})

    def document(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return everything for JSON: finite numbers, text, lists, mappings."""
        ordered = sorted(self.traces, key=lambda trace: (trace.seed, trace.strategy))
        return {
            "kind": self.kind,
            "config": dict(self.config),
            "environment": environment(),
            **more,
            "traces": [asdict(trace) for trace in ordered],
        }

    def write(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """Write the document in one step, and return it."""
        document = self.document(more)
        if self.path is not None:
            write_json(self.path, document)
        return document


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document aside, then put it in place.

    Raises:
        DataError: the folder cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_text(
            json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a benchmark's JSON results ({error})") from error
    if not isinstance(document, dict):
        raise DataError(f"{path}: expected a benchmark's JSON results, got another document")
    return document
