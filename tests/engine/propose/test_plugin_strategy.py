"""Strategies of other distributions: what they are handed, and how their answer is checked."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from installed_plugins import install_plugins

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import PluginError
from engine.propose import choose_from_pool, suggest
from engine.propose.plugin_strategy import StrategyTask
from engine.propose.request import STRATEGIES, ProposeRequest, SuggestionBatch
from engine.propose.space import Space
from engine.workspace.settings import ProposeSettings

Use = Callable[[Any], None]
MODULE = "a_module_of_ours"


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Return a function that installs a strategy, called ``ours``, of ``our-search 1.2``."""
    install_plugins(
        tmp_path, "our-search", "1.2", {"spinneret.strategies": {"ours": f"{MODULE}:ours"}}
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(strategy: Any) -> None:
        module = ModuleType(MODULE)
        module.ours = strategy  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, MODULE, module)

    return put


def batch_of(history: History, n: int = 2, **options: Any) -> SuggestionBatch:
    request = ProposeRequest(n=n, seed=3, strategy="ours", forecast=False)
    return suggest(history, replace(request, **options), ProposeSettings())


def test_it_is_handed_the_space_the_history_and_the_seed(use: Use, history: History) -> None:
    tasks: list[StrategyTask] = []

    def ours(task: StrategyTask) -> list[dict[str, Any]]:
        tasks.append(task)
        return task.space.fill(task.n, task.seed)

    use(ours)
    batch = batch_of(history, at={"room": 22.0}, fixed={"a": 0.3})
    [task] = tasks
    assert (task.n, task.seed, dict(task.at)) == (2, 3, {"room": 22.0})
    assert dict(task.space.fixed) == {"a": 0.3}
    assert [p.name for p in task.space.parameters] == ["a", "b"]
    assert task.history == history
    assert batch.strategy == "ours"
    assert batch.plugin is not None
    assert (batch.plugin.distribution, batch.plugin.version) == ("our-search", "1.2")
    assert batch.notes[-1] == "chosen by the strategy 'ours' of our-search 1.2."
    for suggestion in batch.suggestions:
        assert suggestion.reason == "chosen by the strategy 'ours' of our-search 1.2"
        assert suggestion.reason_kind == "chosen_by_plugin"
        assert suggestion.conditions["a"] == 0.3


def test_nothing_of_it_can_be_written_to(use: Use, history: History) -> None:
    def ours(task: StrategyTask) -> list[dict[str, Any]]:
        run = task.history.finished[0]
        for mapping in (run.conditions, run.outcomes, task.at, task.space.fixed):
            with pytest.raises(TypeError):
                mapping["a"] = 0  # type: ignore[index]
        with pytest.raises(FrozenInstanceError):
            task.n = 1  # type: ignore[misc]
        return task.space.sample(task.n, task.seed)

    use(ours)
    assert len(batch_of(history).suggestions) == 2


def test_what_the_space_offers_may_be_proposed(use: Use, history: History) -> None:
    def ours(task: StrategyTask) -> list[dict[str, Any]]:
        offers = [*task.space.fill(5, 1), *task.space.sample(40, 1)]
        assert [task.space.problem_with(row) for row in offers] == [None] * len(offers)
        ran = dict(task.history.finished[0].conditions)
        del ran["room"]
        assert "was run already" in str(task.space.problem_with(ran))
        return offers[: task.n]

    use(ours)
    assert len(batch_of(history).suggestions) == 2


