"""Requests that no route sees: a page for people, problem+json for programs.

What somebody typed into a form is kept in the answer itself, never on the server: hidden fields of
the login page carry it, and after the login it is offered again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from engine.documents.problems import problem_document, title_of
from engine.web.addresses import address_of
from engine.web.policy import SAFE
from engine.web.rendering import environment, links, page
from engine.web.site import Site

Fields = list[tuple[str, str]]

MOST_FIELDS = 400
KEPT = "kept:"
"""What the names of kept fields begin with on the login page."""
_NEVER_KEPT = frozenset({"csrf"})


@dataclass(frozen=True)
class Refusal:
    """A status, and what was expected."""

    status: int
    detail: str


def wants_page(scope: MutableMapping[str, Any]) -> bool:
    """Whether a person at a browser asks, and not a program."""
    accept = dict(scope["headers"]).get(b"accept", b"")
    return not scope["path"].startswith("/api/") and b"text/html" in accept


def typed_in(form: Iterable[tuple[str, Any]]) -> Fields:
    """Return what was typed into a form, to be offered again; no password, and no file."""
    return [
        (name, value)
        for name, value in form
        if isinstance(value, str) and name not in _NEVER_KEPT and "password" not in name
    ]


def local_path(path: str) -> str:
    """Return a path of this site to go on to; anything else leads to the first page.

    >>> local_path("/runs?status=failed"), local_path("//evil.example"), local_path("/x//[")
    ('/runs?status=failed', '/', '/x//[')
    """
    try:
        parts = urlsplit(path)
    except ValueError:  # "//[" is no address
        return "/"
    is_local = not parts.scheme and not parts.netloc and path.startswith("/")
    # Browsers read a backslash as a slash, and "//host" as another host.
    # https://url.spec.whatwg.org/#relative-slash-state
    return path if is_local and not path.startswith(("//", "/\\")) else "/"


def login_page(
    request: Request,
    site: Site,
    *,
    back: str,
    status: int = 200,
    name: str = "",
    error: str | None = None,
    remark: str | None = None,
    typed: Fields | None = None,
) -> HTMLResponse:
    """Return the login page, carrying along what was typed elsewhere."""
    html = (
        environment()
        .get_template("login.html")
        .render(
            next=local_path(back),
            name=name,
            error=error,
            remark=remark,
            has_users=site.has_users(),
            typed=typed or [],
            **links(address_of(request)),
        )
    )
    return HTMLResponse(html, status)


def problem_page(request: Request, status: int, detail: str, typed: Fields | None) -> HTMLResponse:
    """Return the page of a problem; what was typed can be sent again from it."""
    title = title_of(status)
    if getattr(request.state, "person", None) is None:
        html = (
            environment()
            .get_template("outside.html")
            .render(title=title, detail=detail, **links(address_of(request)))
        )
        return HTMLResponse(html, status)
    return page(
        request,
        "problem.html",
        status=status,
        title=title,
        detail=detail,
        typed=typed,
        action=request.url.path,
    )


async def refuse(
    site: Site, scope: MutableMapping[str, Any], receive: Any, send: Any, refusal: Refusal
) -> None:
    """Answer a request that no route is to see, or that failed."""
    request = Request(scope, receive)
    answer: Response
    if not wants_page(scope):
        document = problem_document(refusal.status, refusal.detail)
        answer = JSONResponse(document, refusal.status, media_type="application/problem+json")
        if refusal.status == 401 and "hx-request" in request.headers:
            # htmx follows it: a part of a page that asks by itself must not show a login form.
            answer.headers["hx-redirect"] = address_of(request).top("/login")
    elif refusal.status == 401 and scope["method"] in SAFE:
        query = scope.get("query_string", b"").decode("latin-1")
        back = scope["path"] + (f"?{query}" if query else "")
        # A path, never an address: it must not lead away from here.
        target = "/login" if back == "/" else f"/login?next={quote(back, safe='/')}"
        answer = Response(status_code=303, headers={"location": address_of(request).top(target)})
    elif refusal.status == 401:
        typed: Fields | None = typed_in((await _form_of(request)).multi_items())
        answer = await asyncio.to_thread(
            login_page,
            request,
            site,
            # A path that only takes forms leads nowhere by itself.
            back=scope["path"] if typed else "/",
            status=401,
            error="Your session has ended; nothing was recorded. Log in, and what you typed is "
            "offered again.",
            typed=typed,
        )
    else:
        sent = scope["state"].get("sent")
        typed = None if sent is None else typed_in(sent.multi_items())
        answer = await asyncio.to_thread(
            problem_page, request, refusal.status, refusal.detail, typed
        )
    if refusal.status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    if refusal.status == 503:
        answer.headers["retry-after"] = "5"
    await answer(scope, receive, send)


async def _form_of(request: Request) -> FormData:
    # What cannot be read was no form of ours: there is nothing to keep.
    if not request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        return FormData()
    try:
        return await request.form(max_files=40, max_fields=MOST_FIELDS)
    except HTTPException:
        return FormData()
