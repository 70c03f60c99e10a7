from __future__ import annotations

import numpy as np
import pytest

from engine.bench.search import truth as truth_module
from engine.bench.search.objectives import with_objectives, without_limits
from engine.bench.search.truth import Truth
from engine.campaign.front import hypervolume
from engine.lab import VirtualLab


def virtual_truth(**changes):
    lab = VirtualLab()
    campaign = with_objectives(
        without_limits(lab.campaign),
        changes.get("objectives", ()),
        changes.get("constraints", ()),
        lambda *_: 0.0,
    )
    return Truth.from_lab(lab, campaign)


def test_the_front_on_paper(lab):
    truth = Truth.from_lab(lab, lab.campaign)
    conditions, values = truth.front
    assert {c["k"] for c in conditions} == {"high"}
    assert sorted(c["x"] for c in conditions) == pytest.approx(np.arange(11) / 10)
    assert truth.hypervolume == pytest.approx(hypervolume(values, lab.campaign.objectives))
    assert truth.ambient == {"warmth": 1.0}


def test_no_setting_beats_the_front():
    truth = virtual_truth()
    _, front = truth.front
    rng = np.random.default_rng(0)
    settings = [
        {p.name: float(rng.choice(p.levels)) for p in truth.campaign.controlled} for _ in range(300)
    ]
    both = np.vstack([front, truth.values(settings)])
    assert hypervolume(both, truth.campaign.objectives) == pytest.approx(truth.hypervolume)


def test_climbing_finds_what_the_grid_finds(monkeypatch):
    whole = virtual_truth().hypervolume
    monkeypatch.setattr(truth_module, "MAX_GRID", 10)
    assert virtual_truth().hypervolume == pytest.approx(whole, rel=1e-3)


def test_constraints_bind_the_front():
    free = virtual_truth()
    bound = virtual_truth(constraints=("elastic_modulus.longitudinal <= 0.3",))
    assert 0 < bound.hypervolume < free.hypervolume


def test_quantiles_are_in_order():
    truth = virtual_truth()
    low, high = (truth.quantile("elongation.longitudinal", level) for level in (0.25, 0.75))
    assert low < high


def test_no_truth_no_score(unknown_lab):
    class Plain:
        campaign = unknown_lab.campaign
        room = unknown_lab.room
        run = unknown_lab.run

    assert Truth.from_lab(Plain(), unknown_lab.campaign) is None
