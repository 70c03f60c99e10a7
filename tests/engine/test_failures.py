"""Kinds of failure: the campaign's own, by one check through every door."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest

import engine as python
from engine.campaign import Campaign
from engine.campaign.failures import SPINNING, Failure, names_offered, read_failure
from engine.demo import _entry
from engine.drafts.create import create_from_table
from engine.errors import ConfigError, ImportRefusedError, UsageError
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.inbox.registering import register_file
from engine.lab.protocol import LabResult
from engine.workspace import Workspace
from engine.workspace.campaign_text import campaign_text, edited_text, read_text
from engine.workspace.differences import differences
from engine.workspace.init import initialise
from engine.workspace.settings import WatchSettings

PASTE = """
[campaign]
name = "paste"
failures = ["gelled", { name = "stuck", label = "It stuck to the plate" }]

[[campaign.parameters]]
name = "heat"
low = 20.0
high = 80.0

[[campaign.properties]]
name = "gloss"

[[campaign.objectives]]
outcome = "gloss"
threshold = 1.0
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the campaign: copying it is quicker."""
    folder = tmp_path_factory.mktemp("paste")
    initialise(folder / "config.toml", text=PASTE)
    return folder


@pytest.fixture
def paste(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "paste"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    (folder / "paste.toml").write_text(PASTE, encoding="utf-8")
    return folder


def test_a_definition_names_its_kinds(nanofibre: Campaign, mixture: Campaign) -> None:
    assert names_offered(nanofibre.failures) == ["beads", "drips", "no_jet", "other"]
    assert names_offered(mixture.failures) == ["undissolved", "separated", "gelled", "other"]
    # What was recorded before there was a list is the same definition as with today's four.
    assert "failures" not in nanofibre.definition()
    plain = read_text(PASTE)
    assert names_offered(plain.failures) == ["gelled", "stuck", "other"]
    assert [kind.title for kind in plain.failures] == ["gelled", "It stuck to the plate", "other"]
    assert Campaign(**plain.definition()) == plain
    assert read_text(campaign_text(plain)) == plain


@pytest.mark.parametrize(
    ("kinds", "problem"),
    [
        (["No jet", "no_jet"], "one in another spelling"),
        (["beads", "beads"], "twice"),
        (["running"], "is no kind of failure"),
        (["x" * 41], "at most 40"),
        (["3rd"], "pattern"),
        ([{"name": "a"}, {"name": "b", "label": "A"}], "one in another spelling"),
    ],
)
def test_kinds_that_cannot_be_are_refused(mixture: Campaign, kinds: list, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Campaign(**{**mixture.definition(), "failures": kinds})


def test_spellings_are_forgiven_and_others_are_told() -> None:
    kinds = (*SPINNING, Failure(name="stuck", label="It stuck"), Failure(name="old", retired=True))
    for word, name in (("NO  jet", "no_jet"), ("no-jet", "no_jet"), ("it_stuck", "stuck")):
        assert read_failure(kinds, word) == name
    assert read_failure(kinds, "old") == "old"
    with pytest.raises(UsageError, match=r"\(beads, drips, no_jet, other, stuck\), got 'beds'"):
        read_failure(kinds, "beds")
    with pytest.raises(UsageError, match="Did you mean 'beads'"):
        read_failure(kinds, "beds")


def test_the_text_keeps_what_it_says(mixture: Campaign) -> None:
    body = 'name = "paste"\n\n' + PASTE[PASTE.index("[[") :]
    text = '[campaign]\n# Why.\nfailures = ["beads", "drips", "no_jet", "other"]\n' + body
    spinning = read_text(text)
    edited = edited_text(text, spinning.model_copy(update={"description": "shiny"}))
    assert "# Why.\nfailures = [" in edited
    other = spinning.model_copy(update={"failures": mixture.failures})
    assert 'failures = ["undissolved"' in edited_text(edited, other)
    assert differences(spinning, other) == [
        "failures: 'beads' removed",
        "failures: 'drips' removed",
        "failures: 'gelled' added",
        "failures: 'no_jet' removed",
        "failures: 'separated' added",
        "failures: 'undissolved' added",
    ]


def test_every_door_asks_the_campaign(paste: Path, bare_engine) -> None:
    assert bare_engine("log", "--new", "heat=30", "--failed", "it stuck to the plate").err == ""
    wrong = bare_engine("log", "--new", "heat=30", "--failed", "beads")
    assert (wrong.exit_code, "--failed" in wrong.err) == (2, True)
    assert "expected a kind of failure (gelled, stuck, other), got 'beads'" in wrong.err
    lab = python.open(paste)
    run = lab.log(None, conditions={"heat": 40.0}, failed="GELLED").experiment
    assert run.failure == "gelled"
    with pytest.raises(UsageError, match="Did you mean 'gelled'"):
        lab.log(None, conditions={"heat": 40.0}, failed="geled")
    Path("in.csv").write_text("label,heat,gloss,failed\na,50,,Stuck\nb,60,2,\n", encoding="utf-8")
    assert bare_engine("import", "in.csv").exit_code == 0
    Path("bad.csv").write_text("label,heat,gloss,failed\nc,50,,drips\n", encoding="utf-8")
    refused = bare_engine("import", "bad.csv")
    assert "expected gelled, stuck, other, or nothing" in refused.err
    Path("s.csv").write_text(
        "label,heat,gloss,status,success\nd,70,,gelled,\ne,70,,,no\n", encoding="utf-8"
    )
    assert bare_engine("import", "s.csv").exit_code == 0
    rows = list(csv.DictReader(io.StringIO(bare_engine("export").out)))
    assert {row["label"]: row["failed"] for row in rows if row["label"]} == {
        "a": "stuck", "b": "", "d": "gelled", "e": "other",
    }  # fmt: skip
    Path("out.json").write_text(bare_engine("export", "--format", "json").out, encoding="utf-8")
    assert bare_engine("import", "out.json").exit_code == 0


def test_a_kind_that_runs_have_is_retired_and_not_removed(paste: Path, bare_engine) -> None:
    bare_engine("log", "--new", "heat=30", "--failed", "stuck")
    less = PASTE.replace(', { name = "stuck", label = "It stuck to the plate" }', "")
    Path("paste.toml").write_text(less, encoding="utf-8")
    refused = bare_engine("campaign", "revise", "--file", "paste.toml")
    assert refused.exit_code == 2
    assert "failure 'stuck': 1 experiment has it. Keep it and retire it" in refused.err
    assert '{ name = "stuck", retired = true }' in refused.err
    retired = PASTE.replace('label = "It stuck to the plate"', "retired = true")
    Path("paste.toml").write_text(retired.replace('"gelled", ', ""), encoding="utf-8")
    done = bare_engine("campaign", "revise", "--file", "paste.toml")
    assert done.exit_code == 0, done.err
    assert "failures: 'gelled' removed" in done.out
    wrong = bare_engine("log", "--new", "heat=30", "--failed", "gelled")
    assert "expected a kind of failure (other), got 'gelled'" in wrong.err
    assert bare_engine("show", "1", "--json").json["failure"] == "stuck"


def test_a_worksheet_is_checked_in_the_folder(paste: Path) -> None:
    settings = WatchSettings(worksheets=("done*",))
    with Workspace.open(paste / "config.toml") as workspace:
        for heat in (30.0, 40.0):
            record(workspace, Entry(conditions={"heat": heat}))
        sheet = paste / "done.csv"
        sheet.write_text("experiment,failed\n1,Gelled\n2,no jet\n", encoding="utf-8")
        with pytest.raises(ImportRefusedError, match="expected gelled, stuck, other, or nothing"):
            register_file(workspace, sheet, settings)
        sheet.write_text("experiment,failed\n1,Gelled\n2,it stuck to the plate\n", "utf-8")
        register_file(workspace, sheet, settings)
        with workspace.database.read() as tx:
            assert [run.failure for run in tx.experiments.find(1)] == ["gelled", "stuck"]


def test_a_table_brings_its_own_kinds(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = [f"{10 + 2 * (i % 4)},{5 + 1.3 * i:.2f}," for i in range(12)]
    table.write_text("\n".join(["heat,strength,failed", *rows, "10,,Burst", "12,,no jet"]), "utf-8")
    created = create_from_table(tmp_path / "config.toml", table)
    assert names_offered(created.campaign.failures) == ["Burst", "no jet", "other"]
    assert read_text((tmp_path / "config.toml").read_text("utf-8")) == created.campaign
    assert created.imported.n_added == 14
    spun = tmp_path / "u.csv"
    spun.write_text("\n".join(["heat,strength,failed", *rows, "10,,No jet"]), "utf-8")
    usual = create_from_table(tmp_path / "v.toml", spun, dry_run=True)
    assert usual.campaign.failures == SPINNING


def test_a_lab_fails_in_its_campaigns_words(paste: Path) -> None:
    with Workspace.open(paste / "config.toml") as workspace:
        entry = _entry(LabResult(failure="gelled"), conditions={"heat": 30.0})
        assert record(workspace, entry).experiment.failure == "gelled"
        with pytest.raises(UsageError, match="got 'burnt'"):
            record(workspace, _entry(LabResult(failure="burnt"), conditions={"heat": 30.0}))


def test_what_is_no_kind_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError, match="failures"):
        read_text(PASTE.replace('"gelled"', "3"))
