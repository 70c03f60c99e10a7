"""Many tasks at once: in this process, in others of this machine, or over a Ray cluster."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from engine.bench.harness.fleet import run_on_ray
from engine.bench.harness.tasks import Task, Trace, Work, one_thread
from engine.errors import ModelError, UsageError, field
from engine.host import usable_cores
from surrogate.progress import Progress


def jobs_of(jobs: int) -> int:
    """Return how many processes ``--jobs`` means.

    Raises:
        UsageError: below 0.
    """
    if jobs < 0:
        raise UsageError(f"expected 0 (one a core) or more, got {jobs}", field="jobs")
    return jobs or usable_cores()


def run_tasks(
    tasks: Sequence[Task], work: Work, *, jobs: int, progress: Progress, ray: str | None = None
) -> Iterator[Trace]:
    """Yield the traces of ``tasks`` as they finish, ``jobs`` at a time.

    With more than one job, or on the Ray cluster at ``ray``, ``work`` goes to other processes: it
    must be picklable.

    Raises:
        UsageError: ``jobs`` below 1; see :func:`engine.bench.harness.fleet.run_on_ray`.
    """
    if jobs < 1:
        raise UsageError(f"expected at least 1, got {jobs}", field="jobs")
    if ray is not None:
        yield from run_on_ray(tasks, work, address=ray, jobs=jobs, progress=progress)
        return
    with one_thread():
        if min(jobs, len(tasks)) <= 1:
            for task in tasks:
                yield work(task, progress)
            return
        yield from _run_in_processes(tasks, work, min(jobs, len(tasks)), progress)


def _run_in_processes(
    tasks: Sequence[Task], work: Work, jobs: int, progress: Progress
) -> Iterator[Trace]:
    # A forked child would inherit torch's thread pools in whatever state they are, and hang:
    # https://docs.pytorch.org/docs/stable/notes/multiprocessing.html
    context = multiprocessing.get_context("spawn")
    steps: Any = context.Queue()

    def listen() -> None:
        while (step := steps.get()) is not None:
            progress(*step)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    bystanders = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(steps, list(sys.path))
    )
    try:
        futures = [pool.submit(_work_in_process, work, task) for task in tasks]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise ModelError(
            f"a worker process died, perhaps for want of memory: use fewer {field('jobs')}; "
            f"what was finished is in {field('out')}, go on with {field('resume')}"
        ) from error
    except BaseException:
        # Nobody waits for the remaining tasks: one may have hours to go.
        for child in set(multiprocessing.active_children()) - bystanders:
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        steps.put(None)
        listener.join(timeout=5.0)
        # A queue whose feeder thread still holds items keeps the process from exiting.
        steps.close()
        steps.join_thread()


_steps: Any = None


def _begin(steps: Any, path: list[str]) -> None:
    """Prepare a worker process: where to put its progress, where to find the user's modules."""
    global _steps  # noqa: PLW0603 -- one per process, set once before any work
    _steps = steps
    sys.path[:] = path


def _work_in_process(work: Work, task: Task) -> Trace:
    return work(task, _record)


def _record(
    stage: str, completed: int = 0, total: int = 0, numbers: Mapping[str, float] | None = None
) -> None:
    _steps.put((stage, completed, total, numbers))
