"""How the measuring of pictures goes: under way, done, or why it failed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from db.records import TaskRecord, TaskStatus
from engine.jobs.queue import newest
from engine.workspace import Workspace

N_SEEN = 100
"""So many of the newest measurings are looked through."""


@dataclass(frozen=True)
class Measuring:
    """Of one picture: whether it is being measured, else what went wrong, if anything did."""

    is_under_way: bool = False
    problem: str | None = None


def measurings_of(workspace: Workspace, ids: Collection[int]) -> dict[int, Measuring]:
    """Return how the newest measuring of each picture goes."""
    tasks = newest(workspace, kinds=["measure"], n=N_SEEN) if ids else []
    states: dict[int, Measuring] = {}
    for task in tasks:
        for id_ in set(task.params.get("micrographs", ())) & set(ids) - states.keys():
            states[id_] = _state(task, id_)
    return {id_: states.get(id_, Measuring()) for id_ in ids}


def _state(task: TaskRecord, id_: int) -> Measuring:
    if not task.status.is_over:
        return Measuring(is_under_way=True)
    if task.status is not TaskStatus.DONE:
        return Measuring(problem=task.error or f"its measuring was {task.status}")
    return Measuring(problem=((task.result or {}).get("problems") or {}).get(str(id_)))
