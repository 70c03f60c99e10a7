"""What only a server has: roles and passwords, going away, locks of several tables."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer, execute, in_database

from db import session
from db.errors import (
    AccessDeniedError,
    CollisionError,
    ConflictError,
    ConnectionLostError,
    DatabaseError,
    NotADatabaseError,
    OutcomeUnknownError,
    ReadOnlyDatabaseError,
    ServerUnreachableError,
)
from db.postgres import translate_postgres
from db.schema import check, create, exists, upgrade
from db.session import Database
from db.transaction import Transaction
from db.urls import display_name

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "s3cret%21"  # noqa: S105 -- as a URL writes "s3cret!"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer(tcp=True)
    execute(
        server.url(),
        "CREATE ROLE lab LOGIN PASSWORD 's3cret!'",
        "CREATE ROLE guest LOGIN PASSWORD 's3cret!'",
        "CREATE DATABASE mats OWNER lab",
    )
    create(server.tcp_url("mats", user="lab", password=PASSWORD))
    yield server
    server.remove()


class TestErrors:
    @pytest.mark.parametrize(
        ("user", "password", "database", "kind", "mend"),
        [
            ("lab", "wrong", "mats", AccessDeniedError, r"\[database\] of config.toml .*pgpass"),
            ("who", PASSWORD, "mats", AccessDeniedError, "authentication failed"),
            ("lab", PASSWORD, "none", NotADatabaseError, "createdb none.*engine init"),
            ("guest", PASSWORD, "mats", AccessDeniedError, "permission denied.*GRANT"),
            ("lab", PASSWORD, "postgres", NotADatabaseError, "not one of Spinneret's"),
        ],
    )
    @pytest.mark.parametrize("action", [Database.open, check, upgrade])
    def test_opening(self, server, user, password, database, kind, mend, action) -> None:
        url = server.tcp_url(database, user=user, password=password)
        with pytest.raises(kind) as caught:
            action(url)
        shown = caught.value.worded("cli")
        assert re.search(mend, shown)
        assert password not in shown
        assert "s3cret" not in shown
        assert f"@127.0.0.1:{server.port}/" not in str(caught.value)

    def test_no_server(self) -> None:
        begun = time.monotonic()
        with pytest.raises(ServerUnreachableError, match="Connection refused") as caught:
            Database.open("postgresql+psycopg://lab:s3cret@127.0.0.1:1/mats", wait_s=0.2)
        assert "Is it running" in caught.value.mend
        assert time.monotonic() - begun < 5

    def test_no_such_host_is_not_waited_for(self) -> None:
        begun = time.monotonic()
        with pytest.raises(ServerUnreachableError, match="resolve"):
            Database.open("postgresql+psycopg://lab:s3cret@nohost.invalid/mats", wait_s=60)
        assert time.monotonic() - begun < 20

    @pytest.mark.parametrize("driver", ["psycopg2", "asyncpg"])
    def test_another_driver(self, driver: str) -> None:
        with pytest.raises(DatabaseError, match=r"expected a postgresql\+psycopg:// URL"):
            Database.open(f"postgresql+{driver}://lab:s3cret@localhost/mats")

    def test_names_hide_passwords(self) -> None:
        shown = display_name("postgresql://lab:s3cret@host/mats?password=s3cret&port=1")
        assert shown == "postgresql+psycopg://lab:***@host/mats?port=1"
        with pytest.raises(DatabaseError) as caught:
            Database.open("postgres!ql://lab:s3cret@host/mats")
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("state", "kind", "words"),
        [
            ("25006", ReadOnlyDatabaseError, "takes no writes now"),
            ("53100", DatabaseError, "no room left"),
            ("53300", ServerUnreachableError, "no answer"),
            ("57P01", ConnectionLostError, "nothing was written"),
            ("40001", CollisionError, "came in the way"),
            ("08006", ConnectionLostError, "broke"),
            ("XX000", DatabaseError, "log: mats: odd"),
        ],
    )
    def test_states(self, state: str, kind: type[DatabaseError], words: str) -> None:
        class DriverError(Exception):
            sqlstate = state

        found = translate_postgres(DriverError("odd\nDETAIL: x"), "mats", "log", 30.0)
        assert type(found) is kind
        assert words in str(found)

    def test_a_text_that_cannot_be_stored(self, postgres_url: str) -> None:
        with (
            Database.open(postgres_url) as database,
            pytest.raises(ConflictError, match="NUL"),
            database.write("init", detail="a\0b") as tx,
        ):
            tx.campaigns.create("mats", {})


def test_nothing_is_made_twice(postgres_url: str, empty_postgres_url: str) -> None:
    assert exists(postgres_url)
    with pytest.raises(DatabaseError, match="found Spinneret's; nothing was overwritten"):
        create(postgres_url)
    assert not exists(empty_postgres_url)


def test_two_may_create_at_once(empty_postgres_url: str) -> None:
    def make() -> None:
        try:
            create(empty_postgres_url)
        except DatabaseError as error:
            refused.append(str(error))

    refused: list[str] = []
    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert check(empty_postgres_url) == []
    assert all("overwritten" in words for words in refused)


def names(url: str) -> list[str]:
    with Database.open(url) as database, database.read() as tx:
        return [campaign.name for campaign in tx.campaigns.all()]


def terminate_all(server_url: str, url: str) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    execute(
        server_url,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )


class TestLosingTheConnection:
    def test_between_transactions_nobody_notices(self, postgres_server, postgres_url) -> None:
        with Database.open(postgres_url) as database:
            terminate_all(postgres_server, postgres_url)
            with database.write("init") as tx:
                tx.campaigns.create("one", {})
        assert names(postgres_url) == ["one"]

    def test_in_the_middle_nothing_is_written(self, postgres_server, postgres_url) -> None:
        def work(tx: Transaction) -> None:
            tx.campaigns.create("one", {})
            terminate_all(postgres_server, postgres_url)

        with (
            Database.open(postgres_url) as database,
            pytest.raises(ConnectionLostError, match="nothing was written"),
            database.write("init") as tx,
        ):
            work(tx)
        assert names(postgres_url) == []

    def test_what_may_be_tried_again_is(self, postgres_server, postgres_url) -> None:
        calls = []

        def work(tx: Transaction) -> int:
            calls.append(1)
            record = tx.campaigns.create("one", {})
            if len(calls) == 1:
                terminate_all(postgres_server, postgres_url)
            return record.id

        with Database.open(postgres_url) as database:
            assert database.transact("init", work) > 0
        assert len(calls) == 2
        assert names(postgres_url) == ["one"]

    @pytest.mark.parametrize("reaches", [True, False])
    def test_during_the_commit_the_server_is_asked(
        self, postgres_server, postgres_url, monkeypatch, reaches
    ) -> None:
        """The answer to COMMIT is lost: whether it reached the server or not, one row results."""
        lost = []

        def commit(self) -> None:
            if not lost:
                lost.append(1)
                if reaches:
                    original(self)
                    terminate_all(postgres_server, postgres_url)
                    self.exec_driver_sql("SELECT 1")  # raises what a lost answer raises
                else:
                    terminate_all(postgres_server, postgres_url)
            original(self)

        original = session.Connection.commit
        with Database.open(postgres_url) as database:
            monkeypatch.setattr(session.Connection, "commit", commit)
            database.transact("init", lambda tx: tx.campaigns.create("one", {}))
            monkeypatch.setattr(session.Connection, "commit", original)
        assert names(postgres_url) == ["one"]

    def test_where_nobody_can_be_asked_it_is_said(
        self, postgres_server, postgres_url, monkeypatch
    ) -> None:
        def commit(self) -> None:
            terminate_all(postgres_server, postgres_url)
            original(self)

        original = session.Connection.commit
        with Database.open(postgres_url, busy_timeout_s=0.3, wait_s=0.3) as database:
            monkeypatch.setattr("db.postgres.transaction_status", lambda *_: None)
            monkeypatch.setattr(session.Connection, "commit", commit)
            with pytest.raises(OutcomeUnknownError, match="recorded or not, as a whole"):
                database.transact("init", lambda tx: tx.campaigns.create("one", {}))

    def test_a_server_that_comes_back_is_waited_for(self, own_postgres) -> None:
        execute(own_postgres.url(), "CREATE DATABASE mats")
        url = own_postgres.url("mats")
        create(url)
        with Database.open(url, wait_s=30) as database:
            own_postgres.stop()
            timer = threading.Timer(1.0, own_postgres.start)
            timer.start()
            database.transact("init", lambda tx: tx.campaigns.create("one", {}))
            timer.join()
        assert names(url) == ["one"]


class TestLocks:
    def test_readers_neither_wait_nor_hold_up(self, postgres_url: str) -> None:
        with Database.open(postgres_url) as database:
            with database.write("init") as tx:
                tx.campaigns.create("one", {})
            with database.read() as reader, database.write("init") as writer:
                writer.campaigns.create("two", {})
                assert [c.name for c in reader.campaigns.all()] == ["one"]

    def test_a_collision_is_tried_again(self, postgres_url: str) -> None:
        """Deadlocks cannot arise between writers; one is told of an outsider's all the same."""
        calls = []

        def work(tx: Transaction) -> str:
            calls.append(1)
            if len(calls) == 1:
                raise CollisionError("deadlock detected")
            return tx.campaigns.create("one", {}).name

        with Database.open(postgres_url) as database:
            assert database.transact("init", work) == "one"

    def test_a_deadlock_is_a_collision(self, postgres_url: str) -> None:
        execute(postgres_url, "CREATE TABLE a (i int)", "CREATE TABLE b (i int)")
        barrier = threading.Barrier(2)
        found: list[DatabaseError] = []

        def lock(first: str, second: str) -> None:
            with Database.open(postgres_url) as database:
                try:
                    with database._begin("lock") as connection:
                        connection.exec_driver_sql("SET TRANSACTION READ WRITE")
                        connection.exec_driver_sql(f"LOCK TABLE {first}")
                        barrier.wait()
                        connection.exec_driver_sql(f"LOCK TABLE {second}")
                except DatabaseError as error:
                    found.append(error)

        threads = [threading.Thread(target=lock, args=pair) for pair in (("a", "b"), ("b", "a"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (error,) = found
        assert isinstance(error, CollisionError)


def test_a_killed_writer_leaves_nothing_and_no_lock(postgres_url: str) -> None:
    script = (
        "import sys; from db.session import Database\n"
        "with Database.open(sys.argv[1]) as d, d.write('import') as tx:\n"
        "    tx.campaigns.create('a', {})\n"
        "    print('writing', flush=True)\n"
        "    import time; time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, postgres_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.kill()
    process.communicate()
    with Database.open(postgres_url, busy_timeout_s=10) as database, database.write("init") as tx:
        tx.campaigns.create("b", {})
    assert names(postgres_url) == ["b"]


def test_only_those_who_use_it_load_the_driver(sqlite_url: str) -> None:
    script = (
        "import sys; from db.session import Database; from db import schema\n"
        "with Database.open(sys.argv[1]) as d, d.write('x') as tx: tx.campaigns.create('a', {})\n"
        "print('psycopg' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, sqlite_url], cwd=ROOT, capture_output=True, check=True
    )
    assert done.stdout.strip() == b"False"


def test_urls_may_name_the_database_anew() -> None:
    assert (
        in_database("postgresql+psycopg://a@/b?host=c", "d") == "postgresql+psycopg://a@/d?host=c"
    )
