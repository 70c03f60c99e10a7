"""Tensile curves as results of a run: read before the transaction, recorded within it.

The reading needs numpy and scipy, which are imported only where there is a curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from db.records import CampaignRecord, CurveRecord
from db.transaction import Transaction
from engine.campaign import Campaign
from engine.curves.tested import HowTested
from engine.experiments.entries import Entry
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.curves.prepare import PreparedCurve

PreparedCurves = Mapping[tuple[Path, HowTested], "Sequence[PreparedCurve]"]
"""What each file holds, by the file and what is said of it."""


@dataclass(frozen=True)
class CurveValue:
    """One value that a curve gave."""

    curve: int
    outcome: str
    replicate: int
    value: float


@dataclass(frozen=True)
class ReadCurves:
    """What an entry's curves brought."""

    curves: tuple[CurveRecord, ...] = ()
    values: tuple[CurveValue, ...] = ()
    warnings: tuple[str, ...] = ()

    def by_curve(self) -> list[dict[str, float]]:
        """Return the values of each curve by outcome."""
        return [
            {v.outcome: v.value for v in self.values if v.curve == curve.id}
            for curve in self.curves
        ]


def prepare_curves(workspace: Workspace, entries: Sequence[Entry]) -> PreparedCurves:
    """Read, evaluate and keep the testers' files of all entries.

    Raises:
        NotFoundError, DataError: no such file, or no curve in it.
        UsageError: what is said of it means nothing, or a direction is missing.
        CampaignError: the campaign measures nothing that a curve gives.
    """
    if not any(entry.curves for entry in entries):
        return {}
    from engine.curves.prepare import prepare

    with workspace.database.read() as tx:
        _, campaign = workspace.active_campaign(tx)
    return {
        (path, entry.tested): prepare(workspace, path, entry.tested, campaign)
        for entry in entries
        for path in entry.curves
    }


@dataclass(frozen=True)
class CurveRecorder:
    """Writes the curves of entries and their values, inside one transaction."""

    tx: Transaction
    campaign_record: CampaignRecord
    campaign: Campaign
    prepared: PreparedCurves

    def record(self, experiment_id: int, entry: Entry) -> ReadCurves:
        """Record an entry's curves; each specimen is a replicate.

        Raises:
            StateError: a curve that is recorded already, or results that no curve gave.
            DataError: a value that the campaign says cannot be.
        """
        from engine.curves.values import register

        curves: list[CurveRecord] = []
        values: list[CurveValue] = []
        warnings: list[str] = []
        for path in entry.curves:
            for new in self.prepared[path, entry.tested]:
                run = self.tx.experiments.get(experiment_id)
                assert run is not None  # noqa: S101 -- found before, in this transaction
                curve, changes, notes = register(
                    self.tx, self.campaign, run, new, beside_typed=entry.replicate
                )
                curves.append(curve)
                values += [
                    CurveValue(c.curve, c.outcome, c.replicate, c.value)
                    for c in changes
                    if c.value is not None
                ]
                warnings += [*new.warnings, *notes]
        return ReadCurves(tuple(curves), tuple(values), tuple(warnings))
