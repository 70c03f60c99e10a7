"""A file's runs against what is recorded: new, longer, different, the same, or impossible.

A run with a label is the recorded one of that label. A run without one is recorded already if an
experiment has equal conditions and results; of *n* such experiments, *n* runs are recognised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from db.records import ExperimentRecord, Status
from db.words import nfc, run_name
from engine.campaign import Campaign, Value
from engine.errors import RowProblem, by_voice
from engine.experiments.entries import is_same_setting, is_same_value
from engine.experiments.importers.runs import ImportedRun

_TAKE_UP = by_voice("`engine log ID --running` takes it up again", "take it up again first")


@dataclass(frozen=True)
class Difference:
    """One thing that the file tells otherwise than the database."""

    experiment_id: int
    label: str | None
    row: int
    subject: str
    recorded: Value | None
    stated: Value

    def __str__(self) -> str:
        """``row 3, experiment 12 · label A7, voltage: recorded 18, the file says 18.5``."""
        run = run_name(self.experiment_id, self.label)
        return (
            f"row {self.row}, experiment {run}, {self.subject}: "
            f"recorded {_formatted(self.recorded)}, the file says {_formatted(self.stated)}"
        )


@dataclass(frozen=True)
class Extension:
    """What a recorded experiment gains, and what would be corrected in it.

    ``results``, ``conditions``, ``status`` and ``note`` are new; ``corrections`` (outcome →
    replicate → value) and ``other_conditions`` and ``other_note`` differ from what is recorded,
    one by one told in ``differences``.
    """

    experiment: ExperimentRecord
    run: ImportedRun
    results: Mapping[str, Mapping[int, float]]
    conditions: Mapping[str, Value]
    status: Status | None
    note: str | None
    corrections: Mapping[str, Mapping[int, float]]
    other_conditions: Mapping[str, Value]
    other_note: str | None
    facts: Mapping[str, str]
    other_facts: Mapping[str, str]
    differences: tuple[Difference, ...]

    @property
    def is_addition(self) -> bool:
        """Whether anything is added, corrections apart."""
        return bool(self.results or self.conditions or self.status or self.note or self.facts)


@dataclass
class ImportPlan:
    """What an import would do. Nothing has been written."""

    added: list[ImportedRun] = field(default_factory=list)
    extended: list[Extension] = field(default_factory=list)
    changed: list[Extension] = field(default_factory=list)
    unchanged: list[tuple[int, ImportedRun]] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def differences(self) -> list[Difference]:
        """Everything that the file tells otherwise than the database."""
        return [difference for item in self.changed for difference in item.differences]


def plan_import(
    runs: Sequence[ImportedRun], recorded: Sequence[ExperimentRecord], campaign: Campaign
) -> ImportPlan:
    """Compare a file's runs with everything recorded in the campaign."""
    plan = ImportPlan()
    by_label = {nfc(e.label): e for e in recorded if e.label is not None}
    by_signature: dict[Hashable, list[int]] = {}
    if any(run.label is None for run in runs):
        for experiment in recorded:
            results = {o: list(v) for o, v in experiment.replicates(with_censored=True).items()}
            key = _signature(experiment.conditions, results, experiment.failure)
            by_signature.setdefault(key, []).append(experiment.id)
    counts: Counter[Hashable] = Counter()
    numbered = _by_number(runs, recorded, plan)
    for run in runs:
        partner = by_label.get(nfc(run.label)) if run.label is not None else numbered.get(run.row)
        if partner is not None:
            _compare(run, partner, campaign, plan)
            continue
        if run.label is None:
            key = _signature(run.all_conditions, _lists(run), run.failure)
            counts[key] += 1
            if counts[key] <= len(by_signature.get(key, ())):
                plan.unchanged.append((by_signature[key][counts[key] - 1], run))
                continue
        plan.added.append(run)
    return plan


def _by_number(
    runs: Sequence[ImportedRun], recorded: Sequence[ExperimentRecord], plan: ImportPlan
) -> dict[int, ExperimentRecord]:
    """Return by row the recorded runs that a column ``experiment`` names.

    The numbers are ours if most of those that exist have the settings that the file tells. Others
    are a lab's own, or those of another database, and say nothing here.
    """
    by_id = {experiment.id: experiment for experiment in recorded}
    numbered = {
        run.row: (run, by_id[run.experiment])
        for run in runs
        if run.label is None and run.experiment is not None and run.experiment in by_id
    }
    agreeing = [
        row
        for row, (run, experiment) in numbered.items()
        if all(
            name in experiment.conditions and is_same_setting(value, experiment.conditions[name])
            for name, value in run.all_conditions.items()
            if name in experiment.proposed or not experiment.proposed
        )
    ]
    if not numbered:
        return {}
    if 2 * len(agreeing) <= len(numbered) and len(agreeing) < len(numbered):
        plan.notes.append(
            "the column 'experiment' holds no numbers of this campaign's runs (their settings "
            "differ): runs are known by equal conditions and results"
        )
        return {}
    return {row: experiment for row, (_, experiment) in numbered.items()}


