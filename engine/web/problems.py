"""The engine's errors as answers: problem+json (RFC 9457) for programs, a page for people."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from engine.web.rendering import page
from engine.web.statuses import EXPECTED, status_of, title_of


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a problem+json answer."""
    title = title_of(status)
    detail = detail.encode("utf-8", "replace").decode()  # half a letter cannot be sent
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(
        document, status, media_type="application/problem+json", headers=headers or {}
    )


def explain(error: RequestValidationError) -> str:
    """Return what is wrong with a body or query, one finding a line."""
    lines = []
    for finding in error.errors():
        where = ".".join(str(part) for part in finding["loc"][1:]) or str(finding["loc"][0])
        lines.append(f"{where}: {finding['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)


def install(app: FastAPI) -> None:
    """Make the application answer errors so."""

    async def expected(request: Request, error: Exception) -> Response:
        status = status_of(error)
        wait = getattr(error, "wait_s", 0.0)
        if wait:
            status = 429
        headers = {"retry-after": str(int(wait or 5) + 1)} if status in (429, 503) else {}
        return _answer(request, status, str(error), headers)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- installed for it
        return _answer(request, 422, explain(error))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 -- installed for it
        words = {404: f"there is nothing at {request.url.path}"}
        detail = words.get(error.status_code, str(error.detail))
        headers = dict(error.headers or {})
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
    found: set[str] = set()
    for path, methods in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)), request.url.path):
            found |= {method.upper() for method in methods}
    return sorted(found)


def _answer(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None
) -> Response:
    is_page = not request.url.path.startswith("/api/") and "text/html" in request.headers.get(
        "accept", ""
    )
    person: Any = getattr(request.state, "person", None)
    if not is_page or person is None:
        return problem(status, detail, headers)
    title = title_of(status)
    answer = page(request, "problem.html", status=status, title=title, detail=detail, place="")
    answer.headers.update(headers or {})
    return answer
