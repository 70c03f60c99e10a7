"""``/overview``, ``/proposals``, ``/jobs``, ``/models``, ``/ledger`` of a campaign."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from db.records import TaskRecord
from engine.documents.campaigns import OverviewOut
from engine.documents.jobs import JobOut, JobsOut
from engine.documents.models import ModelOut, ModelsOut, ServedOut
from engine.documents.predictions import LedgerOut, ScoreOut
from engine.documents.proposals import BatchBriefOut, BatchesOut, BatchOut, recorded_batch
from engine.errors import NotFoundError
from engine.jobs.kinds import request_of
from engine.jobs.queue import cancel, get, newest, rerun, submit
from engine.propose.replacement import accept, replacement_request
from engine.registry.versions import promote, rollback
from engine.results.ledger import scores
from engine.web.addresses import address_of
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
from engine.web.rendering import person_of, site_of
from engine.workspace import Workspace

router = APIRouter()


@router.get("/overview", tags=["campaigns"], response_model=OverviewOut, responses=answers(404))
def get_overview(request: Request) -> Response:
    """Where the campaign stands: front, hypervolume, what is awaited, what is due."""
    return answer(OverviewOut.build(site_of(request).overview()))


# -- proposals ------------------------------------------------------------------------------------


@router.get("/proposals", tags=["proposals"], response_model=BatchesOut, responses=answers(404))
def list_proposals(request: Request, limit: Limit = 50, before_id: BeforeId = None) -> Response:
    """Batches, newest first."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        batches = [b for b in tx.batches.all_of(record.id) if before_id is None or b.id < before_id]
    items = batches[::-1][:limit]
    following = items[-1].id if len(batches) > limit else None
    return answer(BatchesOut(items=tuple(map(BatchBriefOut.model_validate, items)), next=following))


@router.post(
    "/proposals",
    tags=["proposals"],
    status_code=202,
    response_model=JobOut,
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
        return _accepted(request, task)

    return at_most_once(request, key, body.model_dump(), carry_out)


@router.get("/proposals/{id}", tags=["proposals"], response_model=BatchOut, responses=answers(404))
def get_proposal(request: Request, id: Id) -> Response:
    """A batch with its runs, in the order to run them."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        return answer(recorded_batch(tx, record, id))


@router.post(
    "/proposals/{id}/accept",
    tags=["proposals"],
    response_model=BatchOut,
    responses=answers(404, 409),
)
def accept_proposals(request: Request, id: Id, key: Key = None) -> Response:
    """Mark every run of a batch that is proposed as under way."""

    def carry_out(workspace: Workspace) -> Outcome:
        accept(workspace, id)
        with workspace.database.read() as tx:
            record, _ = workspace.active_campaign(tx)
            return recorded_batch(tx, record, id), 200, {}

    return at_most_once(request, key, id, carry_out)


@router.post(
    "/experiments/{id}/replacement",
    tags=["proposals"],
    status_code=202,
    response_model=JobOut,
    responses=answers(404, 409),
)
def replace_experiment(request: Request, id: Id, key: Key = None) -> Response:
    """Choose a run in place of a rejected one in the background, as its batch was asked for."""
    site, person = site_of(request), person_of(request)

    def carry_out(workspace: Workspace) -> Outcome:
        replacement_request(workspace, id, seed=0)
        task = submit(workspace, "propose", {"replaces": id}, actor=person.name)
        site.crew.wake()
        return _accepted(request, task)

    return at_most_once(request, key, id, carry_out)


# -- jobs -----------------------------------------------------------------------------------------


def _accepted(request: Request, task: TaskRecord) -> Outcome:
    location = address_of(request).api(f"/jobs/{task.id}")
    return JobOut.model_validate(task), 202, {"location": location}


@router.get("/jobs", tags=["jobs"], response_model=JobsOut, responses=answers(404))
def list_jobs(request: Request, limit: Limit = 50, before_id: BeforeId = None) -> Response:
    """What was asked of the background, newest first."""
    tasks = newest(site_of(request).workspace, before_id=before_id, n=limit)
    following = tasks[-1].id if len(tasks) == limit else None
    return answer(JobsOut(items=tuple(map(JobOut.model_validate, tasks)), next=following))


@router.get("/jobs/{id}", tags=["jobs"], response_model=JobOut, responses=answers(404))
def get_job(request: Request, id: Id) -> Response:
    """How a job stands."""
    return answer(JobOut.model_validate(get(site_of(request).workspace, id)))


@router.post("/jobs/{id}/cancel", tags=["jobs"], response_model=JobOut, responses=answers(404, 409))
def cancel_job(request: Request, id: Id) -> Response:
    """Ask a job to stop; a running one stops at its next step."""
    return answer(JobOut.model_validate(cancel(site_of(request).workspace, id)))


@router.post(
    "/jobs/{id}/again",
    tags=["jobs"],
    status_code=202,
    response_model=JobOut,
    responses=answers(404, 409),
)
def run_again(request: Request, id: Id, key: Key = None) -> Response:
    """Queue once more what a job asked for: one that was interrupted, say."""
    site, person = site_of(request), person_of(request)

    def carry_out(workspace: Workspace) -> Outcome:
        task = rerun(workspace, id, actor=person.name)
        site.crew.wake()
        return _accepted(request, task)

    return at_most_once(request, key, None, carry_out)


# -- models and the trail -------------------------------------------------------------------------


@router.get("/models", tags=["models"], response_model=ModelsOut, responses=answers(404))
def list_models(request: Request) -> Response:
    """Trained models of the campaign, newest first."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        records = tx.models.all_of(record.id)
    return answer(ModelsOut(items=tuple(map(ModelOut.model_validate, reversed(records)))))


@router.post(
    "/refreshes",
    tags=["models"],
    status_code=202,
    response_model=JobOut,
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
        return _accepted(request, task)

    return at_most_once(request, key, body.model_dump(), carry_out)


@router.post(
    "/rollbacks",
    tags=["models"],
    response_model=ServedOut,
    responses=answers(404, 409),
)
def rollback_model(request: Request, key: Key = None) -> Response:
    """Let what served before serve again: the same files, the same predictions."""

    def carry_out(workspace: Workspace) -> Outcome:
        return ServedOut.model_validate(rollback(workspace)), 200, {}

    return at_most_once(request, key, None, carry_out)


@router.post(
    "/models/{id}/promote",
    tags=["models"],
    response_model=ServedOut,
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
        return ServedOut.model_validate(promote(workspace, id, reason=body.reason)), 200, {}

    return at_most_once(request, key, body.model_dump(), carry_out)


@router.get("/models/{id}", tags=["models"], response_model=ModelOut, responses=answers(404))
def get_model(request: Request, id: Id) -> Response:
    """One trained model."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        model = tx.models.get(id)
    if model is None or model.campaign_id != record.id:
        raise NotFoundError(f"there is no model {id} in the campaign '{record.name}'")
    return answer(ModelOut.model_validate(model))


@router.get("/ledger", tags=["models"], response_model=LedgerOut, responses=answers(404))
def get_ledger(request: Request) -> Response:
    """How well the predictions held that were made before the runs."""
    site = site_of(request)
    with site.workspace.database.read() as tx:
        _, campaign = site.workspace.active_campaign(tx)
    outcome_scores = site.cached("scores", lambda: scores(site.workspace))
    return answer(
        LedgerOut(items=tuple(ScoreOut.build(score, campaign) for score in outcome_scores))
    )
