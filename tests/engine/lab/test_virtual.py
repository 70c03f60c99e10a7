from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError, UsageError
from engine.lab import VirtualLab

ROOM = {"temperature": 21.5, "humidity": 52.0}
MIDDLE = {"flow_rate": 0.4, "concentration": 19.0, "voltage": 19.0, "collector_speed": 800.0}


def mat(**changes):
    return VirtualLab().microstructure_columns({**MIDDLE, **changes, **ROOM})


def test_order_rises_with_collector_speed_and_saturates():
    order = [float(mat(collector_speed=r).order) for r in (0, 400, 800, 1200, 1600)]
    assert order == sorted(order)
    assert order[4] - order[3] < order[3] - order[2]
    assert abs(order[0]) < 0.1


def test_thin_solutions_at_fast_flow_bead():
    beaded = mat(concentration=16.0, flow_rate=0.6).bead_fraction
    assert beaded > 10 * mat().bead_fraction
    assert beaded > mat(concentration=16.0, flow_rate=0.2).bead_fraction


def test_diameter_grows_with_concentration_and_flow():
    assert mat(concentration=22.0).diameter_nm > mat().diameter_nm > mat(flow_rate=0.2).diameter_nm


def test_truth_is_the_median_of_many_runs():
    lab, rng = VirtualLab(), np.random.default_rng(0)
    runs = [lab.run(MIDDLE, ROOM, rng) for _ in range(400)]
    truth = lab.truth(MIDDLE, ROOM)
    for name, value in truth.items():
        measured = np.median([run.outcomes[name] for run in runs if run.failure is None])
        assert measured == pytest.approx(value, rel=0.08)


def test_columns_give_what_single_settings_give():
    lab = VirtualLab()
    speeds = np.array([[0.0, 400.0], [800.0, 1600.0]])
    columns = lab.truth_columns({**MIDDLE, **ROOM, "collector_speed": speeds})
    one = lab.truth({**MIDDLE, "collector_speed": 400.0}, ROOM)
    for name, values in columns.items():
        assert values.shape == (2, 2)
        assert values[0, 1] == pytest.approx(one[name])


def test_failures_come_where_the_jet_does_not_hold():
    lab = VirtualLab()
    gentle = lab.failure_probability(MIDDLE, ROOM)
    weak = {**MIDDLE, "flow_rate": 0.6, "voltage": 16.0, "concentration": 16.0}
    humid = {**ROOM, "humidity": 75.0}
    assert gentle < 0.01
    assert lab.failure_probability(weak, humid) > 0.3
    rng = np.random.default_rng(1)
    kinds = [lab.run(weak, humid, rng).failure for _ in range(300)]
    share = np.mean([kind is not None for kind in kinds])
    assert share == pytest.approx(lab.failure_probability(weak, humid), abs=0.1)
    assert "drips" in kinds


def test_a_dripping_run_has_no_picture_a_beaded_one_does():
    lab, rng = VirtualLab(), np.random.default_rng(2)
    weak = {**MIDDLE, "flow_rate": 0.6, "voltage": 16.0, "concentration": 15.0}
    results = {}
    for _ in range(300):
        result = lab.run(weak, ROOM, rng)
        results[result.failure] = result
    assert results["drips"].micrograph is None
    assert results["beads"].micrograph((8, 8)).shape == (8, 8)


def test_the_older_lab_is_related_and_different():
    older = VirtualLab(variant="older").truth(MIDDLE, ROOM)
    assert older == VirtualLab(variant="older").truth(MIDDLE, ROOM)
    assert older != VirtualLab(seed=1, variant="older").truth(MIDDLE, ROOM)
    for name, value in VirtualLab().truth(MIDDLE, ROOM).items():
        assert older[name] != value
        assert 0.3 < older[name] / value < 3.0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"flow_rate": 0.0}, "flow_rate above 0, got 0"),
        ({"collector_speed": -1.0}, "collector_speed of at least 0"),
        ({"voltage": float("nan")}, "finite voltage"),
        ({"voltage": "high"}, "finite voltage, got 'high'"),
    ],
)
def test_refuses_settings_that_cannot_be(change, told):
    with pytest.raises(DataError, match=told):
        VirtualLab().truth({**MIDDLE, **change}, ROOM)


def test_names_what_is_missing():
    with pytest.raises(DataError, match="missing: temperature, humidity"):
        VirtualLab().run(MIDDLE, {}, np.random.default_rng(0))


def test_refuses_an_unknown_variant():
    with pytest.raises(UsageError, match="standard or older"):
        VirtualLab(variant="newer")
