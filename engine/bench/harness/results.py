"""The stored results of a benchmark: one JSON document, traces and all.

It is written anew each time a (strategy, seed) is done, so that a run of hours that is stopped
goes on where it was.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as attribute
from pathlib import Path
from typing import Any

from engine.bench.harness.environment import environment
from engine.bench.harness.pool import run_tasks
from engine.bench.harness.tasks import Task, Trace, Work
from engine.errors import DataError, UsageError, field, place
from surrogate.files import write_whole
from surrogate.progress import Progress


@dataclass
class ResultFile:
    """The benchmark's document, on disk (``path``) or in memory alone (``None``)."""

    path: Path | None
    kind: str
    config: Mapping[str, Any]
    traces: list[Trace] = attribute(default_factory=list)

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
            raise UsageError(
                f"expected {field('out')} FILE.json, the file to go on with", field="resume"
            )
        if not self.path.exists():
            return
        document = _read(self.path)
        if document.get("kind") != self.kind:
            raise DataError(
                f"{place(self.path)}: expected results of {self.kind}, got "
                f"{document.get('kind')!r}; choose another {field('out')}"
            )
        # Through JSON and back, as the stored one went: tuples become lists.
        stored, current = document["config"], json.loads(json.dumps(dict(self.config)))
        changes = [
            f"{key}: {stored.get(key)} then, {current[key]} now"
            for key in current
            if stored.get(key) != current[key]
        ]
        if changes:
            raise DataError(
                f"{place(self.path)} was run with other options ({'; '.join(changes)}); repeat "
                f"these, or choose another {field('out')}"
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
                    f"{place(self.path)} holds {len(document['traces'])} results of a run that "
                    f"was stopped: go on with {field('resume')}, or remove the file"
                )

    def missing(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks that have no trace yet."""
        finished = {(trace.strategy, trace.seed) for trace in self.traces}
        return [task for task in tasks if (task.strategy, task.seed) not in finished]

    def fill(
        self,
        tasks: Sequence[Task],
        work: Work,
        *,
        jobs: int,
        progress: Progress,
        ray: str | None = None,
        score: Callable[[Trace], Trace] = lambda trace: trace,
    ) -> None:
        """Run what is missing (:func:`run_tasks`); keep each trace, scored, as it comes."""
        missing = self.missing(tasks)
        for trace in run_tasks(missing, work, jobs=jobs, progress=progress, ray=ray):
            self.add(score(trace))

    def traces_of(self, tasks: Sequence[Task]) -> list[Trace]:
        """Return the traces of these tasks alone: a file may hold further ones."""
        chosen = set(tasks)
        return [trace for trace in self.traces if Task(trace.strategy, trace.seed) in chosen]

    def add(self, trace: Trace) -> None:
        """Keep a trace, on disk too."""
        self.traces.append(trace)
        self.write({"complete": False})

    def document(self, findings: Mapping[str, Any]) -> dict[str, Any]:
        """Return everything for JSON: finite numbers, text, lists, mappings."""
        # Tasks finish in any order; sorted, many jobs write what one writes.
        ordered = sorted(self.traces, key=lambda trace: (trace.seed, trace.strategy))
        return {
            "kind": self.kind,
            "config": dict(self.config),
            "environment": environment(),
            **findings,
            "traces": [asdict(trace) for trace in ordered],
        }

    def write(self, findings: Mapping[str, Any]) -> dict[str, Any]:
        """Write the document in one step, and return it."""
        document = self.document(findings)
        if self.path is not None:
            write_json(self.path, document)
        return document


def check_folders(*paths: Path | None) -> None:
    """Refuse, before anything takes hours, files that could not be written at the end.

    Raises:
        UsageError: the folder is not there, or the name is a folder's.
    """
    for path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise UsageError(
                f"{place(path)}: expected a folder at {place(path.absolute().parent)}; make it "
                "first"
            )
        if path is not None and path.is_dir():
            raise UsageError(f"{place(path)}: expected a file's name, got a folder")


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document whole.

    Raises:
        DataError: the folder cannot be written.
        ValueError: a number that JSON has no word for (NaN, infinity).
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        write_whole(path, text)
    except OSError as error:
        raise DataError(f"{place(path)} cannot be written: {error.strerror or error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{place(path)}: expected a benchmark's JSON results ({error})") from error
    if not isinstance(document, dict):
        raise DataError(f"{place(path)}: expected a benchmark's JSON results, got another document")
    return document
