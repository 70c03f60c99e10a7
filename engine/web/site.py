"""What one running server holds: workspace, helpers, who tried to log in, computed values."""

from __future__ import annotations

import copy
import hashlib
import hmac
import logging
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from engine.results.overview import Overview, overview
from engine.web.helpers.crew import Crew
from engine.web.helpers.oracle import AskOracle
from engine.web.limiter import MOST_REMEMBERED, Limiter
from engine.web.proxies import Front
from engine.web.users import Person, list_users, person_of_session, person_of_token
from engine.workspace import Workspace

Worked = TypeVar("Worked")

REMEMBER_S = 2.0
"""A session that was found is not looked up again for so long; one that is closed here ends now."""

SHARE = 5.0
"""What took a second to compute is kept for five: at most a sixth of the time goes into it."""

PATIENCE_S = 0.2
"""What took longer is computed behind the pages: nobody waits for it who may have the last one."""

_LOG = logging.getLogger("spinneret.web")


class Cache:
    """Values that hold for one version. While the next is computed, others get the last one.

    Expensive values are recomputed at most a sixth of the time, see :data:`SHARE`.
    """

    def __init__(self) -> None:
        self.values: OrderedDict[str, tuple[Any, Any]] = OrderedDict()
        self.until: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self.busy: dict[str, threading.Lock] = {}
        self.lock = threading.Lock()

    def get(
        self, name: str, version: Any, make: Callable[[], Worked], *, is_exact: bool = False
    ) -> Worked:
        """Return the value of a name at a version; ``make`` is called once for each.

        ``is_exact``: never the last one in place of this one.
        """
        with self.lock:
            entry = self.values.get(name)
            busy = self.busy.setdefault(name, threading.Lock())
            is_fresh = time.monotonic() < self.until.get(name, 0.0)
        if entry is not None and (entry[0] == version or (is_fresh and not is_exact)):
            return entry[1]  # type: ignore[no-any-return]
        # Only the very first has to wait; everybody else gets the last value meanwhile.
        if not busy.acquire(blocking=entry is None or is_exact):
            assert entry is not None  # noqa: S101 -- or it would have waited
            return entry[1]  # type: ignore[no-any-return]
        if entry is not None and not is_exact and self.seconds.get(name, 0.0) > PATIENCE_S:
            behind = threading.Thread(
                target=self._compute_behind, args=(name, version, make, busy), daemon=True
            )
            behind.start()
            return entry[1]  # type: ignore[no-any-return]
        try:
            return self._compute(name, version, make)
        finally:
            busy.release()

    def _compute(self, name: str, version: Any, make: Callable[[], Worked]) -> Worked:
        with self.lock:
            entry = self.values.get(name)
        if entry is not None and entry[0] == version:
            return entry[1]  # type: ignore[no-any-return]
        start = time.monotonic()
        value = make()
        end = time.monotonic()
        with self.lock:
            self.values[name] = (version, value)
            self.seconds[name] = end - start
            self.until[name] = end + SHARE * (end - start)
            self.values.move_to_end(name)
            while len(self.values) > 256:
                self.busy.pop(self.values.popitem(last=False)[0], None)
        return value

    def _compute_behind(
        self, name: str, version: Any, make: Callable[[], Any], busy: threading.Lock
    ) -> None:
        try:
            self._compute(name, version, make)
        except Exception:  # whoever asks next gets it, in an answer
            _LOG.exception("%s could not be computed", name)
            with self.lock:
                self.seconds.pop(name, None)
        finally:
            busy.release()


