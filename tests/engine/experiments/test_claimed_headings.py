"""Campaigns whose own names are words that files have for themselves: label, note, order, rank …"""

from __future__ import annotations

import csv
import json

import pytest

from engine.campaign.vocabulary import RESERVED, Vocabulary
from engine.experiments.export import export_headings
from engine.experiments.importers.headings import WORKSHEET, map_headings
from engine.workspace.settings import read_campaign_file

WORDS = sorted({*(word.replace(" ", "_") for word in RESERVED), *WORKSHEET, "rank"})

CONFIG = """
[campaign]
name = "claimed"
[[campaign.parameters]]
name = "{word}"
unit = "{unit}"
low = 0
high = 10
step = 1
[[campaign.parameters]]
name = "run_{word}"
low = 0
high = 10
step = 1
[[campaign.properties]]
name = "cost"
[[campaign.objectives]]
outcome = "cost"
goal = "minimize"
threshold = 9
"""


def test_every_heading_of_an_export_means_one_thing(tmp_path) -> None:
    for word in WORDS:
        for unit in ("", "mm"):
            path = tmp_path / "config.toml"
            path.write_text(CONFIG.format(word=word, unit=unit))
            campaign = read_campaign_file(path)
            headings = export_headings(campaign)
            columns, problems = map_headings(headings, Vocabulary(campaign))
            assert not problems
            assert not columns.ignored
            assert len({(c.kind, c.name) for c in columns.understood}) == len(headings)


@pytest.fixture(params=["experiment", "note", "order", "rank"])
def claimed(request, tmp_path, engine):
    """Return a folder with a campaign that claims a word, and that word."""
    word = request.param
    unit = "mm" if WORDS.index(word) % 3 else ""
    (tmp_path / "config.toml").write_text(CONFIG.format(word=word, unit=unit))
    assert engine("init", "--config", tmp_path / "config.toml").exit_code == 0
    return tmp_path, word


def test_a_campaign_comes_back_whatever_its_names(engine, claimed) -> None:
    folder, word = claimed
    suffix = ("csv", "csv", "xlsx")[len(word) % 3]
    config = ("--config", folder / "config.toml")
    sheet = folder / "sheet.csv"
    proposed = engine(
        "propose", "-n", 3, "--strategy", "sobol", "--seed", 1, "--csv", sheet, "--no-preview",
        *config,
    )  # fmt: skip
    assert proposed.exit_code == 0
    with sheet.open(newline="") as file:
        headings, *rows = csv.reader(file)
    assert len({heading.casefold() for heading in headings}) == len(headings)
    for number, row in enumerate(rows):
        row[headings.index("cost")] = str(number + 1)
    with sheet.open("w", newline="") as file:
        csv.writer(file).writerows([headings, *rows])
    logged = engine("log", "--file", sheet, *config)
    assert (logged.exit_code, logged.err) == (0, "")
    new = engine(
        "log",
        "--new",
        f"{word}=3",
        f"run_{word}=4",
        "cost=7",
        "--label",
        "Ü",
        "--note",
        "n",
        *config,
    )
    assert new.exit_code == 0, new.err
    out = folder / f"out.{suffix}"
    assert engine("export", "--out", out, *config).exit_code == 0
    (folder / "fresh").mkdir()
    fresh = ("--config", folder / "fresh" / "config.toml")
    fresh[1].write_text((folder / "config.toml").read_text())
    engine("init", *fresh)
    assert engine("import", out, "--json", *fresh).json["added"] == 4
    keys = ("label", "status", "note")
    before, after = (
        [
            [e[key] for key in keys] + [{**e["proposed"], **e["actual"]}]
            for e in json.loads(engine("export", "--format", "json", *place).out)["experiments"]
        ]
        for place in (config, fresh)
    )
    assert before == after
    scored = engine("score", out, *fresh)
    if suffix == "csv":
        headings, *rows = csv.reader(scored.out.splitlines())
        assert len(set(headings)) == len(headings)
        assert sorted(row[-1] for row in rows) == ["1", "2", "3", "4"]
