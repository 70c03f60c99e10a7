"""The application: shield, pages, API, and the program's own static files, put together."""

from __future__ import annotations

import asyncio
import gzip
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files

from fastapi import Depends, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from engine import __version__
from engine.web import problems
from engine.web.addresses import CAMPAIGNS
from engine.web.api import routes
from engine.web.api.description import described
from engine.web.campaigns import require_campaign
from engine.web.pages import (
    account,
    audit,
    campaign,
    campaigns,
    corrections,
    curves,
    definition,
    explore,
    models,
    new_campaign,
    pictures,
    propose,
    run,
    runs,
)
from engine.web.rendering import FOLDER
from engine.web.shield import Shield
from engine.web.site import Site
from engine.workspace import Workspace

DESCRIPTION = """Everything that the page and the command line do, for programs.

Everything of a campaign stands under its number, `/api/v1/campaigns/{campaign}/…`. An address
without one, as earlier versions had them, is answered for the campaign of what it names by a
number; else reading is answered for the command line's own campaign, and writing if there is but
one.

Send a token (made under your name on the page) as `Authorization: Bearer …`. Errors are
problem+json (RFC 9457) and name the `field` that is wrong. Writes take an `Idempotency-Key`: the
same key twice is carried out once. Runs carry an `ETag`; a write with `If-Match` is refused with
412 if somebody changed it meanwhile.
"""


def create_app(workspace: Workspace, *, is_loopback: bool = True) -> FastAPI:
    """Return the application on an open workspace.

    ``is_loopback``: only this machine can reach it; then other host names are refused.
    """
    site = Site(workspace, is_loopback)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # In a thread: both wait for processes and the database, which would block every answer.
        await asyncio.to_thread(site.start)
        try:
            yield
        finally:
            await asyncio.to_thread(site.stop)

    app = FastAPI(
        title="Spinneret",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        # FastAPI's pages load their scripts from a CDN, which the content policy forbids.
        # https://fastapi.tiangolo.com/how-to/custom-docs-ui-assets/
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.site = site
    problems.install(app)
    app.openapi = lambda: described(app)  # type: ignore[method-assign]
    app.include_router(routes.router)
    for module in (campaigns, account, audit, new_campaign):
        app.include_router(module.router, include_in_schema=False)
    for module in (
        campaign,
        definition,
        runs,
        run,
        corrections,
        pictures,
        curves,
        propose,
        explore,
        models,
    ):
        app.include_router(
            module.router,
            prefix=f"{CAMPAIGNS}/{{campaign}}",
            dependencies=[Depends(require_campaign)],
            include_in_schema=False,
        )
    app.add_api_route("/health", health, include_in_schema=False)
    app.add_api_route("/static/{name}", static, include_in_schema=False)
    # Added last, so outermost: nothing is answered before it.
    # https://www.starlette.io/middleware/
    app.add_middleware(Shield, site=site)
    return app


async def health() -> Response:
    """Say that the server lives; nothing else."""
    return JSONResponse({"status": "ok"})


@cache
def _content(name: str) -> tuple[bytes, bytes, str] | None:
    """Return a static file, the same compressed, and its kind; only names that are known."""
    if name == "plotly.min.js":
        content = (files("plotly") / "package_data" / name).read_bytes()
    # A look-up among names, never a path put together from what was asked for.
    elif name in {path.name for path in (FOLDER / "static").iterdir()}:
        content = (FOLDER / "static" / name).read_bytes()
    else:
        return None
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    # mtime=0: the same file gives the same bytes. Compressed once; plotly.js is 4.8 MB before.
    return content, gzip.compress(content, 6, mtime=0), kind


def static(request: Request, name: str) -> Response:
    """Return one of the program's own files."""
    content = _content(name)
    if content is None:
        raise HTTPException(404)
    plain, packed, kind = content
    # Pages ask with ?v=VERSION: a week is safe, another version has another address.
    headers = {"cache-control": "public, max-age=604800", "vary": "accept-encoding"}
    if "v" not in request.query_params:
        headers["cache-control"] = "no-cache"
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type=kind, headers={**headers, "content-encoding": "gzip"})
    return Response(plain, media_type=kind, headers=headers)
