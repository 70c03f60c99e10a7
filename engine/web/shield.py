"""What stands before every route: who asks, whether they may, how much they send, which headers.

A pure ASGI layer, so that no route can be reached around it. What it does not know it refuses.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from db.errors import DatabaseError
from engine.errors import StateError
from engine.web.addresses import Address, campaign_in
from engine.web.campaigns import moved
from engine.web.policy import SAFE, is_open, needed
from engine.web.site import Site
from engine.web.statuses import title_of
from engine.web.users import Person
from engine.web.wording import worded

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "spinneret_session"
"""The cookie's name, before the port: see :func:`cookie_name`."""
# A form or a JSON request; pictures come by the paths below.
SMALL_BODY = 1 << 20
# So long may pass between two pieces of a body, on the slowest of lines.
BODY_S = 30.0
UPLOADS = (
    "/micrographs",
    "/curves",
    "/retrieve",
    "/retrieval/micrograph",
    "/runs/file",
    "/experiments/file",
)
# Other names lead here by DNS rebinding only: a foreign page that resolves to this machine.
# "testserver" is the host of starlette's test client.
LOCAL = frozenset({"127.0.0.1", "localhost", "::1", "[::1]", "testserver"})

# The two style attributes that plotly writes as text (one of them empty), by their hashes.
_PLOTLY = (
    "'unsafe-hashes' 'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o=' "
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
)
CSP = (
    # What is not named is forbidden: a script that slipped into a page would not run, nor send
    # anything anywhere.
    # https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
    f"default-src 'none'; script-src 'self'; style-src 'self' {_PLOTLY}; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class _TooLargeError(Exception):
    pass


class _TooSlowError(Exception):
    pass


class Shield:
    """Wraps the application."""

    def __init__(self, app: App, site: Site) -> None:
        self.app = app
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            # 1008: policy violation. No route speaks websockets.
            await send({"type": "websocket.close", "code": 1008})
            return
        # Headers are bytes; latin-1 reads each of them, so that no header can raise.
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        answer = _Answer(send)
        scope.setdefault("state", {})["address"] = Address(campaign_in(scope["path"]))
        try:
            refusal = await self._refusal(scope, headers)
            if refusal is None and await self._leads_elsewhere(scope, headers, answer):
                return
        except StateError as error:
            refusal = (409, worded(error, "api"))
        except DatabaseError as error:
            # Sessions are rows: without the database nobody can be known.
            refusal = (503, worded(error, "api"))
        if refusal is not None:
            await _refuse(scope, headers, answer, *refusal)
            return
        limited = _Limited(receive, self._limit(scope))
        try:
            await self.app(scope, limited, answer)
        except _TooLargeError:
            if not answer.has_begun:
                await _refuse(scope, headers, answer, 413, self._too_large(scope))
        except _TooSlowError:
            if not answer.has_begun:
                detail = f"nothing more of the request came for {BODY_S:g} s; send it again"
                await _refuse(scope, headers, answer, 408, detail)

    async def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        path, method = scope["path"], scope["method"]
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if self.site.is_loopback and host not in LOCAL:
            return 421, f"this server answers to 127.0.0.1 and localhost, not to '{host}'"
        # Before the session is looked up: what another site sends is not worth a query.
        if method not in SAFE and not _is_from_here(headers):
            return 403, "the request came from another site; nothing was done"
        # By what the header says, before anything is received; `_Limited` counts what really comes.
        if _length(headers) > self._limit(scope):
            return 413, self._too_large(scope)
        # Also on open paths: the login page greets who is logged in.
        person = await asyncio.to_thread(self._person, headers, cookie_name(scope))
        scope["state"]["person"] = person
        return None if is_open(path) else _not_allowed(person, method, path)

    async def _leads_elsewhere(
        self, scope: Scope, headers: dict[str, str], answer: _Answer
    ) -> bool:
        """Lead an address that names no campaign to what it means; return whether that is all.

        Raises:
            StateError: it is not safe to choose a campaign.
        """
        path, method = scope["path"], scope["method"]
        target = await asyncio.to_thread(moved, self.site, method, path)
        if target is None:
            return False
        scope["state"]["address"] = Address(target.campaign_id)
        if method in SAFE and _wants_page(path, headers):
            query = scope.get("query_string", b"").decode("latin-1")
            location = target.path + (f"?{query}" if query else "")
            # Temporary: what a list leads to may be another campaign tomorrow.
            await _send(answer, 307, b"", "text/plain", [(b"location", location.encode())])
            return True
        # A program, or a form of a page from before: answered here, and told where it stands.
        answer.extra["content-location"] = target.path
        scope["path"], scope["raw_path"] = target.path, target.path.encode()
        return False

    def _person(self, headers: dict[str, str], cookie: str) -> Person | None:
        # A token that was sent counts, or nothing does: a wrong one must not fall back on a cookie.
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind:
            is_bearer = kind.lower() == "bearer"
            return self.site.person(token.strip(), is_token=True) if is_bearer else None
        secret = cookie_of(headers.get("cookie", ""), cookie)
        return None if secret is None else self.site.person(secret, is_token=False)

    def _limit(self, scope: Scope) -> int:
        if not scope["path"].endswith(UPLOADS):
            return SMALL_BODY
        return int(self.site.workspace.settings.web.max_upload_mb * 1e6)

    def _too_large(self, scope: Scope) -> str:
        return (
            f"expected at most {self._limit(scope) / 1e6:g} MB, got more; the limit for files is "
            "max_upload_mb under [web] in the server's config.toml"
        )


def _not_allowed(person: Person | None, method: str, path: str) -> tuple[int, str] | None:
    if person is None:
        return 401, "log in first, or send a token: `Authorization: Bearer …`"
    role = needed(method, path)
    if not person.is_allowed(role):
        return 403, f"{person.name} is {person.role} here; this needs {role}"
    return None


def cookie_name(scope: Scope) -> str:
    """Return what the session's cookie is called on the port that this server listens on.

    >>> cookie_name({"server": ("127.0.0.1", 8765)})
    'spinneret_session_8765'
    """
    # A browser keeps one jar for all ports of a host: under one name, two servers on a machine
    # would log each other's people out.
    # https://www.rfc-editor.org/rfc/rfc6265#section-8.5
    server = scope.get("server")  # none on a socket without a port
    return f"{COOKIE}_{(server[1] if server else None) or 0}"


def cookie_of(header: str, name: str) -> str | None:
    """Return the session's key from a Cookie header, if there is one of that name."""
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def _is_from_here(headers: dict[str, str]) -> bool:
    """Whether a request was made by this site's own pages, or by a program."""
    # Browsers send one or both of these headers; programs send neither, and carry no cookie of
    # somebody else's.
    # https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def _length(headers: dict[str, str]) -> int:
    word = headers.get("content-length", "0")
    return int(word) if word.isascii() and word.isdigit() else 0


class _Limited:
    """Counts what is received, and stops at the limit, or where nothing more comes."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self.receive = receive
        self.remaining = limit
        self.is_whole = False

    async def __call__(self) -> MutableMapping[str, Any]:
        if self.is_whole:
            # What comes now is that the other side is gone: an answer may take its time.
            return await self.receive()
        try:
            message = await asyncio.wait_for(self.receive(), BODY_S)
        except TimeoutError:
            raise _TooSlowError from None
        self.is_whole = not message.get("more_body", False)
        self.remaining -= len(message.get("body", b""))
        if self.remaining < 0:
            raise _TooLargeError
        return message


class _Answer:
    """Adds the headers that every answer carries."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.has_begun = False
        self.extra: dict[str, str] = {}

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            present = {name.lower() for name, _ in message.get("headers", ())}
            # Pages hold a lab's results; static files set their own.
            extra = {**HEADERS, "cache-control": "no-store", **self.extra}
            message["headers"] = [
                *message.get("headers", ()),
                *(
                    (name.encode(), value.encode())
                    for name, value in extra.items()
                    if name.encode() not in present
                ),
            ]
        await self.send(message)


async def _refuse(
    scope: Scope, headers: dict[str, str], send: Send, status: int, detail: str
) -> None:
    path = scope["path"]
    wants_page = _wants_page(path, headers)
    # Only what was to be read: after the login a form would be lost anyway.
    if status == 401 and wants_page and scope["method"] == "GET":
        query = scope.get("query_string", b"").decode("latin-1")
        back = path + (f"?{query}" if query else "")
        # A path, never an address: it must not lead away from here.
        location = "/login" if back == "/" else f"/login?next={quote(back, safe='/')}"
        await _send(send, 303, b"", "text/plain", [(b"location", location.encode())])
        return
    title = title_of(status)
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    extra = [(b"www-authenticate", b"Bearer")] if status == 401 else []
    body = json.dumps(document).encode()
    await _send(send, status, body, "application/problem+json", extra)


def _wants_page(path: str, headers: dict[str, str]) -> bool:
    """Whether a person at a browser asks, and not a program."""
    return not path.startswith("/api/") and "text/html" in headers.get("accept", "")


async def _send(
    send: Send, status: int, body: bytes, kind: str, extra: list[tuple[bytes, bytes]]
) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
