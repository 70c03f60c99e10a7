"""``/micrographs/{id}/corrections``: what a person says against what was measured on a picture."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from db.records import CorrectionKind
from engine.documents.corrections import CorrectedOut
from engine.micrographs.correct import correct, corrected_picture
from engine.micrographs.corrections import Correction
from engine.web.api import schemas
from engine.web.api.common import Id, Key, Outcome, answer, answers, at_most_once
from engine.web.api.experiments import clean
from engine.web.rendering import site_of
from engine.workspace import Workspace

router = APIRouter(tags=["experiments"])


@router.get("/micrographs/{id}/corrections", response_model=CorrectedOut, responses=answers(404))
def list_corrections(request: Request, id: Id) -> Response:
    """The corrections of a picture that count, and what it shows with and without them."""
    return answer(CorrectedOut.build(corrected_picture(site_of(request).workspace, id)))


@router.post(
    "/micrographs/{id}/corrections", response_model=CorrectedOut, responses=answers(404, 409)
)
def correct_micrograph(
    request: Request, id: Id, body: schemas.PictureCorrections, key: Key = None
) -> Response:
    """Correct what was measured on a picture, or take corrections back; it is measured at once.

    File and first measurement are kept.
    """

    def carry_out(workspace: Workspace) -> Outcome:
        new = [
            Correction(CorrectionKind(item.kind), item.x, item.y, item.x_to, item.y_to, item.length)
            for item in body.corrections
        ]
        correct(workspace, id, new, undone=body.undone, note=clean(body.note, "note"))
        return CorrectedOut.build(corrected_picture(workspace, id)), 200, {}

    return at_most_once(request, key, [id, body.model_dump()], carry_out)
