"""One entry after another, inside one transaction: what changes in the database."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from db.records import (
    CampaignRecord,
    ExperimentRecord,
    NewExperiment,
    Origin,
    Status,
    Value,
    details,
)
from db.transaction import Transaction
from db.words import run_name
from engine.campaign import Campaign
from engine.campaign.applicability import lacking, surplus, with_constants, without_surplus
from engine.campaign.failures import read_failure
from engine.campaign.ranges import outside_text
from engine.errors import (
    DataError,
    NotFoundError,
    StateError,
    UsageError,
    by_voice,
    field,
)
from engine.experiments.conditions import (
    find_outcome,
    read_conditions,
    read_results,
    refuse_surplus,
)
from engine.experiments.curve_results import (
    CurveRecorder,
    PreparedCurves,
    ReadCurves,
)
from engine.experiments.entries import Entry, news_of, next_status, refuse_results
from engine.experiments.facts import read_facts
from engine.experiments.importers.words import CellError, clean_label
from engine.experiments.plausibility import far_from_expected
from engine.experiments.recorded import Recorded, RecordedValue
from engine.micrographs.add import PreparedMicrograph, register
from engine.workspace.lookup import find_experiment

# Bounds the query, at 10⁵ runs too.
N_SEEN = 500
"""Plausibility is judged by so many of the newest values."""


@dataclass
class Recorder:
    """Records one entry after another, inside one transaction."""

    tx: Transaction
    campaign_record: CampaignRecord
    campaign: Campaign
    pictures: Mapping[Path, PreparedMicrograph]
    curves: PreparedCurves = dataclasses.field(default_factory=dict)
    _recent: dict[str, list[tuple[int, float]]] = dataclasses.field(default_factory=dict)

    def record(self, entry: Entry) -> Recorded:
        """Record one entry; see :func:`engine.experiments.record.record` for what is raised."""
        entry = self._read(entry)
        warnings = self._outside_ranges(entry)
        if entry.experiment is None:
            experiment = self._create(entry)
        else:
            experiment = self._find(entry)
            self._change(experiment, entry)
        values = self._measure(experiment, entry)
        read = self._record_curves(experiment, entry)
        values += [RecordedValue(v.outcome, v.replicate, v.value) for v in read.values]
        warnings += read.warnings
        if entry.retract is not None:
            values = self._retract(experiment, entry)
            remaining = self.tx.experiments.get(experiment.id)
            assert remaining is not None  # noqa: S101 -- found above, in this transaction
            experiment = remaining
        self._set_status(experiment, entry, has_results=bool(entry.results or read.values))
        self._remove_pictures(experiment, entry)
        if entry.facts:
            self.tx.experiments.set_facts(experiment.id, entry.facts)
        n_micrographs = self._register(experiment, entry)
        warnings += [word for path in entry.micrographs for word in self.pictures[path].warnings]
        for results in (entry.results, *read.by_curve()):
            warnings += far_from_expected(
                self.campaign,
                results,
                earlier={name: self._newest_values(name, experiment.id) for name in results},
                predictions=self.tx.batches.predictions_of(experiment.id),
                experiment=experiment.id,
            )
        recorded = self.tx.experiments.get(experiment.id)
        assert recorded is not None  # noqa: S101 -- found above, in this transaction
        if experiment.status is Status.PROPOSED and not (entry.results or read.values):
            warnings += self._off_the_step(entry.actual)
        if entry.conditions or entry.actual:
            warnings += self._broken_constraints(recorded.conditions)
        return Recorded(
            recorded,
            entry.experiment is None,
            tuple(values),
            n_micrographs,
            tuple(warnings),
            read.curves,
            len(entry.removed),
            entry.actual,
            entry.facts,
        )

    def _record_curves(self, experiment: ExperimentRecord, entry: Entry) -> ReadCurves:
        if not entry.curves:
            return ReadCurves()
        refuse_results(experiment)
        return CurveRecorder(self.tx, self.campaign_record, self.campaign, self.curves).record(
            experiment.id, entry
        )

    def news_of(self, entry: Entry) -> Entry | None:
        """Return what of an entry is not recorded yet, ``None`` if all of it is."""
        if entry.experiment is None:
            return entry
        return news_of(self._find(entry), self._read(entry))

    def _newest_values(self, outcome: str, experiment_id: int) -> list[float]:
        """Return the newest values of other runs, as they were when the file was begun."""
        if outcome not in self._recent:
            values = self.tx.measurements.newest(self.campaign_record.id, outcome, N_SEEN)
            self._recent[outcome] = values
        return [value for id_, value in self._recent[outcome] if id_ != experiment_id]

    def _find(self, entry: Entry) -> ExperimentRecord:
        return find_experiment(
            self.tx, self.campaign_record, str(entry.experiment), is_label=entry.is_label
        )

    def _read(self, entry: Entry) -> Entry:
        """Return the entry in the campaign's names, each value one that can be."""
        results = read_results(self.campaign, entry.results, "results", refusal=DataError)
        kinds, failure = self.campaign.failures, entry.failure
        return replace(
            entry,
            results={name: value for name, (value,) in results.items()},
            conditions=self._conditions(entry.conditions, "conditions"),
            actual=self._conditions(entry.actual, "actual"),
            facts=read_facts(self.campaign, entry.facts),
            failure=None if failure is None else read_failure(kinds, failure),
        )

    def _conditions(self, pairs: Mapping[str, Value], field_name: str) -> dict[str, Value]:
        return read_conditions(self.campaign, pairs, field_name, refusal=DataError)

    def _outside_ranges(self, entry: Entry) -> list[str]:
        warnings = []
        for name, value in {**entry.conditions, **entry.actual}.items():
            text = outside_text(self.campaign.parameter(name), value)
            if text is not None:
                number = value if isinstance(value, str) else f"{value:g}"
                warnings.append(f"{self.campaign.heading(name)} = {number} {text}; kept")
        return warnings

    def _off_the_step(self, actual: Mapping[str, Value]) -> list[str]:
        """Say what the instrument cannot be set to, of a run that is still to be made."""
        warnings = []
        for name, value in actual.items():
            parameter = self.campaign.parameter(name)
            if isinstance(value, str) or parameter.role != "controlled" or parameter.step is None:
                continue
            if outside_text(parameter, value) is None and parameter.problem_as_setting(value):
                warnings.append(
                    f"{self.campaign.heading(name)} = {value:g} is between the instrument's steps "
                    f"of {parameter.step:g}; the nearest is {parameter.snap(value):g}; kept"
                )
        return warnings

    def _broken_constraints(self, conditions: Mapping[str, Value]) -> list[str]:
        return [
            f"{', '.join(f'{name} = {conditions[name]:g}' for name in constraint.terms)} does not "
            f"meet {constraint}; kept"
            for constraint in self.campaign.broken_by(conditions)
        ] + [f"{item.message}; kept" for item in self.campaign.exclusions_of(conditions)]

    def _create(self, entry: Entry) -> ExperimentRecord:
        stated = {**entry.conditions, **entry.actual}
        conditions = with_constants(self.campaign.parameters, stated)
        refuse_surplus(self.campaign, conditions, "conditions")
        missing = [parameter.name for parameter in lacking(self.campaign.controlled, conditions)]
        if missing:
            raise UsageError(
                f"{by_voice(field('new'), field('conditions'))}: expected a value of every "
                f"controlled parameter; missing: {', '.join(map(self.campaign.heading, missing))}"
            )
        if entry.label is not None:
            try:
                clean_label(entry.label)
            except CellError as error:
                raise DataError(str(error), field="label") from None
            namesake = self.tx.experiments.labelled(self.campaign_record.id, entry.label)
            if namesake is not None:
                raise StateError(
                    f"there is experiment {run_name(namesake, entry.label)} already; choose "
                    "another label"
                )
        status = Status.RUNNING if entry.failure is None else Status.FAILED
        new = NewExperiment(
            origin=Origin.MANUAL,
            status=status,
            label=entry.label,
            failure=entry.failure,
            note=entry.note,
            actual=conditions,
        )
        (id_,) = self.tx.experiments.add(self.campaign_record, [new])
        return find_experiment(self.tx, self.campaign_record, id_)

    def _change(self, experiment: ExperimentRecord, entry: Entry) -> None:
        """Record actual conditions and a note of a known run."""
        if entry.conditions:
            names = ", ".join(entry.conditions)
            raise UsageError(
                f"{names}: a known run's conditions are corrected with {field('actual')}"
            )
        if entry.actual:
            self._check_actual(experiment, entry.actual)
            self.tx.experiments.set_actual(experiment.id, entry.actual)
        takes_back = entry.correct or entry.retract is not None or entry.removed
        if entry.note is not None and not takes_back:
            notes = [experiment.note] if experiment.note else []
            self.tx.experiments.set_note(experiment.id, "\n".join([*notes, entry.note]))

    def _check_actual(self, experiment: ExperimentRecord, actual: Mapping[str, Value]) -> None:
        """Refuse actual conditions that leave a parameter without its value, or say too much.

        What was proposed and has no value beside what was really set is left aside in silence.
        """
        parameters = self.campaign.parameters
        conditions = {**experiment.conditions, **actual}
        names = {parameter.name for parameter in surplus(parameters, conditions)}
        redundant = {name: value for name, value in actual.items() if name in names}
        sound = without_surplus(parameters, conditions)
        refuse_surplus(self.campaign, {**sound, **redundant}, "actual")
        missing = [p.name for p in lacking(parameters, conditions) if p.only_if]
        if missing:
            raise UsageError(
                f"{self.campaign.parameter(missing[0]).name} has a value "
                f"{self.campaign.parameter(missing[0]).only_if_text}, as it is now: give it, too",
                field="actual",
            )

    def _measure(self, experiment: ExperimentRecord, entry: Entry) -> list[RecordedValue]:
        if entry.results:
            refuse_results(experiment)
        replicates = experiment.replicates()
        values = []
        for outcome, result in entry.results.items():
            present = replicates.get(outcome, ())
            if entry.correct:
                values.append(self._correct(experiment, outcome, result, entry))
                continue
            if present and not entry.replicate:
                listed = ", ".join(f"{value:g}" for value in present)
                raise StateError(
                    f"experiment {experiment.name} has {self.campaign.heading(outcome)} already: "
                    f"{listed}. {field('replicate')} adds a further one, {field('correct')} "
                    "replaces it"
                )
            (row,) = self.tx.measurements.add(experiment.id, outcome, [result])
            values.append(RecordedValue(outcome, row.replicate, row.value))
        return values

    def _correct(
        self, experiment: ExperimentRecord, outcome: str, value: float, entry: Entry
    ) -> RecordedValue:
        heading = self.campaign.heading(outcome)
        rows = {m.replicate: m for m in experiment.measurements if m.outcome == outcome}
        if not rows:
            raise StateError(f"experiment {experiment.name} has no {heading} to correct")
        if entry.which is None and len(rows) > 1:
            listed = ", ".join(f"{number}: {row.value:g}" for number, row in rows.items())
            raise StateError(
                f"experiment {experiment.name} has several replicates of {heading} ({listed}); "
                f"name the one to correct with {field('which')}"
            )
        number = entry.which if entry.which is not None else next(iter(rows))
        if number not in rows:
            raise StateError(
                f"experiment {experiment.name} has no replicate {number} of {heading}; "
                f"it has {', '.join(map(str, rows))}"
            )
        old = rows[number].value
        # "<0.5" and 0.5 are equal as numbers.
        if (old, details(old)) == (value, details(value)):
            raise StateError(
                f"experiment {experiment.name} has {heading} = {value:g} already: nothing to "
                "correct"
            )
        row = self.tx.measurements.correct(experiment.id, outcome, number, value, note=entry.note)
        return RecordedValue(outcome, number, row.value, superseded=old)

    def _retract(self, experiment: ExperimentRecord, entry: Entry) -> list[RecordedValue]:
        names = [find_outcome(self.campaign, word, "retract") for word in entry.retract or ()]
        rows = [
            row for row in experiment.measurements
            if (not names or row.outcome in names) and entry.which in (None, row.replicate)
        ]  # fmt: skip
        lacking = [name for name in names if name not in {row.outcome for row in rows}]
        if lacking or not rows:
            place = "" if entry.which is None else f"replicate {entry.which} of "
            nouns = ", ".join(map(self.campaign.heading, lacking)) or "result"
            raise StateError(f"experiment {experiment.name} has no {place}{nouns} to take back")
        for row in rows:
            self.tx.measurements.retract(experiment.id, row.outcome, row.replicate, note=entry.note)
        return [RecordedValue(row.outcome, row.replicate, None, row.value) for row in rows]

    def _set_status(self, experiment: ExperimentRecord, entry: Entry, *, has_results: bool) -> None:
        status = Status.COMPLETED if has_results else next_status(experiment, entry)
        if status is not None:
            self.tx.experiments.set_status(experiment.id, status, failure=entry.failure)

    def _remove_pictures(self, experiment: ExperimentRecord, entry: Entry) -> None:
        its = {picture.id for picture in experiment.micrographs}
        for id_ in entry.removed:
            if id_ not in its:
                raise NotFoundError(f"experiment {experiment.id} has no micrograph {id_}")
            self.tx.micrographs.remove(id_, note=entry.note)

    def _register(self, experiment: ExperimentRecord, entry: Entry) -> int:
        for path in entry.micrographs:
            new = self.pictures[path]
            new = replace(new, stored=replace(new.stored, original_name=path.name))
            register(self.tx, self.campaign_record.id, experiment, new)
        return len(entry.micrographs)
