"""Folders as people call them, and folders that move."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import schema
from db.errors import DatabaseError
from db.session import Database
from db.urls import display_name, parse_url, resolve_url, sqlite_path, sqlite_url
from engine.jobs.upkeep import backup
from engine.workspace import Workspace
from surrogate.progress import silent

Engine = Callable[..., Any]

NAMES = ("PA6_20%FA a?b", "Müller's #2 Mats", "[1] {2}&=;@:+\\%20", "%(here)s")
SETTINGS = ("flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400")


def at(config: Path) -> tuple[str, Path]:
    return "--config", config


@pytest.mark.matrix(2)
@pytest.mark.parametrize("name", NAMES)
def test_every_folder_name_will_do(engine: Engine, tmp_path: Path, name: str) -> None:
    home, other = tmp_path / name, tmp_path / f"{name} 2"
    home.mkdir()
    other.mkdir()
    for folder in (home, other):
        config = folder / "config.toml"
        answer = engine("init", *at(config))
        assert answer.exit_code == 0, answer.err
        assert Path(engine("db", "path", *at(config)).out.strip()) == folder / "spinneret.db"
        add_result(engine, config, 88)
    config = home / "config.toml"
    assert sorted(path.name for path in home.iterdir()) == ["config.toml", "spinneret.db"]
    assert engine("db", "check", *at(config)).exit_code == 0
    copy = engine("db", "backup", *at(config), "--json").json["backup"]
    assert Path(copy).parent == home
    target = sqlite_url(home / f"{name}-copy.db")
    assert engine("db", "copy", "--to", target, *at(config)).exit_code == 0
    assert schema.check(target) == []
    assert engine("export", "--out", home / "a.csv", *at(config)).exit_code == 0
    assert "1 unchanged" in engine("import", home / "a.csv", *at(config)).out
    # From another database, by folder and by file.
    for index, place in enumerate((other, other / "spinneret.db")):
        answer = engine("source", "add", f"s{index}", "--database", place, *at(config))
        # The very same results: the source is refused for that and not for its place.
        assert "no such" not in answer.err
        assert "expected a database" not in answer.err
    assert engine("doctor", "--quick", *at(config)).exit_code == 0
    with Workspace.open(config) as workspace:
        assert "0 older removed" in backup(workspace, {}, silent, lambda: False)["summary"]


def test_old_backups_of_a_database_with_brackets_are_removed(folder: Path) -> None:
    (folder / "spinneret.db").rename(folder / "lab[1].db")
    text = (folder / "config.toml").read_text(encoding="utf-8")
    text = text.replace("sqlite:///spinneret.db", "sqlite:///lab[1].db")
    text = text.replace("keep_backups = 7", "keep_backups = 1")
    (folder / "config.toml").write_text(text, encoding="utf-8")
    with Workspace.open(folder / "config.toml") as workspace:
        backups = workspace.data_dir / "backups"
        backups.mkdir(parents=True)
        (backups / "lab[1]-20200101T000000Z.db").touch()
        (backups / "lab1-20200101T000000Z.db").touch()  # of another database
        assert "1 older removed" in backup(workspace, {}, silent, lambda: False)["summary"]
    assert (backups / "lab1-20200101T000000Z.db").exists()


@given(
    name=st.text(
        st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=40
    ).filter(lambda name: name.strip(".") and len(name.encode()) < 200)
)
def test_a_url_means_the_path_that_it_was_made_of(name: str) -> None:
    path = Path("/lab") / name / "mats.db"
    assert sqlite_path(sqlite_url(path)) == path
    assert display_name(sqlite_url(path)) == str(path)
    resolved = resolve_url("sqlite:///mats.db", Path("/lab") / name)
    assert parse_url(resolved).database == str(path)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text("%?#& [](){}'\"äöü+@:;=~$!,\\ab", min_size=1, max_size=12).filter(
        lambda name: name.strip(" .")
    )
)
def test_a_database_can_be_made_and_opened_anywhere(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.mktemp("any") / name
    folder.mkdir()
    url = sqlite_url(folder / f"{name}.db")
    schema.create(url)
    with Database.open(url) as database, database.read() as tx:
        assert tx.watermark() == 0
    assert [path.name for path in folder.iterdir()] == [f"{name}.db"]


@pytest.mark.parametrize(
    ("pasted", "better"),
    [
        ("sqlite:///PA6_20%FA/mats.db", "sqlite:///PA6_20%25FA/mats.db"),
        ("sqlite:////lab/a?b/mats.db", "sqlite:////lab/a%3Fb/mats.db"),
    ],
)
def test_a_path_pasted_into_a_url_is_refused_with_what_it_should_be(
    pasted: str, better: str
) -> None:
    with pytest.raises(DatabaseError) as error:
        parse_url(pasted)
    assert better in error.value.worded("cli")
    assert parse_url(better).database == pasted.removeprefix("sqlite:///")


def add_result(engine: Engine, config: Path, value: float, voltage: int = 18) -> None:
    words = [word.replace("voltage=18", f"voltage={voltage}") for word in SETTINGS]
    answer = engine("log", "--new", *words, f"elongation.longitudinal={value}", *at(config))
    assert answer.exit_code == 0, answer.err


def test_folders_that_move_together_find_one_another(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = tmp_path / "lab"
    for name in ("new", "old"):
        (lab / name).mkdir(parents=True)
        assert engine("init", *at(lab / name / "config.toml")).exit_code == 0
    for index in range(4):
        add_result(engine, lab / "old" / "config.toml", 80 + index, 16 + index)
    table = lab / "tables" / "runs.csv"
    table.parent.mkdir()
    table.write_text(
        "flow_rate,concentration,voltage,elongation.longitudinal\n0.4,17,18,70\n0.5,18,19,75\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(lab / "new")
    assert engine("source", "add", "older", "--database", "../old").exit_code == 0
    assert engine("source", "add", "by file", "--database", "../old/spinneret.db").exit_code == 0
    # Given from elsewhere, it counts from the workspace all the same.
    monkeypatch.chdir(lab / "tables")
    config = at(Path("../new/config.toml"))
    assert engine("source", "add", "table", "--table", "runs.csv", *config).exit_code == 0
    assert engine("source", "add", "fixed", "--table", table, *config).exit_code == 0
    monkeypatch.chdir(tmp_path)
    lab = lab.rename(tmp_path / "moved")
    config = at(lab / "new" / "config.toml")
    for name in ("older", "by file", "table"):
        answer = engine("source", "show", name, *config, "--json")
        assert answer.exit_code == 0, answer.err
        assert answer.json["n_runs"] in (2, 4)
    places = {
        s["name"]: s["definition"]
        for s in engine("source", "list", *config, "--json").json["items"]
    }
    assert places["older"]["database"] == "../old"
    assert places["table"]["path"] == "../tables/runs.csv"
    # What was given as an absolute path stays one; doctor tells which is gone.
    answer = engine("doctor", *config, "--json")
    assert answer.exit_code == 1
    wrong = [f["text"] for f in answer.json["findings"] if f["subject"] == "sources"]
    assert len(wrong) == 1
    assert wrong[0].startswith("'fixed'")
    assert "engine source remove fixed" in wrong[0]
    engine("source", "remove", "fixed", *config)
    assert engine("doctor", *config, "--json").exit_code == 0
    shutil.rmtree(lab / "old")
    answer = engine("doctor", *config, "--json")
    wrong = [f["text"] for f in answer.json["findings"] if f["subject"] == "sources"]
    assert sorted(text.split("'")[1] for text in wrong) == ["by file", "older"]
