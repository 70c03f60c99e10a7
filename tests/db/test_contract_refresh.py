"""What every database must do for models that keep up: registry, refresh runs, leases, schedule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from db.errors import ConflictError, DatabaseError
from db.records import (
    CampaignRecord,
    JobOutcome,
    JobRecord,
    ModelKind,
    ModelStatus,
    RefreshOutcome,
)
from db.session import Database
from db.transaction import Transaction

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
SURROGATE = ModelKind.SURROGATE


def add_version(tx: Transaction, campaign: CampaignRecord, n: int, **changes: object) -> int:
    fields: dict[str, object] = {
        "kind": SURROGATE,
        "artifact_path": f"models/{n}",
        "sha256": str(n) * 64,
        "watermark": n,
        "metrics": {"r2": 0.5},
        **changes,
    }
    return tx.models.add(campaign.id, **fields)  # type: ignore[arg-type]


class TestModels:
    def test_knows_what_it_can_be_rebuilt_from(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        with database.write("refresh") as tx:
            id_ = add_version(
                tx, campaign, 1, config={"steps": 5}, seed=2**40, versions={"torch": "2"}
            )
        with database.read() as tx:
            found = tx.models.get(id_)
        assert found is not None
        assert (found.config, found.seed, found.versions) == (
            {"steps": 5},
            2**40,
            {"torch": "2"},
        )
        assert not found.is_pruned

    def test_what_served_is_kept(self, database: Database, campaign: CampaignRecord) -> None:
        with database.write("refresh") as tx:
            first = add_version(tx, campaign, 1, status=ModelStatus.CHAMPION, reason="the first")
            second = add_version(tx, campaign, 2, parent_id=first)
        with database.write("promote") as tx:
            assert tx.models.promote(second, reason="better") == first
        with database.write("rollback") as tx:
            assert tx.models.promote(first) == second
        with database.write("rollback") as tx:
            assert tx.models.step_down(campaign.id, SURROGATE, reason="none is left") == first
        with database.read() as tx:
            history = tx.models.promotions(campaign.id, SURROGATE)
            assert tx.models.champion(campaign.id, SURROGATE) is None
            assert {v.status for v in tx.models.all_of(campaign.id)} == {ModelStatus.RETIRED}
        assert [(p.model_version_id, p.reason) for p in history] == [
            (first, "the first"),
            (second, "better"),
            (first, None),
            (None, "none is left"),
        ]

    def test_pruned_ones_cannot_serve(self, database: Database, campaign: CampaignRecord) -> None:
        with database.write("refresh") as tx:
            champion = add_version(tx, campaign, 1, status=ModelStatus.CHAMPION)
            other = add_version(tx, campaign, 2, status=ModelStatus.REJECTED)
        with database.write("prune") as tx:
            tx.models.mark_pruned(other)
        with pytest.raises(ConflictError, match="pruned"), database.write("promote") as tx:
            tx.models.promote(other)
        with pytest.raises(ConflictError, match="champion"), database.write("prune") as tx:
            tx.models.mark_pruned(champion)
        with pytest.raises(ConflictError, match="no model version"), database.write("x") as tx:
            tx.models.promote(99)
        with database.read() as tx:
            assert [v.is_pruned for v in tx.models.all_of(campaign.id)] == [False, True]


class TestRefreshes:
    def test_round_trip(self, database: Database, campaign: CampaignRecord) -> None:
        with database.write("refresh") as tx:
            id_ = tx.refreshes.start(
                campaign.id, kind=SURROGATE, trigger="by hand", watermark=1, at=NOW
            )
        with database.read() as tx:
            assert [r.id for r in tx.refreshes.running(campaign.id)] == [id_]
        with database.write("refresh") as tx:
            version = add_version(tx, campaign, 1)
            tx.refreshes.finish(
                id_,
                RefreshOutcome.PROMOTED,
                at=NOW - timedelta(days=1),  # the clock was set back meanwhile
                log="better",
                model_version_id=version,
                report={"n_new": 8},
            )
        with database.read() as tx:
            (found,) = tx.refreshes.find(campaign.id, SURROGATE)
            assert tx.refreshes.find(campaign.id, ModelKind.GENERATOR) == []
            assert tx.refreshes.running() == ()
        assert found.outcome is RefreshOutcome.PROMOTED
        assert (found.started_at, found.finished_at) == (NOW, NOW)
        assert (found.watermark, found.report, found.log) == (1, {"n_new": 8}, "better")
        assert found.model_version_id == version

    def test_ends_once(self, database: Database, campaign: CampaignRecord) -> None:
        with database.write("refresh") as tx:
            id_ = tx.refreshes.start(campaign.id, kind=SURROGATE, trigger="x", watermark=1, at=NOW)
            tx.refreshes.finish(id_, RefreshOutcome.INTERRUPTED, at=NOW)
        with pytest.raises(ConflictError, match="ended already"), database.write("r") as tx:
            tx.refreshes.finish(id_, RefreshOutcome.FAILED, at=NOW)

    def test_what_is_new_since(
        self, database: Database, campaign: CampaignRecord, experiment_id: int
    ) -> None:
        with database.read() as tx:
            before = tx.watermark()
            assert tx.refreshes.n_new(campaign.id, 0) == (1, 0)
            assert tx.refreshes.n_new(campaign.id, before) == (0, 0)
        with database.write("log") as tx:
            tx.measurements.correct(experiment_id, "elongation.longitudinal", 1, 1.0)
            tx.micrographs.add(
                experiment_id, sha256="a" * 64, path="a", original_name="a", width_px=1,
                height_px=1, n_bytes=1,
            )  # fmt: skip
        with database.read() as tx:
            assert tx.refreshes.n_new(campaign.id, before) == (1, 1)
            assert tx.refreshes.n_new(campaign.id + 1, 0) == (0, 0)


class TestLeases:
    def test_one_holds_it(self, database: Database) -> None:
        with database.write("lease") as tx:
            mine = tx.leases.acquire("refresh", holder="a", owner="ana 1", ttl_s=30.0, at=NOW)
            assert mine is not None
            assert tx.leases.acquire("refresh", holder="b", owner="b", ttl_s=1.0, at=NOW) is None
            assert tx.leases.beat("refresh", "a", at=NOW + timedelta(seconds=5))
            assert not tx.leases.beat("refresh", "b", at=NOW)
        with database.read() as tx:
            found = tx.leases.get("refresh")
            assert tx.leases.holds("refresh", "a")
            assert tx.leases.all() == (found,)
            assert tx.watermark() == 0  # signs of life are no changes
        assert found is not None
        assert (found.beats, found.heartbeat_at - NOW) == (1, timedelta(seconds=5))
        with database.write("lease") as tx:
            assert tx.leases.take_over(mine, holder="b", owner="b", ttl_s=1.0, at=NOW) is None
            after = tx.leases.take_over(found, holder="b", owner="b", ttl_s=1.0, at=NOW)
            assert after is not None
            assert not tx.leases.release("refresh", "a")
            assert tx.leases.release("refresh", "b")
            assert tx.leases.get("refresh") is None

    def test_a_reader_cannot_take_it(self, database: Database) -> None:
        with pytest.raises(DatabaseError, match="only reads"), database.read() as tx:
            tx.leases.acquire("refresh", holder="a", owner="a", ttl_s=1.0, at=NOW)


class TestSchedule:
    def test_jobs(self, database: Database) -> None:
        first = JobRecord("backup", NOW, {"function": "backup", "kwargs": {"keep": 7}})
        later = JobRecord("report", NOW + timedelta(hours=1), {})
        with database.write("schedule") as tx:
            for one in (later, JobRecord("paused", None, {}), first):
                tx.schedule.put(one)
        with database.read() as tx:
            assert [one.id for one in tx.schedule.jobs()] == ["backup", "report", "paused"]
            assert tx.schedule.jobs(due_at=NOW) == (first,)
            assert tx.schedule.next_run_at() == NOW
            assert tx.schedule.get("nothing") is None
            assert tx.watermark() == 0
        with database.write("schedule") as tx:
            tx.schedule.put(JobRecord("backup", None, first.definition))
            assert tx.schedule.remove("report") == 1
        with database.read() as tx:
            assert tx.schedule.next_run_at() is None
            assert tx.schedule.get("backup") == JobRecord("backup", None, first.definition)
        with database.write("schedule") as tx:
            assert tx.schedule.remove() == 2

    def test_a_due_moment_is_run_once(self, database: Database) -> None:
        with database.write("schedule") as tx:
            id_ = tx.schedule.claim("backup", NOW, owner="a", at=NOW)
            assert id_ is not None
            assert tx.schedule.claim("backup", NOW, owner="b", at=NOW) is None
            assert tx.schedule.claim("report", NOW, owner="b", at=NOW) is not None
        with database.write("schedule") as tx:
            tx.schedule.finish(id_, JobOutcome.DONE, at=NOW, detail="copied")
        with database.read() as tx:
            (run,) = tx.schedule.runs("backup")
            (other,) = tx.schedule.runs(outcome=JobOutcome.RUNNING)
        assert (run.outcome, run.detail, run.owner) == (JobOutcome.DONE, "copied", "a")
        assert other.job_id == "report"
        with pytest.raises(ConflictError, match="ended already"), database.write("s") as tx:
            tx.schedule.finish(id_, JobOutcome.FAILED, at=NOW)

    def test_old_runs_are_forgotten(self, database: Database) -> None:
        with database.write("schedule") as tx:
            for n in range(5):
                moment = NOW + timedelta(hours=n)
                id_ = tx.schedule.claim("backup", moment, owner="a", at=moment)
                assert id_ is not None
                if n:
                    tx.schedule.finish(id_, JobOutcome.DONE, at=moment)
            assert tx.schedule.forget_runs(keep=2) == 2
        with database.read() as tx:
            assert [run.due_at.hour - 3 for run in tx.schedule.runs()] == [4, 3, 0]


WRONG: dict[str, Callable[[Transaction, CampaignRecord], object]] = {
    "a kind that is not": lambda tx, c: tx.refreshes.start(
        c.id, kind="oracle", trigger="x", watermark=0, at=NOW  # type: ignore[arg-type]
    ),
    "a lease for no time": lambda tx, c: tx.leases.acquire(
        "x", holder="a", owner="a", ttl_s=0.0, at=NOW
    ),
}  # fmt: skip


@pytest.mark.parametrize("attempt", WRONG.values(), ids=WRONG.keys())
def test_wrong_rows_are_impossible(
    database: Database,
    campaign: CampaignRecord,
    attempt: Callable[[Transaction, CampaignRecord], object],
) -> None:
    with pytest.raises(ConflictError), database.write("try") as tx:
        attempt(tx, campaign)
