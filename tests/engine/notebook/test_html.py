"""What a notebook shows of a campaign, a batch, a run and a loop."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

import engine
from engine.campaign.html import rows_html, section_html
from engine.notebook.shown_progress import shown_progress


class Tags(HTMLParser):
    """Tags and attributes, in their order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.attributes: list[Any] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.opened.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def texts_of(shown: object) -> list[str]:
    """Return what stands in an object's HTML, which leaves all looks to the notebook."""
    tags = Tags(shown._repr_html_())  # type: ignore[attr-defined]
    assert set(tags.opened) <= {
        "div", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li",
    }  # fmt: skip
    assert tags.attributes == []
    return tags.texts


def test_rows_and_remarks_are_escaped() -> None:
    html = section_html("<b>", rows_html(["<i>"], [["<u>", "&"]]), remarks=["<s>"])
    assert not {"b", "i", "u", "s"} & {*Tags(html).opened}
    assert Tags(html).texts == ["<b>", "<i>", "<u>", "&", "<s>"]
    assert rows_html(["a"], []) == ""


def test_a_campaign_shows_what_is_set_measured_and_wanted(lab: engine.Lab) -> None:
    texts = texts_of(lab.campaign)
    assert texts[0] == "Campaign glue"
    assert {"heat [°C]", "20 … 80", "5", "A, B", "ambient", "strength [MPa]", "≥ 1"} <= {*texts}
    template = engine.Campaign(
        name="mix",
        parameters=[
            engine.Parameter(name="salt", low=1e-5, high=0.1, scale="log"),
            engine.Parameter(name="speed", choices=[10, 20], retired=[20]),
        ],
        properties=[engine.Property(name="cost")],
        objectives=[engine.Objective(outcome="cost", goal="target", target=3, tolerance=1)],
        constraints=["cost <= 9"],
    )
    assert {"0.00001 … 0.1", "10", "3 ± 1", "cost <= 9"} <= {*texts_of(template)}


def test_a_batch_a_run_and_what_is_logged(lab: engine.Lab, runs: pd.DataFrame) -> None:
    assert texts_of(lab.add(runs)) == ["Runs: 8 added"]
    assert "8 unchanged" in texts_of(lab.add(runs, dry_run=True))[0]
    batch = lab.propose(n=2, seed=1)
    texts = texts_of(batch)
    assert texts[0] == "Batch 1 of glue"
    assert {"run", "heat [°C]", "strength [MPa]", "success", "strategy gp, seed 1"} <= {*texts}
    intervals = [text for text in texts if re.fullmatch(r"\S+ \(\S+ … \S+\)", text)]
    assert len(intervals) == 4  # two outcomes of two runs
    assert f"run 9: {batch.to_frame().loc[9, 'reason']}" in texts

    logged = lab.log(batch.to_frame().index[0], {"strength": 5.5}, note="<b>odd</b>")
    texts = texts_of(logged)
    assert texts[0] == "Run 9 of glue: completed"
    assert {"5.5", "<b>odd</b>", "expected", "as run"} <= {*texts}
    assert any(text in intervals for text in texts)
    assert logged.experiment.id == 9
    assert repr(logged) == "<logged: <run 9 of 'glue', completed>>"

    run = lab.run("m1")
    assert (run.id, run.label, run.status) == (2, "m1", "completed")
    assert run.conditions["heat"] == 30
    assert run.results == {"strength": (5.0,), "stretch": (9.0,)}
    assert texts_of(run)[0] == "Run 2 · label m1 of glue: completed"
    with pytest.raises(engine.NotFoundError, match="no experiment 77"):
        lab.run(77)


def test_a_number_is_an_id_though_a_label_reads_the_same(lab: engine.Lab) -> None:
    for label in ("2", "1"):
        lab.log(None, {"strength": 1.0}, conditions={"heat": 20, "resin": "A"}, label=label)
    assert lab.run(1).label == "2"
    assert lab.log(1, {"stretch": 3.0}).experiment.label == "2"
    with pytest.raises(engine.UsageError, match="id:1"):
        lab.run("1")


def test_a_history_and_a_loop(lab: engine.Lab, runs: pd.DataFrame) -> None:
    first = engine.history(lab.campaign, runs).finished[0]
    assert texts_of(first)[0] == "Run 1 · label m0"
    assert {"heat", "20", "strength", "4"} <= {*texts_of(first)}
    loop = engine.Loop(lab.campaign)
    assert texts_of(loop)[0] == "loop of 'glue': 0 finished, 0 under way, 0 failed"
    loop.tell(runs)
    assert {"heat [°C]", "strength [MPa]", "80"} <= {*texts_of(loop)}


def test_a_script_whose_output_is_a_file_shows_no_bar(capfd: pytest.CaptureFixture[str]) -> None:
    with shown_progress() as progress:
        progress("learning", 1, 2)
    assert capfd.readouterr() == ("", "")
