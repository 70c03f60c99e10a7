"""``/readings``: pictures measured without a run, as ``engine micrograph read`` does."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi import Path as InPath
from starlette.responses import FileResponse, Response

from engine.bulk.dropped import MOST_PICTURES, DroppedPictures, dropped_pictures
from engine.documents.readings import ReadingOut, ReadingsOut
from engine.errors import NotFoundError
from engine.micrographs.scale import HowTaken, crop_of
from engine.web.addresses import address_of
from engine.web.api import schemas
from engine.web.api.common import Key, Outcome, acting, answer, answers, at_most_once
from engine.web.forms import MOST_FILES
from engine.web.readings import (
    discard,
    lay_pictures,
    readings_of,
    sample_of,
    start_reading,
    tasks_of_readings,
)
from engine.web.rendering import person_of, site_of
from engine.workspace import Workspace

router = APIRouter(tags=["pictures of no run"])

Token = Annotated[
    str,
    InPath(min_length=16, max_length=16, pattern="^[0-9a-f]+$", description="Its `reading`."),
]
Number = Annotated[
    int, InPath(ge=1, le=MOST_PICTURES, description="Its place in the list, from 1.")
]
_Files = Annotated[
    list[UploadFile],
    File(
        max_length=MOST_FILES,
        description="Pictures and their instruments' text files; a file's name may have folders.",
    ),
]
_SAMPLE = "Which pictures show one sample: `folder`, `name`, or a pattern such as `{sample}_*.tif`."
_EARLIER = "The `reading` that these files belong to, where others were sent before."
_MORE = "Further files come: nothing is read yet."


def _file(kind: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "The file.", "content": {kind: {"schema": schema}}}}


_PNG = _file("image/png", {"type": "string", "format": "binary"})
_CSV = _file("text/csv", {"type": "string"})
_WAITING: dict[int | str, dict[str, Any]] = {
    201: {"model": ReadingOut, "description": "Kept until the rest is sent."}
}


@router.post(
    "/readings",
    status_code=202,
    response_model=ReadingOut,
    responses={**_WAITING, **answers(404, 409)},
)
def read_pictures(
    request: Request,
    *,
    file: _Files = [],  # noqa: B006 -- FastAPI copies it
    reading: Annotated[str | None, Form(description=_EARLIER, max_length=16)] = None,
    more: Annotated[bool, Form(description=_MORE)] = False,
    sample: Annotated[str | None, Form(description=_SAMPLE, max_length=200)] = None,
    nm_per_pixel: Annotated[float | None, Form(gt=0, le=1e6)] = None,
    rotation_axis: Annotated[str | None, Form(pattern="^[xy]$")] = None,
    crop: Annotated[str | None, Form(description=schemas.CROP, max_length=50)] = None,
    dark_fibres: Annotated[bool | None, Form()] = None,
    scale_bar: Annotated[str | None, Form(description=schemas.BAR, max_length=50)] = None,
    key: Key = None,
) -> Response:
    """Have pictures measured by a job, without a run; nothing enters the campaign.

    Up to 40 files in a request, 500 in a reading: with `more` they are kept, and the next request
    names the `reading`. Pictures and results are removed after a week.
    """
    box = crop_of(crop) if crop else None
    stated = HowTaken(nm_per_pixel, rotation_axis, box, dark_fibres, scale_bar)
    sample = sample_of(sample)
    site, campaign_id = site_of(request), _campaign(request)

    def carry_out(workspace: Workspace) -> Outcome:
        with lay_pictures(site, campaign_id, file, reading) as pictures:
            dropped = pictures.dropped
            if more:
                return ReadingOut.build(dropped, None), 201, {}
            actor = person_of(request).name
            task = start_reading(workspace, dropped, stated, sample, actor=actor)
        site.crew.wake()
        location = address_of(request).api(f"/readings/{dropped.token}")
        return ReadingOut.build(dropped, task), 202, {"location": location}

    if more:  # nothing is recorded yet, in which a key could stand
        return answer(*carry_out(acting(request)))
    files = [(upload.filename, upload.size) for upload in file]
    content = [files, reading, vars(stated), sample]
    return at_most_once(request, key, content, carry_out)


@router.get("/readings", response_model=ReadingsOut, responses=answers(404))
def list_readings(request: Request) -> Response:
    """Pictures that were read of late, newest first; each without what came of it."""
    readings = readings_of(site_of(request).workspace, _campaign(request))
    items = tuple(ReadingOut.build(dropped, task, has_results=False) for dropped, task in readings)
    return answer(ReadingsOut(items=items))


@router.get("/readings/{reading}", response_model=ReadingOut, responses=answers(404))
def get_reading(request: Request, reading: Token) -> Response:
    """How far the reading is, and in the end what each picture and each sample shows."""
    dropped = _dropped(request, reading)
    task = tasks_of_readings(site_of(request).workspace).get(reading)
    return answer(ReadingOut.build(dropped, task))


@router.delete("/readings/{reading}", status_code=204, responses=answers(404, 409))
def remove_reading(request: Request, reading: Token) -> Response:
    """Remove pictures and results before their time."""
    discard(site_of(request).workspace, _dropped(request, reading))
    return Response(status_code=204)


@router.get(
    "/readings/{reading}/tables/{table}",
    response_class=FileResponse,
    responses={**_CSV, **answers(404)},
)
def get_table(request: Request, reading: Token, table: str) -> Response:
    """A table: `table.csv` (rows: pictures), `fibres.csv`, `samples.csv` or `diameters.csv`."""
    path = _dropped(request, reading).table(table)
    return FileResponse(path, media_type="text/csv; charset=utf-8", filename=table)


@router.get(
    "/readings/{reading}/overlays/{number}",
    response_class=FileResponse,
    responses={**_PNG, **answers(404)},
)
def get_overlay(request: Request, reading: Token, number: Number) -> Response:
    """What was measured on a picture, drawn over it, as PNG."""
    return FileResponse(_dropped(request, reading).overlay(number), media_type="image/png")


@router.get(
    "/readings/{reading}/histograms/{number}",
    response_class=FileResponse,
    responses={**_PNG, **answers(404)},
)
def get_histogram(request: Request, reading: Token, number: Number) -> Response:
    """The distribution of a sample's diameters, as PNG."""
    return FileResponse(_dropped(request, reading).histogram(number), media_type="image/png")


def _dropped(request: Request, token: str) -> DroppedPictures:
    return dropped_pictures(site_of(request).workspace, _campaign(request), token)


def _campaign(request: Request) -> int:
    campaign_id = address_of(request).campaign_id
    if campaign_id is None:
        raise NotFoundError("no campaign is named")
    return campaign_id
