"""The report's tables as words: headings with units, rows of text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from db.records import BatchRecord, ExperimentRecord, MeanRecord, Status
from engine.campaign.applicability import without_surplus
from engine.errors import spell
from engine.results.designs import expected_text, runs_text, specimens
from engine.results.figures import wilson
from engine.results.ledger import OutcomeScore
from engine.results.material import Material, rounded, setting

NEWEST = 30
"""Runs shown in the table of recent runs."""

N_EACH = 3
"""Best settings shown of each objective, beside the front."""


@dataclass(frozen=True)
class Table:
    """Headings and rows; ``n_words`` columns from the left are words, the others numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_words: int = 1


def runs_table(material: Material, newest: int = NEWEST) -> Table:
    """Return the newest runs: status, conditions, objectives and constrained outcomes, note.

    Results are means over replicates; ``× 3`` tells how many there were, if more than one.
    """
    campaign = material.campaign
    outcomes = [objective.outcome for objective in campaign.objectives]
    for constraint in campaign.constraints:
        outcomes += [name for name in constraint.terms if name not in outcomes]
    names = [parameter.name for parameter in campaign.parameters]
    listed = sorted(material.experiments, key=lambda e: e.id, reverse=True)[:newest]
    return Table(
        headings=("run", "status", *map(campaign.heading, (*names, *outcomes)), "note"),
        rows=tuple(_run_row(experiment, names, outcomes) for experiment in listed),
        n_words=2,
    )


def _run_row(
    experiment: ExperimentRecord, names: list[str], outcomes: list[str]
) -> tuple[str, ...]:
    replicates, conditions = experiment.replicates(), experiment.conditions
    results = []
    for outcome in outcomes:
        values = replicates.get(outcome, ())
        mean = rounded(sum(values) / len(values)) if values else "–"
        results.append(f"{mean} × {len(values)}" if len(values) > 1 else mean)
    status = f"failed: {experiment.failure}" if experiment.failure else str(experiment.status)
    return (
        experiment.name,
        status.replace("_", " "),
        *(setting(conditions.get(name)) for name in names),
        *results,
        experiment.note or "",
    )


def best_table(material: Material) -> Table | None:
    """Return the best settings of each objective and the front's, with all that was set.

    ``None`` while nothing was measured.
    """
    campaign, best = material.campaign, material.best
    outcomes = list(campaign.wanted_outcomes)
    objectives = [objective.outcome for objective in campaign.objectives]
    names = [parameter.name for parameter in campaign.parameters]
    places: dict[tuple[int, ...], list[str]] = {}
    designs = {design.runs: design for design in best.front}
    for design in best.front:
        places.setdefault(design.runs, []).append("front")
    for outcome, ranks in best.ranked.items():
        for rank, design in enumerate(ranks[:N_EACH], start=1):
            designs.setdefault(design.runs, design)
            places.setdefault(design.runs, []).append(f"{rank}. {outcome}")
    if not designs:
        return None
    levels = {e.level for design in designs.values() for e in design.expected.values()}
    interval = f", {levels.pop():.0%} interval" if len(levels) == 1 else ""
    return Table(
        headings=(
            "runs",
            "why it is here",
            *map(campaign.heading, names),
            *(f"{campaign.heading(name)}: mean, specimens" for name in outcomes),
            *(f"{campaign.heading(name)}: expected{interval}" for name in objectives),
        ),
        rows=tuple(
            (
                runs_text(design),
                ", ".join(places[runs]),
                *(
                    setting(without_surplus(campaign.parameters, design.conditions).get(name))
                    for name in names
                ),
                *(_mean_cell(design.means.get(name)) for name in outcomes),
                *(
                    expected_text(design.expected[name]) if name in design.expected else "–"
                    for name in objectives
                ),
            )
            for runs, design in designs.items()
        ),
        n_words=2,
    )


def _mean_cell(mean: MeanRecord | None) -> str:
    if mean is None:
        return "–"
    return f"{rounded(mean.mean)} × {specimens(mean)}" if mean.n > 1 else rounded(mean.mean)


def batches_table(material: Material) -> Table:
    """Return the batches, newest first: who asked which strategy, and what came of it."""
    statuses: dict[int, Counter[Status]] = {}
    for experiment in material.experiments:
        if experiment.proposal is not None:
            counter = statuses.setdefault(experiment.proposal.batch_id, Counter())
            counter[experiment.status] += 1
    return Table(
        headings=(
            "batch", "proposed", "by", "strategy", "seed", "runs", "finished", "failed", "awaited",
            "remarks",
        ),
        rows=tuple(
            _batch_row(batch, statuses.get(batch.id, Counter()))
            for batch in sorted(material.batches, key=lambda b: b.id, reverse=True)
        ),
    )  # fmt: skip


def _batch_row(batch: BatchRecord, by_status: Counter[Status]) -> tuple[str, ...]:
    notes = batch.request.get("notes") or ()
    return (
        str(batch.id),
        batch.created_at.astimezone().strftime("%Y-%m-%d %H:%M"),
        batch.created_by,
        batch.strategy,
        str(batch.seed),
        str(by_status.total()),
        str(by_status[Status.COMPLETED]),
        str(by_status[Status.FAILED]),
        str(sum(n for status, n in by_status.items() if status.is_pending)),
        spell(" ".join(map(str, notes) if isinstance(notes, list | tuple) else [notes]), "page"),
    )


def calibration_table(scores: tuple[OutcomeScore, ...]) -> Table:
    """Return, for each outcome, how well the predictions made beforehand held."""
    rows = []
    for score in scores:
        low, high = wilson(score.n_inside, len(score.points))
        rows.append(
            (
                score.heading,
                str(len(score.points)),
                f"{score.level:.0%}",
                f"{score.coverage:.0%}",
                f"{low:.0%} … {high:.0%}",
                rounded(score.error),
                rounded(score.bias),
            )
        )
    return Table(
        headings=(
            "outcome", "measurements", "nominal coverage", "coverage", "its 95% interval",
            "RMS error", "measured − expected",
        ),
        rows=tuple(rows),
    )  # fmt: skip
