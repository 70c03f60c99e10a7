"""The campaign: where the search stands."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from db.records import TaskStatus
from engine.errors import NotFoundError
from engine.jobs.queue import newest
from engine.results.figures import overview_growth
from engine.results.fronts import MAX_POINTS, overview_fronts
from engine.results.plots import front_plot, progress_plot
from engine.web.forms import checked_form
from engine.web.rendering import page, site_of

router = APIRouter(dependencies=[Depends(checked_form)])


@router.get("")
def campaign(request: Request) -> Response:
    """Show where the campaign stands."""
    site = site_of(request)
    overview = site.overview()
    tasks = [task for task in newest(site.workspace, n=5) if not task.status.is_over]
    stopped = [
        task
        for task in newest(site.workspace, n=3)
        if task.status in (TaskStatus.INTERRUPTED, TaskStatus.FAILED)
    ]
    return page(
        request,
        "campaign.html",
        place="campaign",
        overview=overview,
        tasks=tasks,
        stopped=stopped,
        drift=site.workspace.drift(overview.record),
        n_fronts=max(0, min(3, len(overview.campaign.objectives) - 1)),
        n_hidden=sum(not p.on_front for p in overview.points) - MAX_POINTS,
    )


@router.get("/figures/front-{place}.json")
def front(request: Request, place: int) -> Response:
    """Return the figure of two objectives."""
    figures = _figures(request)["fronts"]
    if not 0 <= place < len(figures):
        raise NotFoundError(f"there is no front {place}")
    return _json(request, figures[place])


@router.get("/figures/progress.json")
def progress(request: Request) -> Response:
    """Return the figure of the hypervolume."""
    return _json(request, _figures(request)["progress"])


def _figures(request: Request) -> dict[str, Any]:
    site = site_of(request)
    overview = site.overview()

    def draw() -> dict[str, Any]:
        return {
            # Bytes: each is encoded once for each change, not once for each viewer.
            "fronts": [
                json.dumps(front_plot(numbers, "page")).encode()
                for numbers in overview_fronts(overview)
            ],
            "progress": json.dumps(progress_plot(overview_growth(overview), "page")).encode(),
        }

    return site.cached("figures", draw, watermark=overview.watermark)


def _json(request: Request, body: bytes) -> Response:
    return Response(body, media_type="application/json")
