"""Conditional parameters in the search: a drum's speed only with a drum."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from engine.campaign import Campaign, Value
from engine.campaign.applicability import lacking, surplus
from engine.campaign.boxes import boxes_outside
from engine.campaign.history import History, Run
from engine.errors import UsageError
from engine.propose import Forecaster, suggest
from engine.propose.batch import DistinctLimits
from engine.propose.candidates import spread_settings
from engine.propose.neighbours import neighbours
from engine.propose.request import STRATEGIES, ProposeRequest, checked
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.workspace.settings import ProposeSettings

PARAMETERS: list[dict[str, Any]] = [
    {"name": "collector", "choices": ["plate", "drum", "needles"]},
    {"name": "speed", "low": 100, "high": 900, "step": 100, "only_if": {"collector": "drum"}},
    # Nested: a brake only on a fast drum.
    {"name": "brake", "choices": ["soft", "hard"], "only_if": {"speed": {"above": 500}}},
    {"name": "voltage", "low": 10, "high": 20},
]


def conditional(parameters: Sequence[Mapping[str, Any]] = PARAMETERS, **changes: Any) -> Campaign:
    return Campaign(
        **{
            "name": "conditional",
            "parameters": parameters,
            "properties": [{"name": "u"}, {"name": "v"}],
            "objectives": [
                {"outcome": "u", "threshold": -1e9},
                {"outcome": "v", "threshold": -1e9},
            ],
            **changes,
        }
    )


def assert_sound(campaign: Campaign, rows: Sequence[Mapping[str, Value]]) -> None:
    """Every value that must be there is, and no other."""
    for row in rows:
        assert ("speed" in row) == (row["collector"] == "drum")
        assert ("brake" in row) == (float(row.get("speed", 0)) > 500)
        assert not lacking(campaign.parameters, row)
        assert not surplus(campaign.parameters, row)
        assert not campaign.exclusions_of(row)
        for name, value in row.items():
            assert campaign.parameter(name).problem_as_setting(value) is None


def test_settings_are_sampled_with_what_applies_alone() -> None:
    campaign = conditional()
    space = Space(campaign)
    sample = Sampler(space).sample(64, 0)
    spread = spread_settings(space, 64, 0, {})
    near = neighbours(space, sample[:6])
    rows = space.conditions_of(np.concatenate([sample, spread, near]))
    assert_sound(campaign, rows)
    assert {row["collector"] for row in rows} == {"plate", "drum", "needles"}
    assert {row.get("brake") for row in rows} == {None, "soft", "hard"}
    np.testing.assert_allclose(space.settings_of(space.conditions_of(sample)), sample, rtol=1e-9)
    # On and off the drum in one step.
    (plate,) = space.settings_of([{"collector": "plate", "voltage": 15.0}])
    beside = space.conditions_of(neighbours(space, plate))
    assert "drum" in {row["collector"] for row in beside}


def test_what_does_not_apply_carries_no_distance() -> None:
    space = Space(conditional())
    plate = {"collector": "plate", "voltage": 15.0}
    X = space.encode([plate, {**plate, "speed": 900.0}, {**plate, "speed": 100.0, "brake": "hard"}])
    assert (X[0] == X).all()
    drum = {"collector": "drum", "voltage": 15.0}
    X = space.encode([{**drum, "speed": 200.0}, {**drum, "speed": 900.0, "brake": "hard"}])
    assert (X[0] != X[1]).any()


def test_boxes_tell_on_and_off_apart() -> None:
    campaign = conditional(
        exclusions=[
            {"when": {"speed": {"above": 700}}},
            {"when": {"speed": 500, "voltage": {"above": 15}}},
        ]
    )
    space = Space(campaign)
    sample = Sampler(space).sample(256, 1)
    assert_sound(campaign, space.conditions_of(sample))
    # The stand-in, 500, lies in an exclusion only where there is a speed.
    off = [row for row in space.conditions_of(sample) if row["collector"] == "plate"]
    assert max(float(row["voltage"]) for row in off) > 19
    boxes = list(boxes_outside(campaign.controlled, campaign.exclusions))
    for row in sample:
        homes = [
            box
            for box in boxes
            if all(
                round(x) in span if isinstance(span, frozenset) else span[0] <= x <= span[1]
                for span, x in zip(box, row, strict=True)
            )
        ]
        assert len(homes) == 1


def history_of(campaign: Campaign, n: int) -> History:
    space = Space(campaign)
    rows = space.conditions_of(Sampler(space).sample(n, 4))
    runs = tuple(
        Run(
            row,
            {
                "u": (float(row.get("speed", 0)) / 300 + float(row["voltage"]) / 10,),
                "v": ((row["collector"] == "plate") - float(row["voltage"]) / 8,),
            },
            id=i + 1,
        )
        for i, row in enumerate(rows)
    )
    return History(campaign, runs)


NUMBERS: list[dict[str, Any]] = [
    {"name": "n_needles", "choices": [1, 2, 4]},
    {"name": "spacing", "low": 1, "high": 9, "step": 1, "only_if": {"n_needles": {"above": 1}}},
    {"name": "voltage", "low": 10, "high": 20},
]


@pytest.mark.matrix
@pytest.mark.parametrize("n", [0, 20])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_proposes_what_applies(
    strategy: str, n: int, quick: ProposeSettings
) -> None:
    request = ProposeRequest(n=4, seed=1, strategy=strategy)
    if strategy != "ax-matmcl":
        campaign = conditional()
        batch = suggest(history_of(campaign, n), request, quick)
        assert_sound(campaign, [s.conditions for s in batch.suggestions])
        return
    campaign = conditional(NUMBERS)
    space = Space(campaign)
    rows = space.conditions_of(Sampler(space).sample(n, 4)) if n else []
    runs = tuple(
        Run(r, {"u": (float(r["voltage"]),), "v": (float(r.get("spacing", 0)),)}, id=i + 1)
        for i, r in enumerate(rows)
    )
    batch = suggest(History(campaign, runs), request, quick)
    for suggestion in batch.suggestions:
        row = suggestion.conditions
        assert ("spacing" in row) == (float(row["n_needles"]) > 1)


def test_a_model_is_asked_with_or_without(quick: ProposeSettings) -> None:
    forecaster = Forecaster.fit(history_of(conditional(), 20), quick)
    plate = {"collector": "plate", "voltage": 15.0}
    first, second = forecaster.predict([plate, {**plate, "speed": 900.0}])
    assert first["u"].mean == second["u"].mean
    slow, fast = forecaster.predict(
        [
            {"collector": "drum", "voltage": 15.0, "speed": 200.0},
            {"collector": "drum", "voltage": 15.0, "speed": 900.0, "brake": "soft"},
        ]
    )
    assert fast["u"].mean > slow["u"].mean + 0.5


def test_a_held_value_brings_along_what_it_needs() -> None:
    campaign = conditional()
    request = checked(ProposeRequest(n=4, seed=0, fixed={"speed": 500}), campaign)
    assert request.fixed == {"speed": 500.0, "collector": "drum"}
    batch = suggest(History(campaign), request, ProposeSettings(strategy="sobol"))
    assert {s.conditions.get("speed") for s in batch.suggestions} == {500.0}
    with pytest.raises(
        UsageError,
        match="speed has a value only if collector = drum, and",
    ):
        checked(ProposeRequest(n=4, seed=0, fixed={"speed": 500, "collector": "plate"}), campaign)
    with pytest.raises(UsageError, match=r"brake has a value only if speed > 500.*fix speed, too"):
        checked(ProposeRequest(n=4, seed=0, fixed={"brake": "soft"}), campaign)
    off = checked(ProposeRequest(n=4, seed=0, fixed={"collector": "plate"}), campaign)
    batch = suggest(History(campaign), off, ProposeSettings(strategy="sobol"))
    assert all("speed" not in s.conditions for s in batch.suggestions)


@pytest.mark.parametrize("strategy", ["sobol", "gp"])
def test_where_there_is_no_value_no_limit_counts(strategy: str, quick: ProposeSettings) -> None:
    """One speed in a batch: mats from the plate, which have none, use none up."""
    campaign = conditional()
    request = ProposeRequest(n=8, seed=2, strategy=strategy, max_distinct={"speed": 1})
    batch = suggest(history_of(campaign, 20), request, quick)
    speeds = [s.conditions["speed"] for s in batch.suggestions if "speed" in s.conditions]
    assert len(speeds) > 0
    assert len(set(speeds)) == 1
    space = Space(campaign)
    limits = DistinctLimits({1: 1}, {}, space.absent)
    plate, slow, fast = space.settings_of(
        [
            {"collector": "plate", "voltage": 15.0},
            {"collector": "drum", "voltage": 15.0, "speed": 200.0},
            {"collector": "drum", "voltage": 15.0, "speed": 400.0},
        ]
    )
    rows = np.stack([plate, slow, fast])
    assert limits.allowed(rows, [plate]).tolist() == [True, True, True]
    assert limits.allowed(rows, [plate, slow]).tolist() == [True, True, False]
    assert limits.moved_onto(rows, [plate, slow])[2, 1] == 200.0
    assert limits.moved_onto(rows, [plate])[2, 1] == 400.0


def test_contradicting_rules_beside_conditions_are_named() -> None:
    parameters = [*PARAMETERS, {"name": "distance", "low": 5, "high": 20}]
    campaign = conditional(parameters, parameter_constraints=["voltage + distance <= 14"])
    with pytest.raises(UsageError, match=r"no setting satisfies .* and none can") as refusal:
        Sampler(Space(campaign)).sample(4, 0)
    assert "voltage + distance <= 14" in str(refusal.value)
