"""Looks at processes that hold leases, trainings that died, and jobs that are due."""

from __future__ import annotations

from collections.abc import Iterator

from db.records import JobOutcome
from engine.doctor.findings import Finding, Level
from engine.workspace import Workspace
from engine.workspace.leases import SCHEDULER, TRAINING, is_gone, now


def leases(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look who holds leases, and whether they are still there."""
    with workspace.database.read() as tx:
        leases = tx.leases.all()
    if not leases:
        yield Finding("leases", Level.FINE, "nobody trains, no scheduler is at work")
    for lease in leases:
        age = (now() - lease.heartbeat_at).total_seconds()
        subject = {TRAINING: "training", SCHEDULER: "scheduler"}.get(lease.name, lease.name)
        text = f"held by {lease.owner}, last heard of {age:.0f} s ago"
        if not is_gone(lease.owner) and -lease.ttl_s <= age <= lease.ttl_s:
            yield Finding(subject, Level.FINE, text)
        elif age < -lease.ttl_s and not is_gone(lease.owner):
            yield Finding(subject, Level.LOOK, f"{text}: a clock was set back")
        elif not fix:
            yield Finding(subject, Level.LOOK, f"{text}: gone; whoever comes next takes over")
        else:
            with workspace.database.write("lease") as tx:
                tx.leases.release(lease.name, lease.holder)
            yield Finding(subject, Level.LOOK, f"{text}: gone, released", fixed=True)


def dead_runs(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look for trainings that ended without saying how."""
    from engine.refresh.run import close_dead_runs
    from engine.workspace.leases import try_acquire

    with workspace.database.read() as tx:
        n = len(tx.refreshes.running())
        lease = tx.leases.get(TRAINING)
    if not n:
        return
    if lease is not None and not is_gone(lease.owner):
        yield Finding("refresh", Level.FINE, f"{n} under way")
        return
    if fix:
        own_lease = try_acquire(workspace.database, TRAINING)
        if own_lease is not None:
            try:
                close_dead_runs(workspace, own_lease)
            finally:
                own_lease.release()
            yield Finding("refresh", Level.LOOK, f"{n} had died: closed", fixed=True)
            return
    yield Finding(
        "refresh", Level.LOOK, f"{n} died before the end; the next one goes on from there"
    )


def schedule(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look for jobs that failed, or should have run by now."""
    with workspace.database.read() as tx:
        jobs = tx.schedule.jobs()
        lease = tx.leases.get(SCHEDULER)
        last = [next(iter(tx.schedule.runs(item.id, limit=1)), None) for item in jobs]
    if not jobs:
        return
    for run in last:
        if run is not None and run.outcome is JobOutcome.FAILED:
            yield Finding("schedule", Level.WRONG, f"'{run.job_id}' failed: {run.detail}")
    moment = now()
    late = [
        item for item in jobs
        if item.next_run_at is not None and (moment - item.next_run_at).total_seconds() > 3600
    ]  # fmt: skip
    if late and lease is None:
        names = ", ".join(item.id for item in late)
        yield Finding(
            "schedule", Level.WRONG,
            f"{names} should have run more than an hour ago, and no scheduler is at work: start "
            "`engine schedule run`",
        )  # fmt: skip
    elif not any(run is not None and run.outcome is JobOutcome.FAILED for run in last):
        n = sum(item.next_run_at is None for item in jobs)
        yield Finding("schedule", Level.FINE, f"{len(jobs)} jobs, {n} paused")
