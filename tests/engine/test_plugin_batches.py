"""A batch that another distribution's strategy chose: recorded with its origin, and replayed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from installed_plugins import install_plugins

from engine.workspace import Workspace

OURS = """
def ours(task):
    return task.space.fill(task.n, task.seed)
"""


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the metadata of a distribution that brings the strategy ``ours``."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "a_searching_module.py").write_text(OURS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "a_searching_module", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    entries = {"ours": "a_searching_module:ours"}
    return install_plugins(site, "our-search", "1.2", {"spinneret.strategies": entries})


def test_a_batch_says_which_distribution_chose_it(engine, folder: Path, distribution: Path) -> None:
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    assert 'strategy = "matmcl"' in text
    config.write_text(text.replace('strategy = "matmcl"', 'strategy = "ours"'), encoding="utf-8")
    answer = engine("propose", "--n", 2, "--seed", 5, "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["strategy"] == "ours"
    assert "chosen by the strategy 'ours' of our-search 1.2." in answer.json["notes"]
    with Workspace.open(config) as workspace, workspace.database.read() as tx:
        batch = tx.batches.get(1)
        assert batch is not None
        assert batch.strategy == "ours"
        assert batch.versions["our-search"] == "1.2"
        assert batch.request["plugin"] == {
            "name": "ours",
            "distribution": "our-search",
            "version": "1.2",
        }
    assert engine("replay", 1).exit_code == 0

    site = distribution.parent
    shutil.rmtree(distribution)
    entries = {"ours": "a_searching_module:ours"}
    (site / "a_searching_module.py").write_text(
        OURS.replace("task.seed)", "task.seed + 1)"), encoding="utf-8"
    )
    newer = install_plugins(site, "our-search", "1.3", {"spinneret.strategies": entries})
    del sys.modules["a_searching_module"]
    answer = engine("replay", 1)
    assert answer.exit_code == 1
    assert "our-search was 1.2, is 1.3" in " ".join(answer.err.split())

    shutil.rmtree(newer)
    config.write_text(text, encoding="utf-8")
    answer = engine("replay", 1)
    assert answer.exit_code == 1
    message = " ".join(answer.err.split())
    assert "batch 1 was chosen by the strategy 'ours' of our-search 1.2, which is not" in message
    assert "`pip install our-search==1.2`" in message


def test_a_bad_strategy_records_nothing(engine, folder: Path, distribution: Path) -> None:
    (distribution.parent / "a_searching_module.py").write_text(
        "def ours(task):\n    return []\n", encoding="utf-8"
    )
    answer = engine("propose", "--n", 2, "--strategy", "ours")
    assert answer.exit_code == 1
    assert "of our-search 1.2 returned what cannot be proposed: expected 2 settings, got 0" in (
        " ".join(answer.err.split())
    )
    with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
        assert tx.batches.get(1) is None
