"""One run: what was expected, what came of it, its pictures, and everything ever recorded of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import FileResponse, RedirectResponse, Response

from db.records import Role
from engine.campaign import Campaign
from engine.curves.outcomes import curve_directions
from engine.errors import EditedMeanwhileError, StateError, UsageError
from engine.experiments.entries import Entry
from engine.experiments.plausibility import reach
from engine.experiments.receipt import receipt
from engine.experiments.record import Recorded, record, record_series
from engine.experiments.undo import Undone, undo
from engine.jobs.queue import submit
from engine.micrographs.thumbnails import bar_of, overlay_of, picture_of, rendition
from engine.previews.on_demand import previews_of
from engine.results.status import mean_of
from engine.web import forms
from engine.web.addresses import redirect
from engine.web.forms import Sent, checked_form
from engine.web.measuring import measurings_of
from engine.web.rendering import form_page, part, person_of, site_of
from engine.web.results_table import cell_text, entries_of, kept_typed
from engine.web.statuses import EXPECTED
from engine.workspace.lookup import find_experiment

router = APIRouter(dependencies=[Depends(checked_form)])

WARN_SDS = 5.0
"""As typed, a result so many predicted standard deviations off is asked about; never refused."""


@router.get("/runs/new")
def new_run(request: Request) -> Response:
    """Show the form of a run that nobody proposed."""
    return _new(request, {}, None)


@router.post("/runs/new")
def create_run(request: Request, form: Sent) -> Response:
    """Record a run that nobody proposed."""
    site, person = site_of(request), person_of(request)
    try:
        with site.workspace.database.read() as tx:
            _, campaign = site.workspace.active_campaign(tx)
        entry = Entry(
            label=forms.text(form, "label"),
            conditions=forms.conditions(form, campaign, "condition"),
            note=forms.text(form, "note"),
            facts={name: text for name, text in forms.facts(form).items() if text},
        )
        recorded = record(site.workspace.acting(person.name), entry, detail="a new run")
    except EXPECTED as error:
        return _new(request, forms.typed(form), error)
    _announce(request, [recorded])
    return redirect(request, f"/runs/{recorded.experiment.id}")


def _new(request: Request, typed: Any, error: Exception | None) -> Response:
    site = site_of(request)
    with site.workspace.database.read() as tx:
        _, campaign = site.workspace.active_campaign(tx)
    return form_page(
        request,
        "run_new.html",
        error,
        place="runs",
        definition=campaign,
        typed=typed,
    )


@router.get("/runs/{id_}")
def show_run(request: Request, id_: int) -> Response:
    """Show everything of one run."""
    return _run_page(request, id_)


def _run_page(
    request: Request, id_: int, typed: Any = None, error: Exception | None = None
) -> Response:
    site = site_of(request)
    with site.workspace.database.read() as tx:
        campaign_record, campaign = site.workspace.active_campaign(tx)
        run = find_experiment(tx, campaign_record, id_)
        predictions = {p.outcome: p for p in reversed(tx.batches.predictions_of(run.id))}
        trail = tx.experiments.trail(run.id)
        version = tx.experiments.version(run.id)
        nearest_id = run.proposal.nearest_experiment_id if run.proposal else None
        nearest = None if nearest_id is None else tx.experiments.get(nearest_id)
        curves = tx.curves.all_of(run.id)
    rows = [
        {
            "outcome": outcome,
            "heading": campaign.heading(outcome),
            "unit": campaign.unit_of(outcome),
            "property": campaign.property_of(outcome),
            "is_wanted": outcome in campaign.wanted_outcomes,
            "predicted": predictions.get(outcome),
            "reach": reach(predictions[outcome], WARN_SDS) if outcome in predictions else None,
            "measured": [m for m in run.measurements if m.outcome == outcome],
            "mean": mean_of(run, outcome),
        }
        for outcome in campaign.outcomes
    ]
    rows.sort(key=lambda row: not row["is_wanted"])
    return form_page(
        request,
        "run.html",
        error,
        place="runs",
        run=run,
        nearest=nearest,
        rows=rows,
        definition=campaign,
        trail=list(reversed(trail)),
        stands_at=version,
        typed=typed or {},
        cell_text=cell_text,
        undoable=_undoable(request, id_) if person_of(request).is_allowed(Role.OPERATOR) else None,
        measurings=measurings_of(site.workspace, [p.id for p in run.micrographs]),
        curves=curves,
        directions=curve_directions(campaign),
        drawn=previews_of(site.workspace, [run.id]).get(run.id),
    )


@router.post("/runs/{id_}")
def log(request: Request, id_: int, form: Sent) -> Response:
    """Record what became of a run."""
    site, person = site_of(request), person_of(request)
    try:
        with site.workspace.database.read() as tx:
            _, campaign = site.workspace.active_campaign(tx)
        entries = _entries(f"id:{id_}", form, campaign)
        version = forms.integer(form, "version")
        acting = site.workspace.acting(person.name)
        recorded = record_series(acting, entries, detail=f"experiment {id_}", version=version)
    except EXPECTED as error:
        keeps = not isinstance(error, StateError) or isinstance(error, EditedMeanwhileError)
        typed = {k: v for k, v in kept_typed(form).items() if k != "version"} if keeps else {}
        return _run_page(request, id_, typed, error)
    _announce(request, recorded)
    if _is_ours(form):
        return RedirectResponse(forms.word(form, "back"), 303)
    return redirect(request, f"/runs/{id_}")


def _is_ours(form: FormData) -> bool:
    back = forms.word(form, "back")
    return back.startswith("/") and not back.startswith(("//", "/\\"))


def _entries(id_: str, form: FormData, campaign: Campaign) -> list[Entry]:
    """Return what the run's form says, as entries."""
    action, note = forms.word(form, "what"), forms.text(form, "note")
    if action == "failed":
        return [Entry(experiment=id_, failure=forms.word(form, "failure"), note=note)]
    if action == "abandon":
        if note is None:
            raise UsageError("expected a reason: why is this run left out?", field="note")
        return [Entry(experiment=id_, abandon=True, note=note)]
    if action == "facts":
        return [Entry(experiment=id_, facts=forms.facts(form))]
    if action not in ("", "results", "note", "running", "edit"):
        raise UsageError(f"expected results, running, edit, failed or abandon, got '{action}'")
    if action in ("running", "edit"):
        actual = forms.conditions(form, campaign, "actual") if action == "edit" else {}
        return [Entry(experiment=id_, running=True, actual=actual, note=note)]
    return entries_of(id_, form, campaign) or [Entry(experiment=id_)]


