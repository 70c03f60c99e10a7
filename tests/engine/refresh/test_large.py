"""A large campaign: a refresh looks at a part of it, says so, and can be made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from db.records import ModelKind, RefreshOutcome, Status
from engine.micrographs.store import store_micrograph
from engine.refresh.plan import plan
from engine.refresh.rebuild import rebuild
from engine.refresh.request import RefreshRequest
from engine.refresh.run import refresh
from engine.refresh.snapshot import Snapshot, take_snapshot
from engine.registry.versions import list_models
from engine.workspace import Workspace

AnyCall = Callable[..., Any]
MOST, N = 60, 90
QUICK = RefreshRequest(steps=2)


@pytest.fixture
def large(
    folder: Path, lab_runs: AnyCall, record: AnyCall, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """Return a campaign of more runs than are learnt from; its second and third have pictures."""
    monkeypatch.setenv("SPINNERET_PROPOSE__MOST_RUNS", str(MOST))
    monkeypatch.setenv("SPINNERET_REFRESH__TOLERANCE", "0.5")
    with Workspace.open(folder / "config.toml") as workspace:
        ids = record(workspace, lab_runs(N))
        for place in (1, 2):
            picture = folder / f"{place}.png"
            Image.new("L", (40, 40), 40 * place).save(picture)
            stored = store_micrograph(picture, workspace.data_dir, max_megapixels=1)
            with workspace.database.write("test") as tx:
                tx.micrographs.add(ids[place], **vars(stored))
        yield workspace


def snapshot(workspace: Workspace, kind: ModelKind = ModelKind.SURROGATE) -> Snapshot:
    with workspace.database.read() as tx:
        return take_snapshot(workspace, tx, RefreshRequest(kind=kind))


def test_the_newest_the_pictured_and_an_informative_part(large: Workspace, engine) -> None:
    found = snapshot(large)
    ids = [one.id for one in found.experiments]
    assert ids == sorted(set(ids))
    assert sum(one.status is Status.COMPLETED for one in found.experiments) == MOST
    assert found.n_left_out == N - MOST
    assert {2, 3} <= set(ids)
    assert set(range(N - 8, N + 1)) <= set(ids)
    assert len([id_ for id_ in ids if id_ <= N // 2]) >= MOST // 6
    told = engine("refresh", "--dry-run").out
    assert f"on {MOST} of {N} own runs" in told
    assert plan(large, QUICK).n_left_out == N - MOST


def test_a_generator_looks_at_what_has_pictures(large: Workspace) -> None:
    assert [one.id for one in snapshot(large, ModelKind.GENERATOR).experiments] == [2, 3]


@pytest.mark.deep
def test_refresh_and_rebuild(large: Workspace, lab_runs: AnyCall, record: AnyCall) -> None:
    done = refresh(large, QUICK)
    assert done.outcome is RefreshOutcome.PROMOTED, done.reason
    (entry,) = list_models(large)
    assert entry.version.config is not None
    assert len(entry.version.config["refresh"]["learnt_from"]) == MOST
    record(large, lab_runs(8, seed=2))
    assert rebuild(large, done.model_id or 0).is_same
    again = refresh(large, QUICK)  # what is doubted: the newest, by what was known then
    assert (again.outcome, again.mode) == (RefreshOutcome.PROMOTED, "incremental"), again.reason
    assert again.report["suspicion"]["numbers"]["n_new"] == 8
