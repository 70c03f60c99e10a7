"""The one check of a request, in the words of each place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import pytest

from engine.campaign import Campaign
from engine.errors import UsageError
from engine.propose.request import STRATEGIES, ProposeRequest, checked
from engine.propose.strategies import STRATEGIES as HANDLERS
from engine.workspace.settings import Strategy


def test_each_strategy_is_named_once_and_done_by_somebody() -> None:
    assert get_args(Strategy) == STRATEGIES
    assert set(HANDLERS) == set(STRATEGIES)


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({"aa": 1.0}, "Did you mean 'a'"),
        ({"room": 20.0}, "state it with at room=20"),
        ({"a": 0.55}, "the nearest is"),
        ({"a": 3.0}, "between 0 and 1"),
    ],
)
def test_fixed_values_are_checked(toy: Campaign, fixed: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        checked(ProposeRequest(n=1, seed=0, fixed=fixed), toy)


MENDED = "room=20: 'room' is given by the room, not set on the machine: state it with"
LABELS = {"fixed": "Hold", "n": "Runs", "max_distinct": "Limits", "at": "The room"}


@pytest.mark.parametrize(
    ("change", "cli", "page", "api"),
    [
        (
            {"n": 101},
            "--n: expected 1 to 100 runs in a batch, got 101",
            "Runs: expected 1 to 100 runs in a batch, got 101",
            "n: expected 1 to 100 runs in a batch, got 101",
        ),
        (
            {"fixed": {"room": 20.0}},
            f"--fix {MENDED} --at room=20",
            f"Hold {MENDED} The room room=20",
            f"fixed {MENDED} at room=20",
        ),
        (
            {"max_distinct": {"c": 1}},
            "--max-distinct c=1: 'c' is not a controlled parameter of the campaign 'toy'.",
            "Limits c=1: 'c' is not a controlled parameter of the campaign 'toy'.",
            "max_distinct c=1: 'c' is not a controlled parameter of the campaign 'toy'.",
        ),
        (
            {"strategy": "gpp"},
            "--strategy: unknown strategy 'gpp'. Did you mean 'gp'?",
            "strategy: unknown strategy 'gpp'. Did you mean 'gp'?",
            "strategy: unknown strategy 'gpp'. Did you mean 'gp'?",
        ),
    ],
)
def test_each_place_names_the_field_as_it_calls_it(
    toy: Campaign, change: Mapping[str, object], cli: str, page: str, api: str
) -> None:
    with pytest.raises(UsageError) as told:
        checked(replace(ProposeRequest(n=1, seed=0), **change), toy)
    assert told.value.worded("cli").startswith(cli)
    assert told.value.worded("page", LABELS).startswith(page)
    assert str(told.value).startswith(api)
    assert told.value.field in change