def _announce(request: Request, recorded: list[Recorded]) -> None:
    site, person = site_of(request), person_of(request)
    with site.workspace.database.read() as tx:
        _, campaign = site.workspace.active_campaign(tx)
    last = recorded[-1].experiment
    kind = f" ({last.failure})" if last.failure else ""
    lines = receipt(recorded, campaign)
    n = sum(len(entry.values) for entry in recorded)
    results = f"{n} result{'s' if n != 1 else ''} " if n else ""
    listed = f"{results}recorded: {'; '.join(lines)}; " if lines else ""
    site.leave_message(person, "good", f"{listed}run {last.name} is {last.status}{kind}.")
    for entry in recorded:
        for warning in entry.warnings:
            site.leave_message(person, "warning", warning)


@router.post("/runs/{id_}/undo")
def take_back(request: Request, id_: int, form: Sent) -> Response:
    """Take back the last change of one's own, if it is the one that the page showed."""
    site, person = site_of(request), person_of(request)
    try:
        change = forms.integer(form, "change")
        undone = undo(site.workspace, person.name, change_id=change)
    except EXPECTED as error:
        return _run_page(request, id_, None, error)
    restored = "; ".join(undone.restored).replace("experiment ", "run ")
    site.leave_message(person, "good", f"Undone: {restored}.")
    return redirect(request, f"/runs/{id_}")


def _undoable(request: Request, id_: int) -> Undone | None:
    """Return what an undoing would take back, if it is of this run."""
    try:
        undone = undo(site_of(request).workspace, person_of(request).name, is_dry_run=True)
    except EXPECTED:
        return None
    return undone if id_ in undone.experiments else None


# -- pictures -----------------------------------------------------------------------------------


@router.post("/runs/{id_}/micrographs")
def add_pictures(request: Request, id_: int, form: Sent) -> Response:
    """Keep pictures of a run's mat, and have them measured."""
    try:
        recorded = keep_pictures(request, id_, form)
    except EXPECTED as error:
        return _run_page(request, id_, None, error)
    n = recorded.n_micrographs
    site_of(request).leave_message(
        person_of(request), "good", f"{n} picture{'s' if n != 1 else ''} uploaded; being measured."
    )
    return redirect(request, f"/runs/{id_}#pictures")


