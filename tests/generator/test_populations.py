from __future__ import annotations

import numpy as np
import pytest

from generator.judge import CENTRES, soft_bins
from generator.populations import populations


def lengths_of(*modes: tuple[float, float, float]) -> np.ndarray:
    """Lengths by class of log-normal populations: mean, coefficient of variation, share."""
    rng = np.random.default_rng(0)
    total = np.zeros(CENTRES.size)
    for mean, cv, share in modes:
        sigma = np.sqrt(np.log1p(cv**2))
        drawn = mean * np.exp(sigma * rng.standard_normal(20_000) - 0.5 * sigma**2)
        total += share * soft_bins(drawn).mean(axis=0)
    return total


def test_two_populations_are_told_apart():
    thin, thick = populations(CENTRES, lengths_of((5.0, 0.12, 0.6), (14.0, 0.12, 0.4)))
    assert thin.mean == pytest.approx(5.0, rel=0.04)
    assert thick.mean == pytest.approx(14.0, rel=0.04)
    assert thin.sd == pytest.approx(0.6, rel=0.2)
    assert thin.share == pytest.approx(0.6, abs=0.03)
    assert thin.share + thick.share == pytest.approx(1.0)


@pytest.mark.parametrize("cv", [0.05, 0.3, 0.6])
def test_one_population_stays_one(cv):
    (one,) = populations(CENTRES, lengths_of((7.0, cv, 1.0)))
    assert one.share == 1.0
    assert one.mean == pytest.approx(7.0, rel=0.04)
    assert one.sd == pytest.approx(7.0 * cv, rel=0.12)


def test_a_tail_is_no_population_and_nothing_has_none():
    assert len(populations(CENTRES, lengths_of((5.0, 0.12, 0.96), (14.0, 0.1, 0.04)))) == 1
    assert populations(CENTRES, np.zeros(CENTRES.size)) == ()
