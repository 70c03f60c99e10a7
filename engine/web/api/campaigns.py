"""``/campaigns`` and ``/changes``: what belongs to no single campaign."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from engine.documents.campaigns import CampaignOut, CampaignsOut
from engine.documents.jobs import ChangeOut, ChangesOut
from engine.errors import NotFoundError
from engine.web.api.common import Key, Limit, Outcome, answer, answers, at_most_once
from engine.web.campaigns import CampaignId
from engine.web.rendering import site_of
from engine.workspace import Workspace
from engine.workspace.revisions import use
from engine.workspace.workspace import no_campaign

router = APIRouter()


@router.get("/campaigns", tags=["campaigns"], response_model=CampaignsOut, responses=answers())
def list_campaigns(request: Request) -> Response:
    """Every campaign; `is_active`: the one that the command line and the scheduler work in."""
    with site_of(request).workspace.database.read() as tx:
        records = tx.campaigns.all()
    return answer(CampaignsOut(items=tuple(map(CampaignOut.model_validate, records))))


@router.get(
    "/campaigns/{campaign}", tags=["campaigns"], response_model=CampaignOut, responses=answers(404)
)
def get_campaign(request: Request, campaign: CampaignId) -> Response:
    """One campaign, in its newest revision."""
    with site_of(request).workspace.database.read() as tx:
        record = tx.campaigns.by_id(campaign)
        if record is None:
            raise NotFoundError(no_campaign(campaign, tx.campaigns.all()))
    return answer(CampaignOut.model_validate(record))


@router.post(
    "/campaigns/{campaign}/use",
    tags=["campaigns"],
    response_model=CampaignOut,
    responses=answers(404, 409),
)
def use_campaign(request: Request, campaign: CampaignId, key: Key = None) -> Response:
    """Make a campaign the one that the command line and the scheduler work in.

    Pages and requests go on in the campaign that their address names.
    """

    def carry_out(workspace: Workspace) -> Outcome:
        with workspace.database.read() as tx:
            record = tx.campaigns.by_id(campaign)
            if record is None:
                raise NotFoundError(no_campaign(campaign, tx.campaigns.all()))
        return CampaignOut.model_validate(use(workspace, record.name)), 200, {}

    return at_most_once(request, key, None, carry_out)


@router.get("/changes", tags=["who did what"], response_model=ChangesOut, responses=answers())
def list_changes(request: Request, limit: Limit = 50) -> Response:
    """The audit trail, newest first; for admins."""
    with site_of(request).workspace.database.read() as tx:
        changes = tx.changes(limit=limit)
    return answer(ChangesOut(items=tuple(map(ChangeOut.model_validate, changes))))
