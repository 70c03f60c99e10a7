"""``/campaigns`` and ``/changes``: what belongs to no single campaign."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from engine.campaign import Campaign
from engine.documents.campaigns import (
    CampaignOut,
    CampaignsOut,
    DefinitionOut,
    RevisedOut,
    RevisionsOut,
)
from engine.documents.jobs import ChangeOut, ChangesOut
from engine.errors import NotFoundError, UsageError
from engine.experiments.revise import revise_campaign
from engine.web.api.common import Key, Limit, Outcome, answer, answers, at_most_once
from engine.web.api.schemas import NewRevision
from engine.web.campaigns import CampaignId, require_campaign
from engine.web.rendering import site_of
from engine.workspace import Workspace
from engine.workspace.campaign_text import read_text
from engine.workspace.revisions import use
from engine.workspace.settings import parse_campaign
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


@router.get(
    "/campaigns/{campaign}/revisions",
    tags=["campaigns"],
    response_model=RevisionsOut,
    responses=answers(404),
    dependencies=[Depends(require_campaign)],
)
def list_revisions(request: Request, campaign: CampaignId) -> Response:
    """Every revision of the campaign's definition, newest first."""
    with site_of(request).workspace.database.read() as tx:
        records = tx.campaigns.revisions(campaign)
    return answer(RevisionsOut(items=tuple(map(DefinitionOut.model_validate, reversed(records)))))


@router.post(
    "/campaigns/{campaign}/revisions",
    tags=["campaigns"],
    response_model=RevisedOut,
    responses=answers(404, 409, 412),
    dependencies=[Depends(require_campaign)],
)
def add_revision(
    request: Request, campaign: CampaignId, body: NewRevision, key: Key = None
) -> Response:
    """Record a further revision of the definition, or with `dry_run` tell what it would do.

    Refused where it contradicts what is recorded. config.toml on the server follows.
    """
    new = _definition_in(body)

    def carry_out(workspace: Workspace) -> Outcome:
        revision = revise_campaign(
            workspace,
            new,
            note=body.note,
            based_on=body.based_on,
            text=body.toml,
            dry_run=body.dry_run,
        )
        revised = revision.revised
        document = RevisedOut(
            campaign=revised.record.name,
            revision=revised.record.revision,
            is_dry_run=revised.is_dry_run,
            differences=revised.differences,
            warnings=revision.warnings,
            notes=revision.notes,
            definition=new.definition(),
        )
        return document, 200 if body.dry_run or not revised.changes else 201, {}

    return at_most_once(request, key, body.model_dump(mode="json"), carry_out)


def _definition_in(body: NewRevision) -> Campaign:
    if (body.definition is None) == (body.toml is None):
        raise UsageError("expected one of definition and toml", field="definition")
    if body.toml is not None:
        return read_text(body.toml, "toml")
    return parse_campaign(body.definition or {}, "definition")


@router.get("/changes", tags=["who did what"], response_model=ChangesOut, responses=answers())
def list_changes(request: Request, limit: Limit = 50) -> Response:
    """The audit trail, newest first; for admins."""
    with site_of(request).workspace.database.read() as tx:
        changes = tx.changes(limit=limit)
    return answer(ChangesOut(items=tuple(map(ChangeOut.model_validate, changes))))
