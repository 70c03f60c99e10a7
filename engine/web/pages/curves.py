"""Tensile curves of a run: dropped, drawn with what was found on them, taken back."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import FileResponse, Response

from engine.curves.tested import HowTested
from engine.experiments.entries import Entry
from engine.experiments.record import Recorded, record
from engine.web import forms
from engine.web.addresses import redirect
from engine.web.forms import Sent, checked_form
from engine.web.rendering import person_of, site_of
from engine.web.statuses import EXPECTED
from engine.web.wording import worded

router = APIRouter(dependencies=[Depends(checked_form)])


@router.post("/runs/{id_}/curves")
def add_curves(request: Request, id_: int, form: Sent) -> Response:
    """Record the curves of the files that were dropped; each specimen is a replicate."""
    site, person = site_of(request), person_of(request)
    try:
        recorded = _record(request, id_, form)
    except EXPECTED as error:
        site.leave_message(person, "bad", worded(error, "page"))
        return redirect(request, f"/runs/{id_}#curves")
    n, n_values = len(recorded.curves), len(recorded.values)
    text = f"{n} curve{'s' if n != 1 else ''} recorded, {n_values} value{'s' * (n_values != 1)}."
    site.leave_message(person, "good", text)
    for warning in recorded.warnings:
        site.leave_message(person, "warning", warning)
    return redirect(request, f"/runs/{id_}#curves")


def _record(request: Request, id_: int, form: FormData) -> Recorded:
    site, person = site_of(request), person_of(request)
    direction = forms.text(form, "direction")
    units = (forms.text(form, "units") or "").split(",")
    tested = HowTested(
        width=forms.text(form, "width"),
        thickness=forms.text(form, "thickness"),
        gauge_length=forms.text(form, "gauge_length"),
        direction=() if direction is None else (direction,),
        encoding=forms.text(form, "encoding"),
        units=tuple(unit.strip() for unit in units if unit.strip()),
        columns=forms.text(form, "columns"),
    )
    with forms.uploaded(request, form.getlist("file"), noun="tester's file") as paths:
        entry = Entry(
            experiment=f"id:{id_}",
            curves=tuple(paths),
            tested=tested,
            replicate=forms.word(form, "replicate") == "on",
        )
        return record(site.workspace.acting(person.name), entry, detail=f"experiment {id_}")


@router.post("/curves/{id_}/remove")
def take_back(request: Request, id_: int, form: Sent) -> Response:
    """Take a curve back, with its values."""
    from engine.curves.fit import remove

    site, person = site_of(request), person_of(request)
    refitted = remove(site.workspace.acting(person.name), [id_], note=forms.text(form, "note"))
    text = f"Curve {id_} and {len(refitted.values)} of its values are taken back."
    site.leave_message(person, "good", text)
    for note in refitted.notes:
        site.leave_message(person, "warning", note)
    return redirect(request, f"/runs/{refitted.curves[0].experiment_id}#curves")


@router.get("/curves/{id_}/picture")
def picture(request: Request, id_: int) -> Response:
    """Return a curve with what was found on it, as a PNG."""
    from engine.curves.pictures import curve_picture

    path = curve_picture(site_of(request).workspace, id_)
    return FileResponse(path, media_type="image/png", headers=_KEEP)


@router.get("/runs/{id_}/curves/picture")
def overlay(request: Request, id_: int) -> Response:
    """Return a run's curves over one another, as a PNG."""
    from engine.curves.pictures import run_picture

    path = run_picture(site_of(request).workspace, str(id_))
    return FileResponse(path, media_type="image/png", headers=_KEEP)


_KEEP = {"cache-control": "private, max-age=60"}
