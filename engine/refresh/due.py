"""Is a refresh due? Counting only: no numerical library, a few milliseconds.

Counted is what came since the newest training that was judged, promoted or not, and since the
champion's own watermark: a candidate that was refused is not made again from the same results.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from db.records import ModelKind, RefreshOutcome, RefreshRunRecord
from db.transaction import Transaction
from engine.workspace.leases import now
from engine.workspace.settings import RefreshSettings

# `watch` looks every minute; without a pause a training that cannot succeed would keep a core busy
# all day.
RETRY_AFTER = timedelta(hours=1)
"""A training that failed is not tried again by itself before this."""


@dataclass(frozen=True)
class Due:
    """What is new, and which triggers it pulls (none: not due)."""

    reasons: tuple[str, ...]
    n_results: int
    n_micrographs: int
    since: int
    since_at: datetime | None

    @property
    def is_due(self) -> bool:
        """Whether a trigger is pulled."""
        return bool(self.reasons)

    @property
    def has_news(self) -> bool:
        """Whether there is anything to learn."""
        return self.n_results > 0 or self.n_micrographs > 0


def due(
    tx: Transaction,
    campaign_id: int,
    settings: RefreshSettings,
    kind: ModelKind = ModelKind.SURROGATE,
    *,
    moment: datetime | None = None,
) -> Due:
    """Return what is new for a campaign's models of a kind: for a generator, micrographs alone.

    ``moment``: now, where not given.
    """
    moment = moment or now()
    champion = tx.models.champion(campaign_id, kind)
    # Only the newest verdict matters; fifty failures in a row are two days of them.
    runs = tx.refreshes.find(campaign_id, kind, limit=50)
    judged = next((run for run in runs if run.outcome.is_verdict), None)
    # Whichever is newer: a rollback lets an older champion serve, and what was judged since is not
    # news.
    since = max(
        champion.watermark if champion is not None else 0,
        (judged.watermark or 0) if judged is not None else 0,
    )
    moments = [champion.created_at] if champion is not None else []
    if judged is not None and judged.finished_at is not None:
        moments.append(judged.finished_at)
    since_at = max(moments, default=None)
    n_results, n_micrographs = tx.refreshes.n_new(campaign_id, since)
    if kind is ModelKind.GENERATOR:
        n_results = 0  # it learns from pictures alone
    reasons = _reasons(settings, n_results, n_micrographs, since_at, moment)
    if reasons and _failed_lately(runs, moment):
        reasons = []
    return Due(tuple(reasons), n_results, n_micrographs, since, since_at)


def _reasons(
    settings: RefreshSettings,
    n_results: int,
    n_micrographs: int,
    since_at: datetime | None,
    moment: datetime,
) -> list[str]:
    reasons = []
    if settings.min_new_results and n_results >= settings.min_new_results:
        reasons.append(f"min_new_results: {n_results} runs got results, {settings.min_new_results} "
                     "make it due")  # fmt: skip
    if settings.min_new_micrographs and n_micrographs >= settings.min_new_micrographs:
        reasons.append(f"min_new_micrographs: {n_micrographs} micrographs came, "
                     f"{settings.min_new_micrographs} make it due")  # fmt: skip
    age = settings.max_age_s
    has_news = n_results > 0 or n_micrographs > 0
    if age is not None and has_news and since_at is not None:
        old = (moment - since_at).total_seconds()  # negative where the clock was set back
        if old >= age:
            reasons.append(
                f"max_age: {n_results} results and {n_micrographs} micrographs wait since "
                f"{since_at:%Y-%m-%d %H:%M} UTC, {settings.max_age} make it due"
            )
    return reasons


def _failed_lately(runs: list[RefreshRunRecord], moment: datetime) -> bool:
    """Whether the newest training failed less than an hour ago (by a clock that may jump)."""
    if not runs or runs[0].outcome is not RefreshOutcome.FAILED:
        return False
    ended = runs[0].finished_at
    # `abs`: with a clock set back the end lies in the future, for ever otherwise.
    return ended is not None and abs(moment - ended) < RETRY_AFTER
