"""Batches from data in memory, and ask and tell."""

from __future__ import annotations

import pandas as pd
import pytest

import engine
from engine.propose.request import ProposeRequest
from engine.workspace.settings import ProposeSettings

QUICK = {"mc_samples": 8, "raw_samples": 16, "restarts": 1}


def measured(settings: pd.DataFrame) -> pd.DataFrame:
    """Return the settings with outcomes that follow them: a model leads only where it predicts."""
    heat = settings["heat"]
    return settings.assign(strength=2 + 0.1 * heat, stretch=12 - 0.1 * heat)


@pytest.fixture
def campaign(lab: engine.Lab) -> engine.Campaign:
    return lab.campaign


def test_a_history_of_a_frame(campaign: engine.Campaign, runs: pd.DataFrame) -> None:
    runs = runs.assign(failed=[None] * 7 + ["beads"])
    runs.loc[7, ["strength [MPa]", "stretch"]] = None
    runs.loc[6, ["strength [MPa]", "stretch"]] = None
    past = engine.history(campaign, runs)
    assert [run.id for run in past.finished] == [1, 2, 3, 4, 5, 6]
    assert [run.label for run in past.pending] == ["m6"]
    assert [run.id for run in past.failed] == [8]
    assert past.finished[0].outcomes == {"strength": (4.0,), "stretch": (10.0,)}
    assert engine.history(campaign).runs == ()
    with pytest.raises(engine.DataError, match="rows 0, 1"):
        engine.history(campaign, runs.assign(resin="Z"))


def test_the_batch_is_that_of_the_engine(campaign: engine.Campaign, runs: pd.DataFrame) -> None:
    from engine.propose import suggest

    past = engine.history(campaign, runs)
    batch = engine.suggest(past, 2, strategy="gp", seed=3, settings=QUICK)
    request = ProposeRequest(n=2, seed=3, strategy="gp")
    expected = suggest(past, request, ProposeSettings(**QUICK))
    assert [item.conditions for _, item in batch.numbered] == [
        item.conditions for item in expected.suggestions
    ]
    assert batch.plot().data
    assert not any("None" in reason for reason in batch.to_frame()["reason"])


def test_settings_that_cannot_be_are_refused(campaign: engine.Campaign) -> None:
    with pytest.raises(engine.UsageError, match="mc_samples"):
        engine.suggest(engine.history(campaign), 2, settings={"mc_samples": 1})
    with pytest.raises(engine.UsageError, match="unknown strategy"):
        engine.suggest(engine.history(campaign), 2, strategy="bandit")


def test_ask_and_tell(campaign: engine.Campaign) -> None:
    loop = engine.Loop(campaign)
    first = loop.ask(7, seed=1, settings=QUICK)
    assert len(loop.history.pending) == 7
    assert len(first.settings().drop_duplicates()) == 7
    second = loop.ask(4, seed=1, settings=QUICK)
    both = pd.concat([first.settings(), second.settings()])[["heat", "resin"]]
    assert not both.duplicated().any(), "what is under way is not proposed again"
    loop.tell(measured(first.settings()))
    assert [len(loop.history.finished), len(loop.history.pending)] == [7, 4]
    loop.tell(second.settings().iloc[:2].assign(failed="beads"))
    loop.tell(measured(second.settings().iloc[2:]).drop(columns="strength"))
    assert repr(loop) == "<loop of 'glue': 9 finished, 0 under way, 2 failed>"
    ids = [run.id for run in loop.history.runs]
    assert len(ids) == len(set(ids))
    assert "9 finished" in loop._repr_html_()
    with pytest.raises(engine.DataError):
        loop.tell(first.settings().assign(strength="x"))
    assert len(loop.history.finished) == 9
    third = loop.ask(2, strategy="gp", seed=1, settings=QUICK)
    assert third.strategy == "gp"