def test_a_class_and_a_frame_will_do_and_steps_are_snapped_to(use: Use, toy: Campaign) -> None:
    class Ours:
        def __call__(self, task: StrategyTask) -> pd.DataFrame:
            return pd.DataFrame({"a": [0.26, 0.71], "b": [1, 2]})

    use(Ours)
    batch = batch_of(History(toy))
    rows = sorted((s.conditions["a"], s.conditions["b"]) for s in batch.suggestions)
    assert rows == [(0.3, 1.0), (0.7, 2.0)]


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (None, "expected a list of settings or a data frame, got NoneType"),
        ("ab", "got str"),
        ([{"a": 0.1, "b": 1.0}], "expected 2 settings, got 1"),
        ([1, 2], "setting 1 of 2 is int, expected a value for each parameter by name"),
        ([{"a": 0.1}] * 2, "setting 1 of 2 lacks b"),
        (
            [{"a": 0.1, "b": 1, "room": 20}] * 2,
            "sets room: expected the controlled parameters a, b",
        ),
        ([{"a": 0.1, "b": "x"}] * 2, "has b = 'x': expected a number"),
        ([{"a": True, "b": 1}] * 2, "has a = True: expected a number"),
        ([{"a": np.nan, "b": 1}] * 2, "has a = nan: expected 0 to 1 mm"),
        ([{"a": 1.5, "b": 1}] * 2, "has a = 1.5: expected 0 to 1 mm"),
        ([{"a": 0.1, "b": 1}, {"a": 0.11, "b": 1}], "setting 2 of 2 is in the batch already"),
        ([{"a": 0.5, "b": 0.5}] * 2, "(a = 0.5, b = 0.5) was run already, or is under way"),
        ([{"a": 0.4, "b": 0.5}] * 2, "was run already, or is under way"),
        ([{"a": 1.0, "b": 2.0}] * 2, "breaks the constraints: "),
        ([{"a": 0.0, "b": 0.0}] * 2, "is excluded: "),
    ],
)
def test_what_it_returns_is_checked(
    use: Use, toy_with: Callable[..., Campaign], returned: Any, reason: str
) -> None:
    campaign = toy_with(
        parameter_constraints=["a + b <= 2.5"],
        exclusions=[{"when": {"a": {"below": 0.05}, "b": {"below": 0.1}}}],
    )
    finished = Run({"a": 0.5, "b": 0.5}, {"strength": (1.0,)}, id=1)
    pending = Run({"a": 0.4, "b": 0.5}, id=2)
    use(lambda task: returned)
    with pytest.raises(PluginError, match=re.escape(reason)) as caught:
        batch_of(History(campaign, finished=(finished,), pending=(pending,)))
    assert str(caught.value).startswith("the strategy 'ours' of our-search 1.2 returned what")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"fixed": {"a": 0.2}}, "has a = 0.1: the batch holds a = 0.2"),
        ({"max_distinct": {"b": 1}}, "more distinct values of a parameter than max_distinct"),
    ],
)
def test_what_was_asked_for_is_kept(
    use: Use, toy: Campaign, options: dict[str, Any], reason: str
) -> None:
    use(lambda task: [{"a": 0.1, "b": 0.5}, {"a": 0.1, "b": 1.0}])
    with pytest.raises(PluginError, match=reason):
        batch_of(History(toy), **options)


def test_choices_and_what_only_some_of_them_have(
    use: Use, toy_with: Callable[..., Campaign]
) -> None:
    campaign = toy_with(
        parameters=[
            {"name": "collector", "choices": ["plate", "drum"]},
            {"name": "speed", "low": 0, "high": 10, "step": 1, "only_if": {"collector": "drum"}},
        ]
    )
    rows = [{"collector": "plate"}, {"collector": "drum", "speed": 4}]
    use(lambda task: pd.DataFrame(rows))
    batch = batch_of(History(campaign))
    assert [s.conditions for s in batch.suggestions if s.conditions["collector"] == "plate"] == [
        {"collector": "plate"}
    ]
    use(lambda task: [{"collector": "plate"}, {"collector": "drum"}])
    with pytest.raises(PluginError, match="setting 2 of 2 lacks speed, which has a value there"):
        batch_of(History(campaign))
    use(lambda task: [{"collector": "belt"}, {"collector": "plate"}])
    with pytest.raises(PluginError, match="collector = 'belt': expected one of plate, drum"):
        batch_of(History(campaign))


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        (lambda task: 1 / 0, r"failed: ZeroDivisionError\('division by zero'\)"),
        (7, "expected a function of one task, or a class of such, got int"),
        (StrategyTask, "cannot be made without arguments"),
    ],
)
def test_what_fails_is_named_with_its_distribution(
    use: Use, toy: Campaign, strategy: Any, reason: str
) -> None:
    use(strategy)
    with pytest.raises(PluginError, match=rf"the strategy 'ours' of our-search 1\.2.*{reason}"):
        batch_of(History(toy))


def test_it_chooses_from_a_pool_by_what_lies_nearest(use: Use, toy: Campaign) -> None:
    use(lambda task: [{"a": 0.9, "b": 2.0}])
    pool = [{"a": 0.1, "b": 0.25, "room": 20.0}, {"a": 0.8, "b": 1.75, "room": 20.0}]
    picks = choose_from_pool(
        History(toy), pool, 1, strategy="ours", seed=0, settings=ProposeSettings()
    )
    assert picks == [1]


def test_settings_take_a_strategy_that_is_installed(use: Use) -> None:
    use(lambda task: [])
    assert ProposeSettings(strategy="ours").strategy == "ours"
    with pytest.raises(ValueError, match=r"unknown strategy 'outs'\. Did you mean 'ours'\?"):
        ProposeSettings(strategy="outs")


@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if not s.startswith("ax")])
def test_built_in_strategies_answer_what_a_plugin_may(
    use: Use, history: History, quick: ProposeSettings, strategy: str
) -> None:
    """A batch of each built-in strategy passes the check of what plug-ins return."""
    request = ProposeRequest(n=3, seed=1, strategy=strategy, forecast=False)
    settings = [dict(s.conditions) for s in suggest(history, request, quick).suggestions]
    use(lambda task: settings)
    space = Space(history.campaign)
    again = [dict(s.conditions) for s in batch_of(history, n=3).suggestions]
    assert space.keys(again) == space.keys(settings)
