"""What every route of the API shares: who asks, versions, keys, answers in OpenAPI."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from db.errors import ConflictError
from db.records import AnswerRecord
from engine.documents import plain
from engine.errors import StateError, UsageError, nearest_name
from engine.web.forms import check_csrf
from engine.web.policy import SAFE
from engine.web.problems import problem
from engine.web.rendering import person_of, site_of
from engine.web.run_queries import is_bound
from engine.web.wording import spelled
from engine.workspace import Workspace

# JavaScript and many JSON readers keep integers exact up to 2^53 only (RFC 8259, section 6).
Id = Annotated[int, Path(ge=1, le=2**53, description="The number that it was given.")]
Limit = Annotated[int, Query(ge=1, le=200, description="At most so many.")]
BeforeId = Annotated[
    int | None,
    Query(
        alias="before",
        ge=1,
        le=2**53,
        description="Only ids below this: `next` of the last page.",
    ),
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="Anything of your own; the same key twice is carried out once.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=64,
        pattern=r'^(\*|(W/)?"[0-9]+")$',
        description="The `ETag` that you saw; refused with 412 if it is another by now.",
    ),
]


class Problem(BaseModel):
    """RFC 9457: what was expected, what came, how to mend it, in `detail`; the `field`, if one is.

    `field` is named as the request names it, with dots into nested ones: `conditions.voltage`.
    """

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


_MEANINGS = {
    400: "The request cannot be read.",
    401: "No session, no token, or one that is over.",
    403: "The role or the token's scope does not allow it.",
    404: "There is none of that number.",
    405: "Method not allowed: the `Allow` header names those that are.",
    409: "The state does not allow it; the message tells what does.",
    412: "Somebody else changed it since you looked.",
    413: "Larger than the limit.",
    422: "A value that cannot be; the message tells which and why.",
    503: "The database or the model's process is busy: try again after `Retry-After`.",
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how OpenAPI describes the errors of a route, besides those of every route."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        for status in (400, 401, 403, 405, 413, 422, 503, *statuses)
    }


def checked(request: Request) -> None:
    """Refuse a write of a browser's session without the session's key."""
    person = person_of(request)
    if request.method not in SAFE and not person.is_program:
        check_csrf(person, request.headers.get("x-csrf-token"))


async def known_names(request: Request) -> None:
    """Refuse a parameter of the query, or a field of a form, that the route does not know.

    Raises:
        UsageError: names it, and the nearest that there is.
    """
    # FastAPI drops them: `?stauts=failed` would answer with all runs.
    route = request.scope["route"].dependant
    form = await request.form() if _is_form(request) else {}
    for sent, known in ((request.query_params, _query_params(route)), (form, route.body_params)):
        names = [parameter.alias for parameter in known]
        for name in sent:
            # A route that takes `where` takes its short forms, too.
            if name not in names and not ("where" in names and is_bound(name)):
                listed = ", ".join(names) or "none"
                raise UsageError(
                    f"unknown name.{nearest_name(name, names)} Known: {listed}", field=name
                )


def _query_params(dependant: Any) -> list[Any]:
    """Return the parameters of a route's query: its own, and those of what it depends on."""
    inner = [one for below in dependant.dependencies for one in _query_params(below)]
    return [*dependant.query_params, *inner]


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/form-data")


def acting(request: Request) -> Workspace:
    """Return the workspace of who asks."""
    return site_of(request).workspace.acting(person_of(request).name)


def etag(version: int) -> dict[str, str]:
    """Return the header that holds the version of a run."""
    return {"etag": f'"{version}"'}


def version_of(if_match: str | None) -> int | None:
    """Return the version that somebody saw, ``None`` where any will do."""
    if if_match is None or if_match == "*":
        return None
    # Proxies that compress make an ETag weak.
    match = re.fullmatch(r'(?:W/)?"([0-9]+)"', if_match)
    if match is None:
        raise UsageError(f"expected the ETag that you saw, got '{if_match}'", field="If-Match")
    return int(match[1])


def answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a document; numbers that JSON cannot hold become ``null``."""
    return JSONResponse(spelled(plain(document), "api"), status, headers=headers or {})


Outcome = tuple[Any, int, dict[str, str]]
"""A document, a status, headers."""


def at_most_once(
    request: Request, key: str | None, body: Any, carry_out: Callable[[Workspace], Outcome]
) -> Response:
    """Carry a write out; with a key at most once, however often it is sent.

    The key is written in the transaction that does the work, so that there is no moment at which
    the one is there without the other.
    """
    if not key:
        return answer(*carry_out(acting(request)))
    site, person = site_of(request), person_of(request)
    # Sorted: the same request may come with its fields in another order.
    content = json.dumps([request.method, request.url.path, body], sort_keys=True, default=str)
    fingerprint = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()
    at = datetime.now(UTC)

    def begin(tx: Any) -> None:
        record = tx.answers.find(person.name, key)
        if record is None:
            tx.answers.begin(person.name, key, fingerprint, at)
        elif record.at != at:  # not written by an earlier transaction of this very request
            raise ConflictError(f"the idempotency key '{key}' is taken")

    earlier = _answer_to(site.workspace, person.name, key)
    if earlier is not None:
        return _replayed(earlier, key, fingerprint)
    try:
        outcome = carry_out(site.workspace.acting(person.name, before_commit=begin))
    # Somebody sent the same key at the same moment, and was first.
    except ConflictError:
        earlier = _answer_to(site.workspace, person.name, key)
        if earlier is None:
            raise
        return _replayed(earlier, key, fingerprint)
    document, status, headers = spelled(plain(outcome[0]), "api"), outcome[1], outcome[2]
    # Apart from the work: what was carried out stands, even if its answer cannot be kept.
    with suppress(ConflictError), site.workspace.database.write("answer") as tx:
        tx.answers.finish(person.name, key, status, {"body": document, "headers": headers})
    return answer(document, status, headers)


def _answer_to(workspace: Workspace, actor: str, key: str) -> AnswerRecord | None:
    with workspace.database.read() as tx:
        return tx.answers.find(actor, key)


def _replayed(earlier: AnswerRecord, key: str, fingerprint: str) -> Response:
    if earlier.fingerprint != fingerprint:
        return problem(422, f"the idempotency key '{key}' was used for another request")
    if earlier.status is None:
        raise StateError(
            f"the request with the idempotency key '{key}' was carried out, or is being: its "
            "answer is not known. Look at what it was to change"
        )
    headers = {**earlier.body["headers"], "idempotency-replayed": "true"}
    return answer(earlier.body["body"], earlier.status, headers)
