"""A benchmark's tasks over a Ray cluster: more machines, the same numbers.

Each task runs in one process with one thread, as it does without Ray, and depends on nothing but
its seed. The nodes need this version of Spinneret (and the folder of ``--checkpoints``, if given).
Ray is an optional extra: ``pip install 'spinneret[ray]'``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from engine import __version__
from engine.bench.harness.tasks import Task, Trace, Work, one_thread
from engine.errors import ModelError, SpinneretError, UsageError, field
from surrogate.progress import Progress, silent

LOCAL = "local"


def run_on_ray(
    tasks: Sequence[Task], work: Work, *, address: str, jobs: int, progress: Progress
) -> Iterator[Trace]:
    """Yield the traces of ``tasks`` as they finish, spread over a cluster.

    Args:
        tasks: in any order; each is one unit of work of one CPU.
        work: what to do, picklable.
        address: of the cluster: ``auto``, ``host:6379``, ``ray://host:10001``; ``local``: a
            cluster of this machine alone, for as long as this takes.
        jobs: processes of a local cluster.
        progress: told of each task that has finished.

    Raises:
        UsageError: Ray is not installed, no cluster answers, or its nodes have another version.
        ModelError: a node or process died.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError(
            "Ray is not installed: `pip install 'spinneret[ray]'`", field="ray"
        ) from error
    _connect(ray, address, jobs)
    try:
        # A node may be taken away; a task depends on its seed alone and can run again elsewhere.
        remote = ray.remote(num_cpus=1, max_retries=2)(_work_on_node)
        waiting = {remote.remote(work, task, __version__): task for task in tasks}
        while waiting:
            (finished, *_), _ = ray.wait(list(waiting), num_returns=1)
            task = waiting.pop(finished)
            trace = _fetch(ray, finished, task)
            progress(str(task), len(trace.runs), len(trace.runs))
            yield trace
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str, jobs: int) -> None:
    try:
        if address == LOCAL:
            # Ray would run its workers at the lowest priority; these are all that we wait for.
            ray.init(
                num_cpus=jobs,
                include_dashboard=False,
                log_to_driver=False,
                _system_config={"worker_niceness": 0},
            )
        else:
            ray.init(address=address, log_to_driver=False)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"no Ray cluster answers at {address} ({str(error).splitlines()[0]}); start one with "
            f"`ray start --head`, or say {field('ray')} local",
            field="ray",
        ) from error


def _work_on_node(work: Work, task: Task, version: str) -> Trace:
    """Run one task on a node, in one thread."""
    if version != __version__:
        raise UsageError(
            f"a node has Spinneret {__version__}, this machine {version}; install the same",
            field="ray",
        )
    with one_thread():
        return work(task, silent)


def _fetch(ray: Any, reference: Any, task: Task) -> Trace:
    try:
        trace: Trace = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, SpinneretError):
            raise error.cause from error
        raise ModelError(f"{task}: failed on a node: {error.cause}") from error
    except ray.exceptions.RayError as error:
        raise ModelError(
            f"{task}: a node or its process died ({error}); what was finished is in "
            f"{field('out')}, go on with {field('resume')}"
        ) from error
    return trace
