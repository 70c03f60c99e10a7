"""A picture corrected by hand: areas excluded, its scale set, fibres deleted, added, put back."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from db.records import CorrectionKind
from engine.errors import UsageError
from engine.micrographs.correct import correct, corrected_picture
from engine.micrographs.corrections import NOUNS, Correction, corrected_in_words
from engine.web import forms
from engine.web.addresses import redirect
from engine.web.forms import Sent, checked_form
from engine.web.rendering import form_page, person_of, site_of
from engine.web.statuses import EXPECTED

router = APIRouter(dependencies=[Depends(checked_form)])

MOST_AT_ONCE = 200


@router.get("/micrographs/{id_}/correct")
def correct_picture(request: Request, id_: int) -> Response:
    """Show a picture, what was measured on it, and what may be corrected."""
    return _page(request, id_)


def _page(
    request: Request, id_: int, form: FormData | None = None, error: Exception | None = None
) -> Response:
    site = site_of(request)
    corrected = corrected_picture(site.workspace, id_)
    with site.workspace.database.read() as tx:
        run = tx.experiments.get(corrected.picture.experiment_id)
    return form_page(
        request,
        "correct.html",
        error,
        place="runs",
        picture=corrected.picture,
        run=run,
        corrections=[(item, Correction.of_record(item)) for item in corrected.current],
        first=corrected.first_statistics,
        remark=corrected_in_words(corrected.picture.statistics),
        kinds=[kind.value for kind in CorrectionKind],
        typed=forms.typed(form) if form is not None else {},
        marks=_marks(form) if form is not None else [],
    )


@router.post("/micrographs/{id_}/correct")
def record_corrections(request: Request, id_: int, form: Sent) -> Response:
    """Record what was marked, or take a correction back; the picture is measured at once."""
    site, person = site_of(request), person_of(request)
    try:
        undone = forms.integer(form, "undone")
        new = [] if undone is not None else _marked(form)
        correct(
            site.workspace.acting(person.name),
            id_,
            new,
            undone=[] if undone is None else [undone],
            note=forms.text(form, "note"),
        )
    except EXPECTED as error:
        return _page(request, id_, form, error)
    text = "; ".join(item.in_words for item in new) or f"correction {undone} taken back"
    site.leave_message(person, "good", f"Recorded and measured: {text}.")
    return redirect(request, f"/micrographs/{id_}/correct")


def _marked(form: FormData) -> list[Correction]:
    """Return what was marked before, and what stands in the fields now.

    Raises:
        UsageError: places that cannot be.
    """
    marks = _marks(form)
    if len(marks) > MOST_AT_ONCE:
        raise UsageError(f"expected at most {MOST_AT_ONCE} corrections at once, got {len(marks)}")
    new = [_read_mark(mark) for mark in marks]
    places = [forms.number(form, name) for name in ("x", "y", "x_to", "y_to")]
    if any(place is not None for place in places):
        kind = _kind(forms.word(form, "kind"))
        needed = places[:2] if kind is CorrectionKind.DELETE else places
        if None in needed:
            raise UsageError("expected a number in each field of a place", field=str(kind))
        length = forms.word(form, "length") or None
        numbers = [place for place in needed if place is not None]
        new.append(Correction.at(kind, numbers, length if kind is CorrectionKind.SCALE else None))
    return new


def _marks(form: FormData) -> list[str]:
    return [text for text in form.getlist("mark") if isinstance(text, str)]


def _read_mark(mark: str) -> Correction:
    """Read ``kind:places`` or ``scale:places:length``."""
    kind, _, remainder = mark.partition(":")
    places, _, length = remainder.partition(":")
    return Correction.read(_kind(kind), places, length or None)


def _kind(word: str) -> CorrectionKind:
    try:
        return CorrectionKind(word)
    except ValueError:
        listed = ", ".join(NOUNS)
        raise UsageError(f"expected one of {listed}, got '{word}'", field="kind") from None
