"""Exclusions: what is written, what is refused, and boxes that keep out of all of them."""

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.campaign import Campaign
from engine.campaign.boxes import Box, boxes_outside, is_anything_left, least_contradiction
from engine.campaign.exclusions import Exclusion
from engine.errors import ConfigError
from engine.workspace.settings import parse_campaign

PARAMETERS: list[dict[str, Any]] = [
    {"name": "solvent", "choices": ["WATER", "DMF", "DCM"]},
    {"name": "temperature", "unit": "°C", "low": 20, "high": 100},
    {"name": "needle", "choices": [18, 20, 22]},
    {"name": "voltage", "unit": "kV", "low": 0, "high": 10, "step": 1},
    {"name": "humidity", "unit": "%", "role": "ambient", "low": 20, "high": 60},
]


def excluding(*exclusions: Mapping[str, Any], **changes: Any) -> Campaign:
    return Campaign(
        **{
            "name": "ruled",
            "parameters": PARAMETERS,
            "properties": [{"name": "u"}],
            "objectives": [{"outcome": "u", "threshold": 0}],
            "exclusions": [{"when": dict(when)} for when in exclusions],
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("when", "inside", "outside", "words"),
    [
        (
            {"solvent": "WATER", "temperature": {"above": 60}},
            {"solvent": "WATER", "temperature": 60.1},
            {"solvent": "WATER", "temperature": 60.0},
            "solvent = WATER and temperature > 60",
        ),
        (
            {"temperature": {"at_least": 60}, "voltage": {"below": 3}},
            {"temperature": 60.0, "voltage": 2.0},
            {"temperature": 60.0, "voltage": 3.0},
            "temperature >= 60 and voltage < 3",
        ),
        (
            {"needle": [18, 22], "solvent": {"other_than": "DMF"}},
            {"needle": 22.0, "solvent": "DCM"},
            {"needle": 22.0, "solvent": "DMF"},
            "needle = 18 or 22 and solvent other than DMF",
        ),
        (
            {"voltage": {"above": 2, "at_most": 5}},
            {"voltage": 5.0},
            {"voltage": 2.0},
            "voltage > 2 and voltage <= 5",
        ),
        (
            {"voltage": {"other_than": [3, 4]}},
            {"voltage": 5.0},
            {"voltage": 4.0},
            "voltage other than 3 or 4",
        ),
    ],
)
def test_an_exclusion_is_what_a_chemist_reads(when, inside, outside, words: str) -> None:
    campaign = excluding(when)
    assert [str(item) for item in campaign.exclusions_of(inside)] == [words]
    assert campaign.exclusions_of(outside) == ()
    # Part of it alone is no reason to warn.
    name, value = next(iter(inside.items()))
    assert (campaign.exclusions_of({name: value}) == ()) == (len(inside) > 1)
    assert Campaign(**campaign.definition()) == campaign


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ({"solvent": "water"}, "'solvent' has no choice 'water'. Did you mean 'WATER'?"),
        ({"solvnt": "WATER"}, "'solvnt' is no parameter. Did you mean 'solvent'?"),
        ({"humidity": {"above": 50}}, "'humidity' is given by the room"),
        ({"u": {"above": 50}}, "'u' is no parameter"),
        ({"temperature": {"above": 600}}, "never applies"),
        ({"temperature": 60}, "'temperature' is continuous"),
        ({"temperature": "hot"}, "'temperature' is a number, got 'hot'"),
        ({"voltage": 3.5}, "on the instrument's settings; the nearest is 4"),
        ({"voltage": {"above": 3.1, "below": 3.9}}, "never applies"),
        ({"solvent": {"above": 3}}, "'solvent' has choices and no limits"),
        ({"solvent": {"other_than": ["WATER", "DMF", "DCM"]}}, "has no other choice"),
        ({"solvent": True}, "expected a choice"),
        ({"solvent": []}, "expected a choice"),
        ({"temperature": {}}, "expected one condition"),
        ({"temperature": {"above": 30, "at_least": 40}}, "expected above or at_least, got both"),
        ({"temperature": {"above": 60, "below": 50}}, "no number is > 60 and < 50"),
        ({"voltage": {"above": -1}}, "'voltage > -1' excludes every setting"),
    ],
)
def test_an_exclusion_that_makes_no_sense_is_refused(when, told: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        excluding(when)
    assert told in str(refusal.value)


def test_a_misspelt_limit_is_told_with_what_was_meant() -> None:
    definition = {**excluding().definition(), "exclusions": [{"when": {"voltage": {"abov": 3}}}]}
    with pytest.raises(ConfigError, match=r"unknown key .*abov'\. Did you mean 'above'"):
        parse_campaign(definition, "config.toml")
    with pytest.raises(ConfigError, match=r"exclusions\.0\.when"):
        parse_campaign({**definition, "exclusions": [{"when": {}}]}, "config.toml")


def test_exclusions_that_together_leave_nothing_are_named_and_no_others() -> None:
    with pytest.raises(ValidationError) as refusal:
        excluding(
            {"solvent": ["WATER", "DMF"]},
            {"voltage": {"above": 8}},
            {"needle": 18},
            {"solvent": "DCM", "needle": [20, 22]},
        )
    message = str(refusal.value).partition("[type")[0]
    assert "together exclude every setting" in message
    assert "voltage" not in message
    assert all(f"'{words}'" in message for words in ("needle = 18", "solvent = WATER or DMF"))


def test_held_values_that_leave_nothing_are_found() -> None:
    campaign = excluding({"solvent": "WATER", "temperature": {"above": 60}}, {"needle": 18})
    pinned = {"solvent": 0.0, "temperature": 80.0, "voltage": 3.0}
    assert not is_anything_left(campaign.controlled, campaign.exclusions, pinned)
    needed, held = least_contradiction(campaign.controlled, campaign.exclusions, pinned)
    assert needed == [campaign.exclusions[0]]
    assert held == {"solvent": 0.0, "temperature": 80.0}
    assert is_anything_left(campaign.controlled, campaign.exclusions, {"temperature": 80.0})


_CONDITIONS = {
    "solvent": st.one_of(
        st.sampled_from(["WATER", "DMF", "DCM"]),
        st.builds(lambda name: {"other_than": name}, st.sampled_from(["WATER", "DMF"])),
    ),
    "needle": st.one_of(st.sampled_from([18, 20, 22]), st.just([18, 22])),
    "temperature": st.one_of(
        st.builds(lambda x: {"above": x}, st.integers(25, 95)),
        st.builds(lambda x: {"at_most": x}, st.integers(25, 95)),
        st.builds(lambda x: {"at_least": x, "below": x + 4}, st.integers(25, 95)),
    ),
    "voltage": st.one_of(
        st.integers(0, 10),
        st.builds(lambda x: {"other_than": x}, st.integers(0, 10)),
        st.builds(lambda x: {"below": x}, st.integers(1, 10)),
    ),
}


def _exclusions() -> st.SearchStrategy[list[Exclusion]]:
    one = st.sets(st.sampled_from(sorted(_CONDITIONS)), min_size=1, max_size=3).flatmap(
        lambda names: st.fixed_dictionaries({name: _CONDITIONS[name] for name in sorted(names)})
    )
    return st.lists(one.map(lambda when: Exclusion(when=when)), max_size=5)


def _holds(box: Box, point: tuple[float, ...]) -> bool:
    return all(
        round(x) in span if isinstance(span, frozenset) else span[0] <= x <= span[1]
        for span, x in zip(box, point, strict=True)
    )


@settings(max_examples=80, deadline=None)
@given(_exclusions(), st.integers(0, 10**6))
def test_boxes_are_disjoint_and_hold_all_that_is_allowed(
    exclusions: list[Exclusion], seed: int
) -> None:
    controlled = excluding().controlled
    parameters = {p.name: p for p in controlled}
    boxes = list(boxes_outside(controlled, exclusions, rng=random.Random(seed)))  # noqa: S311
    assert is_anything_left(controlled, exclusions) == bool(boxes)
    rng = random.Random(seed)  # noqa: S311
    for _ in range(60):
        point = (
            float(rng.randrange(3)),
            rng.choice([rng.uniform(20, 100), float(rng.randint(20, 100))]),
            rng.choice([18.0, 20.0, 22.0]),
            float(rng.randint(0, 10)),
        )
        conditions = dict(zip(parameters, point, strict=True))
        named = {**conditions, "solvent": ["WATER", "DMF", "DCM"][int(point[0])]}
        is_allowed = not any(e.covers(parameters, named) for e in exclusions)
        # What is excluded up to a limit is allowed from the next setting on: 1e-9 of the range.
        nudged = [(point[0], point[1] + shift, *point[2:]) for shift in (0.0, 1e-6, -1e-6)]
        homes = sum(_holds(box, point) for box in boxes)
        assert homes <= 1
        assert (homes == 1) == is_allowed or (
            is_allowed and any(_holds(box, other) for other in nudged for box in boxes)
        )
