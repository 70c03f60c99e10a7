"""What stands before every route: who asks, whether they may, how much they send, which headers.

A pure ASGI layer, so that no route can be reached around it. What it does not know it refuses.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from db.errors import DatabaseError
from engine.errors import StateError
from engine.web.addresses import Address, campaign_in
from engine.web.campaigns import moved
from engine.web.policy import SAFE, is_open, needed
from engine.web.proxies import hostname_of, is_address, is_origin
from engine.web.refusals import Refusal, refuse, wants_page
from engine.web.site import Site
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
    "/new-campaign/table",
    "/api/v1/drafts",
    "/experiments/file",
)
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


_LISTS = frozenset({"x-forwarded-for", "cookie"})
_LOG = logging.getLogger("spinneret.web")


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
        headers = _headers_of(scope)
        answer = _Answer(send)
        state = scope.setdefault("state", {})
        self._place(scope, headers)
        limited = _Limited(receive, self._limit(scope))
        try:
            refusal = await self._refusal(scope, headers)
            if refusal is not None:
                await refuse(self.site, scope, limited, answer, refusal)
            elif not await self._leads_elsewhere(scope, headers, answer):
                await self.app(scope, limited, answer)
        except StateError as error:
            await refuse(self.site, scope, limited, answer, Refusal(409, worded(error, "api")))
        except DatabaseError as error:
            # Sessions are rows: without the database nobody can be known.
            state["person"] = None
            await refuse(self.site, scope, limited, answer, Refusal(503, worded(error, "api")))
        except _TooLargeError:
            if not answer.has_begun:
                refusal = Refusal(413, self._too_large(scope))
                await refuse(self.site, scope, limited, answer, refusal)
        except _TooSlowError:
            if not answer.has_begun:
                detail = f"nothing more of the request came for {BODY_S:g} s; send it again"
                await refuse(self.site, scope, limited, answer, Refusal(408, detail))
        except Exception:
            # Here and not in Starlette's outermost layer, whose answer would lack every header.
            number = secrets.token_hex(4)
            _LOG.exception("fault %s of the program at %s", number, scope["path"])
            if not answer.has_begun:
                detail = (
                    f"a fault of the program; nothing half-written was kept. Who runs the server "
                    f"finds it in its log as fault {number}"
                )
                await refuse(self.site, scope, limited, answer, Refusal(500, detail))

    def _place(self, scope: Scope, headers: dict[str, str]) -> None:
        """Work out where a request came to and whose it is, whatever proxy it came through."""
        front, host = self.site.front, headers.get("host", "")
        hostname = hostname_of(host) or ""
        peer = scope["client"][0] if scope.get("client") else ""
        forwarded = headers.get("x-forwarded-for", "")
        if front.is_proxy(peer):
            scope["client"] = (front.client(peer, forwarded), 0)
        is_public = front.is_public(hostname, peer, forwarded)
        scope["path"] = front.inside(scope["path"])
        scope["raw_path"] = front.inside(scope.get("raw_path", b"").decode("latin-1")).encode(
            "latin-1"
        )
        scope["state"]["address"] = Address(
            campaign_in(scope["path"]),
            front.prefix if is_public else "",
            front.origin if is_public else f"{scope.get('scheme', 'http')}://{host}",
        )

    async def _refusal(self, scope: Scope, headers: dict[str, str]) -> Refusal | None:
        path, method = scope["path"], scope["method"]
        hostname, origin = hostname_of(headers.get("host", "")), headers.get("origin")
        if hostname is None:
            return Refusal(400, "the Host header is no host: expected a name or address")
        if origin is not None and not is_origin(origin):
            return Refusal(400, "the Origin header is no origin: expected https://HOST")
        if not self._is_allowed(hostname):
            expected = f"'{self.site.front.host}'" if self.site.front.url else "127.0.0.1"
            return Refusal(
                421,
                f"this server answers to {expected} and localhost, not to '{hostname}': public_url "
                "under [web] in its config.toml says where people reach it",
            )
        # Before the session is looked up: what another site sends is not worth a query.
        if method not in SAFE and not _is_from_here(headers, self.site.front.origin):
            return Refusal(403, "the request came from another site; nothing was done")
        # By what the header says, before anything is received; `_Limited` counts what really comes.
        if _length(headers) > self._limit(scope):
            return Refusal(413, self._too_large(scope))
        # Also on open paths: the login page greets who is logged in.
        person = await asyncio.to_thread(self._person, headers, cookie_name(scope))
        scope["state"]["person"] = person
        return None if is_open(path) else _not_allowed(person, method, path)

    def _is_allowed(self, hostname: str) -> bool:
        front = self.site.front
        if hostname in LOCAL or (front.url and hostname == front.host):
            return True
        # Other names lead to a server of this machine only by a foreign page that resolves here.
        return not self.site.is_loopback and (not front.url or is_address(hostname))

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
        address = scope["state"]["address"].in_campaign(target.campaign_id)
        scope["state"]["address"] = address
        if method in SAFE and wants_page(scope):
            query = scope.get("query_string", b"").decode("latin-1")
            location = quote(address.top(target.path)) + (f"?{query}" if query else "")
            # Temporary: what a list leads to may be another campaign tomorrow.
            await Response(status_code=307, headers={"location": location})(
                scope, _disconnected, answer
            )
            return True
        # A program, or a form of a page from before: answered here, and told where it stands.
        answer.extra["content-location"] = quote(address.top(target.path))
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


def _not_allowed(person: Person | None, method: str, path: str) -> Refusal | None:
    if person is None:
        return Refusal(401, "log in first, or send a token: `Authorization: Bearer …`")
    role = needed(method, path)
    if not person.is_allowed(role):
        return Refusal(403, f"{person.name} is {person.role} here; this needs {role}")
    return None


def _headers_of(scope: Scope) -> dict[str, str]:
    # Headers are bytes; latin-1 reads each of them, so that no header can raise.
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        # Each proxy may add a line of its own.
        headers[name] = f"{headers[name]},{value}" if name in headers and name in _LISTS else value
    return headers


async def _disconnected() -> MutableMapping[str, Any]:
    return {"type": "http.disconnect"}


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


def _is_from_here(headers: dict[str, str], public_origin: str) -> bool:
    """Whether a request was made by this site's own pages, or by a program."""
    # Browsers send one or both of these headers; programs send neither, and carry no cookie of
    # somebody else's.
    # https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None or (public_origin and origin == public_origin):
        return True
    return origin.partition("://")[2] == headers.get("host", "")


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
