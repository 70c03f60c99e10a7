"""What the shell offers behind Tab: runs, batches, models, curves, micrographs, names of all sorts.

Read from the database of the folder that one is in; where none can be read, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from db.records import CampaignRecord
    from db.transaction import Transaction
    from engine.campaign import Campaign

# As many as a shell shows without asking.
_MOST_RUNS = 50


def complete_strategy(incomplete: str) -> list[str]:
    """Return the strategies that begin so."""
    from typing import get_args

    from engine.workspace.plugins import STRATEGY_PLUGINS, usable_names
    from engine.workspace.settings import Strategy

    return _beginning((*get_args(Strategy), *usable_names(STRATEGY_PLUGINS)), incomplete)


def complete_lab(incomplete: str) -> list[str]:
    """Return the labs that begin so."""
    from engine.workspace.plugins import LAB_PLUGINS, usable_names

    return _beginning((*LAB_PLUGINS.reserved, *usable_names(LAB_PLUGINS)), incomplete)


def complete_template(incomplete: str) -> list[str]:
    """Return the templates that begin so."""
    from engine.workspace.init import TEMPLATES

    return _beginning(TEMPLATES, incomplete)


def complete_campaign(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the campaigns of the database that begin so."""
    names = _recorded(ctx, lambda tx, record, campaign: [c.name for c in tx.campaigns.all()])
    return _beginning(names, incomplete)


def complete_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the newest runs' numbers, and their labels, that begin so."""

    def names(tx: Transaction, record: CampaignRecord, campaign: Campaign) -> list[str]:
        runs = tx.experiments.find(record.id, newest=_MOST_RUNS)
        return [*(str(run.id) for run in runs), *(run.label for run in runs if run.label)]

    return _beginning(_recorded(ctx, names), incomplete)


def complete_parameter(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the parameters that begin so, each with the ``=`` that follows."""
    names = _recorded(ctx, lambda tx, record, campaign: [p.name for p in campaign.parameters])
    return _beginning([f"{name}=" for name in names], incomplete)


def complete_entry(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return runs for the first word of ``engine log``, outcomes for those that follow."""
    names = _recorded(ctx, lambda tx, record, campaign: list(campaign.outcomes))
    outcomes = _beginning([f"{name}=" for name in names], incomplete)
    return outcomes if ctx.params.get("arguments") else [*complete_run(ctx, incomplete), *outcomes]


def complete_room(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return what the room gives that begins so, each with the ``=`` that follows."""
    names = _recorded(ctx, lambda tx, record, campaign: [p.name for p in campaign.ambient])
    return _beginning([f"{name}=" for name in names], incomplete)


def complete_batch(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the newest batches' numbers that begin so."""

    def numbers(tx: Transaction, record: CampaignRecord, campaign: Campaign) -> list[str]:
        return [str(batch.id) for batch in tx.batches.newest(record.id, _MOST_RUNS)]

    return _beginning(_recorded(ctx, numbers), incomplete)


def complete_model(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the versions' numbers that begin so, newest first."""

    def numbers(tx: Transaction, record: CampaignRecord, campaign: Campaign) -> list[str]:
        return [str(version.id) for version in reversed(tx.models.all_of(record.id))]

    return _beginning(_recorded(ctx, numbers), incomplete)


def complete_kind(incomplete: str) -> list[str]:
    """Return the kinds of model that begin so."""
    from db.records import ModelKind

    return _beginning(ModelKind, incomplete)


def complete_curve(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the newest curves' numbers that begin so."""

    def numbers(tx: Transaction, record: CampaignRecord, campaign: Campaign) -> list[str]:
        ids = sorted((curve.id for curve in tx.curves.find(record.id)), reverse=True)
        return [str(id_) for id_ in ids[:_MOST_RUNS]]

    return _beginning(_recorded(ctx, numbers), incomplete)


def complete_micrograph(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the numbers of the newest runs' micrographs that begin so."""

    def numbers(tx: Transaction, record: CampaignRecord, campaign: Campaign) -> list[str]:
        runs = tx.experiments.pictured(record.id, newest=_MOST_RUNS)
        return [str(picture.id) for run in runs for picture in tx.micrographs.all_of(run)]

    return _beginning(_recorded(ctx, numbers), incomplete)


def complete_source(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the sources that begin so."""
    names = _recorded(
        ctx, lambda tx, record, campaign: [s.name for s in tx.sources.find(record.id)]
    )
    return _beginning(names, incomplete)


def complete_job(incomplete: str) -> list[str]:
    """Return the jobs of the schedule that begin so."""
    return _beginning(("watch", "refresh", "report", "backup", "prune"), incomplete)


def complete_failure(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the kinds of failure that begin so."""
    from engine.campaign.failures import names_offered

    names = _recorded(ctx, lambda tx, record, campaign: names_offered(campaign.failures))
    return _beginning(names, incomplete)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _recorded(
    ctx: typer.Context, names: Callable[[Transaction, CampaignRecord, Campaign], list[str]]
) -> list[str]:
    """Return names from the database; none where it cannot be read."""
    from db.errors import DatabaseError
    from engine.errors import SpinneretError
    from engine.workspace import Workspace

    try:
        with Workspace.open(ctx.params.get("config")) as workspace, workspace.database.read() as tx:
            return names(tx, *workspace.active_campaign(tx))
    # No message: it would land in the midst of the line that is being typed.
    except (SpinneretError, DatabaseError):
        return []
