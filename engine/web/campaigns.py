"""The campaign of a request: that it is there, and where addresses that name none lead to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Path, Request

from db.records import CampaignRecord
from db.transaction import Transaction
from engine.errors import NotFoundError, StateError
from engine.web.addresses import API, CAMPAIGNS, address_of
from engine.web.policy import ASKS, SAFE
from engine.web.rendering import site_of
from engine.web.site import Site
from engine.workspace.workspace import no_campaign

# JavaScript and many JSON readers keep integers exact up to 2^53 only (RFC 8259, section 6).
CampaignId = Annotated[int, Path(ge=1, le=2**53, description="The campaign's number.")]

_Owner = Callable[[Transaction, int], int | None]


def _of_run(tx: Transaction, id_: int) -> int | None:
    run = tx.experiments.get(id_)
    return None if run is None else run.campaign_id


def _of_batch(tx: Transaction, id_: int) -> int | None:
    batch = tx.batches.get(id_)
    return None if batch is None else batch.campaign_id


def _of_job(tx: Transaction, id_: int) -> int | None:
    task = tx.tasks.get(id_)
    return None if task is None else task.campaign_id


def _of_model(tx: Transaction, id_: int) -> int | None:
    model = tx.models.get(id_)
    return None if model is None else model.campaign_id


def _of_micrograph(tx: Transaction, id_: int) -> int | None:
    picture = tx.micrographs.get(id_)
    return None if picture is None else _of_run(tx, picture.experiment_id)


def _of_preview(tx: Transaction, id_: int) -> int | None:
    preview = tx.previews.get(id_)
    return None if preview is None else preview.campaign_id


# What stood at the top before campaigns did: the first word of a path, and whose campaign the
# number after it tells.
_PAGES: dict[str, _Owner | None] = {
    "runs": _of_run,
    "batches": _of_batch,
    "jobs": _of_job,
    "models": _of_model,
    "micrographs": _of_micrograph,
    "previews": _of_preview,
    **dict.fromkeys(("propose", "explore", "retrieve", "measure", "figures")),
}
_ROUTES: dict[str, _Owner | None] = {
    "experiments": _of_run,
    "proposals": _of_batch,
    "jobs": _of_job,
    "models": _of_model,
    "micrographs": _of_micrograph,
    **dict.fromkeys(
        ("overview", "refreshes", "rollbacks", "ledger", "undo", "predictions", "previews")
    ),
    **dict.fromkeys(("sensitivities", "retrieval")),
}
_FORMER = re.compile(rf"(?P<api>{API})?/(?P<first>[a-z]+)(/(?P<id>[0-9]{{1,18}}))?(/.*)?")


def require_campaign(request: Request, campaign: CampaignId) -> None:
    """Refuse a request to a campaign that is not there.

    Raises:
        NotFoundError: names those that are.
    """
    # As the address was read, not as a router reads numbers: everything else goes by it.
    if address_of(request).campaign_id != campaign or not site_of(request).has_campaign(campaign):
        with site_of(request).workspace.database.read() as tx:
            raise NotFoundError(no_campaign(campaign, tx.campaigns.all()))


@dataclass(frozen=True)
class Moved:
    """Where something stands that was asked for by an address without a campaign."""

    path: str
    campaign_id: int


def moved(site: Site, method: str, path: str) -> Moved | None:
    """Return where an address leads that names no campaign; ``None`` if it is none of a campaign.

    What it names by a number tells the campaign. Else reading leads to the command line's own
    campaign, and writing to the only one there is.

    Raises:
        StateError: there are several, and it is not safe to choose one.
    """
    match = _FORMER.fullmatch(path)
    owners = _ROUTES if match is not None and match["api"] else _PAGES
    if match is None or match["first"] not in owners:
        return None
    with site.workspace.database.read() as tx:
        campaigns = tx.campaigns.all()
        owner = owners[match["first"]]
        if owner is not None and match["id"] is not None:
            campaign_id = owner(tx, int(match["id"])) if 0 < int(match["id"]) < 2**63 else None
        elif len(campaigns) == 1:
            campaign_id = campaigns[0].id
        elif method in SAFE or path in ASKS:
            campaign_id = next((record.id for record in campaigns if record.is_active), None)
        else:
            raise StateError(_several(match["api"] or "", path, [*campaigns]))
    if campaign_id is None:
        return None
    api = match["api"] or ""
    return Moved(f"{api}{CAMPAIGNS}/{campaign_id}{path[len(api) :]}", campaign_id)


def _several(api: str, path: str, campaigns: list[CampaignRecord]) -> str:
    listed = ", ".join(
        f"{api}{CAMPAIGNS}/{record.id}{path[len(api) :]} ({record.name})" for record in campaigns
    )
    return (
        f"'{path}' names no campaign, and there are several; nothing was done. Send it to one of "
        f"{listed or 'none'}"
    )
