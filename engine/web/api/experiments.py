"""``/experiments`` and ``/micrographs``: runs, what came of them, their pictures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from starlette.responses import FileResponse, Response

from engine.campaign import Campaign, Value
from engine.documents.experiments import (
    ExperimentDetailOut,
    MicrographOut,
    RecordedOut,
    TrailOut,
    TrailsOut,
    UndoneOut,
)
from engine.documents.jobs import JobOut
from engine.errors import DataError, UsageError
from engine.experiments.conditions import read_conditions, read_results
from engine.experiments.entries import Entry
from engine.experiments.facts import read_facts
from engine.experiments.importers.words import CellError, clean_label, clean_text
from engine.experiments.receipt import receipt
from engine.experiments.record import Recorded, record_series
from engine.experiments.undo import undo
from engine.jobs.queue import submit
from engine.micrographs.scale import HowTaken, crop_of
from engine.micrographs.thumbnails import bar_of, overlay_of, picture_of, rendition
from engine.web import forms
from engine.web.addresses import address_of
from engine.web.api import schemas
from engine.web.api.common import (
    Id,
    IfMatch,
    Key,
    Outcome,
    answer,
    answers,
    at_most_once,
    etag,
    version_of,
)
from engine.web.rendering import site_of
from engine.workspace import Workspace
from engine.workspace.lookup import find_experiment

router = APIRouter(tags=["experiments"])


@router.post(
    "/experiments",
    status_code=201,
    response_model=RecordedOut,
    responses=answers(404, 409),
)
def add_experiment(request: Request, body: schemas.NewRun, key: Key = None) -> Response:
    """Record a run that nobody proposed."""

    def carry_out(workspace: Workspace) -> Outcome:
        campaign = _campaign(workspace)
        entry = Entry(
            label=clean(body.label, "label"),
            conditions=_conditions(body.conditions, campaign, "conditions"),
            note=clean(body.note, "note"),
            facts=read_facts(campaign, body.facts),
        )
        return recorded_run(workspace, record_series(workspace, [entry], detail="a new run"), 201)

    return at_most_once(request, key, body.model_dump(), carry_out)


@router.get("/experiments/{id}", response_model=ExperimentDetailOut, responses=answers(404))
def get_experiment(request: Request, id: Id) -> Response:
    """Everything of one run; its `ETag` is for `If-Match`."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        document = ExperimentDetailOut.build(tx, find_experiment(tx, record, id), campaign)
    return answer(document, headers=etag(document.version))


@router.patch("/experiments/{id}", response_model=RecordedOut, responses=answers(404, 409, 412))
def edit_experiment(
    request: Request,
    id: Id,
    body: schemas.RunEdit,
    if_match: IfMatch = None,
    key: Key = None,
) -> Response:
    """Record how a run was really made, that it failed, is under way, or is left out."""

    def carry_out(workspace: Workspace) -> Outcome:
        if body.failure is not None and body.status not in (None, "failed"):
            raise UsageError(
                f"a kind of failure contradicts the status '{body.status}'", field="failure"
            )
        if body.status == "failed" and body.failure is None:
            raise UsageError("a failed run needs its kind of failure", field="failure")
        campaign = _campaign(workspace)
        entry = Entry(
            experiment=f"id:{id}",
            actual=_conditions(body.actual, campaign, "actual"),
            failure=body.failure,
            abandon=body.status == "abandoned",
            running=body.status == "running",
            note=clean(body.note, "note"),
            facts=read_facts(campaign, body.facts),
        )
        return _carried(workspace, [entry], id, version_of(if_match))

    return at_most_once(request, key, body.model_dump(), carry_out)


