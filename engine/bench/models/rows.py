"""The rows of the benchmarks that compare what can be known beforehand. Only those that can be run.

A row is a model on a truth (:class:`engine.bench.models.learning.Row`); each truth has its plain
Gaussian process, to which its other rows are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.bench.models import sources
from engine.bench.models.learning import SCRATCH, Row
from engine.bench.search.closed_loop import ClosedLoopConfig, closed_loop
from engine.bench.tasks import Tell
from engine.errors import UsageError, nearest_name

PLAIN = "gp"

_ABLATION = (
    Row("no sources", "standard", PLAIN, "the plain Gaussian process"),
    Row("published network", "standard", "paper_mlp", "from scratch, without micrographs"),
    Row("scratch", "standard", SCRATCH, "MatMCL on the campaign's own runs and micrographs alone"),
    Row("starter", "standard", "matmcl", "simulated labs from the literature"),
    Row("one older", "standard", "matmcl:older", "one related lab's campaign, with micrographs"),
    Row("one older, blind", "standard", "matmcl:older-blind", "the same without micrographs"),
    Row("eight older", "standard", "matmcl:eight", "eight related labs, with micrographs"),
    Row("eight older, blind", "standard", "matmcl:eight-blind", "the same without micrographs"),
    Row("bad source", "standard", "matmcl:bad", "a lab that misleads"),
    Row("unlike: no sources", "unlike", PLAIN, "a truth of another functional form"),
    Row("unlike: starter", "unlike", "matmcl", ""),
    Row("unlike: eight older", "unlike", "matmcl:eight", ""),
    Row("lots: no sources", "lots", PLAIN, "lots differ much, specimens little"),
    Row("lots: starter", "lots", "matmcl", ""),
    Row("lots: eight older", "lots", "matmcl:eight", ""),
    Row("lots: eight older, blind", "lots", "matmcl:eight-blind", ""),
)

_COMPOSITE = (
    Row("from scratch", "composite", PLAIN, "a plain Gaussian process on the composites alone"),
    Row("published network", "composite", "paper_mlp", "the same runs, the published network"),
    Row("starter", "composite", "matmcl", "what simulated labs say of mats"),
    Row("multi-stage", "composite", "matmcl:mat", "pretrained on 200 runs of the nanofibre lab"),
    Row("multi-stage, blind", "composite", "matmcl:mat-blind", "the same without micrographs"),
)


def ablation_rows(names: Sequence[str] = ()) -> tuple[Row, ...]:
    """Return the rows of the ablation, or those called ``names`` with their plain counterparts.

    Raises:
        UsageError: a name that is not offered.
    """
    offered = _runnable(_ABLATION)
    known = {row.name: row for row in offered}
    for name in names:
        if name not in known:
            raise UsageError(
                f"--row: expected one of {'; '.join(known)}, got '{name}'."
                f"{nearest_name(name, known)}"
            )
    if not names:
        return offered
    wanted = {known[name].truth for name in names}
    return tuple(
        row for row in offered if row.name in names or (row.model == PLAIN and row.truth in wanted)
    )


def composite_rows() -> tuple[Row, ...]:
    """Return the rows of the second stage."""
    return _runnable(_COMPOSITE)


def grid_of(truths: Sequence[str], models: Sequence[str]) -> tuple[Row, ...]:
    """Return a row for each model on each truth."""
    alone = len(truths) == 1
    return tuple(
        Row(model if alone else f"{truth}: {model}", truth, model)
        for truth in truths
        for model in models
    )


def usual_models() -> tuple[str, ...]:
    """Return what calibration compares: the plain GP, BoTorch's, and ``matmcl``, bad source too."""
    return (PLAIN, "botorch", *(n for n in sources.names() if n in ("matmcl", "matmcl:bad")))


def final_hypervolumes(
    rows: Sequence[Row],
    config: Mapping[str, Any],
    *,
    jobs: int,
    out: Path | None,
    resume: bool,
    tell: Tell,
) -> dict[str, Any]:
    """Run the closed loop of each row that proposes, and return what it has won at the end.

    Args:
        rows: those of models that cannot propose are left out.
        config: options of :class:`~engine.bench.search.closed_loop.ClosedLoopConfig`.
        jobs: processes.
        out: with a file, each truth's loop is kept beside it, as ``NAME.TRUTH.json``.
        resume: go on with these.
        tell: called after each round.

    Returns:
        For each row its final fraction, SD over seeds, and its comparison with the plain GP.
    """
    found = {}
    for truth in dict.fromkeys(row.truth for row in rows):
        here = [row for row in rows if row.truth == truth and _proposes(row)]
        loop = ClosedLoopConfig(
            strategies=tuple(row.model for row in here), lab=truth, reference=PLAIN, **config
        )
        kept = out.with_name(f"{out.stem}.{truth}.json") if out is not None else None
        document = closed_loop(loop, jobs=jobs, out=kept, resume=resume, tell=tell)
        for row in here:
            summary = document["summary"]["strategies"][row.model]
            found[row.name] = {
                "final": summary["final"],
                "sd": summary["sd"][-1] if summary["sd"] else None,
                "reach": summary["reach"],
            }
    return found


def n_loops(rows: Sequence[Row]) -> int:
    """Return how many rows have a closed loop."""
    return sum(map(_proposes, rows))


def _proposes(row: Row) -> bool:
    return row.model == PLAIN or (sources.is_sourced(row.model) and row.model != SCRATCH)


def _runnable(rows: Sequence[Row]) -> tuple[Row, ...]:
    is_connected = bool(sources.names())
    return tuple(row for row in rows if is_connected or not sources.is_sourced(row.model))
