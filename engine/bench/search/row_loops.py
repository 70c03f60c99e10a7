"""The closed loop of each row of an ablation: what its knowledge wins at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.bench.models.rows import PLAIN, Row, proposes
from engine.bench.search.closed_loop import ClosedLoopConfig, closed_loop
from surrogate.progress import Progress


def final_hypervolumes(
    rows: Sequence[Row],
    config: Mapping[str, Any],
    *,
    jobs: int,
    out: Path | None,
    resume: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Run the closed loop of each row that proposes, and return what it has won at the end.

    Args:
        rows: those of models that cannot propose are left out.
        config: options of :class:`~engine.bench.search.closed_loop.ClosedLoopConfig`.
        jobs: processes.
        out: with a file, each truth's loop is kept beside it, as ``NAME.TRUTH.json``.
        resume: go on with these.
        progress: told of each round.

    Returns:
        For each row its final fraction, SD over seeds, and its comparison with the plain GP.
    """
    results = {}
    for truth in dict.fromkeys(row.truth for row in rows):
        of_truth = [row for row in rows if row.truth == truth and proposes(row)]
        loop = ClosedLoopConfig(
            strategies=tuple(row.model for row in of_truth), lab=truth, reference=PLAIN, **config
        )
        path = out.with_name(f"{out.stem}.{truth}.json") if out is not None else None
        document = closed_loop(loop, jobs=jobs, out=path, resume=resume, progress=progress)
        for row in of_truth:
            summary = document["summary"]["strategies"][row.model]
            results[row.name] = {
                "final": summary["final"],
                "sd": summary["sd"][-1] if summary["sd"] else None,
                "reach": summary["reach"],
            }
    return results
