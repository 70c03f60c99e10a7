"""``/campaigns`` and ``/changes``: what belongs to no single campaign."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from starlette.responses import Response

from engine.campaign import Campaign
from engine.documents.campaigns import (
    CampaignOut,
    CampaignsOut,
    DefinitionOut,
    DraftOut,
    RevisedOut,
    RevisionsOut,
)
from engine.documents.jobs import ChangeOut, ChangesOut
from engine.drafts.add import TableDraft, add_from_table, add_from_template, draft_table
from engine.drafts.create import TableOptions
from engine.drafts.wishes import Wishes, read_wish
from engine.errors import NotFoundError, UsageError
from engine.experiments.revise import revise_campaign
from engine.web import forms
from engine.web.api.common import Key, Limit, Outcome, answer, answers, at_most_once
from engine.web.api.schemas import NewCampaign, NewRevision
from engine.web.campaigns import CampaignId, require_campaign
from engine.web.rendering import site_of
from engine.workspace import Workspace
from engine.workspace.campaign_text import read_text
from engine.workspace.revisions import create, use
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
    responses={
        **answers(404, 409, 412),
        201: {"model": RevisedOut, "description": "Recorded."},
    },
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


def _definition_in(body: NewRevision | NewCampaign) -> Campaign:
    if (body.definition is None) == (body.toml is None):
        raise UsageError("expected one of definition and toml", field="definition")
    if body.toml is not None:
        return read_text(body.toml, "toml")
    return parse_campaign(body.definition or {}, "definition")


@router.post(
    "/campaigns",
    tags=["campaigns"],
    status_code=201,
    response_model=CampaignOut,
    responses=answers(409),
)
def add_campaign(request: Request, body: NewCampaign, key: Key = None) -> Response:
    """Make a further campaign. The command line and the scheduler stay in their own."""

    def carry_out(workspace: Workspace) -> Outcome:
        if body.template is not None:
            if body.definition is not None or body.toml is not None:
                raise UsageError("contradicts a definition: keep one of them", field="template")
            record = add_from_template(workspace, body.template, body.name or "", note=body.note)
        else:
            new = _definition_in(body)
            if body.name is not None and body.name != new.name:
                raise UsageError(f"contradicts the definition's '{new.name}'", field="name")
            record = create(workspace, new, note=body.note, is_active=False)
        return CampaignOut.model_validate(record), 201, {}

    return at_most_once(request, key, body.model_dump(mode="json"), carry_out)


@router.post(
    "/drafts",
    tags=["campaigns"],
    response_model=DraftOut,
    responses={**answers(409), 201: {"model": DraftOut, "description": "Recorded."}},
)
def draft_campaign_of_table(
    request: Request,
    *,
    file: Annotated[UploadFile, File(description="CSV, TSV or Excel, a row for each run.")],
    name: Annotated[str, Form(max_length=80, description="The campaign's.")] = "",
    objective: Annotated[
        list[str],
        Form(max_length=20, description="`strength:max`, `strength:max:5`, `diameter:300±20`."),
    ] = [],  # noqa: B006 -- FastAPI makes a new one of it
    ambient: Annotated[list[str], Form(max_length=200, description="Columns that are given.")] = [],  # noqa: B006
    controlled: Annotated[
        list[str], Form(max_length=200, description="Columns that are set.")
    ] = [],  # noqa: B006
    outcome: Annotated[
        list[str], Form(max_length=200, description="Columns that are measured.")
    ] = [],  # noqa: B006
    leave_out: Annotated[
        list[str], Form(max_length=200, description="Columns to leave aside.")
    ] = [],  # noqa: B006
    sheet: Annotated[str, Form(max_length=100, description="Of a workbook.")] = "",
    dry_run: Annotated[bool, Form(description="Only tell what it would be.")] = False,
    key: Key = None,
) -> Response:
    """Draft a campaign from a table of results, and make it with the table's runs, or nothing."""
    wishes = Wishes(
        tuple(map(read_wish, objective)),
        tuple(ambient),
        tuple(controlled),
        tuple(outcome),
        tuple(leave_out),
        name or None,
    )
    options = TableOptions(sheet=sheet or None)

    def carry_out(workspace: Workspace) -> Outcome:
        with forms.uploaded(request, [file], noun="table") as paths:
            if dry_run:
                return _draft(draft_table(workspace, paths[0], wishes, options=options)), 200, {}
            added = add_from_table(workspace, paths[0], wishes, options=options)
            return _draft(added.drafted, added.record.id), 201, {}

    taking = [file.filename, file.size, objective, ambient, controlled, outcome, leave_out, name]
    return at_most_once(request, key, [*taking, sheet, dry_run], carry_out)


def _draft(drafted: TableDraft, number: int | None = None) -> DraftOut:
    return DraftOut(
        number=number,
        definition=drafted.campaign.definition(),
        aside=drafted.draft.aside,
        guesses=drafted.draft.guesses,
        runs=drafted.imported.n_added,
        results=drafted.imported.n_measurements,
        warnings=drafted.imported.warnings,
        problems=tuple(map(str, drafted.imported.problems)),
    )


@router.get("/changes", tags=["who did what"], response_model=ChangesOut, responses=answers())
def list_changes(request: Request, limit: Limit = 50) -> Response:
    """The audit trail, newest first; for admins."""
    with site_of(request).workspace.database.read() as tx:
        changes = tx.changes(limit=limit)
    return answer(ChangesOut(items=tuple(map(ChangeOut.model_validate, changes))))
