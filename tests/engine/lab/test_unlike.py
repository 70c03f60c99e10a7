"""The lab of another form: steps, interactions and levels that its docstring promises."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.lab import UnlikeLab, VirtualLab

ROOM = {"temperature": 21.5, "humidity": 52.0}
MIDDLE = {"flow_rate": 0.4, "concentration": 19.0, "voltage": 19.0, "collector_speed": 800.0}


def mat(room=None, **changes):
    return UnlikeLab().microstructure_columns({**MIDDLE, **changes, **ROOM, **(room or {})})


def test_the_jet_splits_in_a_step():
    dry = {"humidity": 30.0}
    volts = (17.0, 18.5, 21.0, 22.5)
    low, below, above, far = (float(mat(dry, voltage=v, flow_rate=0.3).diameter_nm) for v in volts)
    assert low / below < 1.05
    assert below / above > 1.08
    assert above / far < 1.05


def test_high_voltage_thins_in_dry_air_and_leaks_in_humid():
    dry, humid = {"humidity": 40.0}, {"humidity": 70.0}
    assert mat(dry, voltage=22.0).diameter_nm < mat(dry, voltage=18.0).diameter_nm
    assert mat(humid, voltage=22.0).diameter_nm > mat(humid, voltage=18.0).diameter_nm


def test_speed_wets_fast_flow_more_than_slow():
    def rise(flow):
        at = [mat(flow_rate=flow, collector_speed=r).fusion for r in (0.0, 1200.0)]
        return float(at[1] - at[0])

    assert rise(0.4) > 2 * rise(0.2)


def test_order_rises_until_the_collector_outruns_the_jet_by_far():
    order = [float(mat(collector_speed=r).order) for r in (0, 400, 800, 1200)]
    assert order == sorted(order)
    assert mat(collector_speed=2000.0).order < order[-1]


def test_levels_are_those_of_the_campaign():
    ours, theirs = UnlikeLab().truth(MIDDLE, ROOM), VirtualLab().truth(MIDDLE, ROOM)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        assert 1 / 3 < value / theirs[name] < 3


def test_columns_give_what_single_settings_give():
    lab = UnlikeLab()
    speeds = np.array([[0.0, 400.0], [800.0, 1600.0]])
    columns = lab.truth_columns({**MIDDLE, **ROOM, "collector_speed": speeds})
    one = lab.truth({**MIDDLE, "collector_speed": 400.0}, ROOM)
    for name, values in columns.items():
        assert values.shape == (2, 2)
        assert values[0, 1] == pytest.approx(one[name], rel=1e-12)


def test_failures_come_where_the_jet_does_not_hold():
    lab = UnlikeLab()
    assert lab.failure_probability(MIDDLE, ROOM) < 0.02
    assert lab.failure_probability({**MIDDLE, "flow_rate": 0.6, "concentration": 16.0}, ROOM) > 0.3


def test_names_what_is_missing_or_cannot_be():
    with pytest.raises(DataError, match="missing: temperature, humidity"):
        UnlikeLab().run(MIDDLE, {}, np.random.default_rng(0))
    with pytest.raises(DataError, match="flow_rate above 0"):
        UnlikeLab().truth({**MIDDLE, "flow_rate": 0.0}, ROOM)
