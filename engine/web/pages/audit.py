"""The audit log: who did what, searched by person, action, run and date."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from db.records import AuditQuery
from db.transaction import Transaction
from engine.errors import NotFoundError, UsageError
from engine.web.addresses import address_of
from engine.web.audit_words import action_in_words, audit_lines
from engine.web.rendering import form_page, site_of
from engine.web.statuses import EXPECTED
from engine.workspace.lookup import is_number

router = APIRouter()

PER_PAGE = 100
_NAMES = ("person", "action", "run", "since", "until", "before")


@router.get("/changes")
def changes(request: Request) -> Response:
    """Show who did what, newest first: what the address looks for."""
    typed = {name: request.query_params.get(name, "").strip()[:200] for name in _NAMES}
    address, error = address_of(request), None
    with site_of(request).workspace.database.read() as tx:
        actors, actions = tx.actors_and_actions()
        try:
            # One more than is shown: is there a further page?
            records = tx.find_changes(replace(_query(tx, typed), limit=PER_PAGE + 1))
        except EXPECTED as problem:
            records, error = [], problem
        lines = audit_lines(tx, records[:PER_PAGE], address)
    older = ""
    if len(records) > PER_PAGE:
        older = _link(address.top("/changes"), {**typed, "before": str(lines[-1].record.id)})
    return form_page(
        request,
        "changes.html",
        error,
        place="changes",
        lines=lines,
        typed=typed,
        actors=actors,
        actions=sorted(
            ((action, action_in_words(action)) for action in actions), key=lambda pair: pair[1]
        ),
        older=older,
        newest=_link(address.top("/changes"), {**typed, "before": ""}),
        relabelled={"run": "Run", "since": "From", "until": "to", "before": "Earlier than"},
    )


def _query(tx: Transaction, typed: dict[str, str]) -> AuditQuery:
    since, until = _day(typed["since"], "since"), _day(typed["until"], "until")
    before = typed["before"]
    if before and not (is_number(before) and len(before) < 19):
        raise UsageError(f"expected a change's number, got '{before}'", field="before")
    return AuditQuery(
        before=int(before) if before else None,
        actor=typed["person"] or None,
        action=typed["action"] or None,
        since=since,
        until=None if until is None else until + timedelta(days=1),
        experiments=_runs(tx, typed["run"]) if typed["run"] else None,
    )


def _day(typed: str, field: str) -> datetime | None:
    if not typed:
        return None
    try:
        day = date.fromisoformat(typed)
        # By the server's own clock, as the page shows moments.
        return datetime(day.year, day.month, day.day).astimezone().astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"expected a day such as 2026-05-31, got '{typed}'", field=field) from None


def _runs(tx: Transaction, typed: str) -> list[int]:
    """Return the runs of that number or label, of whichever campaign."""
    number = int(typed) if is_number(typed) and len(typed) < 19 else None
    ids = [] if number is None or tx.experiments.get(number) is None else [number]
    for campaign in tx.campaigns.all():
        id_ = tx.experiments.labelled(campaign.id, typed)
        ids += [] if id_ is None or id_ in ids else [id_]
    if not ids:
        raise NotFoundError(f"there is no run of the number or label '{typed}'", field="run")
    return ids


def _link(path: str, typed: dict[str, str]) -> str:
    query = urlencode({name: value for name, value in typed.items() if value})
    return f"{path}?{query}" if query else path
