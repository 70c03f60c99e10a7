"""Explore and retrieve: what the model expects anywhere, and which mats look like a picture."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from db.records import ExperimentRecord
from engine.campaign import Campaign
from engine.errors import UsageError
from engine.predictions.mixtures import sums_of
from engine.predictions.slices import middle_of
from engine.sources.spinning import nouns_of, spins
from engine.web import forms
from engine.web.forms import Sent, checked_form
from engine.web.rendering import form_page, page, site_of
from engine.web.statuses import EXPECTED
from engine.workspace.lookup import find_experiment

router = APIRouter(dependencies=[Depends(checked_form)])


@router.get("/explore")
def explore(request: Request, run: int | None = None) -> Response:
    """Show sliders; the page's script asks the model as they move."""
    site = site_of(request)
    with site.workspace.database.read() as tx:
        record, campaign = site.workspace.active_campaign(tx)
        start: ExperimentRecord | None = None
        if run is not None:
            start = find_experiment(tx, record, run)
    values = middle_of(campaign)
    if start is not None:
        values |= {k: v for k, v in start.conditions.items() if k in values}
    return page(
        request,
        "explore.html",
        place="explore",
        definition=campaign,
        values=values,
        run=start,
        document=_document(campaign, values),
    )


def _document(campaign: Campaign, values: Any) -> dict[str, Any]:
    return {
        "values": values,
        # What does not spin has no mat to draw: the page does not ask for one.
        "draws": spins(campaign).is_spinning,
        "sample": nouns_of(campaign).sample,
        "samples": nouns_of(campaign).samples,
        "outcomes": [
            {"name": name, "heading": campaign.heading(name)} for name in campaign.wanted_outcomes
        ],
        "parameters": [
            {
                "name": p.name,
                "heading": campaign.heading(p.name),
                "is_numeric": p.is_numeric,
                "bounds": p.bounds if p.is_numeric and p.choices is None else None,
            }
            for p in campaign.parameters
        ],
        # A slider of a mixture takes the others along, as the server's slices do.
        "sums": [{"terms": dict(rule.terms), "bound": rule.bound} for rule in sums_of(campaign)],
    }


@router.get("/retrieve")
def retrieve(request: Request) -> Response:
    """Show the two ways to look for mats."""
    return _retrieve_page(request, {}, None, None)


def _retrieve_page(
    request: Request, typed: Any, answer: dict[str, Any] | None, error: Exception | None
) -> Response:
    site = site_of(request)
    with site.workspace.database.read() as tx:
        _, campaign = site.workspace.active_campaign(tx)
    return form_page(
        request,
        "retrieve.html",
        error,
        place="retrieve",
        definition=campaign,
        typed=typed,
        answer=answer,
    )


@router.post("/retrieve")
async def look(request: Request, form: Sent) -> Response:
    """Look for mats by a picture, or by conditions."""
    typed = forms.typed(form)
    try:
        answer = await ask_model(request, form)
    except EXPECTED as error:
        return await asyncio.to_thread(_retrieve_page, request, typed, None, error)
    return await asyncio.to_thread(_retrieve_page, request, typed, answer, None)


async def ask_model(request: Request, form: FormData) -> dict[str, Any]:
    """Ask the model's process what a form asks."""
    site = site_of(request)
    params: dict[str, Any] = {"k": forms.integer(form, "k") or 6}
    if forms.word(form, "by") == "conditions":
        params["conditions"] = await asyncio.to_thread(_conditions, request, form)
        return await site.ask("retrieve", params)
    params |= asdict(forms.taking(form))
    with forms.uploaded(request, form.getlist("file")) as paths:
        if len(paths) != 1:
            raise UsageError(f"expected one picture, got {len(paths)}")
        params["file"] = str(paths[0])
        return await site.ask("retrieve", params)


def _conditions(request: Request, form: FormData) -> dict[str, Any]:
    site = site_of(request)
    with site.workspace.database.read() as tx:
        _, campaign = site.workspace.active_campaign(tx)
    return dict(forms.conditions(form, campaign, "condition"))
