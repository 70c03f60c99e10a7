"""Database, log, configuration, backups and data folder are for their owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.records import ModelKind
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.jobs.upkeep import backup
from engine.micrographs.store import store_micrograph
from engine.registry.files import keep
from engine.report.write import default_page
from engine.workspace import Workspace
from engine.workspace.files import write_aside
from surrogate.private_files import make_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")

SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    former = os.umask(0o022)
    yield
    os.umask(former)


def fill(draft: Path) -> None:
    (draft / "weights").write_bytes(b"x")


@pytest.mark.parametrize("group", [False, True])
def test_what_the_engine_keeps(engine, tmp_path, monkeypatch, group) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPINNERET_STORAGE__GROUP_READABLE", str(group).lower())
    assert engine("init").exit_code == 0
    file, folder = (0o640, 0o750) if group else (0o600, 0o700)
    picture = tmp_path / "mat.png"
    from PIL import Image

    Image.new("L", (64, 64), 128).save(picture)
    with Workspace.open() as workspace:
        record(workspace, Entry(conditions=dict(SETTINGS)))
        assert (tmp_path / "spinneret.db-wal").exists()
        for name in ("config.toml", "spinneret.db", "spinneret.db-wal", "spinneret.db-shm"):
            assert mode_of(tmp_path / name) == file, name
        store_micrograph(picture, workspace.data_dir, max_megapixels=1)
        backup(workspace, {}, lambda *_: None, lambda: False)
        keep(workspace.data_dir, ModelKind.SURROGATE, fill)
        page = default_page(workspace, "nanofibre")
        make_folder(page.parent)
        write_aside(page, "<p>")
        data = workspace.data_dir
    kept = [data, *data.rglob("*")]
    assert {p.name for p in kept} >= {"backups", "reports", "nanofibre.html", "weights"}
    for path in kept:
        assert mode_of(path) == (folder if path.is_dir() else file), path
    assert engine("db", "backup").exit_code == 0
    (copy,) = tmp_path.glob("spinneret-*.db")
    assert mode_of(copy) == file
    assert engine("db", "copy", "--to", f"sqlite:///{tmp_path / 'copy.db'}").exit_code == 0
    assert mode_of(tmp_path / "copy.db") == file
    assert engine("export", "--out", "runs.csv").exit_code == 0
    assert mode_of(tmp_path / "runs.csv") == 0o644, "somebody named it: the umask decides"
    assert engine("init", "--template", "blank", "--name", "b", "--force").exit_code == 0
    assert mode_of(tmp_path / "config.toml") == file
    assert mode_of(tmp_path / "config.toml.1") == 0o600


def test_a_configuration_that_was_there_stays_as_it_was(engine, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert engine("init").exit_code == 0
    (tmp_path / "spinneret.db").unlink()
    (tmp_path / "config.toml").chmod(0o644)
    assert engine("init").exit_code == 0
    assert mode_of(tmp_path / "config.toml") == 0o644
    assert mode_of(tmp_path / "spinneret.db") == 0o600


@pytest.mark.parametrize(("group", "opened", "is_told"), [
    (False, 0o644, True), (False, 0o640, True), (True, 0o640, False), (True, 0o644, True),
    (True, 0o660, True),
])  # fmt: skip
def test_doctor_tells_who_else_may_read(
    engine, folder, monkeypatch, group, opened, is_told
) -> None:
    monkeypatch.setenv("SPINNERET_STORAGE__GROUP_READABLE", str(group).lower())
    (folder / "spinneret.db").chmod(opened)
    answer = engine("doctor", "--json")
    texts = [str(f) for f in answer.json["findings"] if f["subject"] == "readers"]
    assert bool(texts) is is_told
    if is_told:
        assert str(folder / "spinneret.db") in texts[0]
        assert "config.toml" not in texts[0]
    assert answer.exit_code == 0
