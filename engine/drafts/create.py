"""``engine init --from``: a campaign drafted from a table, made and filled with it, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from engine.campaign import Campaign
from engine.drafts.config_text import config_text
from engine.drafts.draft import Draft, draft_campaign
from engine.drafts.wishes import Wishes
from engine.errors import StateError, field, place
from engine.experiments.importers.importing import ImportReport, import_file
from engine.experiments.importers.raw import RawTable
from engine.experiments.importers.reading import read_table
from engine.experiments.importers.table import read_runs
from engine.workspace import Workspace
from engine.workspace.init import Initialised, initialise
from engine.workspace.settings import ImportSettings, parse_campaign
from surrogate.progress import Progress, silent


@dataclass(frozen=True)
class TableOptions:
    """How a table is read: sheet, encoding, and whether hidden rows are taken."""

    sheet: str | None = None
    encoding: str | None = None
    hidden: bool = False


PLAIN = TableOptions()
NO_WISHES = Wishes()


@dataclass(frozen=True)
class Created:
    """What was drafted, and (unless it was a dry run) made: the workspace, the import."""

    draft: Draft
    campaign: Campaign
    config: str
    imported: ImportReport
    initialised: Initialised | None = None


def read_for_draft(table: Path, options: TableOptions = PLAIN) -> RawTable:
    """Read the table that a campaign is to be drafted from.

    Raises:
        NotFoundError, DataError, ImportRefusedError: it cannot be read as a table.
    """
    return read_table(
        table,
        max_rows=_most_rows(),
        sheet=options.sheet,
        encoding=options.encoding,
        hidden=options.hidden,
    )


def create_from_table(
    config_path: Path,
    table: Path,
    wishes: Wishes = NO_WISHES,
    *,
    options: TableOptions = PLAIN,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> Created:
    """Draft a campaign from a table, make its workspace beside ``config_path``, import the table.

    Whole or not at all: where the table cannot be imported, nothing is made.

    Raises:
        UsageError: a wish that names no column, or that no campaign can have.
        NotFoundError, DataError: the table cannot be read, or holds no settings or results.
        ImportRefusedError: rows of it cannot be taken.
        StateError: there is a configuration or database already (``force``: as of ``initialise``).
    """
    raw = read_for_draft(table, options)
    name = wishes.name or campaign_name(table)
    draft = draft_campaign(raw, wishes, name=name)
    campaign = parse_campaign(draft.definition, field("from"))
    text = config_text(draft, table.name)
    # Read with the drafted campaign first: a refusal comes before anything is made.
    runs = read_runs(
        table,
        campaign,
        max_rows=_most_rows(),
        sheet=options.sheet,
        encoding=options.encoding,
        hidden=options.hidden,
    )
    if dry_run:
        n_values = sum(run.n_values for run in runs.runs)
        report = ImportReport(
            runs.source,
            name,
            is_dry_run=True,
            n_added=len(runs.runs),
            n_measurements=n_values,
            warnings=runs.warnings,
        )
        return Created(draft, campaign, text, report)
    config_path = config_path.absolute()
    if config_path.exists() and not force:
        raise StateError(
            f"{place(config_path)} exists: {field('from')} writes a new one; {field('force')} puts "
            "it in its place (the old one is kept)"
        )
    initialised = initialise(config_path, text=text, force=force)
    with Workspace.open(config_path) as workspace:
        imported = import_file(
            workspace,
            table.absolute(),
            sheet=options.sheet,
            encoding=options.encoding,
            hidden=options.hidden,
            progress=progress,
        )
    return Created(draft, campaign, text, imported, initialised)


def _most_rows() -> int:
    # There is no configuration yet that could say otherwise.
    return ImportSettings().max_rows


def campaign_name(table: Path) -> str:
    """Return what a campaign of a table is called unless somebody says otherwise."""
    name = re.sub(r"[^\w .-]+", "_", table.stem).strip(" ._-")[:80]
    return name if re.match(r"\w", name) else "campaign"
