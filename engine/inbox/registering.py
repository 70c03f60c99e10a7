"""One whole file into the campaign: a micrograph or a curve to its run, a worksheet to its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from db.records import CampaignRecord, ExperimentRecord
from db.transaction import Transaction
from engine.errors import NotFoundError, UsageError, marked
from engine.experiments.entries import Entry
from engine.experiments.record import record, record_all
from engine.experiments.results_file import read_entries
from engine.inbox.files import digest_of
from engine.inbox.names import Kind, is_called, runs_named
from engine.micrographs.add import prepare, register
from engine.micrographs.layout import SUFFIXES
from engine.workspace import Workspace
from engine.workspace.lookup import find_experiment
from engine.workspace.settings import WatchSettings

TABLES = (".csv", ".tsv", ".txt", ".xlsx")
TESTER_FILES = (*TABLES, ".tra", ".dat", ".raw", ".asc", ".xls")


class UnmatchedError(UsageError):
    """A file of which nothing says which run it belongs to, or whose name could mean two."""


@dataclass(frozen=True)
class Registered:
    """What became of a file. ``is_new``: it was not recorded before; ``runs``: ids."""

    kind: Kind
    runs: tuple[int, ...]
    is_new: bool
    warnings: tuple[str, ...] = ()


def kind_of(path: Path, settings: WatchSettings) -> Kind:
    """Return what a file is, by its name.

    Raises:
        UnmatchedError: it is nothing that is taken.
    """
    suffix = path.suffix.casefold()
    if suffix in SUFFIXES:
        return "micrograph"
    if suffix in TABLES and is_called(path, settings.worksheets):
        return "worksheet"
    if suffix in TESTER_FILES and runs_named(path, settings.curves):
        return "curve"
    raise UnmatchedError(
        f"expected a picture ({', '.join(SUFFIXES)}), a worksheet called "
        f"{' or '.join(settings.worksheets)} ({', '.join(TABLES)}), or a tester's file called "
        f"{' or '.join(settings.curves)}"
    )


def register_file(workspace: Workspace, path: Path, settings: WatchSettings) -> Registered:
    """Register a file, in one transaction; one that is recorded already stays as it is.

    Raises:
        UnmatchedError: nothing says whose it is.
        SpinneretError: it cannot be read, or contradicts what is recorded.
        OSError: it cannot be opened.
    """
    kind = kind_of(path, settings)
    if kind == "micrograph":
        return _register_micrograph(workspace, path, settings)
    # Recorded with the change itself: a file is taken once, whatever is corrected later.
    digest = digest_of(path)
    with workspace.database.read() as tx:
        campaign = workspace.active_campaign(tx)[0]
        mark = f"{kind} {path.name} for {campaign.name}, SHA-256 {digest}"
        if tx.has_change("log", mark):
            return Registered(kind, (), is_new=False)
        run = run_of(tx, campaign, path, settings.curves) if kind == "curve" else None
    if run is not None:
        item = record(workspace, Entry(f"id:{run.id}", curves=(path,)), detail=mark)
        return Registered(kind, (run.id,), is_new=True, warnings=item.warnings)
    return _register_worksheet(workspace, path, mark)


def _register_micrograph(workspace: Workspace, path: Path, settings: WatchSettings) -> Registered:
    sha256 = digest_of(path)
    with workspace.database.read() as tx:
        campaign = workspace.active_campaign(tx)[0]
        # One that somebody took off its run does not come back by itself.
        recorded = tx.micrographs.find(campaign.id, sha256, with_removed=True)
        if recorded is not None:
            return Registered("micrograph", (recorded.experiment_id,), is_new=False)
        run = run_of(tx, campaign, path, settings.patterns)
    # Before the transaction: a picture takes a second to measure.
    picture = prepare(workspace, path)
    with workspace.database.write("watch", detail=f"micrograph {path.name}") as tx:
        recorded = tx.micrographs.find(campaign.id, picture.stored.sha256, with_removed=True)
        if recorded is not None:
            return Registered("micrograph", (recorded.experiment_id,), is_new=False)
        run = run_of(tx, campaign, path, settings.patterns)
        register(tx, campaign.id, run, picture)
    return Registered("micrograph", (run.id,), is_new=True)


def run_of(
    tx: Transaction, campaign: CampaignRecord, path: Path, patterns: Sequence[str]
) -> ExperimentRecord:
    """Return the run that a file's name means.

    Raises:
        UnmatchedError: no run, or two of them.
    """
    names = runs_named(path, patterns)
    if not names:
        raise UnmatchedError(f"expected a name such as {' or '.join(patterns)}")
    runs: dict[int, ExperimentRecord] = {}
    for word in names:
        try:
            run = find_experiment(tx, campaign, word)
        except NotFoundError:
            continue
        except UsageError as error:
            raise UnmatchedError(marked(error)) from error
        runs[run.id] = run
    if not runs:
        raise UnmatchedError(f"no run is labelled or numbered {' or '.join(names)}")
    if len(runs) > 1:
        listed = " and ".join(run.name for run in runs.values())
        raise UnmatchedError(f"the name could mean the runs {listed}; rename the file")
    return next(iter(runs.values()))


def _register_worksheet(workspace: Workspace, path: Path, mark: str) -> Registered:
    with workspace.database.read() as tx:
        campaign = workspace.active_campaign(tx)[1]
    limit = workspace.settings.imports.max_rows
    entries, warnings = read_entries(path, campaign, max_rows=limit)
    recorded = record_all(workspace, entries, source=mark)
    if not recorded:  # all of it was there, so that no row names the file
        with workspace.database.write("log", detail=mark) as tx:
            tx.note()
    return Registered(
        "worksheet",
        tuple(item.experiment.id for item in recorded),
        is_new=True,
        warnings=(*warnings, *(text for item in recorded for text in item.warnings)),
    )
