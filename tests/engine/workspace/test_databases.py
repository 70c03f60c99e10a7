"""Files of databases: complete or not there, whoever comes meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from db.errors import DatabaseError
from db.schema import check
from db.session import Database
from engine.workspace.databases import back_up, copy_database, create_database

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    create_database(f"sqlite:///{folder / 'spinneret.db'}")
    return folder / "spinneret.db"


@pytest.fixture
def sqlite_url(sqlite_file: Path) -> str:
    return f"sqlite:///{sqlite_file}"


class TestCreate:
    def test_holds_what_it_is_filled_with(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'mats.db'}"
        create_database(url, fill=record_a_campaign)
        assert os.listdir(tmp_path) == ["mats.db"]
        with Database.open(url) as database, database.read() as tx:
            assert [campaign.name for campaign in tx.campaigns.all()] == ["mats"]
        assert check(url) == []

    def test_leaves_nothing_when_filling_fails(self, tmp_path: Path) -> None:
        def fail(database: Database) -> None:
            record_a_campaign(database)
            raise RuntimeError("later")

        with pytest.raises(RuntimeError, match="later"):
            create_database(f"sqlite:///{tmp_path / 'mats.db'}", fill=fail)
        assert os.listdir(tmp_path) == []

    def test_overwrites_nothing(self, sqlite_url: str, sqlite_file: Path) -> None:
        before = sqlite_file.read_bytes()
        with pytest.raises(DatabaseError, match="overwrites nothing"):
            create_database(sqlite_url)
        assert sqlite_file.read_bytes() == before

    def test_not_even_what_came_meanwhile(self, tmp_path: Path) -> None:
        path = tmp_path / "mats.db"
        with pytest.raises(DatabaseError, match="another process made"):
            create_database(f"sqlite:///{path}", fill=lambda _: path.write_text("mine") and None)
        assert path.read_text() == "mine"
        assert os.listdir(tmp_path) == ["mats.db"]

    def test_needs_its_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseError) as caught:
            create_database(f"sqlite:///{tmp_path / 'sub' / 'mats.db'}")
        assert "mkdir -p" in caught.value.mend
        assert os.listdir(tmp_path) == []

    def test_killed_leaves_no_database(self, tmp_path: Path) -> None:
        path = tmp_path / "mats.db"
        script = (
            "import os, signal, sys\n"
            "from engine.workspace.databases import create_database as make\n"
            "make(sys.argv[1], fill=lambda database: os.kill(os.getpid(), signal.SIGKILL))"
        )
        process = subprocess.run(
            [sys.executable, "-c", script, f"sqlite:///{path}"], cwd=ROOT, check=False
        )
        assert process.returncode == -signal.SIGKILL
        assert not path.exists()
        for draft in tmp_path.glob(".mats.db.draft-*"):
            os.utime(draft, (0, 0))
        create_database(f"sqlite:///{path}")
        assert os.listdir(tmp_path) == ["mats.db"]


class TestBackup:
    def test_finds_a_name(self, sqlite_url: str, sqlite_file: Path, tmp_path: Path) -> None:
        beside = back_up(sqlite_url)
        assert beside.parent == sqlite_file.parent
        assert re.fullmatch(r"spinneret-\d{8}T\d{6}Z\.db", beside.name)
        folder = tmp_path / "copies"
        folder.mkdir()
        inside = back_up(sqlite_url, folder)
        assert inside.parent == folder
        assert os.listdir(folder) == [inside.name]

    @pytest.mark.parametrize("name", ["spinneret.db", "other.db"])
    def test_overwrites_nothing(self, sqlite_url: str, sqlite_file: Path, name: str) -> None:
        target = sqlite_file.parent / name
        target.touch()
        before = target.read_bytes()
        with pytest.raises(DatabaseError, match="overwrites nothing"):
            back_up(sqlite_url, target)
        assert target.read_bytes() == before


def test_a_copy_that_fails_leaves_nothing(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="no campaign"):
        copy_database(sqlite_url, f"sqlite:///{tmp_path / 'copy.db'}", campaign="none")
    assert os.listdir(tmp_path) == ["lab"]


def test_a_copy_overwrites_nothing(sqlite_url: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    copy_database(sqlite_url, f"sqlite:///{target}")
    assert check(f"sqlite:///{target}") == []
    before = target.read_bytes()
    with pytest.raises(DatabaseError, match="overwrites nothing"):
        copy_database(sqlite_url, f"sqlite:///{target}")
    with pytest.raises(DatabaseError, match="onto itself"):
        copy_database(sqlite_url, sqlite_url)
    assert target.read_bytes() == before


def record_a_campaign(database: Database) -> None:
    with database.write("init") as tx:
        tx.campaigns.create("mats", {})
