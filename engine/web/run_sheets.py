"""Runs laid side by side, ranked, and as files: the same for pages and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.records import ExperimentRecord, PredictionRecord
from engine.campaign import Campaign
from engine.errors import NotFoundError
from engine.experiments.bring_in import worksheet
from engine.experiments.export import render
from engine.web.run_queries import ListAddress, compared, differing, run_table, runs_of
from engine.web.site import Site

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True)
class Comparison:
    """Two to four runs side by side.

    Attributes:
        campaign: whose runs they are.
        runs: in the order that was asked for.
        predictions: of each run, the last one of each outcome.
        outcomes: those that are wanted, and those that a run has.
        differing: the parameters whose values the runs do not share.
    """

    campaign: Campaign
    runs: Sequence[ExperimentRecord]
    predictions: Mapping[int, Mapping[str, PredictionRecord]]
    outcomes: Sequence[str]
    differing: Sequence[str]


def comparison(site: Site, ids: Sequence[int]) -> Comparison:
    """Return two to four runs laid side by side.

    Raises:
        UsageError: fewer or more.
        NotFoundError: one that the campaign has not.
    """
    runs = compared(site, ids)
    with site.workspace.database.read() as tx:
        _, campaign = site.workspace.active_campaign(tx)
        predictions = {
            run.id: {p.outcome: p for p in reversed(tx.batches.predictions_of(run.id))}
            for run in runs
        }
    measured = {m.outcome for run in runs for m in run.measurements}
    outcomes = measured.union(campaign.wanted_outcomes)
    return Comparison(
        campaign,
        runs,
        predictions,
        [name for name in campaign.outcomes if name in outcomes],
        differing(campaign, runs),
    )


def table_file(
    site: Site, request_list: ListAddress, file_format: str, *, is_exact: bool = False
) -> bytes:
    """Return the runs that an address asks for as a file, a row for each replicate."""
    media_type(file_format)
    overview = site.overview(is_exact=is_exact)
    ids = run_table(site, is_exact=is_exact).chosen(request_list.query)
    return render(file_format, overview.record, overview.campaign, runs_of(site, ids))


def worksheet_file(site: Site, batch_id: int, file_format: str) -> bytes:
    """Return a batch's awaited runs as a table to fill in; all of them, if none is awaited.

    Raises:
        NotFoundError: there is no such batch in the campaign.
    """
    media_type(file_format)
    with site.workspace.database.read() as tx:
        record, campaign = site.workspace.active_campaign(tx)
        batch = tx.batches.get(batch_id) if 0 < batch_id < 2**63 else None
        if batch is None or batch.campaign_id != record.id:
            raise NotFoundError(f"there is no batch {batch_id} in the campaign '{record.name}'")
        places = {p.experiment_id: p.order for p in tx.batches.proposals(batch_id)}
        records = tx.experiments.get_all(list(places))
    awaited = [run for run in records if run.status.is_pending] or list(records)
    awaited.sort(key=lambda run: places[run.id])
    return worksheet(file_format, campaign, awaited)


def media_type(file_format: str) -> str:
    """Return the media type of a file.

    Raises:
        NotFoundError: neither CSV nor Excel.
    """
    if file_format not in MEDIA_TYPES:
        raise NotFoundError(f"expected csv or xlsx, got '{file_format}'")
    return MEDIA_TYPES[file_format]
