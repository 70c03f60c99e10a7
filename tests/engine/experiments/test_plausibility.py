from __future__ import annotations

import pytest

from db.records import PredictionRecord
from engine.experiments.plausibility import far_from_expected, is_far_from_seen

VALUES = [9.0, 9.5, 10.0, 10.0, 10.5, 11.0, 10.2, 9.8]


@pytest.mark.parametrize(
    ("value", "is_far"), [(10.0, False), (13.0, False), (20.0, True), (0.0, True), (1e6, True)]
)
def test_far_is_eight_robust_deviations(value, is_far) -> None:
    assert is_far_from_seen(value, VALUES) is is_far


def test_an_outlier_among_the_seen_does_not_hide_the_next(nanofibre) -> None:
    assert is_far_from_seen(1e6, [*VALUES, 1e6])


def test_few_or_equal_values_tell_nothing() -> None:
    assert not is_far_from_seen(1e6, VALUES[:7])
    assert not is_far_from_seen(1e6, [10.0] * 20)


def test_noise_that_grows_with_the_value_is_judged_by_ratios() -> None:
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 3.0, 9.0]
    assert not is_far_from_seen(200.0, values, is_log=True)
    assert is_far_from_seen(200.0, VALUES, is_log=True)
    assert not is_far_from_seen(0.0, values, is_log=True)


def test_a_prediction_is_held_against_the_value(nanofibre) -> None:
    name = "elongation.longitudinal"
    said = PredictionRecord(1, name, mean=88.0, lower=72.0, upper=104.0, level=0.9)
    near = far_from_expected(nanofibre, {name: 120.0}, earlier={name: []}, predictions=[said])
    assert near == []
    (warning,) = far_from_expected(nanofibre, {name: 880.0}, earlier={name: []}, predictions=[said])
    assert "far from what was predicted, 88 (72 … 104)" in warning
