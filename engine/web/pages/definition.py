"""The campaign's definition: what is searched and wanted, every revision, and the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from db.records import CampaignRecord
from engine.campaign import Campaign
from engine.errors import ConfigError, NotFoundError, UsageError, marked
from engine.experiments.revise import Revision, revise_campaign
from engine.web import forms
from engine.web.addresses import redirect
from engine.web.definition_form import (
    GOALS,
    MOST_PARAMETERS,
    definition_of_form,
    fields_of,
    fingerprint,
    labels_of,
)
from engine.web.definition_words import (
    changes_in_words,
    exclusion_in_words,
    in_plain_words,
    marks_of,
    objective_in_words,
    range_in_words,
    rule_in_words,
)
from engine.web.forms import Sent, checked_form
from engine.web.rendering import form_page, page, person_of, site_of
from engine.web.statuses import EXPECTED
from engine.workspace.campaign_file import text_of
from engine.workspace.campaign_text import edited_text, read_text
from engine.workspace.differences import differences_between
from engine.workspace.settings import parse_campaign
from engine.workspace.workspace import definition_of

router = APIRouter(dependencies=[Depends(checked_form)])

_SPELLING: dict[str, Any] = {
    "marks_of": marks_of,
    "range_in_words": range_in_words,
    "objective_in_words": objective_in_words,
    "exclusion_in_words": exclusion_in_words,
    "rule_in_words": rule_in_words,
}
_SOURCE = "the definition"


@dataclass(frozen=True)
class RevisionLine:
    """A revision as it is listed: what it changed, in words."""

    record: CampaignRecord
    changes: tuple[str, ...]


@router.get("/definition")
def definition(
    request: Request, revision: Annotated[int | None, Query(ge=1, le=2**31)] = None
) -> Response:
    """Show what is searched, measured and wanted, in the newest or an earlier revision."""
    site = site_of(request)
    with site.workspace.database.read() as tx:
        newest, _ = site.workspace.active_campaign(tx)
        revisions = tx.campaigns.revisions(newest.id)
    record = newest
    if revision is not None:
        chosen = [item for item in revisions if item.revision == revision]
        if not chosen:
            raise NotFoundError(
                f"the campaign '{newest.name}' has no revision {revision}, only 1 to "
                f"{newest.revision}"
            )
        record = chosen[0]
    return page(
        request,
        "definition.html",
        place="campaign",
        record=record,
        newest=newest,
        definition=definition_of(record),
        revisions=_lines_of(revisions),
        drift=site.workspace.drift(newest),
        **_SPELLING,
    )


def _lines_of(revisions: list[CampaignRecord]) -> list[RevisionLine]:
    """Return the revisions, newest first."""
    lines = []
    former: Campaign | None = None
    for record in revisions:
        try:
            campaign = definition_of(record)
        except ConfigError:
            lines.append(RevisionLine(record, ("of an earlier version of the program",)))
            continue
        changes: tuple[str, ...] = ()
        if former is not None:
            changes = tuple(
                changes_in_words(differences_between(former, campaign), former, campaign)
            )
        lines.append(RevisionLine(record, changes))
        former = campaign
    return lines[::-1]


@router.get("/definition/campaign.toml")
def toml(request: Request) -> Response:
    """Return the definition as text, for `engine campaign revise --file` or a copy elsewhere."""
    site = site_of(request)
    with site.workspace.database.read() as tx:
        record, _ = site.workspace.active_campaign(tx)
    headers = {"content-disposition": 'attachment; filename="campaign.toml"'}
    content = text_of(site.workspace, record)
    return Response(content, media_type="application/toml; charset=utf-8", headers=headers)


@router.get("/definition/edit")
def edit(request: Request, mode: Annotated[str, Query(alias="as")] = "form") -> Response:
    """Show the form of the next revision, or the whole text."""
    record, campaign = _newest(request)
    is_text = mode == "text" or len(campaign.parameters) > MOST_PARAMETERS
    form = fields_of(campaign)
    text = text_of(site_of(request).workspace, record) if is_text else ""
    return _editor(request, record, campaign, form, text=text, is_text=is_text)


@router.post("/definition/edit")
def post_edit(request: Request, form: Sent) -> Response:
    """Tell what a revision would do; record it once it was looked at; go on with the text."""
    site, person = site_of(request), person_of(request)
    action, is_text = forms.word(form, "what") or "look", forms.word(form, "mode") == "text"
    record, campaign = _newest(request)
    typed = form.get("text")
    text = typed.replace("\r\n", "\n") if is_text and isinstance(typed, str) else ""
    display: dict[str, Any] = {"text": text, "is_text": is_text}
    try:
        based_on = forms.integer(form, "based_on") or record.revision
        display["based_on"] = based_on
        # The form that was sent is that of the revision it was edited from.
        campaign = _at_revision(request, record, based_on)
        if is_text:
            new = read_text(text, _SOURCE)
        else:
            new = parse_campaign(definition_of_form(form, campaign), _SOURCE)
            text = edited_text(text_of(site.workspace, record), new)
        if action == "text":
            display |= {"text": text, "is_text": True}
            return _editor(request, record, campaign, form, **display)
        note = forms.text(form, "note")
        mark = fingerprint(new.definition())
        # What is recorded is what was looked at: an edit after it is looked at first.
        is_recorded = action == "record" and forms.word(form, "looked") == mark
        workspace = site.workspace.acting(person.name)
        revision = revise_campaign(
            workspace, new, note=note, based_on=based_on, text=text, dry_run=not is_recorded
        )
    except EXPECTED as error:
        return _editor(request, record, campaign, form, error=error, **display)
    if not is_recorded:
        return _editor(request, record, campaign, form, revision=revision, looked=mark, **display)
    number = revision.revised.record.revision
    site.leave_message(person, "good", f"Revision {number} is recorded.")
    for sentence in revision.notes:
        site.leave_message(person, "note", sentence)
    for warning in revision.warnings:
        site.leave_message(person, "warning", warning)
    return redirect(request, "/definition")


def _newest(request: Request) -> tuple[CampaignRecord, Campaign]:
    workspace = site_of(request).workspace
    with workspace.database.read() as tx:
        return workspace.active_campaign(tx)


def _at_revision(request: Request, newest: CampaignRecord, revision: int) -> Campaign:
    with site_of(request).workspace.database.read() as tx:
        for record in tx.campaigns.revisions(newest.id):
            if record.revision == revision:
                return definition_of(record)
    raise NotFoundError(f"the campaign '{newest.name}' has no revision {revision}")


def _editor(
    request: Request,
    record: CampaignRecord,
    campaign: Campaign,
    form: FormData,
    *,
    error: Exception | None = None,
    revision: Revision | None = None,
    **display: Any,
) -> Response:
    if isinstance(error, UsageError):
        plain = in_plain_words(marked(error)).removeprefix(f"{_SOURCE}: ")
        error = type(error)(plain)
    values: dict[str, Any] = {
        "looked": "",
        "based_on": record.revision,
        "changes": (),
        **display,
    }
    if revision is not None:
        values["changes"] = changes_in_words(
            revision.revised.changes, revision.revised.former, revision.campaign
        )
    return form_page(
        request,
        "definition_edit.html",
        error,
        place="campaign",
        relabelled={**labels_of(campaign), "note": "Why", "based_on": "Revision"},
        record=record,
        definition=campaign,
        form=form,
        revision=revision,
        goals=GOALS,
        most_parameters=MOST_PARAMETERS,
        **values,
        **_SPELLING,
    )