def keep_pictures(request: Request, id_: int, form: FormData) -> Recorded:
    """Record the pictures of a form, and queue their measuring.

    Raises:
        SpinneretError: what is off with the run or a picture.
    """
    site, person = site_of(request), person_of(request)
    taking = asdict(forms.taking(form))
    with site.workspace.database.read() as tx:
        earlier = find_experiment(tx, site.workspace.active_campaign(tx)[0], id_)
    with forms.uploaded(request, form.getlist("file")) as paths:
        if not paths:
            raise UsageError("expected a picture beside its text file, got none")
        entry = Entry(experiment=f"id:{id_}", micrographs=tuple(paths))
        recorded = record(site.workspace.acting(person.name), entry, detail=f"experiment {id_}")
    earlier_ids = {picture.id for picture in earlier.micrographs}
    new = [
        picture.id for picture in recorded.experiment.micrographs if picture.id not in earlier_ids
    ]
    submit(site.workspace, "measure", {"micrographs": new, **taking}, actor=person.name)
    site.crew.wake()
    return recorded


@router.post("/measure")
def measure_all(request: Request) -> Response:
    """Have every picture measured that is not."""
    site, person = site_of(request), person_of(request)
    with site.workspace.database.read() as tx:
        record_, _ = site.workspace.active_campaign(tx)
        ids = tx.micrographs.unmeasured(record_.id)
    if not ids:
        raise StateError("every picture is measured already")
    task = submit(site.workspace, "measure", {"micrographs": list(ids)}, actor=person.name)
    site.crew.wake()
    return redirect(request, f"/jobs/{task.id}")


@router.get("/micrographs/{id_}/picture")
def picture(request: Request, id_: int, size: int = 1600) -> Response:
    """Return a kept picture as something that a browser shows."""
    path = rendition(site_of(request).workspace, id_, size)
    return FileResponse(path, media_type="image/png", headers=_KEEP)


@router.get("/micrographs/{id_}/overlay")
def overlay(request: Request, id_: int) -> Response:
    """Return the picture of what was measured."""
    path = overlay_of(site_of(request).workspace, id_)
    return FileResponse(path, media_type="image/png", headers={"cache-control": "no-cache"})


@router.get("/micrographs/{id_}/bar")
def scale_bar(request: Request, id_: int) -> Response:
    """Return the scale bar that gave the pixel size, enlarged, as it was read."""
    path = bar_of(site_of(request).workspace, id_)
    return FileResponse(path, media_type="image/png", headers={"cache-control": "no-cache"})


_KEEP = {"cache-control": "private, max-age=86400"}


@router.get("/micrographs/{id_}/card")
def picture_card(request: Request, id_: int) -> Response:
    """Return what is known of a picture; asked again until it is measured."""
    site = site_of(request)
    record_ = picture_of(site.workspace, id_)
    return part(
        request,
        "picture_card.html",
        picture=record_,
        measurings=measurings_of(site.workspace, [id_]),
    )


@router.post("/micrographs/{id_}")
def change_picture(request: Request, id_: int, form: Sent) -> Response:
    """Have a picture measured again, with what is stated of it, or take it away from its run."""
    site, person = site_of(request), person_of(request)
    run_id = picture_of(site.workspace, id_).experiment_id
    try:
        if forms.word(form, "what") == "remove":
            _remove_picture(request, run_id, id_, form)
        else:
            params = {"micrographs": [id_], **asdict(forms.taking(form))}
            submit(site.workspace, "measure", params, actor=person.name)
            site.crew.wake()
    except EXPECTED as error:
        return _run_page(request, run_id, None, error)
    return redirect(request, f"/runs/{run_id}#pictures")


def _remove_picture(request: Request, run_id: int, id_: int, form: FormData) -> None:
    site, person = site_of(request), person_of(request)
    reason = forms.text(form, "why")
    if reason is None:
        raise UsageError("expected a reason: why is this picture removed?", field="why")
    entry = Entry(experiment=f"id:{run_id}", removed=(id_,), note=reason)
    acting = site.workspace.acting(person.name)
    _announce(request, [record(acting, entry, detail=f"experiment {run_id}")])
