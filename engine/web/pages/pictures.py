"""Many pictures measured at once, without a run: dropped, read by a job, shown, downloaded."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import FileResponse, JSONResponse, Response

from engine.bulk.dropped import (
    KEPT_DAYS,
    MOST_PICTURES,
    TABLES,
    DroppedPictures,
    dropped_pictures,
)
from engine.errors import NotFoundError, UsageError
from engine.web import forms
from engine.web.addresses import address_of, redirect
from engine.web.forms import Sent, checked_form
from engine.web.readings import (
    discard,
    lay_pictures,
    readings_of,
    start_reading,
    tasks_of_readings,
)
from engine.web.rendering import form_page, page, person_of, site_of
from engine.web.statuses import EXPECTED, status_of
from engine.web.wording import worded

router = APIRouter(dependencies=[Depends(checked_form)])


@router.get("/pictures")
def ask(request: Request) -> Response:
    """Show where pictures are dropped, and what was read of late."""
    return _form(request, {}, None)


def _form(request: Request, typed: Any, error: Exception | None) -> Response:
    workspace, campaign_id = site_of(request).workspace, _campaign(request)
    return form_page(
        request,
        "pictures.html",
        error,
        place="runs",
        typed=typed,
        waiting=_waiting(request, str(typed.get("pictures", ""))),
        earlier=[
            (dropped, task, _time_of(dropped))
            for dropped, task in readings_of(workspace, campaign_id)
        ],
        most=MOST_PICTURES,
        days=KEPT_DAYS,
    )


def _waiting(request: Request, token: str) -> DroppedPictures | None:
    """Return pictures that lie here and wait for further ones, or for the form to be right."""
    if not token or token in tasks_of_readings(site_of(request).workspace):
        return None
    with suppress(NotFoundError):
        return _dropped(request, token)
    return None


def _time_of(dropped: DroppedPictures) -> datetime:
    return datetime.fromtimestamp(dropped.folder.stat().st_mtime, UTC)


def _campaign(request: Request) -> int:
    campaign_id = address_of(request).campaign_id
    assert campaign_id is not None  # noqa: S101 -- the router's prefix has it
    return campaign_id


@router.post("/pictures/parts")
def keep_part(request: Request, form: Sent) -> Response:
    """Keep some of many pictures; the answer names the folder that the next ones go to."""
    try:
        dropped = _laid(request, form)
    except EXPECTED as error:
        return JSONResponse({"detail": worded(error, "page")}, status_of(error))
    return JSONResponse({"pictures": dropped.token, "n": len(dropped.names)})


@router.post("/pictures")
def read_pictures(request: Request, form: Sent) -> Response:
    """Keep the pictures of a form, with those that were sent before it, and have them read."""
    site, person = site_of(request), person_of(request)
    typed = dict(forms.typed(form))
    try:
        dropped = _laid(request, form)
        # What is amiss further down is mended on the form, and the pictures are here already.
        typed["pictures"] = dropped.token
        taking, sample = forms.taking(form), _sample(form)
        start_reading(site.workspace, dropped, taking, sample, actor=person.name)
    except EXPECTED as error:
        return _form(request, typed, error)
    site.crew.wake()
    return redirect(request, f"/pictures/{dropped.token}")


def _laid(request: Request, form: FormData) -> DroppedPictures:
    files = [f for f in form.getlist("file") if isinstance(f, UploadFile) and f.filename]
    token = forms.word(form, "pictures") or None
    with lay_pictures(site_of(request), _campaign(request), files, token) as pictures:
        return pictures.dropped


def _sample(form: FormData) -> str | None:
    word, pattern = forms.word(form, "sample"), forms.word(form, "pattern")
    if word not in ("", "name", "pattern"):
        raise UsageError(f"expected name or pattern, got '{word}'", field="sample")
    if word != "pattern":
        return word or None
    if pattern.count("{sample}") != 1:
        raise UsageError(
            f"expected {{sample}} once, as '{{sample}}_*.tif', got '{pattern}'", field="pattern"
        )
    return pattern


@router.get("/pictures/{token}")
def show(request: Request, token: str) -> Response:
    """Show how far the reading is, then what came of it."""
    dropped = _dropped(request, token)
    task = tasks_of_readings(site_of(request).workspace).get(token)
    if task is None:
        raise NotFoundError("these pictures were sent in part only, and are not read")
    document = dropped.document() if task.status.is_over else None
    return page(
        request,
        "pictures_read.html",
        place="runs",
        token=token,
        task=task,
        names=dropped.names,
        reading=document,
        tables=TABLES if document is not None else {},
        n_histograms=len(dropped.histograms),
        days=KEPT_DAYS,
    )


def _dropped(request: Request, token: str) -> DroppedPictures:
    return dropped_pictures(site_of(request).workspace, _campaign(request), token)


@router.get("/pictures/{token}/tables/{name}")
def table(request: Request, token: str, name: str) -> Response:
    """Return one of the tables as a file to download."""
    path = _dropped(request, token).table(name)
    return FileResponse(path, media_type="text/csv; charset=utf-8", filename=name)


@router.get("/pictures/{token}/overlays/{number}")
def overlay(request: Request, token: str, number: int) -> Response:
    """Return the picture of what was measured."""
    path = _dropped(request, token).overlay(number)
    return FileResponse(path, media_type="image/png", headers={"cache-control": "no-cache"})


@router.get("/pictures/{token}/histograms/{number}")
def histogram(request: Request, token: str, number: int) -> Response:
    """Return the distribution of a sample's diameters."""
    path = _dropped(request, token).histogram(number)
    return FileResponse(path, media_type="image/png", headers={"cache-control": "no-cache"})


@router.post("/pictures/{token}/remove")
def remove(request: Request, token: str) -> Response:
    """Remove pictures and results before their time."""
    discard(site_of(request).workspace, _dropped(request, token))
    site_of(request).leave_message(person_of(request), "good", "Pictures and results are removed.")
    return redirect(request, "/pictures")
