"""What ``engine log`` is told of a run, and whether the run's state allows it.

How a run may go on::

    proposed, running ── results ──→ completed      running: the mat is spun, results awaited
    proposed, running ── --failed ─→ failed         no mat to test, hence no results
    any               ── --abandon → abandoned      left out of the model; results are kept
    failed, abandoned ── --running → running        taken up again (completed, if it has results)
    completed         ── --retract → running        if no result is left; else it stays completed
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from db.records import ExperimentRecord, Status, Value, details
from engine.curves.tested import HowTested
from engine.errors import StateError, UsageError, by_voice, field

_FEWEST_DIGITS = 5
"""Digits with which a rounded setting is still the one that was proposed: 18 may not be 18.3."""


@dataclass(frozen=True)
class Entry:
    """What is to be recorded of one run.

    ``experiment`` is an id or label (a label for sure with ``is_label``), ``None`` for a run that
    nobody proposed: then ``conditions`` are its settings. ``actual`` corrects conditions of a known
    run. ``replicate`` adds to values that are there, ``correct`` supersedes them (``which``: the
    replicate meant). ``retract`` takes results back: those of the outcomes that it names, or all
    if it names none; ``None`` takes none back. ``curves`` are testers' files, each specimen in
    them a replicate, and ``tested`` what is said of them. ``number`` is the replicate that a
    file's row tells. ``removed`` are numbers of pictures that are no longer the run's. ``facts``
    are who, when, with what; ``None`` takes one back.
    """

    experiment: str | None = None
    is_label: bool = False
    label: str | None = None
    conditions: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    actual: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    results: Mapping[str, float] = dataclasses.field(default_factory=dict)
    replicate: bool = False
    correct: bool = False
    which: int | None = None
    number: int | None = None
    failure: str | None = None
    abandon: bool = False
    running: bool = False
    retract: tuple[str, ...] | None = None
    note: str | None = None
    micrographs: tuple[Path, ...] = ()
    curves: tuple[Path, ...] = ()
    tested: HowTested = dataclasses.field(default_factory=HowTested)
    removed: tuple[int, ...] = ()
    facts: Mapping[str, str | None] = dataclasses.field(default_factory=dict)


def check_flags(entry: Entry) -> None:
    """Refuse what contradicts itself, whatever the run.

    Raises:
        UsageError: contradicting flags, or nothing to record.
    """
    flags = {
        "failed": entry.failure is not None,
        "abandon": entry.abandon,
        "running": entry.running,
        "retract": entry.retract is not None,
    }
    endings = [name for name, is_given in flags.items() if is_given]
    if len(endings) > 1:
        raise UsageError(f"{' and '.join(map(field, endings))} contradict one another; keep one")
    if entry.curves and (endings or entry.correct):
        flag = endings[0] if endings else "correct"
        raise UsageError(
            f"{field(flag)} and {field('curve')}: a curve is results; keep one of them"
        )
    if entry.results and endings:
        reason = {
            "failed": "a failed run gave nothing to test. If it could be tested it is no failed "
            f"run: log the results, and the flaw in {field('note')}",
            "abandon": "an abandoned run has no results to record",
            "running": "results complete a run",
            "retract": "what is taken back and what is recorded are two steps",
        }[endings[0]]
        raise UsageError(f"{field(endings[0])} and results ({', '.join(entry.results)}): {reason}")
    replicate, correct = field("replicate"), field("correct")
    if entry.replicate and entry.correct:
        raise UsageError(f"{replicate} adds a value, {correct} replaces one; keep one of them")
    if (entry.replicate or entry.correct) and not (entry.results or entry.curves):
        flag = replicate if entry.replicate else correct
        raise UsageError(f"{flag} needs a result, such as elongation.longitudinal=88")
    if entry.which is not None and not entry.correct and entry.retract is None:
        raise UsageError(
            f"{field('which')} names the replicate that {correct} replaces; add {correct}"
        )
    is_of_a_known_run = entry.replicate or entry.correct or entry.abandon
    takes_away = entry.retract is not None or bool(entry.removed)
    if entry.experiment is None and (is_of_a_known_run or takes_away):
        raise UsageError(
            f"{by_voice(field('new'), 'this')} is a run of its own: {replicate}, {correct}, "
            f"{field('abandon')} do not fit"
        )
    says_something = (
        entry.results
        or endings
        or entry.actual
        or entry.note is not None
        or entry.micrographs
        or entry.curves
        or entry.removed
        or entry.facts
        or entry.experiment is None
    )
    if not says_something:
        fields = ", ".join(map(field, ("actual", "failed", "note")))
        raise UsageError(
            f"nothing to record: give {by_voice('outcome=value', field('results'))}, {fields} …"
        )


def news_of(experiment: ExperimentRecord, entry: Entry) -> Entry | None:
    """Return what of a file's entry is not recorded yet, ``None`` if all of it is.

    The worksheet that came back in the morning comes back in the evening, with more in it.
    """
    recorded: dict[str, dict[int, float]] = {}
    for measurement in experiment.measurements:
        values = recorded.setdefault(measurement.outcome, {})
        values[measurement.replicate] = measurement.value
    results = {
        outcome: value
        for outcome, value in entry.results.items()
        if not _is_recorded(recorded.get(outcome, {}), value, entry)
    }
    recorded_conditions = experiment.conditions
    actual = {
        name: value
        for name, value in entry.actual.items()
        if name not in recorded_conditions or not is_same_setting(value, recorded_conditions[name])
    }
    notes = (experiment.note or "").splitlines()
    note = None if entry.note in (experiment.note, *notes) else entry.note
    failure = None if entry.failure == experiment.failure else entry.failure
    facts = {name: text for name, text in entry.facts.items() if experiment.facts.get(name) != text}
    if not (results or actual or note or failure or facts):
        return None
    return dataclasses.replace(
        entry,
        results=results,
        actual=actual,
        note=note,
        facts=facts,
        failure=failure,
        replicate=entry.replicate and bool(results),
        correct=entry.correct and bool(results),
        which=entry.which if results else None,
    )


def _is_recorded(recorded: Mapping[int, float], value: float, entry: Entry) -> bool:
    number = entry.which or entry.number
    if number is not None:
        return number in recorded and is_same_value(recorded[number], value)
    if entry.replicate:
        return False  # a further specimen may well have the same value
    return any(is_same_value(number, value) for number in recorded.values())


def is_same_value(first: Value, second: Value) -> bool:
    """Whether two values are one, but for what a spreadsheet's fifteen digits cut off."""
    if isinstance(first, str) or isinstance(second, str):
        return first == second
    if details(first) != details(second):
        return str(first) == str(second)
    return math.isclose(first, second, rel_tol=1e-12, abs_tol=0.0)


