"""``engine curve fit | remove``: curves read anew, and taken back, as corrections in the trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from db.records import CurveRecord
from db.transaction import Transaction
from engine.campaign import Campaign
from engine.curves.kept import find_curve, raw_curve, stated_of
from engine.curves.outcomes import curve_outcomes
from engine.curves.prepare import evaluate_raw
from engine.curves.reading.records import FACTS, Specimen
from engine.curves.tested import HowTested
from engine.curves.values import ValueChange, fit_fields, set_status, write_values
from engine.errors import StateError, UsageError
from engine.workspace import Workspace
from surrogate.progress import Progress, silent


@dataclass(frozen=True)
class Refitted:
    """What reading curves anew changed: those with another reading, and the values."""

    curves: tuple[CurveRecord, ...]
    values: tuple[ValueChange, ...]
    n_unchanged: int
    notes: tuple[str, ...] = ()


class _DryRunError(Exception):
    """Carries what would have been written past the end of its transaction."""

    def __init__(self, refitted: Refitted) -> None:
        self.refitted = refitted


def fit(
    workspace: Workspace,
    ids: Sequence[int],
    tested: HowTested | None = None,
    *,
    actor: str | None = None,
    is_dry_run: bool = False,
    progress: Progress = silent,
) -> Refitted:
    """Read curves anew by the campaign's definitions of today: those of ``ids``, or all of them.

    Values that differ become corrections; what a curve no longer gives is taken back. Geometry in
    ``tested`` replaces what was stated before. Values that a person corrected since stay.

    Raises:
        NotFoundError: no such curve.
        StateError: a curve that was taken back.
        UsageError: stated lengths that are none, or of all curves at once.
        DataError: damaged samples, or a value that the campaign says cannot be.
    """
    stated = (tested or HowTested()).specimen
    if stated.sources and not ids:
        raise UsageError(
            "a geometry is of single curves: name them by their numbers; that of all is the "
            "campaign's, in [campaign.curves]"
        )

    # Before the transaction: hundreds of curves take longer than others should wait to write.
    with workspace.database.read() as tx:
        revision, campaign = workspace.active_campaign(tx)
        records = _chosen(tx, workspace, ids)
        plans = _plans(tx, campaign, records, stated, progress)

    def work(tx: Transaction) -> Refitted:
        present, _ = workspace.active_campaign(tx)
        if present.revision_id != revision.revision_id:
            raise StateError("the campaign was revised meanwhile; run it again")
        refitted = _carry_out(tx, campaign, plans)
        if is_dry_run:
            raise _DryRunError(refitted)
        return refitted

    detail = f"curves {', '.join(map(str, ids))}" if ids else "all curves"
    try:
        return workspace.database.transact("curve fit", work, actor=actor, detail=detail)
    except _DryRunError as stop:
        return stop.refitted


def remove(
    workspace: Workspace,
    ids: Sequence[int],
    *,
    note: str | None = None,
    actor: str | None = None,
) -> Refitted:
    """Take curves back, with their values; rows and files stay, and the same curve may come again.

    ``note`` says why, in the trail.

    Raises:
        NotFoundError: no such curve.
        StateError: it was taken back already.
    """

    def work(tx: Transaction) -> Refitted:
        _, campaign = workspace.active_campaign(tx)
        curves, values, notes = [], [], []
        for record in _chosen(tx, workspace, ids):
            withdrawn = tx.curves.withdraw(record.id)
            changes, remarks = write_values(tx, campaign, withdrawn, former=record.fit, cause=note)
            set_status(tx, record.experiment_id)
            curves.append(withdrawn)
            values += changes
            notes += remarks
        return Refitted(tuple(curves), tuple(values), 0, tuple(notes))

    detail = f"curves {', '.join(map(str, ids))}" + (f": {note}" if note else "")
    return workspace.database.transact("curve remove", work, actor=actor, detail=detail)


def _chosen(tx: Transaction, workspace: Workspace, ids: Sequence[int]) -> list[CurveRecord]:
    if not ids:
        campaign, _ = workspace.active_campaign(tx)
        return [record for record in tx.curves.find(campaign.id) if not record.is_withdrawn]
    records = [find_curve(tx, workspace, id_) for id_ in dict.fromkeys(ids)]
    for record in records:
        if record.is_withdrawn:
            raise StateError(f"curve {record.id} was taken back; add its file again")
    return records


_Plan = tuple[CurveRecord, dict[str, Any] | None]


def _plans(
    tx: Transaction,
    campaign: Campaign,
    records: Sequence[CurveRecord],
    stated: Specimen,
    progress: Progress,
) -> list[_Plan]:
    """Return each curve with its new reading, or with none where that is as before."""
    outcomes = curve_outcomes(campaign) if records else ()
    definitions = campaign.curves.definitions.as_texts()
    plans: list[_Plan] = []
    for n, record in enumerate(records, 1):
        specimen = stated.or_else(stated_of(record.fit))
        evaluation = evaluate_raw(raw_curve(tx, record), specimen, campaign.curves)
        fields = fit_fields(evaluation, outcomes, record.direction)
        fields["definitions"] = definitions
        plans.append((record, None if _is_as_before(record, fields) else fields))
        progress("reading curves", n, len(records))
    return plans


def _carry_out(tx: Transaction, campaign: Campaign, plans: Sequence[_Plan]) -> Refitted:
    curves, values, notes = [], [], []
    for record, fields in plans:
        if fields is None:
            continue
        present = tx.curves.get(record.id)
        if present is None or present.fit.revision != record.fit.revision:
            raise StateError(f"curve {record.id} was read anew meanwhile; run it again")
        new = tx.curves.add_fit(record.id, **fields)
        changes, remarks = write_values(tx, campaign, new, former=record.fit)
        set_status(tx, record.experiment_id)
        curves.append(new)
        values += changes
        notes += remarks
    return Refitted(tuple(curves), tuple(values), len(plans) - len(curves), tuple(notes))


def _is_as_before(record: CurveRecord, fields: dict[str, Any]) -> bool:
    former = record.fit
    return bool(
        fields["results"] == former.results
        and fields["geometry"] == {name: getattr(former, name) for name in FACTS}
        and dict(former.definitions) == fields["definitions"]
    )
