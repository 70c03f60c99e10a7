"""The composite lab: micromechanics over a nanofibre lab's mats."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.lab import CompositeLab, UnlikeLab, VirtualLab
from engine.lab.composite import SOURCE_OUTCOMES
from engine.lab.ensemble import family_lab

ROOM = {"temperature": 21.5, "humidity": 52.0}
MIDDLE = {
    "fibre_fraction": 15.0, "matrix_modulus": 12.0, "flow_rate": 0.4, "concentration": 19.0,
    "voltage": 19.0, "collector_speed": 800.0,
}  # fmt: skip


def truth(**changes):
    return CompositeLab().truth({**MIDDLE, **changes}, ROOM)


def test_without_fibres_it_is_the_matrix():
    bare = truth(fibre_fraction=0.0)
    for direction in ("longitudinal", "transverse"):
        assert bare[f"composite_modulus.{direction}"] == pytest.approx(12.0)
    assert bare["composite_strength.longitudinal"] == bare["composite_strength.transverse"]


def test_stiffness_lies_between_matrix_and_fibres_and_rises_with_them():
    at = [truth(fibre_fraction=v)["composite_modulus.longitudinal"] for v in (5.0, 10.0, 20.0)]
    assert 12.0 < at[0] < at[1] < at[2] < 1000.0
    soft, hard = truth(matrix_modulus=5.0), truth(matrix_modulus=30.0)
    assert hard["composite_modulus.transverse"] > soft["composite_modulus.transverse"]


def test_aligned_mats_reinforce_along_more_than_across():
    fast = truth(collector_speed=1600.0)
    for name in ("composite_strength", "composite_modulus"):
        assert fast[f"{name}.longitudinal"] > 1.2 * fast[f"{name}.transverse"]
    assert fast["composite_modulus.longitudinal"] > truth()["composite_modulus.longitudinal"]


def test_more_fibres_than_the_mat_holds_leave_voids():
    strength = [
        truth(fibre_fraction=v)["composite_strength.longitudinal"] for v in (10.0, 30.0, 60.0)
    ]
    assert strength[1] > strength[0]
    assert strength[1] > strength[2]


def test_truth_is_near_the_median_of_many_runs():
    lab, rng = CompositeLab(), np.random.default_rng(0)
    runs = [lab.run(MIDDLE, ROOM, rng) for _ in range(400)]
    for name, value in truth().items():
        measured = np.median([run.outcomes[name] for run in runs if run.failure is None])
        assert measured == pytest.approx(value, rel=0.08)


@pytest.mark.parametrize("mats", [VirtualLab, UnlikeLab, lambda: family_lab(3)])
def test_any_spinning_lab_can_spin_its_mats(mats):
    lab = CompositeLab(mats())
    rng = np.random.default_rng(1)
    share = np.linspace(5.0, 40.0, 16)
    columns = {**MIDDLE, **lab.reference_ambient, "fibre_fraction": share}
    for values in lab.truth_columns(columns).values():
        assert values.shape == (16,)
        assert np.isfinite(values).all()
        assert (values > 0).all()
    result = lab.run(MIDDLE, lab.room(rng), rng)
    assert result.failure is not None or set(result.outcomes) == set(lab.campaign.outcomes)


def test_columns_give_what_single_settings_give():
    columns = CompositeLab().truth_columns({**MIDDLE, **ROOM, "voltage": np.array([16.0, 20.0])})
    one = truth(voltage=20.0)
    assert {n: v[1] for n, v in columns.items()} == pytest.approx(one)


def test_every_outcome_names_the_mats_outcome_that_speaks_of_it():
    assert set(SOURCE_OUTCOMES) == set(CompositeLab().campaign.outcomes)
    assert set(SOURCE_OUTCOMES.values()) <= set(VirtualLab().campaign.outcomes)


def test_refuses_what_cannot_be():
    with pytest.raises(DataError, match="matrix_modulus above 0"):
        truth(matrix_modulus=0.0)
    with pytest.raises(DataError, match="fibre_fraction of at least 0"):
        truth(fibre_fraction=-1.0)