def _compare(
    run: ImportedRun, recorded: ExperimentRecord, campaign: Campaign, plan: ImportPlan
) -> None:
    extension = _extension(run, recorded, campaign)
    problem = _impossible(extension)
    if problem is not None:
        expected = f"experiment {recorded.name} {problem}"
        plan.problems.append(RowProblem(run.row, None, run.label, expected))
    elif extension.differences:
        plan.changed.append(extension)
    elif extension.is_addition:
        plan.extended.append(extension)
    else:
        plan.unchanged.append((recorded.id, run))


def _extension(run: ImportedRun, recorded: ExperimentRecord, campaign: Campaign) -> Extension:
    differences = []

    def differs(subject: str, old: Value | None, new: Value) -> None:
        differences.append(Difference(recorded.id, run.label, run.row, subject, old, new))

    conditions_before = recorded.conditions
    conditions: dict[str, Value] = {}
    other_conditions: dict[str, Value] = {}
    for name, value in run.all_conditions.items():
        if name not in conditions_before:
            conditions[name] = value
        elif is_same_setting(value, conditions_before[name]):
            continue
        elif recorded.status.is_pending:
            # Nobody has said yet how it was really run.
            conditions[name] = value
        else:
            other_conditions[name] = value
            differs(campaign.heading(name), conditions_before[name], value)
    current = {(m.outcome, m.replicate): m.value for m in recorded.measurements}
    results: dict[str, dict[int, float]] = {}
    corrections: dict[str, dict[int, float]] = {}
    for outcome, replicates in run.outcomes.items():
        for replicate, result in replicates.items():
            old = current.get((outcome, replicate))
            if old is None:
                results.setdefault(outcome, {})[replicate] = result
            elif not is_same_value(old, result):
                corrections.setdefault(outcome, {})[replicate] = result
                number = f" (replicate {replicate})" if replicate > 1 else ""
                differs(f"{campaign.heading(outcome)}{number}", old, result)
    note = other_note = None
    if run.note is not None and recorded.note is None:
        note = run.note
    elif run.note is not None and run.note != recorded.note:
        other_note = run.note
        differs("note", recorded.note, run.note)
    facts = {name: text for name, text in run.facts.items() if name not in recorded.facts}
    other_facts = {
        name: text for name, text in run.facts.items() if recorded.facts.get(name, text) != text
    }
    for name, text in other_facts.items():
        differs(name, recorded.facts[name], text)
    return Extension(
        experiment=recorded,
        run=run,
        results=results,
        conditions=conditions,
        status=_new_status(run, recorded),
        note=note,
        corrections=corrections,
        other_conditions=other_conditions,
        other_note=other_note,
        facts=facts,
        other_facts=other_facts,
        differences=tuple(differences),
    )


def _new_status(run: ImportedRun, recorded: ExperimentRecord) -> Status | None:
    if run.status is recorded.status and run.failure == recorded.failure:
        return None
    if run.status is Status.PROPOSED or (
        run.status is Status.RUNNING and recorded.status is not Status.PROPOSED
    ):
        return None  # a file from before the results says nothing against them
    if run.is_stated or (run.n_values and recorded.status.is_pending):
        return run.status
    return None


def _impossible(extension: Extension) -> str | None:
    """Say why what the file tells cannot follow what is recorded, or ``None`` if it can."""
    recorded, run = extension.experiment, extension.run
    results = extension.results
    if results and recorded.status is Status.ABANDONED:
        return f"was abandoned; {_TAKE_UP}, then import its results"
    if results and recorded.status is Status.FAILED:
        return f"failed ({recorded.failure}); {_TAKE_UP}"
    status = extension.status
    if status is None or recorded.status.is_pending:
        return None
    if status is Status.ABANDONED and not results:
        return None
    stated = f"{run.status} ({run.failure})" if run.failure else str(run.status)
    return f"is recorded as {recorded.status}, the file says {stated}" + by_voice(
        "; `engine log` can change it", ""
    )


def _signature(
    conditions: Mapping[str, Value],
    results: Mapping[str, Sequence[float]],
    failure: str | None,
) -> Hashable:
    return (
        frozenset((name, _rounded(value)) for name, value in conditions.items()),
        frozenset((name, tuple(map(_rounded, values))) for name, values in results.items()),
        failure,
    )


def _lists(run: ImportedRun) -> dict[str, list[float]]:
    return {name: [r[key] for key in sorted(r)] for name, r in run.outcomes.items()}


def _rounded(value: Value) -> str:
    """Return ``value`` so that what a spreadsheet's fifteen digits cut off makes no difference."""
    return value if isinstance(value, str) else f"{value:.12g}"


def _formatted(value: Value | None) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    return "nothing" if value is None else f"'{value}'"
