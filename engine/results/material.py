"""What a report is made from: one snapshot of the campaign's records, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from db.records import (
    BatchRecord,
    ExperimentRecord,
    PredictionRecord,
    PreviewRecord,
    Reading,
    Status,
)
from engine.campaign import Campaign, Value
from engine.campaign.applicability import without_surplus
from engine.campaign.numbers import as_set
from engine.results.designs import N_BEST, BestDesigns, best_designs

if TYPE_CHECKING:
    from engine.workspace import Workspace


@dataclass(frozen=True)
class Material:
    """Everything a report shows, read in one transaction.

    ``predictions`` is the ledger: what was said of an experiment before it was run.
    """

    campaign: Campaign
    revision: int
    watermark: int
    experiments: tuple[ExperimentRecord, ...]
    batches: tuple[BatchRecord, ...] = ()
    predictions: tuple[PredictionRecord, ...] = ()
    previews: tuple[PreviewRecord, ...] = ()
    best: BestDesigns = field(default_factory=lambda: BestDesigns({}))

    def with_status(self, *statuses: Status) -> tuple[ExperimentRecord, ...]:
        """Return the experiments that stand so, in the order of their ids."""
        return tuple(e for e in self.experiments if e.status in statuses)

    def means(self, experiment: ExperimentRecord) -> dict[str, float]:
        """Return the mean over the replicates of each outcome measured."""
        return {
            outcome: sum(values) / len(values)
            for outcome, values in experiment.replicates().items()
            if outcome in self.campaign.outcomes
        }

    def objective_values(self, experiment: ExperimentRecord) -> list[float]:
        """Return the objectives' means: NaN if not measured, all NaN if a constraint is broken."""
        means = self.means(experiment)
        for constraint in self.campaign.constraints:
            if constraint.terms.keys() <= means.keys() and not constraint.is_met(means):
                return [math.nan for _ in self.campaign.objectives]
        return [means.get(objective.outcome, math.nan) for objective in self.campaign.objectives]

    def ledger(self) -> dict[tuple[int, str], PredictionRecord]:
        """Return the first prediction made of each experiment and outcome."""
        first: dict[tuple[int, str], PredictionRecord] = {}
        for prediction in self.predictions:
            first.setdefault((prediction.experiment_id, prediction.outcome), prediction)
        return first


def gather(workspace: Workspace) -> Material:
    """Read the active campaign in one snapshot.

    Raises:
        NotFoundError: there is no active campaign.
    """
    with workspace.database.read() as transaction:
        record, campaign = workspace.active_campaign(transaction)
        return Material(
            campaign=campaign,
            revision=record.revision,
            watermark=transaction.watermark(),
            experiments=tuple(transaction.experiments.find(record.id)),
            batches=tuple(transaction.batches.all_of(record.id)),
            predictions=tuple(transaction.batches.predictions(record.id)),
            previews=tuple(transaction.previews.all_of(record.id)),
            best=best_designs(transaction, record, campaign, n=N_BEST),
        )


def run_names(material: Material) -> dict[int, str]:
    """Return how each run is called, by its id."""
    return {experiment.id: experiment.name for experiment in material.experiments}


def volume_unit(campaign: Campaign) -> str:
    """Return the hypervolume's unit: the product of the objectives'."""
    units = (campaign.unit_of(objective.outcome) for objective in campaign.objectives)
    return " · ".join(unit for unit in units if unit)


def setting(value: Value | None) -> str:
    """Return a condition as it was set or read, whole."""
    return as_set(value)


def rounded(value: float | None, digits: int = 4) -> str:
    """Return a measured or expected value to so many digits, never in powers of ten.

    >>> rounded(12345.6), rounded(0.0123), rounded(None)
    ('12350', '0.0123', '–')
    """
    import numpy as np

    if value is None or not np.isfinite(value):
        return "–"
    if isinstance(value, Reading):
        return format(value, f".{digits}g")
    return np.format_float_positional(
        value, precision=digits, unique=False, fractional=False, trim="-"
    )


def condition_lines(campaign: Campaign, conditions: Mapping[str, Value]) -> tuple[str, ...]:
    """Return ``voltage 18 kV`` for each known condition, in the campaign's order."""
    known = without_surplus(campaign.parameters, conditions)
    return tuple(
        f"{p.name} {setting(known[p.name])} {p.unit}".rstrip()
        for p in campaign.parameters
        if p.name in known
    )
