"""A file into the database: all of it in one transaction, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from db.records import CampaignRecord, ExperimentRecord, NewExperiment, Origin, Status
from db.transaction import Transaction
from db.words import nfc, run_name
from engine.campaign import Campaign
from engine.campaign.html import section_html
from engine.errors import (
    DataError,
    ImportRefusedError,
    NotFoundError,
    RowProblem,
    StateError,
    UsageError,
    field,
    marked,
)
from engine.experiments.importers.formats import FORMATS, read_file
from engine.experiments.importers.planning import Extension, ImportPlan, plan_import
from engine.experiments.importers.runs import ImportedRun, ImportedTable
from engine.micrographs.add import PreparedMicrograph, fields_of
from engine.micrographs.store import StoredMicrograph, inspect_picture, store_micrograph
from engine.workspace import Workspace
from surrogate.progress import Progress, silent


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or with ``is_dry_run`` would do.

    ``problems`` is empty unless a dry run found that the file would be refused.
    """

    source: str
    campaign: str
    is_dry_run: bool
    n_added: int = 0
    n_extended: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_measurements: int = 0
    n_corrections: int = 0
    n_micrographs: int = 0
    experiment_ids: tuple[int, ...] = ()
    differences: tuple[str, ...] = ()
    problems: tuple[RowProblem, ...] = ()
    warnings: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        numbers = {
            "added": self.n_added,
            "completed with more": self.n_extended,
            "different": self.n_changed,
            "unchanged": self.n_unchanged,
            "refused": len(self.problems),
        }
        listed = ", ".join(f"{n} {word}" for word, n in numbers.items() if n) or "no runs"
        title = f"Dry run: {listed}" if self.is_dry_run else f"Runs: {listed}"
        return section_html(title, remarks=map(str, (*self.problems, *self.warnings)))


