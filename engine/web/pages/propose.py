"""Proposing: what to ask, how it goes, the batch as cards, and a sheet for the bench."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.responses import FileResponse, Response

from db.records import ExperimentRecord
from engine.campaign import Campaign
from engine.errors import NotFoundError
from engine.jobs.kinds import request_of
from engine.jobs.queue import cancel, get, newest, rerun, submit
from engine.previews.on_demand import preview_file, previews_of
from engine.propose.replacement import BatchFamily, accept, family_of, replacement_request
from engine.propose.request import offered_strategies
from engine.results.batch_outcome import (
    Outcome,
    measured_beside_expected,
    solution_changes,
)
from engine.sources.spinning import spins
from engine.web import forms
from engine.web.addresses import public, redirect
from engine.web.forms import Sent, checked_form
from engine.web.rendering import form_page, page, part, person_of, site_of
from engine.web.statuses import EXPECTED

router = APIRouter(dependencies=[Depends(checked_form)])


@router.get("/propose")
def ask(request: Request) -> Response:
    """Show the form, and the batches so far."""
    return _form(request, {}, None)


def _form(request: Request, typed: Any, error: Exception | None) -> Response:
    site = site_of(request)
    with site.workspace.database.read() as tx:
        record, campaign = site.workspace.active_campaign(tx)
        batches = list(reversed(tx.batches.all_of(record.id)))[:12]
        newest_run = tx.experiments.find(record.id, newest=1)
    room = newest_run[0].conditions if newest_run else {}
    return form_page(
        request,
        "propose.html",
        error,
        place="propose",
        definition=campaign,
        settings=site.workspace.settings.propose,
        strategies=offered_strategies(),
        batches=batches,
        tasks=newest(site.workspace, kinds=["propose"], n=3),
        room=room,
        draws=spins(campaign).is_spinning,
        typed=typed,
    )


@router.post("/propose")
def submit_proposal(request: Request, form: Sent) -> Response:
    """Queue a proposal."""
    site, person = site_of(request), person_of(request)
    try:
        with site.workspace.database.read() as tx:
            _, campaign = site.workspace.active_campaign(tx)
        params = _params(form, campaign)
        request_of(params, campaign, site.workspace.settings.propose)
        task = submit(site.workspace, "propose", params, actor=person.name)
    except EXPECTED as error:
        return _form(request, forms.typed(form), error)
    site.crew.wake()
    return redirect(request, f"/jobs/{task.id}")


def _params(form: FormData, campaign: Campaign) -> dict[str, Any]:
    return {
        "n": forms.integer(form, "n"),
        "at": forms.conditions(form, campaign, "at", role="ambient", belongs="fixed"),
        "fixed": forms.conditions(
            form, campaign, "fixed", role="controlled", belongs="at", as_setting=True
        ),
        "max_distinct": forms.counts(form, campaign, "distinct"),
        "robust": forms.word(form, "robust") == "yes",
        "explore": forms.word(form, "explore") == "yes",
        "replicates": forms.word(form, "replicates") == "yes",
        "preview": None if forms.word(form, "preview") == "yes" else False,
        "strategy": forms.word(form, "strategy") or None,
        "seed": forms.integer(form, "seed"),
    }


# -- jobs ---------------------------------------------------------------------------------------


@router.get("/jobs")
def jobs(request: Request) -> Response:
    """List what the background did."""
    return page(request, "jobs.html", place="jobs", tasks=newest(site_of(request).workspace, n=40))


@router.get("/jobs/{id_}")
def job(request: Request, id_: int) -> Response:
    """Show how a job stands; a batch that was proposed is shown itself."""
    task = get(site_of(request).workspace, id_)
    if task.result is not None and task.result.get("batch"):
        return redirect(request, f"/batches/{task.result['batch']}")
    return page(request, "job.html", place="jobs", task=task)


@router.get("/jobs/{id_}/card")
def job_card(request: Request, id_: int) -> Response:
    """Return how a job stands; asked again until it is over."""
    task = get(site_of(request).workspace, id_)
    answer = part(request, "job_card.html", task=task)
    if task.status.is_over and request.headers.get("hx-target", "").startswith("job"):
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/jobs/{id_}/cancel")
def cancel_job(request: Request, id_: int) -> Response:
    """Ask a job to stop."""
    cancel(site_of(request).workspace, id_)
    return redirect(request, f"/jobs/{id_}")


@router.post("/jobs/{id_}/again")
def job_again(request: Request, id_: int) -> Response:
    """Queue a job once more."""
    site = site_of(request)
    task = rerun(site.workspace, id_, actor=person_of(request).name)
    site.crew.wake()
    return redirect(request, f"/jobs/{task.id}")


@router.get("/previews/{id_}/picture")
def preview_picture(request: Request, id_: int) -> Response:
    """Return the pictures of a preview, side by side."""
    path = preview_file(site_of(request).workspace, id_)
    headers = {"cache-control": "private, max-age=86400"}
    return FileResponse(path, media_type="image/png", headers=headers)


# -- batches ------------------------------------------------------------------------------------


@router.get("/batches/{id_}")
def batch(request: Request, id_: int) -> Response:
    """Show a batch as cards, in the order to run them."""
    family, campaign, runs, nearest, predictions = _batch(request, id_)
    if family.batch.id != id_:
        return redirect(request, f"/batches/{family.batch.id}")
    changes = solution_changes(campaign, [run for run in runs if run.status.is_pending])
    tasks = newest(site_of(request).workspace, kinds=["propose"], n=20)
    results = [task.result for task in tasks if task.result is not None]
    notes: list[str] = next(
        (result["notes"] for result in results if result["batch"] == id_ and "notes" in result), []
    )
    return page(
        request,
        "batch.html",
        place="propose",
        batch=family.batch,
        replaced=family.replaced,
        definition=campaign,
        runs=runs,
        nearest=nearest,
        predictions=predictions,
        came=_came_of(runs, predictions),
        changes=changes,
        tasks=[t for t in tasks if not t.status.is_over and t.params.get("replaces")],
        notes=notes,
        previews=previews_of(site_of(request).workspace, [run.id for run in runs]),
    )


@router.get("/batches/{id_}/worksheet")
def worksheet(request: Request, id_: int) -> Response:
    """Show a batch as one page to print, a code on each run."""
    family, campaign, runs, _, predictions = _batch(request, id_)
    printed = [run for run in runs if run.status.is_pending] or runs
    return page(
        request,
        "worksheet.html",
        place="propose",
        batch=family.batch,
        definition=campaign,
        runs=printed,
        predictions=predictions,
        codes={run.id: _code(public(request, f"/runs/{run.id}")) for run in printed},
    )


def _batch(
    request: Request, id_: int
) -> tuple[BatchFamily, Campaign, list[ExperimentRecord], dict[int, ExperimentRecord], Any]:
    site = site_of(request)
    if not 0 < id_ < 2**63:  # beyond it SQLite raises OverflowError
        raise NotFoundError(f"there is no batch {id_}")
    with site.workspace.database.read() as tx:
        campaign_record, campaign = site.workspace.active_campaign(tx)
        record = tx.batches.get(id_)
        if record is None or record.campaign_id != campaign_record.id:
            raise NotFoundError(f"there is no batch {id_} in the campaign '{campaign_record.name}'")
        family = family_of(tx, record)
        proposals = family.proposals
        runs = [tx.experiments.get(p.experiment_id) for p in proposals]
        ids = {p.nearest_experiment_id for p in proposals} - {None}
        near = [tx.experiments.get(n) for n in ids if n is not None]
        predictions = {
            p.experiment_id: {
                prediction.outcome: prediction
                for prediction in tx.batches.predictions_of(p.experiment_id)
            }
            for p in proposals
        }
    present = [run for run in runs if run is not None]
    nearest = {run.id: run for run in near if run is not None}
    return family, campaign, present, nearest, predictions


def _came_of(runs: list[ExperimentRecord], predictions: Any) -> dict[int, dict[str, Outcome]]:
    return {run.id: measured_beside_expected(run, predictions[run.id]) for run in runs}


@router.post("/batches/{id_}/accept")
def accept_batch(request: Request, id_: int) -> Response:
    """Mark every run of a batch that is proposed as under way."""
    site, person = site_of(request), person_of(request)
    n = len(accept(site.workspace.acting(person.name), id_))
    site.leave_message(person, "good", f"Accepted {n} run{'s' if n != 1 else ''}.")
    return redirect(request, f"/batches/{id_}")


@router.post("/runs/{id_}/replacement")
def replace_run(request: Request, id_: int) -> Response:
    """Queue the choice of a run in place of a rejected one."""
    site, person = site_of(request), person_of(request)
    replacement_request(site.workspace, id_, seed=0)
    task = submit(site.workspace, "propose", {"replaces": id_}, actor=person.name)
    site.crew.wake()
    return redirect(request, f"/jobs/{task.id}")


def _code(address: str) -> Markup:
    """Return a QR code as SVG."""
    import segno

    # Level M: still read with 15 % of it stained or torn.
    code = segno.make(address, error="m", micro=False)
    svg = code.svg_inline(scale=2, border=1, omitsize=True, svgclass="code", lineclass=None)
    return Markup(svg)  # noqa: S704 -- made of numbers by segno
