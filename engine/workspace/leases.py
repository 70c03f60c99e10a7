"""What only one process may do at a time, on every machine that shares the database.

A lease is a row with its owner and a count of heartbeats (:mod:`db.repository.leases`). A thread
keeps it alive; whoever finds it held waits, gives up, or takes it over when the owner is gone:

- its process ran on this machine and does not any more: at once;
- its last heartbeat is older than its time to live by the clocks: at once;
- the clocks cannot tell (its heartbeat lies in the future, a clock was set back): when the count
  has not moved for that time, by a clock that only runs forward.

Work that ends in a transaction asks there once more whether the lease is still held
(:meth:`Lease.require`), so that one who was taken for dead writes nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from db.errors import ConflictError, DatabaseError
from db.records import LeaseRecord
from db.session import Database
from db.transaction import Transaction
from engine.errors import StateError, by_voice
from engine.host import is_running

TRAINING = "training"
"""Held while a model of the database is trained."""
SCHEDULER = "scheduler"
"""Held by the scheduler that runs the jobs."""

# Beats come every quarter of it: three may be missed before anybody takes over.
TTL_S = 30.0
_LOG = logging.getLogger("spinneret.lease")

Now = Callable[[], datetime]


def now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


def process_identity(pid: int | None = None) -> str:
    """Return ``host/pid/start``: a process of a machine, even where numbers are used again."""
    pid = os.getpid() if pid is None else pid
    return f"{socket.gethostname()}/{pid}/{_started(pid) or 0}"


def _started(pid: int) -> int | None:
    """Return when a process began (in the kernel's ticks); ``None``: there is none, or unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The command's name comes before, in brackets, and may hold blanks and brackets itself.
    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    fields = text.rpartition(")")[2].split()
    # A zombie that nobody has reaped still has an entry, and works no more. Field 22 counts from 1
    # and before the bracket: 19 here.
    return None if fields[0] in ("Z", "X") else int(fields[19])


def is_gone(owner: str) -> bool:
    """Whether a process of this machine is certainly not running any more."""
    host, _, process = owner.partition("/")
    number, _, start = process.partition("/")
    # Of another machine nothing is certain; its heartbeat has to tell.
    if host != socket.gethostname() or not number.isdigit():
        return False
    if not Path("/proc/self/stat").exists():
        return not is_running(int(number))
    start_ticks = _started(int(number))
    # Same number but another start: the kernel gave the number out again.
    return start_ticks is None or (start not in ("0", "") and str(start_ticks) != start)


class Lease:
    """A lease that this process holds. ``is_lost``: somebody took it over."""

    def __init__(self, database: Database, record: LeaseRecord) -> None:
        self.database = database
        self.record = record
        self.is_lost = False

    def require(self, tx: Transaction) -> None:
        """See in a transaction that it is still held.

        Raises:
            StateError: another process took it over.
        """
        if self.is_lost or not tx.leases.holds(self.record.name, self.record.holder):
            self.is_lost = True
            raise StateError(
                f"the lease '{self.record.name}' was taken over by another process, which took "
                "this one for dead; nothing was recorded"
            )

    def beat(self) -> None:
        """Give a sign of life."""
        with self.database.write("lease") as tx:
            if not tx.leases.beat(self.record.name, self.record.holder, at=now()):
                self.is_lost = True

    def release(self) -> None:
        """Give it back."""
        with self.database.write("lease") as tx:
            tx.leases.release(self.record.name, self.record.holder)


def try_acquire(
    database: Database,
    name: str,
    *,
    ttl_s: float = TTL_S,
    owner: str | None = None,
    clock: Now = now,
    last_look: tuple[LeaseRecord, float] | None = None,
) -> Lease | None:
    """Take a lease if it is free or its owner is gone; ``None`` if somebody holds it.

    ``last_look``: what was found at an earlier try, and when by ``time.monotonic``.
    """
    identity = owner or process_identity()
    # Of this one holding: the same process may have held, lost and want it again.
    holder = uuid.uuid4().hex
    try:
        with database.write("lease") as tx:
            # After the write lock is there: waiting for it may take longer than the time to live.
            moment = clock()
            record = tx.leases.acquire(name, holder=holder, owner=identity, ttl_s=ttl_s, at=moment)
            if record is None:
                earlier = tx.leases.get(name)
                if earlier is None or not _is_over(earlier, moment, last_look):
                    return None
                # Compares holder and beats: one that came back to life meanwhile keeps it.
                record = tx.leases.take_over(
                    earlier, holder=holder, owner=identity, ttl_s=ttl_s, at=moment
                )
                if record is not None:
                    _LOG.warning(
                        "took over the lease '%s' from %s, who is gone", name, earlier.owner
                    )
    except ConflictError:  # somebody took it at the same moment
        return None
    return None if record is None else Lease(database, record)


def _is_over(
    record: LeaseRecord, moment: datetime, last_look: tuple[LeaseRecord, float] | None
) -> bool:
    if is_gone(record.owner):
        return True
    if record.heartbeat_at + timedelta(seconds=record.ttl_s) < moment:
        # On the machine of a living owner it is asleep or suspended rather than gone, but it has
        # given no sign for its time to live: it must ask again before it writes.
        return True
    if last_look is None or (last_look[0].holder, last_look[0].beats) != (
        record.holder,
        record.beats,
    ):
        return False
    return time.monotonic() - last_look[1] > record.ttl_s


@contextmanager
def held(
    database: Database,
    name: str,
    *,
    ttl_s: float = TTL_S,
    wait_s: float = 0.0,
    clock: Now = now,
) -> Iterator[Lease]:
    """Hold a lease while the block runs, kept alive by a thread.

    Args:
        database: that all who want the lease share.
        name: what it is for.
        ttl_s: seconds without a heartbeat after which others may take it over.
        wait_s: how long to wait for it.
        clock: tells this moment.

    Raises:
        StateError: somebody else holds it.
    """
    lease = _acquire(database, name, ttl_s, wait_s, clock)
    stop = threading.Event()
    thread = threading.Thread(target=_keep_alive, args=(lease, ttl_s, stop), daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        stop.set()
        # A heartbeat that waits for a dead server must not keep the caller from ending.
        thread.join(timeout=5.0)
        with suppress(DatabaseError):  # it runs out by itself
            lease.release()


def _acquire(database: Database, name: str, ttl_s: float, wait_s: float, clock: Now) -> Lease:
    until = time.monotonic() + wait_s
    last_look: tuple[LeaseRecord, float] | None = None
    while True:
        lease = try_acquire(database, name, ttl_s=ttl_s, clock=clock, last_look=last_look)
        if lease is not None:
            return lease
        with database.read() as tx:
            record = tx.leases.get(name)
        if record is not None and (
            last_look is None
            or (last_look[0].holder, last_look[0].beats) != (record.holder, record.beats)
        ):
            last_look = record, time.monotonic()
        if time.monotonic() >= until:
            owner = "another process" if record is None else record.owner
            raise StateError(
                f"{name}: {owner} is at it already; wait until that is done"
                f"{by_voice(' (`engine doctor` shows who holds what)', '')}, or stop it"
            )
        time.sleep(min(0.5, ttl_s / 4))


def _keep_alive(lease: Lease, ttl_s: float, stop: threading.Event) -> None:
    while not stop.wait(ttl_s / 4):
        try:
            lease.beat()
        except DatabaseError as error:
            _LOG.warning("no heartbeat of '%s': %s", lease.record.name, error)
        if lease.is_lost:
            _LOG.error("the lease '%s' was taken over by another process", lease.record.name)
            return