def import_file(
    workspace: Workspace,
    path: Path,
    *,
    file_format: str = "table",
    sheet: str | None = None,
    encoding: str | None = None,
    hidden: bool = False,
    title_rows: int | None = None,
    columns_named: Mapping[str, str] | None = None,
    replicates: bool = False,
    update: bool = False,
    dry_run: bool = False,
    detail: str | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Bring a file's runs into the active campaign.

    Runs recorded already are recognised (by label, else by equal values), so that a second import
    adds nothing; what a recorded run lacks is added to it. Where the file contradicts what is
    recorded it is refused, or with ``update`` recorded as corrections. ``detail``: what the trail
    calls the file; its path if left out.

    Raises:
        NotFoundError, DataError: the file (or a micrograph of it) cannot be read.
        ImportRefusedError: anything in it is wrong, or contradicts what is recorded; nothing was
            written. A dry run returns these problems instead.
        StateError: the campaign was revised while the file was read.
        UsageError: no such format.
    """
    if file_format not in FORMATS:
        raise UsageError(f"expected {' or '.join(FORMATS)}, got '{file_format}'", field="format")
    workspace = workspace.settled()
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
    try:
        table = read_file(
            path,
            campaign,
            file_format=file_format,
            sheet=sheet,
            encoding=encoding,
            hidden=hidden,
            title_rows=title_rows,
            columns_named=columns_named,
            replicates=replicates,
            max_rows=workspace.settings.imports.max_rows,
        )
    except ImportRefusedError as error:
        if not dry_run:
            raise
        return ImportReport(error.source, record.name, True, problems=error.problems)
    drift = workspace.drift(record)
    if drift is not None:
        table = replace(table, warnings=(*table.warnings, drift))
    if dry_run:
        with workspace.database.read() as tx:
            recorded = tx.experiments.find(record.id)
        forecast = _forecast(
            table, record.name, plan_import(table.runs, recorded, campaign), update
        )
        n_new, problems = _look_at_pictures(workspace, table, recorded)
        return replace(forecast, n_micrographs=n_new, problems=(*forecast.problems, *problems))
    # Before the transaction: files are in their place before a row names them.
    pictures = _store(workspace, table, progress)

    def work(tx: Transaction) -> ImportReport:
        # Headings and units were read by that revision.
        if workspace.active_campaign(tx)[0].revision_id != record.revision_id:
            raise StateError("the campaign was revised while the file was read; import it again")
        # Planned inside the transaction, and again at each try: somebody may have logged meanwhile.
        plan = plan_import(table.runs, tx.experiments.find(record.id), campaign)
        problems = _problems(plan, update)
        if problems:
            raise ImportRefusedError(table.source, problems)
        return _Writer(tx, record, pictures).write(table, plan)

    return workspace.database.transact("import", work, detail=detail or str(path))


def _problems(plan: ImportPlan, update: bool) -> list[RowProblem]:
    """Return why the plan must not be carried out."""
    problems = list(plan.problems)
    if not update:
        problems += [
            RowProblem(
                difference.row,
                difference.subject,
                f"{difference.stated}",
                f"experiment {run_name(difference.experiment_id, difference.label)} has "
                f"{difference.recorded}; expected the same, or {field('update')} to record a "
                "correction",
            )
            for difference in plan.differences
        ]
    return sorted(problems, key=lambda problem: problem.row or 0)


def forecast_of(table: ImportedTable, campaign: Campaign) -> ImportReport:
    """Tell what a table would record in a campaign that has no run yet."""
    return _forecast(table, campaign.name, plan_import(table.runs, [], campaign), update=False)


def fill_campaign(
    tx: Transaction, record: CampaignRecord, campaign: Campaign, table: ImportedTable
) -> ImportReport:
    """Record a table's runs in a campaign that has none, within a transaction; no pictures.

    Raises:
        ImportRefusedError: rows of it contradict one another.
    """
    plan = plan_import(table.runs, tx.experiments.find(record.id), campaign)
    problems = _problems(plan, update=False)
    if problems:
        raise ImportRefusedError(table.source, problems)
    return _Writer(tx, record, {}).write(table, plan)


def _forecast(table: ImportedTable, campaign: str, plan: ImportPlan, update: bool) -> ImportReport:
    touched = [*plan.extended, *(plan.changed if update else ())]
    n_new = sum(run.n_values for run in plan.added)
    return ImportReport(
        source=table.source,
        campaign=campaign,
        is_dry_run=True,
        n_added=len(plan.added),
        n_extended=len(plan.extended),
        n_changed=len(plan.changed),
        n_unchanged=len(plan.unchanged),
        n_measurements=n_new + sum(_count(extension.results) for extension in touched),
        n_corrections=sum(_count(e.corrections) for e in plan.changed) if update else 0,
        differences=tuple(map(str, plan.differences)),
        problems=tuple(_problems(plan, update)),
        warnings=(*table.warnings, *plan.notes),
    )


def _count(results: Mapping[str, Mapping[int, float]]) -> int:
    return sum(map(len, results.values()))


def _look_at_pictures(
    workspace: Workspace, table: ImportedTable, recorded: Sequence[ExperimentRecord]
) -> tuple[int, list[RowProblem]]:
    """Return how many micrographs are new to their run, and why any cannot be kept."""
    digests_of = {
        nfc(e.label): {picture.sha256 for picture in e.micrographs} for e in recorded if e.label
    }
    limit = workspace.settings.storage.max_image_megapixels
    n_new, problems = 0, []
    for run in table.runs:
        digests = set(digests_of.get(nfc(run.label or ""), ()))
        for path in run.micrographs:
            try:
                inspect_picture(path, limit)
                with path.open("rb") as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            except (DataError, OSError) as error:
                problems.append(RowProblem(run.row, "micrograph", None, marked(error)))
                continue
            n_new += sha256 not in digests
            digests.add(sha256)
    return n_new, problems


def _store(
    workspace: Workspace, table: ImportedTable, progress: Progress
) -> dict[Path, StoredMicrograph]:
    """Keep every micrograph of the table before a row names it."""
    files = [(run.row, path) for run in table.runs for path in run.micrographs]
    stored: dict[Path, StoredMicrograph] = {}
    problems = []
    limit = workspace.settings.storage.max_image_megapixels
    for n, (row, path) in enumerate(files, 1):
        try:
            stored[path] = store_micrograph(path, workspace.data_dir, max_megapixels=limit)
        except (DataError, NotFoundError) as error:
            problems.append(RowProblem(row, "micrograph", None, marked(error)))
        progress("keeping micrographs", n, len(files))
    if problems:
        raise ImportRefusedError(table.source, problems)
    return stored


class _Writer:
    """Carries a plan out, inside one transaction."""

    def __init__(
        self, tx: Transaction, record: CampaignRecord, pictures: Mapping[Path, StoredMicrograph]
    ) -> None:
        self._tx = tx
        self._record = record
        self._pictures = pictures

    def write(self, table: ImportedTable, plan: ImportPlan) -> ImportReport:
        """Write everything the plan says; return what was done."""
        ids = self._add(plan.added)
        for extension in (*plan.extended, *plan.changed):
            self._extend(extension)
        for extension in plan.changed:
            self._correct(extension)
        touched = [*plan.extended, *plan.changed]
        n_new = sum(run.n_values for run in plan.added)
        runs = [
            *zip(ids, plan.added, strict=True),
            *((extension.experiment.id, extension.run) for extension in touched),
            *plan.unchanged,
        ]
        return ImportReport(
            source=table.source,
            campaign=self._record.name,
            is_dry_run=False,
            n_added=len(plan.added),
            n_extended=len(plan.extended),
            n_changed=len(plan.changed),
            n_unchanged=len(plan.unchanged),
            n_measurements=n_new + sum(_count(extension.results) for extension in touched),
            n_corrections=sum(_count(extension.corrections) for extension in plan.changed),
            n_micrographs=sum(self._register(id_, run.micrographs) for id_, run in runs),
            experiment_ids=tuple(ids),
            differences=tuple(map(str, plan.differences)),
            warnings=(*table.warnings, *plan.notes),
        )

    def _add(self, runs: Sequence[ImportedRun]) -> list[int]:
        ids = self._tx.experiments.add(self._record, [_new_experiment(run) for run in runs])
        for id_, run in zip(ids, runs, strict=True):
            for outcome, replicates in run.outcomes.items():
                # The bulk numbers replicates from 1 on; those with gaps go one by one.
                if not _is_gapless(replicates):
                    self._measure(id_, outcome, replicates)
        return ids

    def _extend(self, extension: Extension) -> None:
        id_ = extension.experiment.id
        if extension.conditions:
            self._tx.experiments.set_actual(id_, extension.conditions)
        for outcome, replicates in extension.results.items():
            self._measure(id_, outcome, replicates)
        if extension.status is not None:
            self._tx.experiments.set_status(id_, extension.status, failure=extension.run.failure)
        if extension.note is not None:
            self._tx.experiments.set_note(id_, extension.note)
        if extension.facts:
            self._tx.experiments.set_facts(id_, extension.facts)

    def _correct(self, extension: Extension) -> None:
        id_ = extension.experiment.id
        if extension.other_conditions:
            self._tx.experiments.set_actual(id_, extension.other_conditions)
        for outcome, replicates in extension.corrections.items():
            for replicate, value in replicates.items():
                self._tx.measurements.correct(id_, outcome, replicate, value)
        if extension.other_note is not None:
            self._tx.experiments.set_note(id_, extension.other_note)
        if extension.other_facts:
            self._tx.experiments.set_facts(id_, extension.other_facts)

    def _measure(self, id_: int, outcome: str, replicates: Mapping[int, float]) -> None:
        for replicate, value in sorted(replicates.items()):
            self._tx.measurements.add(id_, outcome, [value], first_replicate=replicate)

    def _register(self, id_: int, files: Sequence[Path]) -> int:
        """Register the pictures that the experiment does not have yet; return how many."""
        if not files:
            return 0
        digests = {picture.sha256 for picture in self._tx.micrographs.all_of(id_)}
        n_new = 0
        for file in files:
            picture = self._pictures[file]
            if picture.sha256 not in digests:
                digests.add(picture.sha256)
                register_micrograph(self._tx, id_, picture)
                n_new += 1
        return n_new


def register_micrograph(tx: Transaction, experiment_id: int, picture: StoredMicrograph) -> None:
    """Write the row of a picture that lies in the data folder; `micrograph measure` measures it."""
    tx.micrographs.add(experiment_id, **fields_of(PreparedMicrograph(picture)))


def _new_experiment(run: ImportedRun) -> NewExperiment:
    if run.status is Status.PROPOSED and not run.planned:
        run = replace(run, planned=run.conditions, conditions={})
    return NewExperiment(
        origin=Origin.IMPORT,
        status=run.status,
        label=run.label,
        failure=run.failure,
        note=run.note,
        facts=run.facts,
        proposed=run.planned,
        actual=run.conditions,
        outcomes={
            outcome: tuple(replicates[key] for key in sorted(replicates))
            for outcome, replicates in run.outcomes.items()
            if _is_gapless(replicates)
        },
    )


def _is_gapless(replicates: Mapping[int, float]) -> bool:
    return sorted(replicates) == list(range(1, len(replicates) + 1))


__all__ = [
    "ImportReport",
    "import_file",
    "register_micrograph",
]
