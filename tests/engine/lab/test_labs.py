"""What every lab owes the engine; each lab runs the same contract."""

from __future__ import annotations

import numpy as np
import pytest

from engine.campaign import Campaign, Objective, Parameter, Property
from engine.lab import (
    CompositeLab,
    KnownLab,
    Lab,
    LabResult,
    OlderLab,
    UnlikeLab,
    VirtualLab,
    reference_ambient,
)
from engine.lab.ensemble import bad_lab, draw_lab, family_lab


class TinyLab:
    """A user's own lab: one knob, no room, no picture, no truth."""

    campaign = Campaign(
        name="tiny",
        parameters=(Parameter(name="x", low=0.0, high=1.0),),
        properties=(Property(name="y"),),
        objectives=(Objective(outcome="y", threshold=0.0),),
    )

    def room(self, rng):
        return {}

    def run(self, conditions, ambient, rng):
        return LabResult({"y": float(conditions["x"]) + rng.normal()})


LABS = {
    "virtual": VirtualLab,
    "older": OlderLab,
    "unlike": UnlikeLab,
    "composite": CompositeLab,
    "simulated": lambda: draw_lab(7),
    "family": lambda: family_lab(7),
    "bad": lambda: bad_lab(7),
    "tiny": TinyLab,
}


@pytest.fixture(params=LABS)
def lab(request):
    return LABS[request.param]()


def settings(lab, rng):
    return {p.name: p.snap(float(rng.uniform(*p.bounds))) for p in lab.campaign.controlled}


def outcomes(lab, seed):
    rng = np.random.default_rng(seed)
    return lab.run(settings(lab, rng), lab.room(rng), rng)


class TestLabContract:
    def test_follows_the_protocol(self, lab):
        assert isinstance(lab, Lab)
        assert isinstance(lab.campaign, Campaign)

    def test_room_gives_every_ambient_parameter_that_can_be(self, lab):
        for seed in range(20):
            room = lab.room(np.random.default_rng(seed))
            assert list(room) == [p.name for p in lab.campaign.ambient]
            assert all(lab.campaign.parameter(n).problem_with(v) is None for n, v in room.items())

    def test_equal_generators_give_equal_results(self, lab):
        first, second = outcomes(lab, 7), outcomes(lab, 7)
        assert first.outcomes == second.outcomes
        assert first.failure == second.failure

    def test_other_generators_give_other_results(self, lab):
        assert outcomes(lab, 1).outcomes != outcomes(lab, 2).outcomes

    def test_a_run_gives_possible_outcomes_or_a_failure(self, lab):
        for seed in range(30):
            result = outcomes(lab, seed)
            if result.failure is not None:
                assert not result.outcomes
                continue
            assert set(result.outcomes) == set(lab.campaign.outcomes)
            for name, value in result.outcomes.items():
                assert lab.campaign.property_of(name).problem_with(value) is None

    def test_pictures_are_grey_repeatable_and_to_scale(self, lab):
        result = outcomes(lab, 3)
        if result.micrograph is None:
            assert result.nm_per_pixel is None
            return
        picture = result.micrograph((24, 32))
        assert picture.shape == (24, 32)
        assert picture.dtype == np.uint8
        assert np.array_equal(picture, result.micrograph((24, 32)))
        assert result.nm_per_pixel > 0

    def test_truth_is_the_same_every_time(self, lab):
        if not isinstance(lab, KnownLab):
            pytest.skip("this lab does not know its truth")
        where = settings(lab, np.random.default_rng(0))
        ambient = reference_ambient(lab)
        truth = lab.truth(where, ambient)
        assert truth == lab.truth(where, ambient)
        assert set(truth) == set(lab.campaign.outcomes)


def test_reference_ambient_is_mid_range_unless_stated(monkeypatch):
    assert reference_ambient(TinyLab()) == {}
    assert reference_ambient(VirtualLab()) == {"temperature": 21.5, "humidity": 52.0}
    monkeypatch.setattr(VirtualLab, "reference_ambient", None)
    assert reference_ambient(VirtualLab()) == {"temperature": 23.0, "humidity": 47.5}


def test_result_refuses_contradictions():
    with pytest.raises(ValueError, match="expected failure to be None or one of"):
        LabResult(failure=" ")
    with pytest.raises(ValueError, match="has no outcomes"):
        LabResult({"y": 1.0}, failure="beads")
