"""The engine's errors as answers: problem+json (RFC 9457) for programs, a page for people."""

from __future__ import annotations

import re
from collections.abc import Collection

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from engine.documents.problems import problem_document
from engine.errors import Voice, field, nearest_name
from engine.web.refusals import problem_page, typed_in
from engine.web.statuses import EXPECTED, status_of
from engine.web.wording import spelled, worded


def problem(
    status: int,
    detail: str,
    headers: dict[str, str] | None = None,
    *,
    field_name: str | None = None,
) -> JSONResponse:
    """Return a problem+json answer; ``field_name`` is the field of the request that is wrong."""
    document = problem_document(status, detail, field=field_name)
    return JSONResponse(
        document, status, media_type="application/problem+json", headers=headers or {}
    )


def fields_of(error: RequestValidationError) -> list[str]:
    """Return the field of each finding, as the request names it: ``conditions.voltage``."""
    return [
        ".".join(str(part) for part in finding["loc"][1:] if not _is_tag(part))
        or str(finding["loc"][0])
        for finding in error.errors()
    ]


def _is_tag(part: object) -> bool:
    # Pydantic names which member of a union refused a value: no part of what was sent.
    return str(part) in ("constrained-float", "constrained-str") or str(part).startswith("list[")


def explain(
    error: RequestValidationError, voice: Voice = "api", known: Collection[str] = ()
) -> str:
    """Return what is wrong with a body or query, one field a line.

    ``known``: the names that a body may have, to tell the nearest of one that it may not.
    """
    messages: dict[str, list[str]] = {}
    for name, finding in zip(fields_of(error), error.errors(), strict=True):
        message = finding["msg"].removeprefix("Value error, ")
        if finding["type"] == "extra_forbidden":
            message = f"unknown name.{nearest_name(name, known)} Known: {', '.join(known)}"
        messages.setdefault(name, []).append(message)
    lines = [f"{field(name)}: {' or: '.join(texts)}" for name, texts in messages.items()]
    return str(spelled("\n".join(lines), voice))


def _known_to(request: Request) -> list[str]:
    """Return the names of the fields of the body that a route takes."""
    bodies = getattr(getattr(request.scope.get("route"), "dependant", None), "body_params", [])
    models = [body.field_info.annotation for body in bodies]
    return [name for model in models for name in getattr(model, "model_fields", {})]


def install(app: FastAPI) -> None:
    """Make the application answer errors so."""

    async def expected(request: Request, error: Exception) -> Response:
        status = status_of(error)
        # An access error that says how long to wait is one of too many attempts.
        wait = getattr(error, "wait_s", 0.0)
        if wait:
            status = 429
        headers = {"retry-after": str(int(wait or 5) + 1)} if status in (429, 503) else {}
        detail = worded(error, _voice_of(request))
        return _answer(request, status, detail, headers, field_name=getattr(error, "field", None))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- installed for it
        detail, names = explain(error, _voice_of(request), _known_to(request)), fields_of(error)
        return _answer(request, 422, detail, field_name=names[0] if names else None)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 -- installed for it
        details = {404: f"there is nothing at {request.url.path}"}
        detail = details.get(error.status_code, str(error.detail))
        headers = dict(error.headers or {})
        # Starlette names the methods of the first route of that path only.
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(request)) or headers.get("Allow", "")
            detail = f"{request.method} does nothing here; this can be asked: {headers['Allow']}"
        return _answer(request, error.status_code, detail, headers)

    for kind in EXPECTED:
        app.add_exception_handler(kind, expected)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _allowed(request: Request) -> list[str]:
    """Return the methods of a path of the API, each told of by OpenAPI."""
    allowed: set[str] = set()
    for path, methods in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)), request.url.path):
            allowed |= {method.upper() for method in methods}
    return sorted(allowed)


def _voice_of(request: Request) -> Voice:
    """Return whether a person at a browser asks, who gets a page, or a program."""
    is_api = request.url.path.startswith("/api/")
    return "api" if is_api or "text/html" not in request.headers.get("accept", "") else "page"


def _answer(
    request: Request,
    status: int,
    detail: str,
    headers: dict[str, str] | None = None,
    *,
    field_name: str | None = None,
) -> Response:
    if _voice_of(request) == "api":
        return problem(status, detail, headers, field_name=field_name)
    sent = getattr(request.state, "sent", None)
    typed = None if sent is None else typed_in(sent.multi_items())
    answer = problem_page(request, status, detail, typed)
    answer.headers.update(headers or {})
    return answer