@dataclass
class Site:
    """One server's state in memory; a restart loses nothing but logins under way."""

    workspace: Workspace
    is_loopback: bool = True
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    cache: Cache = field(default_factory=Cache)
    messages: dict[tuple[str, int | None], list[tuple[str, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.front = Front.of_settings(self.workspace.settings.web)
        self.limiter = Limiter(self.workspace.settings.web.login_attempts)
        self.crew = Crew(self.workspace)
        self.oracle = AskOracle(self.workspace)
        self._people: dict[str, tuple[float, Person | None]] = {}
        self._campaigns: set[int] = set()
        self._names: dict[str, Any] = {}

    def in_campaign(self, campaign_id: int) -> Site:
        """Return this server's state for one campaign: its own workspace, and all else shared."""
        inside = copy.copy(self)
        inside.workspace = self.workspace.in_campaign(campaign_id)
        return inside

    def campaign_names(self) -> dict[int, str]:
        """Return the campaigns' names by their numbers, in the order of their creation."""

        # Not from the cache, which may lag: whoever made a campaign looks for it at once.
        with self.workspace.database.read() as tx:
            watermark = tx.watermark()
            if self._names.get("watermark") != watermark:
                names = {record.id: record.name for record in tx.campaigns.all()}
                self._names.update(watermark=watermark, names=names)
            return dict(self._names["names"])

    def has_campaign(self, campaign_id: int) -> bool:
        """Whether there is a campaign of that number."""
        if campaign_id not in self._campaigns:  # none is ever removed
            with self.workspace.database.read() as tx:
                self._campaigns.update(record.id for record in tx.campaigns.all())
        return campaign_id in self._campaigns

    @property
    def uploads(self) -> Path:
        """Where files lie that are looked at and not kept."""
        return self.workspace.data_dir / "uploads"

    def start(self) -> None:
        """Start what works beside the server."""
        for leftover in self.uploads.glob("*") if self.uploads.is_dir() else ():
            # An upload lies in a folder of its own, which a killed server leaves behind.
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)
        self.crew.start()

    def stop(self) -> None:
        """End what works beside the server."""
        self.crew.stop()
        self.oracle.stop()

    def watermark(self) -> int:
        """Return the newest change."""
        with self.workspace.database.read() as tx:
            return tx.watermark()

    def cached(
        self,
        name: str,
        make: Callable[[], Worked],
        *,
        watermark: int | None = None,
        is_exact: bool = False,
    ) -> Worked:
        """Return a value of the campaign; computed once for each change, or each ``watermark``.

        People get the last value while the next is computed; with ``is_exact`` nobody does.
        """
        version = self.watermark() if watermark is None else watermark
        key = f"{name} of {self.workspace.campaign_id}"
        return self.cache.get(key, version, make, is_exact=is_exact)

    def overview(self, *, is_exact: bool = False) -> Overview:
        """Return where the campaign stands; computed once for each change."""
        return self.cached("overview", lambda: overview(self.workspace), is_exact=is_exact)

    async def ask(self, question: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the campaign's model; see :meth:`engine.web.helpers.oracle.AskOracle.ask`."""
        return await self.oracle.ask(question, params, self.workspace.campaign_id)

    def has_users(self) -> bool:
        """Whether there is anybody who can log in by a password."""
        return bool(list_users(self.workspace))

    def is_key(self, word: str) -> bool:
        """Whether this is the key that was printed when the server started."""
        # In a time that does not depend on how much of it is right.
        return hmac.compare_digest(word.encode(), self.key.encode())

    def person(self, secret: str, *, is_token: bool) -> Person | None:
        """Return whom a session or token belongs to."""
        # One table for sessions and tokens: the kind is part of the key, so that a session never
        # passes for a token.
        name = hashlib.sha256(f"{is_token}{secret}".encode("utf-8", "replace")).hexdigest()
        clock = time.monotonic()
        remembered = self._people.get(name)
        if remembered is not None and clock - remembered[0] < REMEMBER_S:
            return remembered[1]
        find = person_of_token if is_token else person_of_session
        person = find(self.workspace, secret)
        # All at once: what is still used is back after one look-up.
        if len(self._people) > MOST_REMEMBERED:
            self._people.clear()
        self._people[name] = (clock, person)
        return person

    def forget_people(self) -> None:
        """Look everybody up anew: somebody left, or may do something else now."""
        self._people.clear()

    def leave_message(self, person: Person, kind: str, message: str) -> None:
        """Keep a message for the next page of this campaign that somebody opens."""
        key = (person.secret, self.workspace.campaign_id)
        self.messages.setdefault(key, []).append((kind, message))

    def take_messages(self, person: Person) -> list[tuple[str, str]]:
        """Return the messages that were kept, once."""
        return self.messages.pop((person.secret, self.workspace.campaign_id), [])
