"""Users, sessions, tokens, tasks and keyed answers, on each kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.errors import ConflictError
from db.records import CampaignRecord, Role, TaskStatus
from db.session import Database

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
HASH = "a" * 64


class TestUsers:
    def test_come_go_and_come_back(self, database: Database) -> None:
        with database.write("user add", actor="root") as tx:
            anna = tx.users.put("anna", Role.ADMIN, "x")
            tx.users.put("ben", Role.VIEWER, "y")
        assert (anna.role, anna.changed_by) == (Role.ADMIN, "root")
        with database.write("user remove") as tx:
            tx.users.remove(anna.id)
        with database.read() as tx:
            assert [user.name for user in tx.users.all()] == ["ben"]
            assert tx.users.count() == 1
            gone = tx.users.get("anna")
        assert gone is not None
        assert gone.is_removed
        with database.write("user add") as tx:
            assert tx.users.put("anna", Role.OPERATOR, "z").id == anna.id
            with pytest.raises(ConflictError, match="there is a user 'anna' already"):
                tx.users.put("anna", Role.ADMIN, "x")

    def test_a_session_ends_by_time_by_logout_and_with_its_user(self, database: Database) -> None:
        with database.write("user add") as tx:
            anna = tx.users.put("anna", Role.ADMIN, "x")
        later = NOW + timedelta(hours=12)
        with database.write("log in") as tx:
            tx.sessions.open(HASH, user_id=anna.id, actor="anna", created_at=NOW, expires_at=later)
            tx.sessions.open("b" * 64, user_id=None, actor="root", created_at=NOW, expires_at=later)
        with database.read() as tx:
            assert tx.watermark() == 1, "a login is no change"
            found = tx.sessions.find(HASH, NOW)
            assert found is not None
            assert (found.actor, found.role) == ("anna", Role.ADMIN)
            starter = tx.sessions.find("b" * 64, NOW)
            assert starter is not None
            assert starter.role is None
            assert tx.sessions.find(HASH, later) is None
            assert tx.sessions.find("c" * 64, NOW) is None
        with database.write("user remove") as tx:
            tx.users.remove(anna.id)
        with database.read() as tx:
            assert tx.sessions.find(HASH, NOW) is None
        with database.write("log out") as tx:
            tx.sessions.close("b" * 64)
        with database.read() as tx:
            assert tx.sessions.find("b" * 64, NOW) is None

    def test_a_token_counts_until_it_is_revoked_or_over(self, database: Database) -> None:
        with database.write("token add") as tx:
            anna = tx.users.put("anna", Role.OPERATOR, "x")
            made = tx.tokens.add(
                anna.id, name="scale", token_hash=HASH, scope=Role.VIEWER,
                expires_at=NOW + timedelta(days=1),
            )  # fmt: skip
            with pytest.raises(ConflictError, match="'scale' in use already"):
                tx.tokens.add(anna.id, name="scale", token_hash="b" * 64, scope=Role.VIEWER)
        with database.read() as tx:
            assert tx.tokens.find(HASH, NOW) == made
            assert tx.tokens.find(HASH, NOW + timedelta(days=1)) is None
        with database.write("token revoke") as tx:
            tx.tokens.revoke(made.id)
        with database.read() as tx:
            assert tx.tokens.find(HASH, NOW) is None
            assert tx.tokens.all_of() == []


class TestTasks:
    def test_are_taken_once_and_in_order(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        with database.write("task") as tx:
            first = tx.tasks.add(campaign.id, kind="propose", actor="a", params={"n": 2}, at=NOW)
            tx.tasks.add(campaign.id, kind="refresh", actor="a", params={}, at=NOW)
            taken = tx.tasks.claim(["propose"], "host:1", NOW)
            assert taken is not None
            assert (taken.id, taken.status, taken.params) == (
                first.id, TaskStatus.RUNNING, {"n": 2},
            )  # fmt: skip
            assert tx.tasks.claim(["propose"], "host:2", NOW) is None
            assert tx.tasks.has_waiting(["refresh"])
        with database.read() as tx:
            assert tx.watermark() == 1, "a task is no change"
            assert [task.id for task in tx.tasks.find(campaign.id)] == [2, 1]

    def test_old_ones_of_the_schedule_are_forgotten(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        with database.write("task") as tx:
            for _ in range(5):
                tx.tasks.add(campaign.id, kind="schedule.report", actor="a", params={}, at=NOW)
            asked = tx.tasks.add(campaign.id, kind="propose", actor="a", params={}, at=NOW)
            for _ in range(4):
                task = tx.tasks.claim(["schedule.report"], "host:1", NOW)
                assert task is not None
                tx.tasks.finish(task.id, TaskStatus.DONE, NOW)
            assert tx.tasks.forget(["schedule.report"], keep=2) == 2
            assert tx.tasks.forget(["schedule.report"], keep=2) == 0
        with database.read() as tx:
            (waiting,) = tx.tasks.unfinished(["schedule.report"])
            assert waiting.status is TaskStatus.QUEUED
            assert len(tx.tasks.find(campaign.id)) == 4
            assert tx.tasks.get(asked.id) is not None

    def test_tell_how_far_they_are_and_whether_to_stop(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        with database.write("task") as tx:
            id_ = tx.tasks.add(campaign.id, kind="measure", actor="a", params={}, at=NOW).id
            tx.tasks.claim(["measure"], "host:1", NOW)
            assert not tx.tasks.beat(id_, NOW, progress="half", fraction=0.5)
            tx.tasks.cancel(id_, NOW)
            assert tx.tasks.beat(id_, NOW)
            tx.tasks.finish(id_, TaskStatus.CANCELLED, NOW)
            tx.tasks.finish(id_, TaskStatus.DONE, NOW, result={"late": True})
            found = tx.tasks.get(id_)
        assert found is not None
        assert (found.status, found.progress, found.fraction, found.result) == (
            TaskStatus.CANCELLED, "half", 0.5, None,
        )  # fmt: skip

    def test_one_that_waits_is_cancelled_at_once(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        with database.write("task") as tx:
            id_ = tx.tasks.add(campaign.id, kind="measure", actor="a", params={}, at=NOW).id
            tx.tasks.cancel(id_, NOW)
            assert tx.tasks.claim(["measure"], "host:1", NOW) is None
            found = tx.tasks.get(id_)
        assert found is not None
        assert found.status is TaskStatus.CANCELLED


def test_a_key_is_taken_once(database: Database) -> None:
    with database.write("x") as tx:
        tx.answers.begin("anna", "k", "f", NOW)
        with pytest.raises(ConflictError, match="taken"):
            tx.answers.begin("anna", "k", "f", NOW)
        tx.answers.begin("ben", "k", "f", NOW)
        tx.answers.finish("anna", "k", 201, {"id": 1})
        found = tx.answers.find("anna", "k")
        assert found is not None
        assert (found.status, found.body) == (201, {"id": 1})


def test_means_are_of_the_current_replicates(
    database: Database, campaign: CampaignRecord, experiment_id: int
) -> None:
    with database.write("log") as tx:
        tx.measurements.correct(experiment_id, "elongation.longitudinal", 1, 100.0)
    with database.read() as tx:
        (found,) = tx.measurements.means(campaign.id, ["elongation.longitudinal", "x"])
    assert (found.mean, found.lowest, found.highest, found.n) == (92.0, 84.0, 100.0, 2)


def test_the_trail_tells_everything_and_the_version_grows(
    database: Database, campaign: CampaignRecord, experiment_id: int
) -> None:
    with database.read() as tx:
        before = tx.experiments.version(experiment_id)
        assert tx.experiments.version(99) == 0
    with database.write("log", actor="ben") as tx:
        tx.experiments.set_actual(experiment_id, {"voltage": 17.8})
    with database.read() as tx:
        assert tx.experiments.version(experiment_id) == before + 1
        trail = tx.experiments.trail(experiment_id)
    assert [one.kind for one in trail] == ["status", *["condition"] * 2, *["measurement"] * 2,
                                           "condition"]  # fmt: skip
    assert (trail[-1].actor, trail[-1].name, trail[-1].value, trail[-1].revision) == (
        "ben", "voltage", 17.8, 2,
    )  # fmt: skip


def test_somebody_acts_and_what_fails_at_the_end_is_undone(database: Database) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("no")

    with database.acting("anna", detail="job 7").write("init") as tx:
        tx.campaigns.create("one", {"name": "one"})
    with database.read() as tx:
        (change,) = tx.changes()
    assert (change.actor, change.detail) == ("anna", "job 7")
    with (
        pytest.raises(RuntimeError, match="no"),
        database.acting("anna", before_commit=refuse).write("init") as tx,
    ):
        tx.campaigns.create("two", {"name": "two"})
    with database.read() as tx:
        assert [one.name for one in tx.campaigns.all()] == ["one"]
