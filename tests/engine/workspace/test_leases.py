"""One at a time, on every machine that shares the database; and what becomes of the dead."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import StateError
from engine.workspace import Workspace
from engine.workspace import leases as leasing
from engine.workspace.leases import held, is_gone, now, process_identity, try_acquire

ROOT = Path(__file__).resolve().parents[3]


def test_one_holds_it(workspace: Workspace) -> None:
    with held(workspace.database, "x") as lease:
        assert try_acquire(workspace.database, "x") is None
        with pytest.raises(StateError, match="at it already"), held(workspace.database, "x"):
            pass
        assert not lease.is_lost
    with held(workspace.database, "x"):
        pass


def test_it_is_kept_alive(workspace: Workspace) -> None:
    with held(workspace.database, "x", ttl_s=0.2):
        time.sleep(0.6)
        with workspace.database.read() as tx:
            found = tx.leases.get("x")
        assert found is not None
        assert found.beats >= 2


def test_a_dead_process_of_this_machine_is_known_at_once(workspace: Workspace) -> None:
    code = "from engine.workspace.leases import process_identity; print(process_identity())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    dead = done.stdout.strip()
    assert is_gone(dead)
    assert not is_gone(process_identity())
    assert not is_gone("elsewhere/1/1")
    assert try_acquire(workspace.database, "x", owner=dead) is not None
    with held(workspace.database, "x"):
        pass


def test_no_sign_for_its_time_to_live(workspace: Workspace) -> None:
    def earlier() -> leasing.datetime:
        return now() - timedelta(seconds=40)

    assert try_acquire(workspace.database, "x", owner="elsewhere/1/1", clock=earlier) is not None
    taken = try_acquire(workspace.database, "x")
    assert taken is not None


def test_a_clock_set_back_by_a_day(workspace: Workspace) -> None:
    # The owner died after the clock was set back: his last sign lies in the future.
    def tomorrow() -> leasing.datetime:
        return now() + timedelta(days=1)

    dead = try_acquire(workspace.database, "x", owner="elsewhere/1/1", ttl_s=0.3, clock=tomorrow)
    assert dead is not None
    assert try_acquire(workspace.database, "x") is None
    with (
        held(workspace.database, "x", ttl_s=0.3, wait_s=10.0) as lease,
        workspace.database.read() as tx,
    ):
        lease.require(tx)
        with pytest.raises(StateError, match="taken over"):
            dead.require(tx)
