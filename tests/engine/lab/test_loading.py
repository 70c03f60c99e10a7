from __future__ import annotations

import pytest

from engine.errors import UsageError
from engine.lab import CompositeLab, OlderLab, UnlikeLab, VirtualLab, load_lab


def test_built_in_labs_by_name():
    assert type(load_lab("virtual")) is VirtualLab
    assert type(load_lab("older")) is OlderLab
    assert type(load_lab("unlike")) is UnlikeLab
    assert type(load_lab("composite")) is CompositeLab


def test_module_and_class():
    assert type(load_lab("engine.lab.virtual:OlderLab")) is OlderLab


def test_a_module_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "a_lab_of_mine.py").write_text(
        "from engine.lab import VirtualLab\nclass Mine(VirtualLab):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"])
    assert type(load_lab("a_lab_of_mine:Mine")).__name__ == "Mine"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("virtuel", "Did you mean 'virtual'"),
        ("engine.lab.virtual:", "expected virtual, older, unlike, composite or module:Class"),
        ("no_such_module:Lab", "ModuleNotFoundError"),
        ("engine.lab.virtual:NoSuchLab", "AttributeError"),
        ("builtins:dict", "missing: campaign, room, run"),
        ("pathlib:PurePath.joinpath", "got"),
    ],
)
def test_refuses_with_a_mend(name, told):
    with pytest.raises(UsageError, match=told):
        load_lab(name)


def test_refuses_a_campaign_that_is_none(tmp_path, monkeypatch):
    (tmp_path / "a_lab_without_campaign.py").write_text(
        "class Mine:\n    campaign = None\n    def room(self, rng): ...\n"
        "    def run(self, c, a, rng): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(UsageError, match="expected campaign to be"):
        load_lab("a_lab_without_campaign:Mine")
