"""``/proposals``, ``/jobs``, ``/campaigns``, ``/models``, ``/changes``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from db.records import TaskRecord
from engine.errors import NotFoundError
from engine.jobs.kinds import request_of
from engine.jobs.queue import again, cancel, get, newest, submit
from engine.registry.versions import Promoted, promote, rollback
from engine.results.ledger import scores
from engine.web.api import schemas
from engine.web.api.common import (
    BeforeId,
    Id,
    Key,
    Limit,
    Outcome,
    answer,
    answers,
    at_most_once,
)
from engine.web.api.documents import (
    batch_brief,
    campaign_document,
    job_document,
    model_document,
    overview_document,
    proposed_document,
    score_document,
)
from engine.web.rendering import person_of, site_of
from engine.workspace import Workspace
from engine.workspace.revisions import use

router = APIRouter()


@router.get(
    "/overview", tags=["campaigns"], response_model=schemas.Overview, responses=answers(404)
)
def get_overview(request: Request) -> Response:
    """Where the active campaign stands: front, hypervolume, what is awaited, what is due."""
    return answer(overview_document(site_of(request).overview()))


@router.get("/campaigns", tags=["campaigns"], response_model=schemas.Campaigns, responses=answers())
def list_campaigns(request: Request) -> Response:
    """Every campaign; one of them is active."""
    with site_of(request).workspace.database.read() as tx:
        records = tx.campaigns.all()
    return answer({"items": [campaign_document(record) for record in records]})


@router.get(
    "/campaigns/{id}", tags=["campaigns"], response_model=schemas.Campaign, responses=answers(404)
)
def get_campaign(request: Request, id: Id) -> Response:
    """One campaign, in its newest revision."""
    with site_of(request).workspace.database.read() as tx:
        record = tx.campaigns.by_id(id)
    if record is None:
        raise NotFoundError(f"there is no campaign {id}")
    return answer(campaign_document(record))


@router.post(
    "/campaigns/{id}/use",
    tags=["campaigns"],
    response_model=schemas.Campaign,
    responses=answers(404, 409),
)
def use_campaign(request: Request, id: Id, key: Key = None) -> Response:
    """Make a campaign the active one."""

    def carry_out(workspace: Workspace) -> Outcome:
        with workspace.database.read() as tx:
            record = tx.campaigns.by_id(id)
        if record is None:
            raise NotFoundError(f"there is no campaign {id}")
        return campaign_document(use(workspace, record.name)), 200, {}

    return at_most_once(request, key, None, carry_out)


# -- proposals ------------------------------------------------------------------------------------


@router.get(
    "/proposals", tags=["proposals"], response_model=schemas.Batches, responses=answers(404)
)
def list_proposals(request: Request, limit: Limit = 50, before_id: BeforeId = None) -> Response:
    """Batches, newest first."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        batches = [b for b in tx.batches.all_of(record.id) if before_id is None or b.id < before_id]
    items = batches[::-1][:limit]
    following = items[-1].id if len(batches) > limit else None
    return answer({"items": [batch_brief(batch) for batch in items], "next": following})


@router.post(
    "/proposals",
    tags=["proposals"],
    status_code=202,
    response_model=schemas.Job,
    responses=answers(404, 409),
)
def propose(request: Request, body: schemas.NewProposal, key: Key = None) -> Response:
    """Choose the next batch in the background; the job's `result` names it."""
    site, person = site_of(request), person_of(request)

    def carry_out(workspace: Workspace) -> Outcome:
        with workspace.database.read() as tx:
            _, campaign = workspace.active_campaign(tx)
        request_of(body.model_dump(), campaign, workspace.settings.propose)
        task = submit(workspace, "propose", body.model_dump(), actor=person.name)
        site.crew.wake()
        return _accepted(task)

    return at_most_once(request, key, body.model_dump(), carry_out)


