"""Conditions of any campaign, in the words, units and scales of one model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from engine.campaign import Campaign, Parameter, Value
from engine.campaign.units import UnitError
from engine.errors import UsageError
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.sources.axes import Axis, Names, axes_of, match_axes, outcome_places
from engine.sources.encoding import cube_mapping, encode_axes, encode_conditions
from surrogate.cube import CubeEncoder


@dataclass(frozen=True)
class Spec:
    name: str
    unit: str
    log: bool = False
    centre: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Words:
    parameters: tuple[Spec, ...]
    outcomes: tuple[str, ...] = ("fracture_strength.longitudinal", "elongation.longitudinal")


WORDS = Words(
    (
        Spec("flow_rate", "mL/h", log=True, centre=math.log(0.5), scale=0.8),
        Spec("concentration", "%", log=True, centre=math.log(15.0), scale=0.4),
        Spec("voltage", "kV", centre=18.0, scale=4.0),
        Spec("collector_speed", "rpm", centre=1000.0, scale=900.0),
        Spec("distance", "cm", centre=15.0, scale=4.0),
        Spec("temperature", "°C", centre=22.0, scale=3.0),
        Spec("humidity", "%", centre=45.0, scale=15.0),
    )
)


def campaign_of(*parameters: Parameter) -> Campaign:
    return Campaign(
        name="x",
        parameters=parameters,
        properties=({"name": "y"},),  # type: ignore[arg-type]
        objectives=({"outcome": "y", "threshold": 0.0},),  # type: ignore[arg-type]
    )


class TestEncoding:
    def test_the_template(self, nanofibre: Campaign) -> None:
        conditions: dict[str, Value] = {
            "flow_rate": 0.5, "concentration": 15.0, "voltage": 22.0, "collector_speed": 0.0,
            "temperature": 19.0,
        }  # fmt: skip
        (T,) = encode_conditions(nanofibre, WORDS, [conditions])
        assert T[:, 2].tolist() == [1, 1, 1, 1, 0, 1, 0]
        assert T[:, 0] == pytest.approx([0, 0, 1, -1000 / 900, 0, -1, 0])
        assert T[:, 1] == pytest.approx([0.5, -4 / 3, 1.0, -1.0, 0.0, -0.8, 0.0])

    def test_other_names_and_units(self) -> None:
        other = campaign_of(
            Parameter(name="feed_rate", unit="µL/min", low=5, high=10),
            Parameter(name="V", unit="V", low=10_000, high=20_000),
            Parameter(name="x1", aliases=("rotation speed",), unit="Hz", low=0, high=10),
            Parameter(name="tip_to_collector", unit="mm", low=100, high=200),
            Parameter(name="air", aliases=("Room Temperature",), unit="K", low=290, high=300),
        )
        row: dict[str, Value] = {
            "feed_rate": 500 / 60, "V": 22_000.0, "x1": 1000 / 60, "tip_to_collector": 150.0,
            "air": 295.15,
        }  # fmt: skip
        (T,) = encode_conditions(other, WORDS, [row])
        assert T[:, 2].tolist() == [1, 0, 1, 1, 1, 1, 0]
        assert T[:, 0] == pytest.approx([0, 0, 1, 0, 0, 0, 0], abs=1e-9)
        assert T[4, 1] == pytest.approx(0.0)

    def test_what_is_not_understood_is_masked_and_told(self, mixture: Campaign) -> None:
        axes = (
            Axis("polymer", is_categorical=True),
            Axis("voltage", "mL/h"),
            Axis("v"),
            Axis("colour", "nm"),
            Axis("flow_rate", "mL/h"),
            Axis("feed rate", "mL/h"),
        )
        matching = match_axes(axes, WORDS)
        assert matching.places == {"flow_rate": 0}
        assert "a choice" in matching.left_out["polymer"]
        assert "expected a unit that can become kV, got mL/h" in matching.left_out["voltage"]
        assert "its unit is not told" in matching.left_out["v"]
        assert matching.left_out["colour"] == "the model has no such parameter"
        assert "another one stands for flow_rate" in matching.left_out["feed rate"]
        named = next(p.name for p in mixture.controlled if p.is_categorical)
        assert named not in match_axes(axes_of(mixture), WORDS).places

    def test_an_explicit_mapping_wins(self) -> None:
        axes = (Axis("knob", "µL/min"), Axis("flow_rate", "mL/h"))
        names = Names({"knob": "flow_rate"})
        assert match_axes(axes, WORDS, names).places == {"knob": 0}

    @pytest.mark.parametrize(
        ("told", "message"),
        [
            ({"knob": "flow"}, "which the model lacks. Did you mean 'flow_rate'"),
            ({"nob": "flow_rate"}, "which is not there. Did you mean 'knob'"),
            ({"knob": "voltage", "other": "voltage"}, "knob and other are all mapped"),
        ],
    )
    def test_a_mapping_of_what_is_not_there(self, told: dict[str, str], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            match_axes((Axis("knob", "kV"), Axis("other")), WORDS, Names(told))

    def test_an_explicit_mapping_of_another_unit(self) -> None:
        with pytest.raises(UnitError, match=r"knob as voltage \[kV\]: expected a unit"):
            match_axes((Axis("knob", "rpm"),), WORDS, Names({"knob": "voltage"}))

    def test_zero_has_a_logarithm_of_sorts(self) -> None:
        matching = match_axes((Axis("flow_rate", "mL/h"),), WORDS)
        T = encode_axes(matching, WORDS, [{"flow_rate": 0.0}, {}, {"flow_rate": "fast"}])
        assert T[:, 0].tolist() == [[-8.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


class TestCube:
    @pytest.mark.parametrize("which", ["nanofibre", "mixture", "units"])
    def test_both_ways_agree(self, which: str, request: pytest.FixtureRequest) -> None:
        if which == "units":
            campaign = campaign_of(
                Parameter(name="polymer", choices=("PCL", "PLA", "PA6")),
                Parameter(name="humidity", unit="% RH", role="ambient", low=10, high=90),
                Parameter(name="voltage", unit="V", low=0, high=30_000),
                Parameter(name="q", unit="µL/min", low=0, high=10),
                Parameter(name="temperature", unit="°F", role="ambient", low=60, high=90),
                Parameter(name="r", unit="r/min", choices=(0.0, 100.0, 2000.0)),
            )
        else:
            campaign = request.getfixturevalue(which)
        space, rng = Space(campaign), np.random.default_rng(0)
        settings = Sampler(space).sample(16, seed=1)
        ambient = np.stack(
            [rng.uniform(*p.bounds, size=len(settings)) for p in space.ambient], axis=1
        ) if space.ambient else np.zeros((len(settings), 0))  # fmt: skip
        conditions = [
            {**row, **{p.name: float(x) for p, x in zip(space.ambient, room, strict=True)}}
            for row, room in zip(space.conditions_of(settings), ambient, strict=True)
        ]
        mapping = cube_mapping(campaign, WORDS)
        n_known = sum(column >= 0 for column in mapping.column)
        assert n_known == {"nanofibre": 6, "mixture": 0, "units": 5}[which]
        np.testing.assert_allclose(
            CubeEncoder(mapping)(torch.from_numpy(space.cube(settings, ambient))),
            encode_conditions(campaign, WORDS, conditions),
            atol=1e-9,
        )


class TestOutcomes:
    def test_by_name_alias_and_mapping(self, nanofibre: Campaign) -> None:
        assert outcome_places(nanofibre, WORDS) == {
            "fracture_strength.longitudinal": 0,
            "elongation.longitudinal": 1,
        }
        other = Campaign(
            name="composite",
            parameters=({"name": "a", "low": 0, "high": 1},),  # type: ignore[arg-type]
            properties=(
                {"name": "composite_strength", "directions": ["longitudinal", "transverse"]},
                {"name": "strain", "aliases": ["elongation"], "directions": ["longitudinal"]},
            ),  # type: ignore[arg-type]
            objectives=({"outcome": "strain.longitudinal", "threshold": 0},),  # type: ignore[arg-type]
        )
        assert outcome_places(other, WORDS) == {"strain.longitudinal": 1}
        for told in (
            {"composite_strength": "fracture_strength"},
            {"composite_strength.longitudinal": "fracture_strength.longitudinal"},
        ):
            found = outcome_places(other, WORDS, Names(outcomes=told))
            assert found == {"composite_strength.longitudinal": 0, "strain.longitudinal": 1}
        with pytest.raises(UsageError, match="which the model lacks"):
            outcome_places(other, WORDS, Names(outcomes={"composite_strength": "strength"}))
