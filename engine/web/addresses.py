"""Where things stand: the campaign in every address, and the links of an answer.

A page is ``/campaigns/ID/…``, a route of the API ``/api/v1/campaigns/ID/…``; what belongs to no
campaign (people, the account, the list of campaigns) stands beside them. Two people in two
campaigns therefore never meet, and a link leads where it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import RedirectResponse

API = "/api/v1"
CAMPAIGNS = "/campaigns"

# Any word in the campaign's place, also one that is no number: what is allowed there must not
# depend on how a router reads numbers ("+1", "1.0").
_IN_CAMPAIGN = re.compile(rf"({API})?{CAMPAIGNS}/([^/]+)(?=/|$)")
_NUMBER = re.compile(r"[1-9][0-9]{0,14}")


@dataclass(frozen=True)
class Address:
    """Where a request was sent to; the links of its answer are made here.

    Attributes:
        campaign_id: the campaign that its path names.
        prefix: the path under which a proxy shows the server: ``/spinneret``.
        origin: scheme, host and port as people see them.
    """

    campaign_id: int | None = None
    prefix: str = ""
    origin: str = ""

    def top(self, path: str) -> str:
        """Return the link of what belongs to no campaign: ``/account``, ``/static/…``."""
        return f"{self.prefix}{path}"

    @property
    def is_secure(self) -> bool:
        """Whether the browser speaks TLS."""
        return self.origin.startswith("https:")

    def link(self, path: str) -> str:
        """Return the link of a page of the campaign: ``/runs/7``, or ``""`` for its first page.

        >>> Address(3).link("/runs/7"), Address(3).link(""), Address().link("/runs/7")
        ('/campaigns/3/runs/7', '/campaigns/3', '/')
        """
        if self.campaign_id is None:
            return self.top("/")
        return self.top(f"{CAMPAIGNS}/{self.campaign_id}{path}")

    def api(self, path: str) -> str:
        """Return the link of a route of the campaign's API.

        >>> Address(3).api("/jobs/7")
        '/api/v1/campaigns/3/jobs/7'
        """
        if self.campaign_id is None:
            return self.top(f"{API}{path}")
        return self.top(f"{API}{CAMPAIGNS}/{self.campaign_id}{path}")

    def outside(self) -> Address:
        """Return the same without a campaign."""
        return replace(self, campaign_id=None)

    def in_campaign(self, campaign_id: int) -> Address:
        """Return the same for a campaign."""
        return replace(self, campaign_id=campaign_id)


def campaign_in(path: str) -> int | None:
    """Return the number of the campaign that a path names.

    >>> campaign_in("/campaigns/3/runs/7"), campaign_in("/api/v1/campaigns/3"), campaign_in("/runs")
    (3, 3, None)
    """
    match = _IN_CAMPAIGN.match(path)
    return int(match[2]) if match is not None and _NUMBER.fullmatch(match[2]) else None


def bare(path: str) -> str:
    """Return a path without the campaign that it names.

    >>> bare("/campaigns/3/runs/7"), bare("/api/v1/campaigns/3/jobs"), bare("/people")
    ('/runs/7', '/api/v1/jobs', '/people')
    """
    match = _IN_CAMPAIGN.match(path)
    if match is None:
        return path
    return (match[1] or "") + path[match.end() :] or "/"


def address_of(request: Request) -> Address:
    """Return where a request was sent to."""
    address: Address = request.state.address
    return address


def public(request: Request, path: str) -> str:
    """Return the whole address of a page of the campaign, as a telephone's camera is to open it."""
    address = address_of(request)
    return address.origin + address.link(path)


def redirect(request: Request, path: str) -> RedirectResponse:
    """Lead on to a page of the campaign, after a form."""
    return RedirectResponse(address_of(request).link(path), 303)


def redirect_top(request: Request, path: str) -> RedirectResponse:
    """Lead on to a page that belongs to no campaign, after a form."""
    return RedirectResponse(address_of(request).top(path), 303)
