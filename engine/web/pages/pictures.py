"""Many pictures measured at once, without a run: dropped, read by a job, shown, downloaded."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import FileResponse, JSONResponse, Response

from db.records import TaskRecord
from engine.bulk.dropped import (
    KEPT_DAYS,
    MOST_PICTURES,
    TABLES,
    DroppedPictures,
    all_dropped,
    dropped_pictures,
    new_pictures,
)
from engine.bulk.files import sample_names
from engine.errors import NotFoundError, StateError, UsageError
from engine.jobs.queue import READING, newest, submit
from engine.micrographs.layout import SUFFIXES
from engine.micrographs.sidecars import is_sidecar
from engine.web import forms
from engine.web.addresses import address_of, redirect
from engine.web.forms import Sent, checked_form
from engine.web.rendering import form_page, page, person_of, site_of
from engine.web.statuses import EXPECTED, status_of
from engine.web.wording import worded

router = APIRouter(dependencies=[Depends(checked_form)])

N_TASKS = 200


@router.get("/pictures")
def ask(request: Request) -> Response:
    """Show where pictures are dropped, and what was read of late."""
    return _form(request, {}, None)


def _form(request: Request, typed: Any, error: Exception | None) -> Response:
    workspace = site_of(request).workspace
    tasks = _tasks(request)
    earlier = [
        (dropped, tasks.get(dropped.token), _time_of(dropped))
        for dropped in all_dropped(workspace, _campaign(request))
    ]
    return form_page(
        request,
        "pictures.html",
        error,
        place="runs",
        typed=typed,
        earlier=[entry for entry in earlier if entry[1] is not None],
        most=MOST_PICTURES,
        days=KEPT_DAYS,
    )


def _time_of(dropped: DroppedPictures) -> datetime:
    return datetime.fromtimestamp(dropped.folder.stat().st_mtime, UTC)


def _campaign(request: Request) -> int:
    campaign_id = address_of(request).campaign_id
    assert campaign_id is not None  # noqa: S101 -- the router's prefix has it
    return campaign_id


def _tasks(request: Request) -> dict[str, TaskRecord]:
    """Return the newest job of each reading."""
    tasks: dict[str, TaskRecord] = {}
    for task in newest(site_of(request).workspace, kinds=READING, n=N_TASKS):
        tasks.setdefault(str(task.params.get("pictures")), task)
    return tasks


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
    try:
        taking = forms.taking(form)
        sample = _sample(form)
        dropped = _laid(request, form)
        pictures = [name for name in dropped.names if not is_sidecar(dropped.pictures / name)]
        if not pictures:
            raise UsageError("expected a picture beside its text file, got none")
        sample_names(pictures, sample)  # a pattern has to fit before anything is measured
    except EXPECTED as error:
        return _form(request, forms.typed(form), error)
    params = {"pictures": dropped.token, **asdict(taking), "sample": sample}
    submit(site.workspace, "read", params, actor=person.name)
    site.crew.wake()
    return redirect(request, f"/pictures/{dropped.token}")


def _sample(form: FormData) -> str | None:
    word, pattern = forms.word(form, "sample"), forms.word(form, "pattern")
    if word not in ("", "name", "pattern"):
        raise UsageError(f"expected name or pattern, got '{word}'", field="sample")
    if word != "pattern":
        return "name"
    if pattern.count("{sample}") != 1:
        raise UsageError(
            f"expected {{sample}} once, as '{{sample}}_*.tif', got '{pattern}'", field="pattern"
        )
    return pattern


def _laid(request: Request, form: FormData) -> DroppedPictures:
    """Lay a form's files into their folder.

    Raises:
        UsageError: no file, or one that is neither picture nor an instrument's text file.
        StateError: more than is read at once, or they are read already.
        NotFoundError: the folder that they belong to is gone.
    """
    site = site_of(request)
    files = [f for f in form.getlist("file") if isinstance(f, UploadFile) and f.filename]
    token = forms.word(form, "pictures")
    if not files and not token:
        raise UsageError("expected pictures, got none: choose files first")
    names = [forms.plain_name(file.filename or "") for file in files]
    for name in names:
        if not name.casefold().endswith((*SUFFIXES, ".txt", ".hdr")):
            raise UsageError(
                f"expected pictures ({', '.join(SUFFIXES)}) and their .txt or .hdr, got {name}"
            )
    if token and token in _tasks(request):
        raise StateError("these pictures are being read already; drop further ones apart")
    dropped = (
        dropped_pictures(site.workspace, _campaign(request), token)
        if token
        else new_pictures(site.workspace, _campaign(request))
    )
    try:
        dropped.refuse_too_many(sum(file.size or 0 for file in files))
        for file, name in zip(files, names, strict=True):
            if (dropped.pictures / name).exists():
                raise UsageError(f"expected names that differ, got {name} twice")
            forms.lay_file(dropped.pictures, file)
        dropped.refuse_too_many()
    except EXPECTED:
        dropped.remove()
        raise
    return dropped


@router.get("/pictures/{token}")
def show(request: Request, token: str) -> Response:
    """Show how far the reading is, then what came of it."""
    dropped = _dropped(request, token)
    task = _tasks(request).get(token)
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
    paths = _dropped(request, token).histograms
    if not 0 < number <= len(paths):
        raise NotFoundError(f"there is no distribution {number} of these pictures")
    headers = {"cache-control": "no-cache"}
    return FileResponse(paths[number - 1], media_type="image/png", headers=headers)


@router.post("/pictures/{token}/remove")
def remove(request: Request, token: str) -> Response:
    """Remove pictures and results before their time."""
    dropped = _dropped(request, token)
    task = _tasks(request).get(token)
    if task is not None and not task.status.is_over:
        raise StateError(f"job {task.id} reads these pictures: cancel it first")
    dropped.remove()
    site_of(request).leave_message(person_of(request), "good", "Pictures and results are removed.")
    return redirect(request, "/pictures")