@router.post(
    "/experiments/{id}/results",
    response_model=RecordedOut,
    responses=answers(404, 409, 412),
)
def add_results(
    request: Request,
    id: Id,
    body: schemas.Results,
    if_match: IfMatch = None,
    key: Key = None,
) -> Response:
    """Record what was measured, replicates too, or correct it."""

    def carry_out(workspace: Workspace) -> Outcome:
        campaign = _campaign(workspace)
        results = read_results(campaign, body.results, "results", refusal=DataError)
        rows = forms.series([(name, value) for name in results for value in results[name]])
        if body.mode == "correct" and len(rows) > 1:
            raise UsageError("expected one value of an outcome, got several", field="results")
        note, actual = clean(body.note, "note"), _conditions(body.actual, campaign, "actual")
        entries = [
            Entry(
                experiment=f"id:{id}",
                results=row,
                replicate=body.mode == "replicate" or (body.mode == "add" and place > 0),
                correct=body.mode == "correct",
                which=body.which,
                actual=actual if place == 0 else {},
                note=note if place == 0 else None,
            )
            for place, row in enumerate(rows)
        ]
        return _carried(workspace, entries, id, version_of(if_match))

    return at_most_once(request, key, body.model_dump(), carry_out)


@router.post(
    "/experiments/{id}/retractions",
    response_model=RecordedOut,
    responses=answers(404, 409, 412),
)
def retract_results(
    request: Request,
    id: Id,
    body: schemas.Retraction,
    if_match: IfMatch = None,
    key: Key = None,
) -> Response:
    """Take results or pictures back; they and their retraction both stay in the trail."""

    def carry_out(workspace: Workspace) -> Outcome:
        entry = Entry(
            experiment=f"id:{id}",
            retract=tuple(body.outcomes) if body.outcomes or not body.micrographs else None,
            which=body.which,
            removed=tuple(body.micrographs),
            note=clean(body.note, "note"),
        )
        return _carried(workspace, [entry], id, version_of(if_match))

    return at_most_once(request, key, body.model_dump(), carry_out)


@router.post("/undo", response_model=UndoneOut, responses=answers(404, 409))
def undo_last(request: Request, key: Key = None) -> Response:
    """Take back the last change of one's own to runs of the campaign."""

    def carry_out(workspace: Workspace) -> Outcome:
        return UndoneOut.model_validate(undo(workspace, request.state.person.name)), 200, {}

    return at_most_once(request, key, {}, carry_out)


@router.get("/experiments/{id}/trail", response_model=TrailsOut, responses=answers(404))
def get_trail(request: Request, id: Id) -> Response:
    """Everything ever recorded of a run: who, when, what, and what it corrected."""
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        events = tx.experiments.trail(find_experiment(tx, record, id).id)
    return answer(TrailsOut(items=tuple(map(TrailOut.model_validate, events))))


@router.post(
    "/experiments/{id}/micrographs",
    status_code=201,
    response_model=RecordedOut,
    responses=answers(404, 409),
)
def add_micrograph(
    request: Request,
    *,
    id: Id,
    file: Annotated[UploadFile, File(description="TIFF, PNG, JPEG or BMP.")],
    nm_per_pixel: Annotated[float | None, Form(gt=0, le=1e6)] = None,
    rotation_axis: Annotated[str | None, Form(pattern="^[xy]$")] = None,
    crop: Annotated[str | None, Form(description=schemas.CROP, max_length=50)] = None,
    dark_fibres: Annotated[bool | None, Form()] = None,
    scale_bar: Annotated[str | None, Form(description=schemas.BAR, max_length=50)] = None,
    sidecar: Annotated[UploadFile | None, File(description=schemas.SIDECAR)] = None,
    key: Key = None,
) -> Response:
    """Keep a picture of a run's mat; a job measures it."""
    box = crop_of(crop) if crop else None
    taking = asdict(HowTaken(nm_per_pixel, rotation_axis, box, dark_fibres, scale_bar))

    def carry_out(workspace: Workspace) -> Outcome:
        with forms.uploaded(request, [file, sidecar]) as paths:
            entry = Entry(experiment=f"id:{id}", micrographs=tuple(paths))
            recorded = record_series(workspace, [entry], detail=f"experiment {id}")
        newest = max(picture.id for picture in recorded[0].experiment.micrographs)
        person = request.state.person.name
        submit(workspace, "measure", {"micrographs": [newest], **taking}, actor=person)
        site_of(request).crew.wake()
        return recorded_run(workspace, recorded, 201)

    return at_most_once(request, key, [id, file.filename, file.size, taking], carry_out)


