"""The campaigns of this server: one is gone to by its address, and nobody else is taken along."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from db.records import Status
from engine.web.addresses import CAMPAIGNS, redirect_top
from engine.web.rendering import page, site_of

router = APIRouter()


@router.get("/")
def first(request: Request) -> Response:
    """Lead to the campaign if there is but one, else to the list."""
    ids = [*site_of(request).campaign_names()]
    return redirect_top(request, f"{CAMPAIGNS}/{ids[0]}" if len(ids) == 1 else CAMPAIGNS)


@router.get(CAMPAIGNS)
def campaigns(request: Request) -> Response:
    """List the campaigns, each with how far it is."""
    with site_of(request).workspace.database.read() as tx:
        records = tx.campaigns.all()
        counts = {record.id: tx.experiments.count(record.id) for record in records}
    return page(
        request,
        "campaigns.html",
        place="campaigns",
        campaigns=records,
        n_finished={id_: count[Status.COMPLETED] for id_, count in counts.items()},
        n_runs={id_: sum(count.values()) for id_, count in counts.items()},
    )
