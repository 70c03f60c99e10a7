"""What was read off a curve becomes measurements: recorded, corrected, or taken back.

A value that a person corrected or took back since is that person's: a further reading of the curve
leaves it as it is, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.records import CurveFitRecord, CurveRecord, ExperimentRecord, Status
from db.transaction import Transaction
from engine.campaign import Campaign
from engine.curves.outcomes import CurveOutcome, curve_outcomes
from engine.curves.prepare import PreparedCurve, evaluate_raw
from engine.curves.properties.evaluate import Evaluation
from engine.curves.reading.records import FACTS
from engine.errors import DataError, StateError, by_voice, field

_NOTE_LENGTH = 300


@dataclass(frozen=True)
class ValueChange:
    """One measurement that a curve's reading changed; without a value it was taken back."""

    curve: int
    outcome: str
    replicate: int
    value: float | None
    superseded: float | None = None


def fit_fields(
    evaluation: Evaluation, outcomes: Sequence[CurveOutcome], direction: str | None
) -> dict[str, Any]:
    """Return what the repository's ``add_fit`` takes beside the curve.

    ``definitions`` in the configuration's words; each value in ``results`` has its own, with what
    was really done.
    """
    curve = evaluation.curve
    by_name = {outcome.name: outcome for outcome in outcomes}
    values = []
    for read in evaluation.values:
        outcome = by_name.get(read.name)
        name = outcome.outcome(direction) if outcome is not None else None
        values.append(
            {
                "property": read.name,
                "value": read.value,
                "unit": read.unit,
                "definition": read.definition,
                "missing": read.missing,
                "outcome": name,
                "recorded": outcome.value(read) if outcome is not None and name else None,
            }
        )
    return {
        "geometry": {name: getattr(curve.specimen, name) for name in FACTS},
        "sources": dict(curve.specimen.sources),
        "results": {
            "values": values,
            "findings": list(evaluation.findings),
            "notes": list(curve.notes),
            "ending": evaluation.cut.ending,
            "is_sound": evaluation.cut.is_sound,
            "greatest": list(evaluation.greatest),
            "x": curve.x_heading,
            "y": curve.y_heading,
            "smoothed_over": evaluation.smoothed_over,
        },
    }


def register(
    tx: Transaction,
    campaign: Campaign,
    experiment: ExperimentRecord,
    new: PreparedCurve,
    *,
    beside_typed: bool = False,
) -> tuple[CurveRecord, list[ValueChange], list[str]]:
    """Write the rows of a curve whose file lies in the data folder, and its values.

    ``beside_typed``: its values may stand beside values that no curve gave.

    Raises:
        StateError: this or another experiment has that very curve, or values were typed in.
        DataError: a value that the campaign says cannot be.
    """
    outcomes = curve_outcomes(campaign)
    twin_here = _withdrawn_twin(tx, experiment, new)
    curves = tx.curves.all_of(experiment.id)
    names = [name for o in outcomes if (name := o.outcome(new.direction)) is not None]
    replicate = _free_replicate(experiment, curves, names, new, beside_typed)
    definitions = campaign.curves.definitions.as_texts()
    evaluation = new.evaluation
    if new.settings != campaign.curves:  # revised since the file was read
        evaluation = evaluate_raw(new.raw, new.stated, campaign.curves)
    fields = fit_fields(evaluation, outcomes, new.direction)
    tx.curves.add_array(new.array)
    if twin_here is None:
        id_ = tx.curves.add(
            experiment.id,
            direction=new.direction,
            replicate=replicate,
            specimen=new.raw.name,
            number=new.number,
            array_sha256=new.array.sha256,
            sha256=new.stored.sha256,
            path=new.stored.path,
            original_name=new.stored.original_name,
            n_bytes=new.stored.n_bytes,
            reading=new.reading,
        )
    else:
        id_ = twin_here.id
    record = tx.curves.add_fit(id_, definitions=definitions, **fields)
    return record, *write_values(tx, campaign, record, former=None)


