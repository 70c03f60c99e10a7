"""From SQLite to PostgreSQL and back: every row the same, and new ones go on after them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from db.copying import copy
from db.engines import make_engine
from db.errors import ConflictError, DatabaseError, NotADatabaseError
from db.records import NewExperiment, NewProposal, Origin, Status
from db.schema import check, exists
from db.session import Database
from db.tables import metadata
from engine.workspace.databases import copy_database


def everything(url: str) -> dict[str, list[tuple]]:
    engine = make_engine(url, busy_timeout_s=5)
    with engine.connect() as connection:
        found = {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=str)
            for table in metadata.sorted_tables
        }
    engine.dispose()
    return found


def record(url: str) -> None:
    """Record two campaigns with something of most kinds."""
    with Database.open(url) as database:
        with database.write("init", detail="µ — °") as tx:
            one = tx.campaigns.create("one", {"name": "one", "x": [1.5, None, {"é": True}]})
        with database.write("log") as tx:
            new = [
                NewExperiment(
                    Origin.MANUAL,
                    Status.COMPLETED,
                    label=f"M{i}",
                    note="a\nb",
                    actual={"voltage": 0.1 + i, "polymer": "PCL"},
                    outcomes={"s": (1 / 3, 1e-300), "Z_s": (-0.0, 1.7e308)},
                )
                for i in range(700)
            ]
            ids = tx.experiments.add(one, new)
            tx.experiments.add(one, [NewExperiment(Origin.MANUAL, Status.FAILED, failure="drips")])
        with database.write("correct") as tx:
            tx.measurements.correct(ids[0], "s", 2, 5.0)
            tx.experiments.set_status(ids[1], Status.ABANDONED)
        with database.write("propose") as tx:
            tx.batches.add(
                one,
                strategy="gp",
                seed=2**40,
                request={"n": 1, "at": {}},
                watermark=tx.watermark(),
                versions={"a": "1"},
                proposals=[
                    NewProposal(
                        {"voltage": 18.0},
                        1,
                        0.5,
                        "explores",
                        "?",
                        ids[0],
                        0.1,
                        {"s": (1.0, 0.0, 2.0)},
                        0.9,
                    )
                ],
            )
        with database.write("init") as tx:
            two = tx.campaigns.create("two", {"name": "two"})
            tx.experiments.add(two, [NewExperiment(Origin.MANUAL, Status.RUNNING, label="other")])


@pytest.fixture
def recorded(url: str) -> str:
    record(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'copy.db'}"
    return str(request.getfixturevalue("empty_postgres_url"))


def test_every_row_arrives_and_others_follow(recorded: str, target: str) -> None:
    before = everything(recorded)
    copied = copy(recorded, target)
    assert everything(recorded) == before
    assert everything(target) == before
    assert copied.n_rows == sum(map(len, before.values()))
    assert check(target) == []
    with Database.open(recorded) as one, Database.open(target) as two:
        with one.read() as first, two.read() as second:
            campaign = first.campaigns.get("one")
            assert campaign is not None
            for watermark in (None, 1, 2, 3):
                expected = first.experiments.find(campaign.id, watermark=watermark)
                assert second.experiments.find(campaign.id, watermark=watermark) == expected
            assert second.watermark() == first.watermark()
        for database in (one, two):
            with database.write("log") as tx:
                tx.experiments.add(campaign, [NewExperiment(Origin.MANUAL, Status.RUNNING)])
        assert everything(recorded).keys() == everything(target).keys()
        with one.read() as first, two.read() as second:
            assert first.watermark() == second.watermark()
            assert first.experiments.count(campaign.id) == second.experiments.count(campaign.id)


def test_there_and_back_again(sqlite_url: str, empty_postgres_url: str, tmp_path: Path) -> None:
    record(sqlite_url)
    copy(sqlite_url, empty_postgres_url)
    back = f"sqlite:///{tmp_path / 'back.db'}"
    copy(empty_postgres_url, back)
    assert everything(back) == everything(sqlite_url)


def test_one_campaign(recorded: str, target: str) -> None:
    copied = copy(recorded, target, campaign="one")
    assert copied.rows["campaigns"] == 1
    assert copied.rows["experiments"] == 702
    assert check(target) == []
    with Database.open(recorded) as one, Database.open(target) as two:
        with one.read() as first, two.read() as second:
            (campaign,) = second.campaigns.all()
            assert second.experiments.find(campaign.id) == first.experiments.find(campaign.id)
            assert second.batches.all_of(campaign.id) == first.batches.all_of(campaign.id)
            newest = first.watermark()
        with two.write("use") as tx:
            tx.campaigns.use("one")
        with two.read() as second:
            assert second.watermark() > newest


def test_what_holds_something_is_refused(recorded: str, postgres_url: str, tmp_path: Path) -> None:
    full = postgres_url if not recorded.startswith("postgresql") else recorded
    if full != recorded:
        record(full)
        with pytest.raises(NotADatabaseError, match="expected an empty database"):
            copy(recorded, full)
    with pytest.raises(DatabaseError, match="onto itself"):
        copy(recorded, recorded)
    there = tmp_path / "there.db"
    there.write_text("mine")
    with pytest.raises(DatabaseError, match="overwrites nothing"):
        copy(recorded, f"sqlite:///{there}")
    assert there.read_text() == "mine"
    with pytest.raises(ConflictError, match="known: one, two"):
        copy(recorded, f"sqlite:///{tmp_path / 'new.db'}", campaign="three")
    assert not (tmp_path / "new.db").exists()


def test_a_row_that_changes_on_the_way_is_noticed(
    recorded: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from db import copying

    def damaging(connection, query):
        for chunk in original(connection, query):
            yield [{**row, "value": 0.0} if "supersedes_id" in row else row for row in chunk]

    original = copying._chunks
    write = copying._write

    def wrong(table, query, source, target_):
        monkeypatch.setattr(copying, "_chunks", damaging)
        n = write(table, query, source, target_)
        monkeypatch.setattr(copying, "_chunks", original)
        return n

    monkeypatch.setattr(copying, "_write", wrong)
    with pytest.raises(ConflictError, match="row of measurements with id 1 did not arrive"):
        copy_database(recorded, target)
    if target.startswith("sqlite"):
        assert not exists(target)
    else:
        assert all(not rows for rows in everything(target).values())
