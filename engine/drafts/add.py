"""A further campaign in a database that is there: from a template, or drafted from a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from db.records import CampaignRecord
from db.transaction import Transaction
from engine.campaign import Campaign
from engine.drafts.columns import TableColumn, columns_of
from engine.drafts.create import NO_WISHES, PLAIN, TableOptions, campaign_name, read_for_draft
from engine.drafts.draft import Draft, draft_campaign
from engine.drafts.wishes import Wishes
from engine.errors import ConfigError, UsageError, field
from engine.experiments.importers.importing import ImportReport, fill_campaign, forecast_of
from engine.experiments.importers.raw import RawTable
from engine.experiments.importers.runs import ImportedTable
from engine.experiments.importers.table import read_runs
from engine.workspace import Workspace
from engine.workspace.campaign_text import read_text, section_of
from engine.workspace.init import template_text
from engine.workspace.revisions import create
from engine.workspace.settings import parse_campaign


@dataclass(frozen=True)
class TableDraft:
    """A draft, with the columns that it was made of, and what the import would do."""

    columns: tuple[TableColumn, ...]
    draft: Draft
    campaign: Campaign
    imported: ImportReport


@dataclass(frozen=True)
class Added:
    """A campaign that was made from a table, and what was recorded in it."""

    drafted: TableDraft
    record: CampaignRecord


def add_from_template(
    workspace: Workspace, template: str, name: str, *, note: str | None = None
) -> CampaignRecord:
    """Record a further campaign as a template has it; the command line stays in its own.

    Raises:
        UsageError: no such template, or a name that a campaign cannot have.
        StateError: there is a campaign of that name.
    """
    if not name.strip():
        raise UsageError("expected a name, got none", field="name")
    text = section_of(template_text(template, name.strip())) or ""
    return create(workspace, read_text(text, field("template")), note=note, is_active=False)


def draft_table(
    workspace: Workspace,
    table: Path,
    wishes: Wishes = NO_WISHES,
    *,
    options: TableOptions = PLAIN,
) -> TableDraft:
    """Draft a campaign from a table and tell what its import would record; write nothing.

    Raises:
        UsageError: a wish that names no column, or that no campaign can have.
        NotFoundError, DataError: the table cannot be read, or holds no settings or results.
        ImportRefusedError: rows of it cannot be taken.
    """
    raw = read_for_draft(table, options)
    return _drafted(workspace, table, raw, wishes, options)[0]


def add_from_table(
    workspace: Workspace,
    table: Path,
    wishes: Wishes = NO_WISHES,
    *,
    options: TableOptions = PLAIN,
) -> Added:
    """Record a campaign drafted from a table, and the table's runs in it, in one transaction.

    The command line stays in its own campaign.

    Raises:
        StateError: there is a campaign of that name.
        UsageError, NotFoundError, DataError, ImportRefusedError: as of :func:`draft_table`.
    """
    raw = read_for_draft(table, options)
    drafted, runs = _drafted(workspace, table, raw, wishes, options)
    reports: list[ImportReport] = []

    def fill(tx: Transaction, record: CampaignRecord) -> None:
        reports[:] = [fill_campaign(tx, record, drafted.campaign, runs)]

    note = f"from {table.name}"
    record = create(workspace, drafted.campaign, note=note, is_active=False, fill=fill)
    return Added(replace(drafted, imported=reports[0]), record)


def _drafted(
    workspace: Workspace, table: Path, raw: RawTable, wishes: Wishes, options: TableOptions
) -> tuple[TableDraft, ImportedTable]:
    draft = draft_campaign(raw, wishes, name=wishes.name or campaign_name(table))
    try:
        campaign = parse_campaign(draft.definition, "the table's campaign")
    except ConfigError as error:
        raise UsageError(str(error.args[0])) from error
    runs = read_runs(
        table,
        campaign,
        max_rows=workspace.settings.imports.max_rows,
        sheet=options.sheet,
        encoding=options.encoding,
        hidden=options.hidden,
    )
    report = forecast_of(runs, campaign)
    return TableDraft(tuple(columns_of(raw)), draft, campaign, report), runs
