"""Models: which serve, how well they did, and what predictions were worth afterwards."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from engine.ledger import OutcomeScore, scores
from engine.report.figures import wilson
from engine.tasks import newest
from engine.web.figures import calibration_figure
from engine.web.forms import checked_form
from engine.web.rendering import page, site_of

router = APIRouter(dependencies=[Depends(checked_form)])

MOST_POINTS = 600


@router.get("/models")
def models(request: Request) -> Response:
    """Show the versions, and the ledger's verdict."""
    site = site_of(request)
    with site.workspace.database.read() as tx:
        record, campaign = site.workspace.active_campaign(tx)
        versions = list(reversed(tx.models.list(record.id)))
    found = site.cache.get("scores", site.watermark(), lambda: scores(site.workspace))
    return page(
        request,
        "models.html",
        place="models",
        versions=versions,
        definition=campaign,
        scores=[(score, wilson(score.n_inside, len(score.points))) for score in found],
        figures=[_figure(score) for score in found],
        tasks=newest(site.workspace, kinds=["refresh"], n=5),
    )


def _figure(score: OutcomeScore) -> Any:
    points = [
        (str(p.experiment_id), p.mean, p.lower, p.upper, p.measured)
        for p in score.points[-MOST_POINTS:]
    ]
    return calibration_figure(score.heading, points)
