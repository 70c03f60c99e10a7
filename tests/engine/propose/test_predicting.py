"""Predictions: intervals, what drives them, and what is said of conditions far from all data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.campaign.history import History
from engine.errors import DataError, UsageError
from engine.predictions import predict as predicting
from engine.predictions.predict import ask, remoteness, what_drives
from engine.propose.forecaster import Forecaster
from engine.workspace.settings import ProposeSettings
from surrogate.gp import prior_variances

HERE = {"a": 0.5, "b": 1.0, "room": 20.0}


@pytest.fixture
def forecaster(history: History, quick: ProposeSettings) -> Forecaster:
    return Forecaster.fit(history, quick)


def test_the_interval_grows_with_its_level(forecaster: Forecaster, history: History) -> None:
    narrow = ask(forecaster, history, [HERE], 0.5).rows[0].outcomes["strength"]
    wide = ask(forecaster, history, [HERE], 0.95).rows[0].outcomes["strength"]
    assert wide.lower < narrow.lower < narrow.mean < narrow.upper < wide.upper


def test_intervals_hold_the_truth(forecaster: Forecaster, history, true_outcomes) -> None:
    rng = np.random.default_rng(3)
    rows = [
        {"a": rng.random(), "b": 2 * rng.random(), "room": 10 + 20 * rng.random()}
        for _ in range(40)
    ]
    found = ask(forecaster, history, rows, 0.9, drives=False)
    inside = [
        p.outcomes[o].lower <= true_outcomes(row)[o] <= p.outcomes[o].upper
        for row, p in zip(rows, found.rows, strict=True)
        for o in ("strength", "stretch")
    ]
    assert np.mean(inside) > 0.8


def test_what_drives_an_outcome_is_ranked_and_signed(forecaster: Forecaster) -> None:
    drives = what_drives(forecaster, [HERE])[0]["stretch"]
    assert drives[0].parameter == "a"
    assert [d.span for d in drives] == sorted((d.span for d in drives), reverse=True)
    a = drives[0]
    assert a.change == pytest.approx(-2.5, abs=0.6)
    assert a.is_monotone
    assert a.best == 0.0
    b = next(d for d in drives if d.parameter == "b")
    assert not b.is_monotone
    assert 0.75 <= float(b.best) <= 1.75
    assert b.span > abs(b.change or 0.0)


def test_choices_are_tried_one_by_one(mixture_history: History, quick: ProposeSettings) -> None:
    forecaster = Forecaster.fit(mixture_history, quick)
    row = {"x": 0.4, "y": 0.3, "z": 0.3, "solvent": "water"}
    drives = ask(forecaster, mixture_history, [row], 0.9).rows[0].drives["v"]
    solvent = next(d for d in drives if d.parameter == "solvent")
    assert solvent.change is None
    assert solvent.best == "water"
    assert solvent.span > 0.2


def test_remoteness_rises_from_the_data_to_the_prior(forecaster, history: History) -> None:
    at_runs = remoteness(forecaster, [run.conditions for run in history.finished])
    nowhere = {"a": 40.0, "b": -80.0, "room": 900.0}
    far = remoteness(forecaster, [nowhere])[0]
    assert max(at_runs) < predicting.REMOTE < far
    assert far == pytest.approx(1.0, abs=0.02)
    row = ask(forecaster, history, [nowhere], 0.9).rows[0]
    assert any("far from all data" in warning for warning in row.warnings)
    assert sum("outside the range searched" in warning for warning in row.warnings) == 3
    assert ask(forecaster, history, [HERE], 0.9).rows[0].warnings == ()


def test_the_prior_of_separate_outcomes(history: History, quick: ProposeSettings) -> None:
    together = Forecaster.fit(history, quick)
    X = together.space.encode([HERE], together.data.fill)
    points = torch.from_numpy(X)
    each = [prior_variances(together.model.subset_output([i]), points) for i in range(2)]
    torch.testing.assert_close(torch.cat(each, dim=1), prior_variances(together.model, points))


def test_a_room_not_stated_is_the_mean_reading_and_told(forecaster, history: History) -> None:
    found = ask(forecaster, history, [{"a": 0.5, "b": 1.0}, HERE], 0.9, drives=False)
    mean = np.mean([run.conditions["room"] for run in history.finished])
    assert found.rows[0].conditions["room"] == pytest.approx(mean)
    assert (found.rows[0].assumed, found.rows[1].assumed) == (("room",), ())
    assert any("room not stated in 1 of 2 rows" in note for note in found.notes)


def test_many_rows_are_predicted_without_their_drives(forecaster, history: History) -> None:
    found = ask(forecaster, history, [HERE] * (predicting.MAX_DRIVEN_ROWS + 1), 0.9)
    assert found.rows[-1].drives == {}
    assert any("up to 100 rows" in note for note in found.notes)


def test_what_cannot_be_asked() -> None:
    with pytest.raises(UsageError, match="at least one row"):
        predicting._check([], None)
    with pytest.raises(UsageError, match="at most 10000 rows"):
        predicting._check([HERE] * 10_001, None)
    with pytest.raises(UsageError, match="above 0 and below 1"):
        predicting._check([HERE], 1.0)


def test_a_missing_setting_is_named(forecaster: Forecaster, history: History) -> None:
    with pytest.raises(DataError, match="expected a value for b"):
        ask(forecaster, history, [{"a": 0.5}], 0.9)
