"""Is a refresh due? Results, micrographs, age; and not again from the same ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from db.records import ModelKind, RefreshOutcome
from engine.refresh.due import Due, due
from engine.workspace import Workspace
from engine.workspace.leases import now
from engine.workspace.settings import RefreshSettings

AnyCall = Callable[..., Any]


def look(workspace: Workspace, days: float = 0.0, **settings: Any) -> Due:
    with workspace.database.read() as tx:
        return due(
            tx, 1, RefreshSettings(**settings), moment=now() + timedelta(days=days)
        )  # fmt: skip


def judged(workspace: Workspace, outcome: RefreshOutcome) -> None:
    with workspace.database.write("refresh") as tx:
        id_ = tx.refreshes.start(
            1, kind=ModelKind.SURROGATE, trigger="x", watermark=tx.watermark(), at=now()
        )
        tx.refreshes.finish(id_, outcome, at=now())


def test_results(workspace: Workspace, lab_runs: AnyCall, record: AnyCall) -> None:
    assert look(workspace).reasons == ()
    record(workspace, lab_runs(7))
    assert not look(workspace).is_due
    assert look(workspace, min_new_results=7).is_due
    record(workspace, lab_runs(1, seed=1))
    found = look(workspace)
    assert found.reasons == ("min_new_results: 8 runs got results, 8 make it due",)
    assert not look(workspace, min_new_results=0).is_due


def test_a_generator_learns_from_micrographs_alone(
    workspace: Workspace, lab_runs: AnyCall, record: AnyCall
) -> None:
    record(workspace, lab_runs(8))
    with workspace.database.read() as tx:
        found = due(tx, 1, RefreshSettings(), ModelKind.GENERATOR)
    assert (found.n_results, found.is_due, found.has_news) == (0, False, False)


@pytest.mark.parametrize("outcome", [RefreshOutcome.PROMOTED, RefreshOutcome.REJECTED])
def test_not_again_from_the_same(
    workspace: Workspace, lab_runs: AnyCall, record: AnyCall, outcome: RefreshOutcome
) -> None:
    record(workspace, lab_runs(8))
    judged(workspace, outcome)
    found = look(workspace)
    assert (found.n_results, found.is_due) == (0, False)


def test_what_failed_is_tried_again_after_a_while(
    workspace: Workspace, lab_runs: AnyCall, record: AnyCall
) -> None:
    record(workspace, lab_runs(8))
    judged(workspace, RefreshOutcome.FAILED)
    assert not look(workspace).is_due
    assert look(workspace, days=0.1).is_due
    assert look(workspace, days=-1).is_due  # the clock was set back by a day


def test_what_was_interrupted_goes_on(
    workspace: Workspace, lab_runs: AnyCall, record: AnyCall
) -> None:
    record(workspace, lab_runs(8))
    judged(workspace, RefreshOutcome.INTERRUPTED)
    assert look(workspace).is_due


def test_age(workspace: Workspace, lab_runs: AnyCall, record: AnyCall) -> None:
    judged(workspace, RefreshOutcome.PROMOTED)
    assert not look(workspace, days=9).is_due  # nothing new
    record(workspace, lab_runs(1))
    assert not look(workspace, days=6).is_due
    assert look(workspace, days=8).reasons[0].startswith("max_age: 1 results")
    assert look(workspace, days=0.6, max_age="12h").is_due
    assert not look(workspace, days=100, max_age="never").is_due
    assert not look(workspace, days=-1).is_due