def write_values(
    tx: Transaction,
    campaign: Campaign,
    record: CurveRecord,
    former: CurveFitRecord | None,
    *,
    cause: str | None = None,
) -> tuple[list[ValueChange], list[str]]:
    """Bring the measurements in line with a curve's newest reading.

    Args:
        tx: a transaction that writes.
        campaign: whose limits hold.
        record: the curve with the reading that counts from now on.
        former: the reading before, whose values are the curve's own; none for a new curve.
        cause: the reason for which it is taken back.

    Returns:
        What changed, and a sentence for each value that was left to a person's word.

    Raises:
        DataError: a value that the campaign says cannot be.
    """
    run = tx.experiments.get(record.experiment_id)
    assert run is not None  # noqa: S101 -- experiments are never removed
    # A limit is a person's word, whatever its number.
    current = {
        (m.outcome, m.replicate): m.value if m.bound is None else math.inf for m in run.measurements
    }
    earlier = recorded_values(former)
    later = recorded_values(record.fit)
    changes, remarks = [], []
    reason = f", {cause}" if cause else ""
    notes = {v["outcome"]: _note(record, v) for v in (record.fit.results or {}).get("values", ())}
    for outcome in dict.fromkeys((*earlier, *later)):
        value, mine = later.get(outcome), earlier.get(outcome)
        present = current.get((outcome, record.replicate))
        if value is not None:
            problem = campaign.property_of(outcome).problem_with(value)
            if problem is not None:
                raise DataError(
                    f"{record.original_name}: '{record.specimen}': {problem}, got {value:g}; "
                    "are geometry and units right?"
                )
        if not _is_same(present, mine):
            remarks.append(
                f"curve {record.id}: {campaign.heading(outcome)}, replicate {record.replicate}, "
                f"was {'corrected' if present is not None else 'taken back'} by hand: left as it is"
            )
            continue
        if _is_same(present, value):
            continue
        note = notes.get(outcome) or f"curve {record.id}: taken back{reason}"
        at = (record.experiment_id, outcome)
        if value is None:
            tx.measurements.retract(*at, record.replicate, note=note)
        elif present is None:
            tx.measurements.add(*at, [value], first_replicate=record.replicate, note=note)
        else:
            tx.measurements.correct(*at, record.replicate, value, note=note)
        changes.append(ValueChange(record.id, outcome, record.replicate, value, present))
    return changes, remarks


def recorded_values(fit: CurveFitRecord | None) -> dict[str, float]:
    """Return the values of a reading by outcome, in the campaign's units."""
    if fit is None or fit.results is None:
        return {}
    return {
        v["outcome"]: v["recorded"]
        for v in fit.results["values"]
        if v["outcome"] is not None and v["recorded"] is not None
    }


def set_status(tx: Transaction, experiment_id: int) -> None:
    """Let a run be completed while it has results, and running again when none is left."""
    run = tx.experiments.get(experiment_id)
    assert run is not None  # noqa: S101 -- experiments are never removed
    if run.measurements and run.status.is_pending:
        tx.experiments.set_status(run.id, Status.COMPLETED)
    elif not run.measurements and run.status is Status.COMPLETED:
        tx.experiments.set_status(run.id, Status.RUNNING)


def _withdrawn_twin(
    tx: Transaction, experiment: ExperimentRecord, new: PreparedCurve
) -> CurveRecord | None:
    """Return the curve that was taken back and comes again, if it is one."""
    name = f"{new.stored.original_name}: '{new.raw.name}'"
    twin_here = None
    for twin in tx.curves.twins(experiment.campaign_id, new.array.sha256):
        if twin.experiment_id == experiment.id:
            if not twin.is_withdrawn:
                raise StateError(f"{name}: experiment {experiment.name} has this curve already")
            if twin.direction == new.direction:
                twin_here = twin
                continue
            raise StateError(
                f"{name}: experiment {experiment.name} had this curve as {twin.direction}, and it "
                "was taken back; undo that first, as a curve keeps its direction"
            )
        if not twin.is_withdrawn:
            raise StateError(
                f"{name}: the same curve belongs to experiment {twin.experiment_id} (curve "
                f"{twin.id}); a curve is of one mat"
                + by_voice(f". `engine curve remove {twin.id}` takes it back there", "")
            )
    return twin_here


def _free_replicate(
    experiment: ExperimentRecord,
    curves: Sequence[CurveRecord],
    outcomes: Sequence[str],
    new: PreparedCurve,
    beside_typed: bool,
) -> int:
    current_curves = [c for c in curves if not c.is_withdrawn and c.direction == new.direction]
    theirs = {(o, c.replicate) for c in current_curves for o in recorded_values(c.fit)}
    typed = [m for m in experiment.measurements
             if m.outcome in outcomes and (m.outcome, m.replicate) not in theirs]  # fmt: skip
    if typed and not beside_typed:
        listed = ", ".join(f"{m.outcome} = {m.value:g}" for m in typed[:5])
        raise StateError(
            f"experiment {experiment.name} has results that no curve gave: {listed}. If the curve "
            f"is of a further specimen, {field('replicate')} adds it beside; if it is of the same, "
            "take those back first" + by_voice(f" ({field('retract')})", "")
        )
    numbers = [m.replicate for m in experiment.measurements if m.outcome in outcomes]
    # A curve that was taken back keeps its number, as it may come again.
    numbers += [c.replicate for c in curves if c.direction == new.direction]
    return max(numbers, default=0) + 1


def _note(record: CurveRecord, value: Mapping[str, Any]) -> str:
    text = value["definition"] if value["missing"] is None else value["missing"]
    return f"curve {record.id}: {text}"[:_NOTE_LENGTH]


def _is_same(value: float | None, reference: float | None) -> bool:
    if value is None or reference is None:
        return value is reference
    return math.isclose(value, reference, rel_tol=1e-9)
