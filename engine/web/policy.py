"""Who may do what: one table for every route, and nothing is open that it does not open.

Reading needs a viewer, anything else an operator, and what decides for all of them an admin.
"""

from __future__ import annotations

import re

from db.records import Role
from engine.web.addresses import bare

OPEN = frozenset({"/login", "/reset", "/health"})
"""Answered without a session: the way in, and whether the server lives."""

STATIC = "/static/"
"""The program's own style and scripts: the login page needs them, and they tell nothing."""

ASKS = frozenset(
    {
        "/logout",
        "/retrieve",
        "/api/v1/predictions",
        "/api/v1/predictions/slices",
        "/api/v1/predictions/map",
        "/api/v1/previews",
        "/api/v1/retrieval",
        "/api/v1/retrieval/micrograph",
    }
)
"""Requests with a body that record nothing: a viewer may make them.

All paths here are without the campaign that they name.
"""

_ADMINS = (
    re.compile(r"/definition/edit"),
    re.compile(r"/new-campaign(/.*)?"),
    re.compile(r"/people(/.*)?"),
    re.compile(r"/changes"),
    re.compile(r"/api/v1/changes"),
    re.compile(r"/api/v1/users(/.*)?"),
)
_ADMINS_WRITES = (
    # Training is an operator's: the gate decides whether it serves. To choose by hand is an
    # admin's.
    re.compile(r"/models/(?!refresh$).+"),
    re.compile(r"/api/v1/models/.+"),
    re.compile(r"/api/v1/rollbacks"),
    re.compile(r"/api/v1/use"),
    # What is searched decides for everybody.
    re.compile(r"/api/v1/(revisions|campaigns|drafts)(/.*)?"),
)
_FOR_THEMSELVES = (re.compile(r"/account/tokens(/.*)?"), re.compile(r"/account/password"))
"""What everybody may change for themselves: their password, and tokens as strong as they are."""

# RFC 9110's safe methods, as far as any route has them.
# https://www.rfc-editor.org/rfc/rfc9110#name-safe-methods
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_open(path: str) -> bool:
    """Whether a path is answered without a session.

    >>> is_open("/login"), is_open("/static/spinneret.css"), is_open("/runs")
    (True, True, False)
    """
    return path in OPEN or path.startswith(STATIC)


def needed(method: str, path: str) -> Role:
    """Return the least role that may make a request.

    >>> needed("GET", "/campaigns/3/runs/7").value, needed("POST", "/campaigns/3/runs/7").value
    ('viewer', 'operator')
    >>> needed("POST", "/campaigns/3/models/7/promote").value
    'admin'
    """
    path = bare(path)
    # The stricter rules come first: a path that two of them match is an admin's.
    if any(rule.fullmatch(path) for rule in _ADMINS):
        return Role.ADMIN
    if method in SAFE or path in ASKS or any(rule.fullmatch(path) for rule in _FOR_THEMSELVES):
        return Role.VIEWER
    if any(rule.fullmatch(path) for rule in _ADMINS_WRITES):
        return Role.ADMIN
    return Role.OPERATOR
