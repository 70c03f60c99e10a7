"""``/predictions``, ``/sensitivities``, ``/retrieval``: asking the model records nothing."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response

from engine.campaign import Campaign
from engine.documents.predictions import (
    FittingOut,
    MapAnswerOut,
    PredictionsAnswerOut,
    SensitivitiesAnswerOut,
    SlicesAnswerOut,
)
from engine.documents.retrieval import DrawnOut, RetrievedOut
from engine.experiments.conditions import find_outcome, find_parameter, read_conditions
from engine.micrographs.scale import HowTaken, crop_of
from engine.web import forms
from engine.web.api import schemas
from engine.web.api.common import answer, answers
from engine.web.rendering import site_of

router = APIRouter(tags=["asking the model"])

_LEARNING: dict[int | str, dict[str, Any]] = {
    202: {
        "model": FittingOut,
        "description": "The model is learning for the first time: ask again after `Retry-After`.",
    }
}


async def _campaign(request: Request) -> Campaign:
    def read() -> Campaign:
        workspace = site_of(request).workspace
        with workspace.database.read() as tx:
            return workspace.active_campaign(tx)[1]

    return await asyncio.to_thread(read)


async def _answered(request: Request, question: str, params: dict[str, Any]) -> Response:
    document = await site_of(request).ask(question, params)
    if document.get("fitting"):
        return answer(document, 202, {"retry-after": "1"})
    return answer(document)


@router.post(
    "/predictions",
    response_model=PredictionsAnswerOut,
    responses={**_LEARNING, **answers(404, 409)},
)
async def predict(request: Request, body: schemas.Ask) -> Response:
    """Mean and interval of a new measurement of every outcome, at each row of conditions."""
    campaign = await _campaign(request)
    several = len(body.conditions) > 1
    rows = [
        read_conditions(campaign, row, f"conditions.{place}" if several else "conditions")
        for place, row in enumerate(body.conditions)
    ]
    return await _answered(request, "predict", {**body.model_dump(), "conditions": rows})


@router.post(
    "/predictions/slices",
    response_model=SlicesAnswerOut,
    responses={**_LEARNING, **answers(404, 409)},
)
async def slices(request: Request, body: schemas.AskSlices) -> Response:
    """One outcome while each parameter runs over its range, the others as asked."""
    return await _answered(request, "slices", await _cut(request, body))


@router.post(
    "/predictions/map",
    response_model=MapAnswerOut,
    responses={**_LEARNING, **answers(404, 409)},
)
async def surface(request: Request, body: schemas.AskMap) -> Response:
    """One outcome over two parameters: mean and standard deviation of a new measurement."""
    campaign, cut = await _campaign(request), await _cut(request, body)
    axes = {name: find_parameter(campaign, cut[name], name) for name in ("x", "y")}
    return await _answered(request, "map", cut | axes)


async def _cut(request: Request, body: schemas.AskSlices) -> dict[str, Any]:
    campaign = await _campaign(request)
    return {
        **body.model_dump(),
        "conditions": read_conditions(campaign, body.conditions, "conditions"),
        "outcome": find_outcome(campaign, body.outcome, "outcome"),
    }


@router.post("/previews", response_model=DrawnOut, responses=answers(404, 409))
async def preview(request: Request, body: schemas.AskPreview) -> Response:
    """Pictures of the mat to expect, side by side in one PNG (`png`, base64)."""
    conditions = read_conditions(await _campaign(request), body.conditions, "conditions")
    params = {**body.model_dump(), "conditions": conditions}
    return answer(await site_of(request).ask("preview", params))


@router.get(
    "/sensitivities",
    response_model=SensitivitiesAnswerOut,
    responses={**_LEARNING, **answers(404, 409)},
)
async def sensitivities(request: Request) -> Response:
    """Sobol indices of the fitted model: which parameter moves which outcome."""
    return await _answered(request, "sensitivities", {})


@router.post("/retrieval", response_model=RetrievedOut, responses=answers(404, 409))
async def retrieve(request: Request, body: schemas.Look) -> Response:
    """Micrographs of finished runs that look as these conditions should."""
    conditions = read_conditions(await _campaign(request), body.conditions, "conditions")
    params = {**body.model_dump(), "conditions": conditions}
    return answer(await site_of(request).ask("retrieve", params))


@router.post("/retrieval/micrograph", response_model=RetrievedOut, responses=answers(404, 409))
async def retrieve_by_picture(
    request: Request,
    *,
    file: Annotated[UploadFile, File(description="The picture; nothing of it is kept.")],
    nm_per_pixel: Annotated[float | None, Form(gt=0, le=1e6)] = None,
    rotation_axis: Annotated[str | None, Form(pattern="^[xy]$")] = None,
    crop: Annotated[str | None, Form(description=schemas.CROP, max_length=50)] = None,
    dark_fibres: Annotated[bool | None, Form()] = None,
    scale_bar: Annotated[str | None, Form(description=schemas.BAR, max_length=50)] = None,
    sidecar: Annotated[UploadFile | None, File(description=schemas.SIDECAR)] = None,
    k: Annotated[int, Form(ge=1, le=100)] = 6,
    gallery: Annotated[Literal["campaign", "sources", "all"], Form()] = "campaign",
) -> Response:
    """Runs whose mats look most like a picture, with their conditions."""
    box = crop_of(crop) if crop else None
    taking = HowTaken(nm_per_pixel, rotation_axis, box, dark_fibres, scale_bar)
    with forms.uploaded(request, [file, sidecar]) as paths:
        params = {
            **asdict(taking),
            "file": str(paths[0]) if paths else "",
            "k": k,
            "gallery": gallery,
        }
        return answer(await site_of(request).ask("retrieve", params))
