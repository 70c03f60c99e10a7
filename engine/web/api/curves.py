"""``/curves``: tensile curves of runs, what was found on them, their samples; taken back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from starlette.responses import FileResponse, Response

from engine.curves.kept import find_curve
from engine.curves.tested import HowTested
from engine.documents.curves import CurveOut, CurvePointsOut, CurvesOut, RefittedOut
from engine.documents.experiments import RecordedOut
from engine.experiments.entries import Entry
from engine.experiments.record import record_series
from engine.web import forms
from engine.web.api import schemas
from engine.web.api.common import (
    Id,
    IfMatch,
    Key,
    Outcome,
    answer,
    answers,
    at_most_once,
    version_of,
)
from engine.web.api.experiments import clean, recorded_run
from engine.web.rendering import site_of
from engine.workspace import Workspace
from engine.workspace.lookup import find_experiment

router = APIRouter(tags=["curves"])

_PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
}
_Word = Annotated[str | None, Form(max_length=200)]


@router.get("/experiments/{id}/curves", response_model=CurvesOut, responses=answers(404))
def list_curves(request: Request, id: Id) -> Response:
    """The tensile curves of a run, those taken back among them, with what was found on each."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        records = tx.curves.all_of(find_experiment(tx, record, id).id)
    return answer(CurvesOut(items=tuple(map(CurveOut.model_validate, records))))


@router.post(
    "/experiments/{id}/curves",
    status_code=201,
    response_model=RecordedOut,
    responses=answers(404, 409, 412),
)
def add_curves(
    request: Request,
    *,
    id: Id,
    file: Annotated[UploadFile, File(description="A tester's file, of one specimen or several.")],
    direction: _Word = None,
    width: _Word = None,
    thickness: _Word = None,
    gauge_length: _Word = None,
    encoding: _Word = None,
    units: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006 -- FastAPI copies it
    columns: Annotated[str | None, Form(max_length=1000)] = None,
    replicate: Annotated[bool, Form()] = False,
    if_match: IfMatch = None,
    key: Key = None,
) -> Response:
    """Record the curves of a tester's file, and the properties found on them, as measurements.

    Lengths come with their unit (`width` = `5 mm`); what is not stated is taken from the file, or
    from the campaign's usual geometry. `units`: `strain=%`, where the file does not say it.
    """
    tested = HowTested(
        width,
        thickness,
        gauge_length,
        () if direction is None else (direction,),
        encoding,
        tuple(units),
        columns,
    )

    def carry_out(workspace: Workspace) -> Outcome:
        with forms.uploaded(request, [file], noun="tester's file") as paths:
            entry = Entry(
                experiment=f"id:{id}", curves=tuple(paths), tested=tested, replicate=replicate
            )
            recorded = record_series(
                workspace, [entry], detail=f"experiment {id}", version=version_of(if_match)
            )
        return recorded_run(workspace, recorded, 201)

    content = [id, file.filename, file.size, vars(tested), replicate]
    return at_most_once(request, key, content, carry_out)


@router.get("/curves/{id}", response_model=CurveOut, responses=answers(404))
def get_curve(request: Request, id: Id) -> Response:
    """One specimen's curve: how its file was read, its geometry, and what was found on it."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        return answer(CurveOut.model_validate(find_curve(tx, workspace, id)))


@router.get("/curves/{id}/points", response_model=CurvePointsOut, responses=answers(404))
def get_points(
    request: Request,
    id: Id,
    most: Annotated[int, Query(ge=2, le=100_000, description="Points, evenly chosen.")] = 5000,
) -> Response:
    """What the tester recorded: a list of numbers of each quantity, in the file's own units."""
    from engine.curves.kept import raw_curve

    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        raw = raw_curve(tx, find_curve(tx, workspace, id))
    return answer(CurvePointsOut.build(id, raw, most))


@router.get("/curves/{id}/picture", response_class=FileResponse, responses={**_PNG, **answers(404)})
def get_picture(request: Request, id: Id) -> Response:
    """The curve with what was found on it, as PNG."""
    from engine.curves.pictures import curve_picture

    return FileResponse(curve_picture(site_of(request).workspace, id), media_type="image/png")


@router.post("/curves/{id}/retraction", response_model=RefittedOut, responses=answers(404, 409))
def retract_curve(
    request: Request, id: Id, body: schemas.CurveRetraction, key: Key = None
) -> Response:
    """Take a curve back with its values; it, they and the reason stay in the trail."""

    def carry_out(workspace: Workspace) -> Outcome:
        from engine.curves.fit import remove

        refitted = remove(workspace, [id], note=clean(body.note, "note"))
        return RefittedOut.model_validate(refitted), 200, {}

    return at_most_once(request, key, [id, body.model_dump()], carry_out)