@router.get(
    "/proposals/{id}", tags=["proposals"], response_model=schemas.Batch, responses=answers(404)
)
def get_proposal(request: Request, id: Id) -> Response:
    """A batch with its runs, in the order to run them."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        batch = tx.batches.get(id)
        if batch is None or batch.campaign_id != record.id:
            raise NotFoundError(f"there is no batch {id} in the campaign '{record.name}'")
        items = []
        for proposal in tx.batches.proposals(id):
            run = tx.experiments.get(proposal.experiment_id)
            assert run is not None  # noqa: S101 -- written with its proposal
            items.append(proposed_document(proposal, run, tx.batches.predictions_of(run.id)))
    return answer({**batch_brief(batch), "proposals": items})


# -- jobs -----------------------------------------------------------------------------------------


def _accepted(task: TaskRecord) -> Outcome:
    return job_document(task), 202, {"location": f"/api/v1/jobs/{task.id}"}


@router.get("/jobs", tags=["jobs"], response_model=schemas.Jobs, responses=answers(404))
def list_jobs(request: Request, limit: Limit = 50, before_id: BeforeId = None) -> Response:
    """What was asked of the background, newest first."""
    tasks = newest(site_of(request).workspace, before=before_id, n=limit)
    following = tasks[-1].id if len(tasks) == limit else None
    return answer({"items": [job_document(task) for task in tasks], "next": following})


@router.get("/jobs/{id}", tags=["jobs"], response_model=schemas.Job, responses=answers(404))
def get_job(request: Request, id: Id) -> Response:
    """How a job stands."""
    return answer(job_document(get(site_of(request).workspace, id)))


@router.post(
    "/jobs/{id}/cancel", tags=["jobs"], response_model=schemas.Job, responses=answers(404, 409)
)
def cancel_job(request: Request, id: Id) -> Response:
    """Ask a job to stop; a running one stops at its next step."""
    return answer(job_document(cancel(site_of(request).workspace, id)))


@router.post(
    "/jobs/{id}/again",
    tags=["jobs"],
    status_code=202,
    response_model=schemas.Job,
    responses=answers(404, 409),
)
def run_again(request: Request, id: Id, key: Key = None) -> Response:
    """Queue once more what a job asked for: one that was interrupted, say."""
    site, person = site_of(request), person_of(request)

    def carry_out(workspace: Workspace) -> Outcome:
        task = again(workspace, id, actor=person.name)
        site.crew.wake()
        return _accepted(task)

    return at_most_once(request, key, None, carry_out)


# -- models and the trail -------------------------------------------------------------------------


@router.get("/models", tags=["models"], response_model=schemas.Models, responses=answers(404))
def list_models(request: Request) -> Response:
    """Trained models of the active campaign, newest first."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        records = tx.models.all_of(record.id)
    return answer({"items": [model_document(model) for model in reversed(records)]})


@router.post(
    "/refreshes",
    tags=["models"],
    status_code=202,
    response_model=schemas.Job,
    responses=answers(404, 409),
)
def refresh(request: Request, body: schemas.NewRefresh, key: Key = None) -> Response:
    """Train on the new results in the background.

    The candidate is promoted only if it is not worse than the current model and a plain GP.
    """
    site, person = site_of(request), person_of(request)

    def carry_out(workspace: Workspace) -> Outcome:
        task = submit(workspace, "refresh", body.model_dump(), actor=person.name)
        site.crew.wake()
        return _accepted(task)

    return at_most_once(request, key, body.model_dump(), carry_out)


@router.post(
    "/rollbacks",
    tags=["models"],
    response_model=schemas.Served,
    responses=answers(404, 409),
)
def rollback_model(request: Request, key: Key = None) -> Response:
    """Let what served before serve again: the same files, the same predictions."""
    return at_most_once(
        request, key, None, lambda workspace: (_served(rollback(workspace)), 200, {})
    )


@router.post(
    "/models/{id}/promote",
    tags=["models"],
    response_model=schemas.Served,
    responses=answers(404, 409),
)
def promote_model(
    request: Request,
    id: Id,
    body: schemas.Promotion,
    key: Key = None,
) -> Response:
    """Let a version serve from now on, whatever its numbers say."""

    def carry_out(workspace: Workspace) -> Outcome:
        return _served(promote(workspace, id, reason=body.reason)), 200, {}

    return at_most_once(request, key, body.model_dump(), carry_out)


def _served(change: Promoted) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "now": change.now_id,
        "former": change.former_id,
        "notes": list(change.notes),
    }


@router.get("/models/{id}", tags=["models"], response_model=schemas.Model, responses=answers(404))
def get_model(request: Request, id: Id) -> Response:
    """One trained model."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        model = tx.models.get(id)
    if model is None or model.campaign_id != record.id:
        raise NotFoundError(f"there is no model {id} in the campaign '{record.name}'")
    return answer(model_document(model))


@router.get("/ledger", tags=["models"], response_model=schemas.Ledger, responses=answers(404))
def get_ledger(request: Request) -> Response:
    """How well the predictions held that were made before the runs."""
    site = site_of(request)
    with site.workspace.database.read() as tx:
        _, campaign = site.workspace.active_campaign(tx)
    outcome_scores = site.cache.get("scores", site.watermark(), lambda: scores(site.workspace))
    return answer({"items": [score_document(score, campaign) for score in outcome_scores]})


@router.get("/changes", tags=["who did what"], response_model=schemas.Changes, responses=answers())
def list_changes(request: Request, limit: Limit = 50) -> Response:
    """The audit trail, newest first; for admins."""
    with site_of(request).workspace.database.read() as tx:
        changes = tx.changes(limit=limit)
    return answer(
        {
            "items": [
                {
                    "id": change.id,
                    "at": change.at.isoformat(),
                    "actor": change.actor,
                    "action": change.action,
                    "detail": change.detail,
                }
                for change in changes
            ]
        }
    )
