"""Do new results fit what was known? Exchanged ones, unit errors, and honest ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.campaign import Campaign
from engine.campaign.history import History
from engine.refresh.suspicion import assignment, examine, power_of_ten
from engine.workspace.settings import ProposeSettings

AnyCall = Callable[..., Any]


@pytest.mark.parametrize(
    ("value", "expected", "factor"),
    [(12000.0, 12.0, 1000.0), (0.012, 12.0, 0.001), (30.0, 12.0, None), (-1.0, 2.0, None),
     (1500.0, 12.0, 100.0), (120.0, 12.0, None)],
)  # fmt: skip
def test_powers_of_ten(value: float, expected: float, factor: float | None) -> None:
    assert power_of_ten(value, expected) == factor


def test_assignment_is_standard_normal_under_chance() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        mean = rng.normal(size=(15, 2))
        found.append(assignment(mean, np.ones_like(mean), rng.normal(size=(15, 2))))
    assert abs(np.mean(found)) < 0.2
    assert np.std(found) == pytest.approx(1.0, abs=0.15)


def test_assignment_knows_the_right_one_and_bears_gaps() -> None:
    rng = np.random.default_rng(1)
    mean = rng.normal(size=(15, 2))
    result = mean + 0.2 * rng.normal(size=(15, 2))
    result[3, 1] = np.nan
    assert assignment(mean, np.full_like(mean, 0.2), result) > 3
    assert assignment(np.ones((5, 1)), np.ones((5, 1)), np.ones((5, 1))) == 0.0


@pytest.mark.parametrize("seed", [0, 1])
def test_the_three(
    nanofibre: Campaign, lab_runs: AnyCall, shuffled: AnyCall, scaled: AnyCall, seed: int
) -> None:
    runs = lab_runs(80, seed=seed)
    old, new = History(nanofibre, tuple(runs[:60])), runs[60:]
    settings = ProposeSettings()
    honest = examine(old, new, settings)
    assert honest.disbelief is None
    assert honest.outliers == ()
    assert examine(old, shuffled(new), settings).disbelief is not None
    wrong = examine(old, scaled(new, 1000.0), settings)
    assert wrong.disbelief is not None
    assert "1000 times too large" in wrong.disbelief
    assert len(wrong.suspects) == 20


def test_too_few_to_tell(nanofibre: Campaign, lab_runs: AnyCall, scaled: AnyCall) -> None:
    runs = lab_runs(20)
    old = History(nanofibre, tuple(runs[:10]))
    found = examine(old, scaled(runs[10:], 1000.0), ProposeSettings())
    assert (found.outliers, found.disbelief) == ((), None)
