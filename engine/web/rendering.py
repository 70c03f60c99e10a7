"""Templates: what came from somebody is escaped, numbers are rounded, units are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from db.records import Role
from engine import __version__
from engine.campaign import Campaign
from engine.campaign.applicability import without_surplus
from engine.campaign.nouns import GENERAL, Nouns
from engine.results.material import rounded
from engine.sources.spinning import nouns_of
from engine.web.addresses import Address, address_of
from engine.web.site import Site
from engine.web.statuses import status_of
from engine.web.users import Person
from engine.web.wording import LABELS, on_page, spelled, worded

FOLDER = Path(__file__).parent

PLACES = (
    ("campaign", "", "Campaign"),
    ("runs", "/runs", "Runs"),
    ("propose", "/propose", "Propose"),
    ("explore", "/explore", "Explore"),
    ("retrieve", "/retrieve", "Retrieve"),
    ("models", "/models", "Models"),
)
"""Where one can go from every page of a campaign: a word for it, its path, its name."""


@cache
def environment() -> Environment:
    """Return the templates."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,  # a misspelt name fails instead of leaving a gap
        trim_blocks=True,
        lstrip_blocks=True,
        # Templates do not change under a running server; looking would cost a stat for each.
        auto_reload=False,
        # Marks of messages are spelled wherever a template shows one, so that none can slip
        # through.
        finalize=on_page,
    )
    templates.filters.update(
        applicable=lambda conditions, campaign: without_surplus(campaign.parameters, conditions),
        rounded=rounded,
        setting=setting,
        moment=moment,
        words=as_words,
        in_words=in_words,
        plain_reason=plain_reason,
        short=short,
        sentence=sentence,
        as_json=as_json,
    )
    templates.globals.update(version=__version__, places=PLACES, roles=list(Role), labels=LABELS)
    return templates


def site_of(request: Request) -> Site:
    """Return the server's state, for the campaign that a request is in."""
    site: Site = request.app.state.site
    campaign_id = address_of(request).campaign_id
    return site if campaign_id is None else site.in_campaign(campaign_id)


