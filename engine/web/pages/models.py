"""Models: which serve, how they were judged, and what predictions were worth afterwards."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from db.records import ModelKind
from db.words import run_name
from engine.jobs.queue import newest, submit
from engine.refresh.due import due
from engine.registry.versions import SHIPPED, Promoted, list_models, promote, rollback
from engine.results.figures import wilson
from engine.results.ledger import scores
from engine.results.plots import calibration_plot
from engine.web import forms
from engine.web.addresses import redirect
from engine.web.forms import Sent, checked_form
from engine.web.rendering import page, person_of, site_of

router = APIRouter(dependencies=[Depends(checked_form)])

MOST_POINTS = 600
MOST_FIGURES = 4


@router.get("/models")
def models(request: Request) -> Response:
    """Show the versions, the trainings, and the ledger's verdict."""
    site = site_of(request)
    with site.workspace.database.read() as tx:
        record, campaign = site.workspace.active_campaign(tx)
        waiting = due(tx, record.id, site.workspace.settings.refresh)
        runs = tx.refreshes.find(record.id, limit=20)
        labels = tx.experiments.labels(record.id)
    run_names = {id_: run_name(id_, label) for label, id_ in labels.items()}
    outcome_scores = site.cached("scores", lambda: scores(site.workspace))
    # Every file is hashed to see that it is sound: once for each change is enough.
    entries = site.cached("models", lambda: list_models(site.workspace))
    tasks = newest(site.workspace, kinds=["refresh"], n=3)
    return page(
        request,
        "models.html",
        place="models",
        entries=entries,
        runs=runs,
        due=waiting,
        has_champion=any(entry.is_champion for entry in entries),
        scores=[(score, wilson(score.n_inside, len(score.points))) for score in outcome_scores],
        figures=[
            calibration_plot(score, medium="page", newest=MOST_POINTS, run_names=run_names)
            for score in outcome_scores[:MOST_FIGURES]
        ],
        tasks=[task for task in tasks if not task.status.is_over],
        history=_history(entries),
        campaign=campaign,
    )


def _history(entries: Any) -> dict[str, Any] | None:
    """Return the judged R² of each version as a figure, oldest first."""
    judged = [
        (entry.version.id, r2)
        for entry in reversed(entries)
        if (r2 := (entry.version.metrics.get("gate") or {}).get("r2"))
    ]
    if not judged:
        return None
    names = {"candidate": "front", "champion": "awaited", "plain": "quiet"}
    curves = list(dict.fromkeys(n for _, r2 in judged for n in r2))
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines+markers" if len(judged) > 1 else "markers",
                "name": name,
                "role": names.get(name, "quiet"),
                "x": [f"model {id_}" for id_, r2 in judged if name in r2],
                "y": [r2[name] for _, r2 in judged if name in r2],
            }
            for name in curves
        ],
        "layout": {
            "xaxis": {"title": {"text": "version"}, "type": "category"},
            "yaxis": {"title": {"text": "R² on recipes that no training saw [–]"}},
        },
    }


@router.post("/models/refresh")
def refresh_now(request: Request, form: Sent) -> Response:
    """Queue a training."""
    site, person = site_of(request), person_of(request)
    params = {
        "full": forms.word(form, "full") == "yes",
        "accept_suspicious": forms.word(form, "accept_suspicious") == "yes",
        "steps": forms.integer(form, "steps"),
    }
    task = submit(site.workspace, "refresh", params, actor=person.name)
    site.crew.wake()
    return redirect(request, f"/jobs/{task.id}")


@router.post("/models/rollback")
def roll_back(request: Request) -> Response:
    """Let what served before serve again."""
    site, person = site_of(request), person_of(request)
    _announce(request, rollback(site.workspace.acting(person.name)))
    return redirect(request, "/models")


@router.post("/models/{id_}/promote")
def promote_model(request: Request, id_: int, form: Sent) -> Response:
    """Let a version serve from now on."""
    site, person = site_of(request), person_of(request)
    reason = forms.text(form, "reason") or "by hand"
    _announce(request, promote(site.workspace.acting(person.name), id_, reason=reason))
    return redirect(request, "/models")


def _announce(request: Request, change: Promoted) -> None:
    site, person = site_of(request), person_of(request)
    serving = (
        f"model {change.now_id}" if change.now_id is not None else SHIPPED[ModelKind(change.kind)]
    )
    former = f"model {change.former_id}" if change.former_id is not None else "what ships"
    site.leave_message(person, "good", f"{serving} serves now; {former} did before.")
    for note in change.notes:
        site.leave_message(person, "warning", note)
