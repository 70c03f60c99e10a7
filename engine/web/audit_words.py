"""The audit trail in plain words, with links to what it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePath

from db.records import ChangeRecord
from db.transaction import Transaction
from engine.web.addresses import Address
from engine.web.rendering import as_words

ACTIONS = {
    "answer": "answered a program",
    "create": "made a campaign",
    "curve fit": "read curves anew",
    "curve remove": "took curves back",
    "doctor": "looked whether all is well",
    "embed": "made pictures comparable",
    "fill": "filled in what was missing",
    "import": "imported a table",
    "init": "made a campaign",
    "log": "recorded of a run",
    "log in": "logged in",
    "log in refused": "was refused at the login",
    "log out": "logged out",
    "micrograph add": "added pictures",
    "micrograph correct": "corrected what was measured on a picture",
    "micrograph import": "added a folder of pictures",
    "micrograph measure": "measured pictures",
    "models promote": "let a model serve",
    "models prune": "cleared away old models",
    "models rollback": "went back to the model before",
    "pretrain": "trained on other sources",
    "preview": "drew what to expect",
    "propose": "proposed runs",
    "refresh": "trained a model",
    "revise": "revised a campaign",
    "schedule": "changed the schedule",
    "source add": "added a source",
    "source remove": "removed a source",
    "task": "ran a job",
    "token add": "made a token",
    "token revoke": "revoked a token",
    "undo": "undid a change",
    "use": "chose the command line's campaign",
    "user add": "added a user",
    "user password": "set a password",
    "user remove": "removed a user",
    "user reset link": "made a link to set a password",
    "user role": "gave another role",
    "watch": "registered a file",
}

_ABOUT = re.compile(r"\b(experiment|job|model|change) (\d{1,18})\b|\b(campaign) ([\w][\w .-]*)")


@dataclass(frozen=True)
class Piece:
    """A piece of a line's text, and where it leads to, if anywhere."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class AuditLine:
    """A change as the page tells it."""

    record: ChangeRecord
    action: str
    pieces: tuple[Piece, ...]


def audit_lines(
    tx: Transaction, records: Iterable[ChangeRecord], address: Address
) -> list[AuditLine]:
    """Return changes in words; runs by their names, as everywhere."""
    records = list(records)
    ids = {
        int(match[2])
        for record in records
        for match in _ABOUT.finditer(record.detail or "")
        if match[1] == "experiment"
    }
    runs = {run.id: run for run in tx.experiments.get_all(ids)} if ids else {}
    campaigns = {campaign.name: campaign.id for campaign in tx.campaigns.all()}

    def piece(match: re.Match[str]) -> Piece:
        if match[3]:
            id_ = campaigns.get(match[4])
            link = "" if id_ is None else address.in_campaign(id_).link("/definition")
            return Piece(match[0], link)
        number = int(match[2])
        if match[1] == "experiment":
            run = runs.get(number)
            if run is None:
                return Piece(f"run {number}")
            link = address.in_campaign(run.campaign_id).link(f"/runs/{number}")
            return Piece(f"run {run.name}", link)
        if match[1] in ("job", "model"):
            owner = (tx.tasks if match[1] == "job" else tx.models).get(number)
            if owner is None or owner.campaign_id is None:
                return Piece(match[0])
            inside = address.in_campaign(owner.campaign_id)
            return Piece(match[0], inside.link(f"/{match[1]}s/{number}"))
        return Piece(match[0])

    return [
        AuditLine(
            record,
            action_in_words(record.action),
            tuple(_pieces(_without_folders(record.detail or ""), piece)),
        )
        for record in records
    ]


def _without_folders(detail: str) -> str:
    """Return a file's name where a command recorded its whole path."""
    return PurePath(detail).name if detail.startswith("/") else detail


def _pieces(detail: str, piece: Callable[[re.Match[str]], Piece]) -> Iterable[Piece]:
    end = 0
    for match in _ABOUT.finditer(detail):
        if match.start() > end:
            yield Piece(detail[end : match.start()])
        yield piece(match)
        end = match.end()
    if end < len(detail):
        yield Piece(detail[end:])


def action_in_words(action: str) -> str:
    """Return what was done, as a person says it."""
    return ACTIONS.get(action, as_words(action).lower())