def person_of(request: Request) -> Person:
    """Return who asks; the shield lets nobody else through."""
    person: Person = request.state.person
    return person


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page, with what every page shows."""
    site, person = site_of(request), person_of(request)
    values.setdefault("place", "")
    campaign = _campaign_of(values)
    values.setdefault("nouns", _nouns(campaign))
    # Where a campaign is defined its names stand as such.
    if campaign is not None and values.get("error") and not template.startswith("definition"):
        values["error"] = in_words(str(values["error"]), campaign)
    address, name = _home(request)
    return HTMLResponse(
        environment()
        .get_template(template)
        .render(
            person=person,
            may_record=person.is_allowed(Role.OPERATOR),
            is_admin=person.is_allowed(Role.ADMIN),
            messages=_messages(site, person),
            campaign_name=name,
            **links(address),
            **values,
        ),
        status_code=status,
    )


def _messages(site: Site, person: Person) -> list[tuple[str, str]]:
    messages = site.take_messages(person)
    if not messages or site.workspace.campaign_id is None:
        return messages
    with site.workspace.database.read() as tx:
        _, campaign = site.workspace.active_campaign(tx)
    return [(kind, in_words(message, campaign)) for kind, message in messages]


def _nouns(campaign: Campaign | None) -> Nouns:
    """Return what a campaign calls what it makes."""
    return GENERAL if campaign is None else nouns_of(campaign)


def _campaign_of(values: Mapping[str, Any]) -> Campaign | None:
    overview = values.get("overview")
    campaign = values.get("definition", None if overview is None else overview.campaign)
    return campaign if isinstance(campaign, Campaign) else None


def links(address: Address) -> dict[str, Any]:
    """Return what templates make links with: ``to(…)`` in the campaign, ``top(…)`` beside it."""
    return {"address": address, "to": address.link, "top": address.top, "api": address.api}


def _home(request: Request) -> tuple[Address, str]:
    """Return the address that a page's links start from, and its campaign's name.

    What belongs to no campaign leads back into the only one, where there is but one.
    """
    site, address = site_of(request), address_of(request)
    names = site.campaign_names()
    if address.campaign_id is None and len(names) == 1:
        address = address.in_campaign(next(iter(names)))
    if address.campaign_id not in names:
        return address.outside(), ""
    return address, names[address.campaign_id]


def form_page(
    request: Request,
    template: str,
    error: Exception | None,
    *,
    relabelled: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """Return a page with a form: as first shown, or with what was wrong with what was sent.

    ``relabelled``: fields that this page calls otherwise than :data:`LABELS` has it.
    """
    return page(
        request,
        template,
        status=200 if error is None else status_of(error),
        error=None if error is None else worded(error, "page", relabelled),
        **values,
    )


def part(request: Request, template: str, **values: Any) -> HTMLResponse:
    """Return a piece of a page."""
    person = person_of(request)
    values.setdefault("nouns", _nouns(_campaign_of(values)))
    return HTMLResponse(
        environment()
        .get_template(template)
        .render(
            person=person,
            may_record=person.is_allowed(Role.OPERATOR),
            **links(address_of(request)),
            **values,
        )
    )


def setting(value: float | str | None) -> str:
    """Return a condition as it was set or read.

    >>> setting(0.4), setting("DMF"), setting(None)
    ('0.4', 'DMF', '–')
    """
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:.7g}"


def moment(at: datetime | None) -> str:
    """Return a time as people here read it."""
    return "–" if at is None else f"{at.astimezone():%d %b %Y, %H:%M}"


def as_words(name: str) -> str:
    """Return a name as words.

    >>> as_words("yield_strength.transverse")
    'Yield strength, transverse'
    """
    text = name.replace(".", ", ").replace("_", " ")
    return text[:1].upper() + text[1:]


def in_words(text: str, campaign: Campaign) -> str:
    """Return a text with the campaign's names as words.

    >>> from engine.lab.virtual import nanofibre_campaign
    >>> in_words("flow_rate [mL/h] = 0.4 as run", nanofibre_campaign())
    'Flow rate [mL/h] = 0.4 as run'
    """
    names = [p.name for p in campaign.parameters] + list(campaign.outcomes)
    names += [fact.name for fact in campaign.facts]
    keys = sorted((name for name in names if "_" in name or "." in name), key=len, reverse=True)
    if not keys:
        return text
    pattern = rf"(?<![\w.])(?:{'|'.join(map(re.escape, keys))})(?![\w.]*\w)"
    return re.sub(pattern, lambda match: as_words(match[0]), text)


def plain_reason(text: str) -> str:
    """Return why a training is due without the setting that says so.

    >>> plain_reason("min_new_results: 41 runs got results, 8 make it due")
    '41 runs got results, 8 make it due'
    """
    return re.sub(r"^[a-z]+(?:_[a-z]+)+: ", "", text)


def short(name: str) -> str:
    """Return a name in few letters.

    >>> short("yield_strength.transverse")
    'Yield strength ⊥'
    """
    text = name.replace(".longitudinal", " ∥").replace(".transverse", " ⊥")
    return as_words(text)


def sentence(text: str) -> str:
    """Return a note as a sentence of its own begins.

    >>> sentence("nothing is near")
    'Nothing is near'
    """
    text = str(on_page(text))
    return text[:1].upper() + text[1:]


def as_json(document: Any) -> Markup:
    """Return ``document`` as JSON that may stand in a script element."""
    text = json.dumps(spelled(document, "page"), ensure_ascii=False, separators=(",", ":"))
    # JSON's own escapes: inside a script element HTML's are not read, and "</script>" would end it.
    text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(text)  # noqa: S704 -- no character of it can end the element
