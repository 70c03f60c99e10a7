"""Opening, sharing between processes, and what happens to a process that is killed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from db.errors import (
    DatabaseBusyError,
    DatabaseError,
    NotADatabaseError,
    SchemaMismatchError,
)
from db.records import NewExperiment, Origin, Status
from db.revisions import REVISIONS, UNRELEASED
from db.schema import check, upgrade
from db.session import Database
from engine.workspace.databases import back_up

ROOT = Path(__file__).resolve().parents[2]


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def output_of(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


class TestOpening:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "engine init"),
            (b"", "is empty"),
            (b"name,voltage\nM1,18\n" * 100, "is not a database"),
            (b"SQLite format 3\0" + b"\0" * 4096, "is not a database"),
        ],
        ids=["missing", "empty", "a table", "a header only"],
    )
    @pytest.mark.parametrize("action", ["open", "upgrade", "check", "backup"])
    def test_not_a_database(
        self, tmp_path: Path, content: bytes | None, message: str, action: str
    ) -> None:
        path = tmp_path / "results.db"
        if content is not None:
            path.write_bytes(content)
        actions: dict[str, Callable[[str], object]] = {
            "open": Database.open,
            "upgrade": upgrade,
            "check": check,
            "backup": back_up,
        }
        with pytest.raises(NotADatabaseError) as caught:
            actions[action](f"sqlite:///{path}")
        assert message in caught.value.worded("cli")
        assert str(path) in caught.value.worded("cli")
        assert str(path.parent) not in str(caught.value)
        assert os.listdir(tmp_path) == ([] if content is None else ["results.db"])
        assert content is None or path.read_bytes() == content

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(NotADatabaseError, match="is not a file"):
            Database.open(f"sqlite:///{tmp_path}")

    def test_a_database_of_something_else(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "cookies.db")) as connection:
            connection.execute("CREATE TABLE cookies (id INTEGER)")
        with pytest.raises(NotADatabaseError, match="not one of Spinneret's"):
            Database.open(f"sqlite:///{tmp_path / 'cookies.db'}")

    def test_a_newer_one(self, sqlite_file: Path, sqlite_url: str) -> None:
        set_revision(sqlite_file, "9999")
        before = sqlite_file.read_bytes()
        with pytest.raises(SchemaMismatchError, match="is at revision 9999") as caught:
            Database.open(sqlite_url)
        assert "pip install --upgrade spinneret" in caught.value.mend
        with pytest.raises(SchemaMismatchError, match="newer version of Spinneret"):
            upgrade(sqlite_url)
        assert sqlite_file.read_bytes() == before

    @pytest.mark.parametrize("revision", sorted(UNRELEASED))
    def test_one_from_before_the_first_release(
        self, sqlite_file: Path, sqlite_url: str, revision: str
    ) -> None:
        set_revision(sqlite_file, revision)
        before = sqlite_file.read_bytes()
        for attempt in (Database.open, upgrade):
            with pytest.raises(SchemaMismatchError, match=r"before 0\.1\.0") as caught:
                attempt(sqlite_url)
            assert "`engine export` with" in caught.value.mend
        assert sqlite_file.read_bytes() == before

    def test_an_older_one(self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("db.compatibility.HEAD", "9999")
        monkeypatch.setattr("db.compatibility.REVISIONS", (*REVISIONS, "9999"))
        with pytest.raises(SchemaMismatchError, match="needs 9999") as caught:
            Database.open(sqlite_url)
        assert caught.value.worded("cli").endswith("needs 9999: run `engine db upgrade`.")

    def test_a_damaged_one(self, sqlite_database: Database, sqlite_file: Path) -> None:
        database = sqlite_database
        with database.write("init") as tx:
            campaign = tx.campaigns.create("mats", {})
            new = [NewExperiment(Origin.MANUAL, Status.RUNNING, note="x" * 500)] * 200
            tx.experiments.add(campaign, new)
        database.close()
        with sqlite_file.open("r+b") as file:
            file.seek(sqlite_file.stat().st_size * 3 // 4)
            file.write(b"\xff" * 40_000)
        findings = check(f"sqlite:///{sqlite_file}")
        assert findings
        assert all("damaged" in finding for finding in findings)
        with (
            pytest.raises(NotADatabaseError, match="is damaged") as caught,
            Database.open(f"sqlite:///{sqlite_file}") as damaged,
            damaged.read() as tx,
        ):
            tx.experiments.find(campaign.id)
        assert "engine db check" in caught.value.mend
        assert str(sqlite_file.parent) not in str(caught.value)

    def test_a_path_with_odd_characters(self, sqlite_file: Path, tmp_path: Path) -> None:
        folder = tmp_path / "100 % mats? #3 — Fasern"
        folder.mkdir()
        shutil.copy(sqlite_file, folder / "a&b.db")
        with Database.open(f"sqlite:///{folder / 'a&b.db'}".replace("?", "%3F")) as database:
            assert database.name.endswith("a&b.db")

    def test_opening_imports_little(self, sqlite_url: str) -> None:
        script = (
            "import sys; from db.session import Database\n"
            "with Database.open(sys.argv[1]) as d, d.write('x') as tx:\n"
            "    c = tx.campaigns.create('a', {}); tx.experiments.find(c.id)\n"
            "heavy = ('alembic', 'sqlalchemy.orm', 'sqlalchemy.ext', 'pandas', 'numpy', 'torch',"
            " 'sqlalchemy.dialects.postgresql')\n"
            "print([name for name in heavy if name in sys.modules])"
        )
        assert output_of(python(script, sqlite_url)).strip() == "[]"

    def test_pragmas(self, sqlite_url: str) -> None:
        with Database.open(sqlite_url) as database, database._engine.connect() as connection:
            values = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
            }
        assert values == {
            "journal_mode": "wal",
            "foreign_keys": 1,
            "synchronous": 2,
            "busy_timeout": 30_000,
        }


class TestSharing:
    def test_readers_keep_their_snapshot_and_never_wait(self, sqlite_url: str) -> None:
        with Database.open(sqlite_url) as database:
            with database.write("init") as tx:
                campaign = tx.campaigns.create("mats", {})
            new = [NewExperiment(Origin.MANUAL, Status.RUNNING)]
            with database.read() as reader, database.write("log") as writer:
                assert reader.experiments.find(campaign.id) == []
                writer.experiments.add(campaign, new)
                assert reader.experiments.find(campaign.id) == []
            with database.read() as reader:
                assert reader.experiments.find(campaign.id) != []
                with database.write("log") as writer:
                    writer.experiments.add(campaign, new)
                assert len(reader.experiments.find(campaign.id)) == 1

    def test_a_second_writer_is_told_to_wait(self, url: str) -> None:
        with (
            Database.open(url) as one,
            Database.open(url, busy_timeout_s=0.05) as two,
            one.write("import") as tx,
        ):
            tx.campaigns.create("mats", {})
            with (
                pytest.raises(DatabaseBusyError, match=r"log: .* more than 0\.05 s"),
                two.write("log") as other,
            ):
                other.campaigns.create("others", {})

    def test_two_processes_write_at_once(self, sqlite_url: str) -> None:
        with Database.open(sqlite_url) as database, database.write("init") as tx:
            campaign = tx.campaigns.create("mats", {})
            (id_,) = tx.experiments.add(campaign, [NewExperiment(Origin.MANUAL, Status.RUNNING)])
        script = (
            "import sys; from db.session import Database\n"
            "with Database.open(sys.argv[1]) as d:\n"
            "    for value in range(20):\n"
            "        with d.write('log') as tx:\n"
            "            tx.measurements.add(int(sys.argv[2]), 'strength', [float(value)])\n"
        )
        for process in [python(script, sqlite_url, str(id_)) for _ in range(3)]:
            output_of(process)
        with Database.open(sqlite_url) as database, database.read() as tx:
            measured = tx.measurements.all_of(id_)
        assert [m.replicate for m in measured] == list(range(1, 61))
        assert sorted(m.value for m in measured) == [float(v) for v in range(20) for _ in range(3)]

    @pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.2])
    def test_a_killed_writer_leaves_nothing(self, sqlite_url: str, delay_s: float) -> None:
        with Database.open(sqlite_url) as database, database.write("init") as tx:
            campaign = tx.campaigns.create("mats", {})
        script = (
            "import sys; from db.session import Database; from db.records import *\n"
            "new = [NewExperiment(Origin.IMPORT, Status.COMPLETED, actual={'v': 1.0},"
            " outcomes={'s': (1.0, 2.0)})] * 500\n"
            "with Database.open(sys.argv[1]) as d, d.write('import') as tx:\n"
            "    c = tx.campaigns.active()\n"
            "    print('writing', flush=True)\n"
            "    while True: tx.experiments.add(c, new)\n"
        )
        process = python(script, sqlite_url)
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        with Database.open(sqlite_url) as database, database.read() as tx:
            assert tx.experiments.find(campaign.id) == []
            assert [change.action for change in tx.changes()] == ["init"]
        assert check(sqlite_url) == []


# What an ordinary user meets; the superuser may write everything, so the script gives that up
# first, once everything it will import has been imported.
AS_ANYBODY = """
import os, sys
import alembic.autogenerate, alembic.command, sqlalchemy.dialects.sqlite
from pathlib import Path
from db.schema import check, upgrade
from engine.workspace.databases import back_up
from db.revisions import REVISIONS
from db.session import Database
import sqlalchemy; sqlalchemy.create_engine("sqlite://").connect().close()
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
def write(url):
    with Database.open(url) as database, database.write("log", actor="me") as tx:
        tx.campaigns.create("others", {})