def is_same_setting(stated: Value, recorded: Value) -> bool:
    """Whether a setting is the recorded one, be it rounded as a spreadsheet shows it.

    >>> is_same_setting(12.3457, 12.34567891), is_same_setting(12.3, 12.34567891)
    (True, False)
    """
    if is_same_value(stated, recorded):
        return True
    if isinstance(stated, str) or isinstance(recorded, str):
        return False
    n_digits = len(f"{abs(stated):.12g}".partition("e")[0].replace(".", "").strip("0"))
    return n_digits >= _FEWEST_DIGITS and float(f"{recorded:.{n_digits}g}") == stated


def refuse_results(experiment: ExperimentRecord) -> None:
    """Refuse results of a run that was given up.

    Raises:
        StateError: it is abandoned or failed; the message tells how to take it up again.
    """
    if experiment.status in (Status.ABANDONED, Status.FAILED):
        kind = f" ({experiment.failure})" if experiment.failure else ""
        raise StateError(
            f"experiment {experiment.name} is {experiment.status}{kind}: it takes no results. "
            "If that was a mistake, "
            + by_voice(
                f"run `engine log {experiment.id} --running` first", "take it up again first"
            )
        )


def next_status(experiment: ExperimentRecord, entry: Entry) -> Status | None:
    """Return what the run becomes, or ``None`` if it stays as it is.

    ``experiment``: as it was before, but for results that the entry retracts.

    Raises:
        StateError: the step does not fit the state it is in.
    """
    has_results = bool(experiment.measurements)
    if entry.results:
        return Status.COMPLETED
    if entry.retract is not None:
        is_over = experiment.status is Status.COMPLETED and not has_results
        return Status.RUNNING if is_over else None
    if entry.failure is not None:
        if has_results:
            raise StateError(
                f"experiment {experiment.name} has results: a failed run gives nothing to test. "
                f"Put the flaw in its {field('note')}, or leave the run out of the model with "
                f"{field('abandon')}"
            )
        return Status.FAILED
    if entry.abandon:
        if experiment.status is Status.ABANDONED:
            raise StateError(f"experiment {experiment.name} is abandoned already")
        return Status.ABANDONED
    if not entry.running:
        return None
    if experiment.status is Status.COMPLETED:
        raise StateError(
            f"experiment {experiment.name} is completed; correct its results with "
            f"{field('correct')}"
        )
    # Taken up again, an abandoned run with results is what it was before.
    return Status.COMPLETED if has_results else Status.RUNNING
