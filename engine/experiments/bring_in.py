"""A file that somebody brings: a filled-in worksheet, or runs; what it would do is told first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from db.records import ExperimentRecord, Value
from engine.campaign import Campaign
from engine.campaign.vocabulary import Vocabulary, loosely
from engine.errors import ImportRefusedError, RowProblem, UsageError
from engine.experiments.export import render_table
from engine.experiments.importers.importing import ImportReport, import_file
from engine.experiments.importers.reading import read_table
from engine.experiments.receipt import receipt
from engine.experiments.record import record_all
from engine.experiments.results_file import read_entries
from engine.workspace import Workspace

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".json")


@dataclass(frozen=True)
class FileReport:
    """What a file did, or would do: a line for each thing; with ``problems`` it is refused."""

    is_dry_run: bool
    is_worksheet: bool
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[RowProblem, ...] = ()

    @property
    def does_something(self) -> bool:
        """Whether there is anything to record."""
        return bool(self.lines) and not self.problems


def bring_in(
    workspace: Workspace, path: Path, *, dry_run: bool, update: bool = False
) -> FileReport:
    """Record a file's content, all of it or nothing; ``dry_run``: only tell what would be.

    A table whose rows name recorded runs by a column ``experiment`` (a worksheet) holds what became
    of them, as for ``engine log --file``; any other holds runs, as for ``engine import``.

    Raises:
        UsageError: a file of another kind.
        DataError: it cannot be read.
        ImportRefusedError: something in it is wrong; a dry run returns the problems instead.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"expected a file ending in {', '.join(SUFFIXES)}, got '{path.name}'")
    try:
        if path.suffix.lower() != ".json" and _is_worksheet(workspace, path):
            return _results(workspace, path, dry_run=dry_run)
        report = import_file(workspace, path, update=update, dry_run=dry_run, detail=path.name)
    except ImportRefusedError as error:
        if not dry_run:
            raise
        return FileReport(True, False, problems=error.problems)
    return FileReport(
        dry_run, False, tuple(_report_lines(report)), report.warnings, report.problems
    )


def worksheet(file_format: str, campaign: Campaign, runs: Sequence[ExperimentRecord]) -> bytes:
    """Return runs as a table to fill in, CSV or XLSX: settings, and a cell for each result."""
    unclaimed = Vocabulary(campaign).unclaimed
    parameters = [*campaign.controlled, *campaign.ambient]
    facts = [fact.name for fact in campaign.facts]
    to_fill = [
        *map(campaign.heading, [*campaign.outcomes, *facts]),
        *map(unclaimed, ("failed", "note")),
    ]
    headings = [
        unclaimed("experiment"),
        *(campaign.heading(parameter.name) for parameter in parameters),
        *to_fill,
    ]
    rows: list[list[Value | None]] = [
        [
            float(run.id),
            *(run.conditions.get(parameter.name) for parameter in parameters),
            *(None for _ in to_fill),
        ]
        for run in runs
    ]
    return render_table(file_format, headings, rows)


def _is_worksheet(workspace: Workspace, path: Path) -> bool:
    raw = read_table(path, max_rows=workspace.settings.imports.max_rows)
    headings = {loosely(heading).removeprefix("run ") for heading in raw.headings}
    # An export names runs, too, and tells how each stands.
    return "experiment" in headings and "status" not in headings


def _results(workspace: Workspace, path: Path, *, dry_run: bool) -> FileReport:
    with workspace.database.read() as tx:
        _, campaign = workspace.active_campaign(tx)
    entries, warnings = read_entries(path, campaign, max_rows=workspace.settings.imports.max_rows)
    try:
        recorded = record_all(workspace, entries, source=path.name, dry_run=dry_run)
    except ImportRefusedError as error:
        if not dry_run:
            raise
        return FileReport(True, True, warnings=tuple(warnings), problems=error.problems)
    lines = [
        f"run {run.experiment.name}: {'; '.join(receipt([run], campaign)) or run.experiment.status}"
        for run in recorded
    ]
    doubts = [warning for item in recorded for warning in item.warnings]
    return FileReport(dry_run, True, tuple(lines), (*warnings, *doubts))


def _report_lines(report: ImportReport) -> list[str]:
    counts = (
        (report.n_added, "run", "added"),
        (report.n_extended, "recorded run", "completed with more"),
        (report.n_measurements, "result", "recorded"),
        (report.n_corrections, "result", "corrected"),
        (report.n_micrographs, "picture", "kept"),
    )
    lines = [f"{n} {noun}{'s' if n != 1 else ''} {verb}" for n, noun, verb in counts if n]
    return lines + [f"differs: {text}" for text in report.differences]