@router.get("/micrographs/{id}", response_model=MicrographOut, responses=answers(404))
def get_micrograph(request: Request, id: Id) -> Response:
    """What is known of a picture."""
    return answer(MicrographOut.model_validate(picture_of(site_of(request).workspace, id)))


@router.post(
    "/micrographs/{id}/measurements",
    tags=["jobs"],
    status_code=202,
    response_model=JobOut,
    responses=answers(404, 409),
)
def measure_micrograph(
    request: Request, id: Id, body: schemas.Measure, key: Key = None
) -> Response:
    """Measure a picture again in the background, with the pixel size and axis that are stated."""

    def carry_out(workspace: Workspace) -> Outcome:
        picture_of(workspace, id)
        params = {"micrographs": [id], **asdict(HowTaken.from_params(body.model_dump()))}
        task = submit(workspace, "measure", params, actor=request.state.person.name)
        site_of(request).crew.wake()
        location = address_of(request).api(f"/jobs/{task.id}")
        return JobOut.model_validate(task), 202, {"location": location}

    return at_most_once(request, key, [id, body.model_dump()], carry_out)


_PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get(
    "/micrographs/{id}/picture",
    response_class=FileResponse,
    responses={**_PNG, **answers(404)},
)
def get_picture(
    request: Request,
    id: Id,
    size: Annotated[int, Query(description="320, 800 or 1600 pixels a side at most.")] = 800,
) -> Response:
    """The picture, as PNG."""
    path = rendition(site_of(request).workspace, id, size)
    return FileResponse(path, media_type="image/png")


@router.get(
    "/micrographs/{id}/overlay",
    response_class=FileResponse,
    responses={**_PNG, **answers(404)},
)
def get_overlay(request: Request, id: Id) -> Response:
    """What was measured, drawn over the picture, as PNG."""
    return FileResponse(overlay_of(site_of(request).workspace, id), media_type="image/png")


@router.get(
    "/micrographs/{id}/bar", response_class=FileResponse, responses={**_PNG, **answers(404)}
)
def get_scale_bar(request: Request, id: Id) -> Response:
    """The scale bar that gave the pixel size, enlarged, its ends and label marked, as PNG."""
    return FileResponse(bar_of(site_of(request).workspace, id), media_type="image/png")


# -- reading -----------------------------------------------------------------------------------


def _campaign(workspace: Workspace) -> Campaign:
    with workspace.database.read() as tx:
        return workspace.active_campaign(tx)[1]


def _conditions(pairs: dict[str, Any], campaign: Campaign, field_name: str) -> dict[str, Value]:
    return read_conditions(campaign, pairs, field_name, refusal=DataError)


def clean(text: str | None, name: str) -> str | None:
    """Return a label or note as it is recorded.

    Raises:
        DataError: it cannot be.
    """
    if text is None:
        return None
    try:
        return clean_label(text) if name == "label" else clean_text(text)
    except CellError as error:
        raise DataError(str(error), field=name) from None


def _carried(workspace: Workspace, entries: list[Entry], id_: int, version: int | None) -> Outcome:
    recorded = record_series(workspace, entries, detail=f"experiment {id_}", version=version)
    return recorded_run(workspace, recorded)


def recorded_run(workspace: Workspace, recorded: list[Recorded], status: int = 200) -> Outcome:
    """Return a run as it is after what was recorded of it, and what is odd."""
    warnings = [warning for entry in recorded for warning in entry.warnings]
    with workspace.database.read() as tx:
        campaign = workspace.active_campaign(tx)[1]
        document = RecordedOut.build(tx, recorded[-1].experiment, campaign)
    lines = tuple(receipt(recorded, campaign))
    body = document.model_copy(update={"recorded": lines, "warnings": tuple(warnings)})
    return body, status, etag(document.version)
