"""A run as a notebook shows it: conditions, what was expected, what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from db.records import ExperimentRecord, PredictionRecord, Value
from engine.campaign import Campaign
from engine.campaign.html import rows_html, section_html
from engine.campaign.numbers import as_set
from engine.experiments.recorded import Recorded
from engine.notebook.html import interval_text
from engine.results.material import rounded
from engine.workspace import Workspace
from engine.workspace.lookup import ID, find_experiment


@dataclass(frozen=True)
class LabRun:
    """One run as it is recorded: settings, room, replicates, and what was said of it before."""

    campaign: Campaign
    record: ExperimentRecord
    predictions: tuple[PredictionRecord, ...] = ()

    @property
    def id(self) -> int:
        """The run's number."""
        return self.record.id

    @property
    def label(self) -> str | None:
        """The run's label, if it has one."""
        return self.record.label

    @property
    def status(self) -> str:
        """How it stands: proposed, running, completed, failed or abandoned."""
        return self.record.status.value

    @property
    def conditions(self) -> Mapping[str, Value]:
        """Settings and room: as really run where that is known, as proposed otherwise."""
        return self.record.conditions

    @property
    def results(self) -> Mapping[str, tuple[float, ...]]:
        """What was measured, by outcome: current values, replicates in order."""
        return self.record.replicates()

    def __repr__(self) -> str:
        return f"<run {self.record.name} of '{self.campaign.name}', {self.status}>"

    def _repr_html_(self) -> str:
        return self.html()

    def html(self, *warnings: str) -> str:
        """Return title, conditions, results beside what was expected, and remarks."""
        record = self.record
        remarks = [f"failed: {record.failure}"] if record.failure else []
        remarks += [record.note] if record.note else []
        remarks += [f"proposed: {record.proposal.reason}"] if record.proposal else []
        if record.micrographs:
            remarks.append(f"micrographs: {', '.join(p.original_name for p in record.micrographs)}")
        return section_html(
            f"Run {record.name} of {self.campaign.name}: {self.status}",
            rows_html(["condition", "proposed", "as run"], self._condition_rows()),
            rows_html(["outcome", "expected", "measured"], self._outcome_rows()),
            remarks=(*warnings, *remarks),
        )

    def _condition_rows(self) -> list[list[str]]:
        proposed, actual = self.record.proposed, self.record.actual
        return [
            [
                self.campaign.heading(p.name),
                as_set(proposed.get(p.name)),
                as_set(actual.get(p.name)),
            ]
            for p in self.campaign.parameters
            if p.name in self.conditions
        ]

    def _outcome_rows(self) -> list[list[str]]:
        # The newest word counts: a setting changed after the batch is asked about anew.
        expected = {p.outcome: interval_text(p) for p in self.predictions}
        results = self.results
        return [
            [
                self.campaign.heading(name),
                expected.get(name, "–"),
                ", ".join(map(rounded, results.get(name, ()))) or "–",
            ]
            for name in self.campaign.outcomes
            if name in expected or name in results
        ]


@dataclass(frozen=True)
class LoggedRun(Recorded):
    """What was recorded of a run just now, and in ``run`` how it stands."""

    run: LabRun | None = None

    def __repr__(self) -> str:
        return f"<logged: {self.run!r}>"

    def _repr_html_(self) -> str:
        return "" if self.run is None else self.run.html(*self.warnings)


def read_run(workspace: Workspace, experiment: str) -> LabRun:
    """Return a run by its id or label.

    Raises:
        NotFoundError, UsageError: there is none, or the word could mean two.
    """
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        run = find_experiment(tx, record, experiment)
        return LabRun(campaign, run, tuple(tx.batches.predictions_of(run.id)))


def with_run(workspace: Workspace, recorded: Recorded) -> LoggedRun:
    """Return what was recorded with the run as it stands now."""
    values = {field.name: getattr(recorded, field.name) for field in fields(recorded)}
    return LoggedRun(**values, run=read_run(workspace, f"{ID}{recorded.experiment.id}"))