def read(url):
    with Database.open(url) as database, database.read() as tx:
        return [campaign.name for campaign in tx.campaigns.all()]
actions = {"read": read, "write": write, "check": check,
           "backup": lambda url: back_up(url, Path(sys.argv[3])).name}
try:
    print(actions[sys.argv[1]](sys.argv[2]))
except Exception as error:
    print(f"{type(error).__name__}: {error.worded('cli')}")
"""


class TestReadOnly:
    @pytest.fixture
    def folder(self) -> Iterator[Path]:
        # Not below tmp_path, whose parents only its owner may enter.
        folder = Path(tempfile.mkdtemp(prefix="spinneret-test-"))
        yield folder
        folder.chmod(0o755)
        shutil.rmtree(folder)

    @pytest.fixture
    def file(self, folder: Path, sqlite_file: Path) -> Path:
        path = Path(shutil.copy(sqlite_file, folder / "spinneret.db"))
        with Database.open(f"sqlite:///{path}") as database, database.write("init") as tx:
            tx.campaigns.create("mats", {})
        return path

    def run(self, action: str, file: Path, *arguments: str) -> str:
        return output_of(python(AS_ANYBODY, action, f"sqlite:///{file}", *arguments)).strip()

    def test_a_read_only_file_is_read_but_not_written(self, folder: Path, file: Path) -> None:
        file.chmod(0o444)
        folder.chmod(0o777)
        content = file.read_bytes()
        assert self.run("read", file) == "['mats']"
        assert self.run("check", file) == "[]"
        assert self.run("backup", file, str(folder / "copy.db")) == "copy.db"
        refused = self.run("write", file)
        assert refused.startswith(f"ReadOnlyDatabaseError: log: {file}")
        assert "chmod u+w" in refused
        assert file.read_bytes() == content

    @pytest.mark.parametrize("action", ["read", "write", "check"])
    def test_a_read_only_folder_is_told(self, folder: Path, file: Path, action: str) -> None:
        file.chmod(0o644)
        folder.chmod(0o555)
        refused = self.run(action, file)
        assert refused.startswith("ReadOnlyDatabaseError")
        assert f"the folder {folder}" in refused
        assert "copy spinneret.db to a folder of your own" in refused

    def test_an_unreadable_file_is_told(self, folder: Path, file: Path) -> None:
        file.chmod(0o000)
        folder.chmod(0o755)
        assert "cannot be read: its permissions" in self.run("read", file)
        file.chmod(0o644)
        folder.chmod(0o000)
        assert "cannot be read: its permissions" in self.run("read", file)

    def test_a_backup_into_a_read_only_folder(self, folder: Path, file: Path) -> None:
        target = folder / "sub"
        target.mkdir(mode=0o555)
        file.chmod(0o666)
        folder.chmod(0o777)
        assert "read-only: make it writable" in self.run("backup", file, str(target / "copy.db"))


class TestUrls:
    @pytest.mark.parametrize(
        "url", ["", "spinneret.db", "sqlite://", "sqlite:///:memory:", "mysql://host/db"]
    )
    def test_unusable_ones_are_told(self, url: str) -> None:
        with pytest.raises(DatabaseError, match="expected a ") as caught:
            Database.open(url)
        assert "config.toml" in caught.value.mend


def set_revision(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()
