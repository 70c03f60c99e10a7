"""Matching by measured statistics, on numbers alone."""

from __future__ import annotations

import numpy as np
import pytest

from engine.lab.virtual import VirtualLab, nanofibre_campaign
from engine.retrieval.expected import MeasuredRun, StatisticsModel
from engine.retrieval.matching import (
    Matcher,
    apart,
    for_conditions,
    for_picture,
    log_ratio,
    ordered,
)


@pytest.fixture(scope="module")
def runs() -> list[MeasuredRun]:
    lab, rng, found = VirtualLab(), np.random.default_rng(5), []
    for i in range(60):
        row = {p.name: float(rng.choice(p.levels or ())) for p in lab.campaign.controlled}
        row |= lab.room(rng)
        c = (row["concentration"] - 18.0) / 4.0
        Y = np.array([6.4 + 0.4 * c, row["collector_speed"] / 4000.0, -1.0, 0.2 + 0.1 * c, 0.1])
        found.append(MeasuredRun(i, None, row, Y + 0.02 * rng.standard_normal(5), 1))
    return found


@pytest.fixture(scope="module")
def matcher(runs) -> Matcher:
    return Matcher.prepare(StatisticsModel.fit(nanofibre_campaign(), runs), runs)


def test_apart_counts_in_what_is_the_same() -> None:
    assert apart(np.array([np.log(1.1), 0.0])) == pytest.approx(1.0)
    assert apart(np.array([0.0, 0.1])) == pytest.approx(1.0)
    assert apart(np.array([[np.nan, 0.0]])) == [np.inf]


def test_a_picture_fits_its_own_conditions_better_than_others(matcher, runs) -> None:
    Y = np.stack([run.Y for run in runs])
    expected = matcher.expect([run.conditions for run in runs])
    fit = matcher.fit(expected, Y)
    assert np.mean(np.argsort(-fit, axis=0)[:5] == np.arange(60), axis=1).sum() > 0.5
    likelihood_ratio = np.exp(fit).mean(axis=0)
    assert likelihood_ratio == pytest.approx(np.ones(60))  # over the runs it is beside
    for score in (for_conditions(matcher, expected, Y), for_picture(matcher, Y, Y)):
        assert score.shape == (60, 60)
    assert (np.argmax(for_picture(matcher, Y, Y), axis=1) == np.arange(60)).all()


def test_what_was_not_measured_does_not_count(matcher, runs) -> None:
    Y = np.stack([run.Y for run in runs[:4]])
    expected = matcher.expect([run.conditions for run in runs[:3]])
    Y[1, 3:] = np.nan  # no spread, no beads
    Y[2, 0] = np.nan  # no diameter
    Y[3] = np.nan
    fit = matcher.fit(expected, Y)
    assert np.isfinite(fit).all()
    assert fit[:, 3].tolist() == [0.0] * 3
    assert fit[:, 0] == pytest.approx(matcher.fit(expected, Y[:1])[:, 0])
    score = for_conditions(matcher, expected, Y)
    assert np.isfinite(score[:, :2]).all()
    assert (score[:, 2:] == -np.inf).all()
    unlike = matcher.unlikeness(Y, Y)
    assert unlike == pytest.approx(unlike.T)
    assert unlike[0, 0] == unlike[0, 3] == 0.0


def test_open_conditions_are_averaged_over_the_runs(matcher, runs) -> None:
    (some,) = matcher.expect([{"concentration": 20.0}])
    each = matcher.expect([{**run.conditions, "concentration": 20.0} for run in runs])
    assert some == pytest.approx(each.mean(axis=0))


def test_without_runs_to_learn_from_diameter_and_order_decide() -> None:
    Y = np.array([[6.0, 0.1, 0, 0, 0], [6.05, 0.1, 9, 9, 9], [6.5, 0.1, 0, 0, 0]])
    assert np.argsort(-for_picture(None, Y[:1], Y))[0].tolist() == [0, 1, 2]


def test_the_ratio_is_of_densities() -> None:
    mu, y, R = np.array([[0.0], [1.0]]), np.array([[0.3]]), np.array([[0.25]])
    t = (1.0 + (y - mu) ** 2 / 0.25 / 8.0) ** -4.5
    assert np.exp(log_ratio(mu, y, mu, R)) == pytest.approx(t / t.mean())


def test_best_score_first_then_most_similar() -> None:
    score = np.array([-np.inf, -3.0, -np.inf, -1.0])
    assert ordered(score, np.array([0.1, 0.9, 0.2, 0.0]), 4).tolist() == [3, 1, 2, 0]
    assert ordered(score, np.zeros(4), 2).tolist() == [3, 1]
