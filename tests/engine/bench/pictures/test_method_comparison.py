"""The second renderer tells the truth, and each way of measuring measures what is plain."""

from __future__ import annotations

import math
from importlib.util import find_spec

import numpy as np
import pytest

from engine.bench.pictures.cylinders import FINE, GROUPS, Look, draw, look_of
from engine.bench.pictures.method_comparison import Verdict, lines_of

SHAPE = (128, 160)


def sparse(diameter: float, cv: float = 0.1) -> Look:
    return Look(((diameter, cv, 1.0),), layers=0.3, blur=0.5, electrons=300.0, rim=1.5, order=0.5,
                shape=SHAPE)  # fmt: skip


def test_a_picture_and_its_truth_are_the_same_again() -> None:
    pictures = [draw(sparse(8.0), np.random.default_rng(3)) for _ in range(2)]
    assert (pictures[0][0] == pictures[1][0]).all()
    assert pictures[0][1] == pictures[1][1]
    assert pictures[0][0].shape == SHAPE


@pytest.mark.parametrize("diameter", [4.0, 12.0])
def test_what_is_covered_is_as_wide_as_the_truth_says(diameter: float) -> None:
    """A threshold half way between ground and fibre covers the share that the truth tells."""
    picture, truth = draw(sparse(diameter, cv=0.02), np.random.default_rng(1))
    assert truth.diameter == pytest.approx(diameter, rel=0.05)
    ground = float(np.median(picture))
    covered = float((picture > ground + 0.35 * (np.quantile(picture, 0.97) - ground)).mean())
    assert covered == pytest.approx(1.0 - truth.porosity, rel=0.1)
    assert truth.bead_fraction == 0.0
    assert FINE > 1


def test_a_mats_mean_is_that_of_its_populations() -> None:
    look = Look(((6.0, 0.1, 0.5), (18.0, 0.1, 0.5)), 1.0, 0.5, 100.0, 1.0, 0.0)
    assert look.diameter == pytest.approx(12.0)
    assert look.diameter_sd == pytest.approx(math.sqrt(36.0 + 0.01 * (36 + 324) / 2))


@pytest.mark.parametrize("group", GROUPS)
def test_groups_are_what_they_are_called(group: str) -> None:
    looks = [look_of(group, np.random.default_rng(seed)) for seed in range(20)]
    limits = {
        "thin": lambda look: 3 <= look.diameter <= 5,
        "blurred": lambda look: look.blur >= 2,
        "noisy": lambda look: look.electrons <= 15,
        "bimodal": lambda look: len(look.modes) == 2,
        "dense": lambda look: look.layers >= 5,
        "ordinary": lambda look: look.diameter >= 6 and look.layers <= 3 and look.blur < 1,
    }
    assert all(limits[group](look) for look in looks)


@pytest.mark.skipif(find_spec("skimage") is None, reason="needs the extra `peers`")
@pytest.mark.parametrize("method", ["ours", "way of DiameterJ", "way of SIMPoly", "way of GIFT"])
def test_every_way_measures_a_plain_picture(method: str) -> None:
    from engine.bench.pictures.fibre_methods import METHODS

    picture, truth = draw(sparse(9.0), np.random.default_rng(2))
    measured = METHODS[method](picture)
    assert measured.mean == pytest.approx(truth.diameter, rel=0.1 if method == "ours" else 0.4)
    assert math.isnan(measured.error) == (method != "ours")


def test_what_was_not_measured_counts_as_missed() -> None:
    nan = float("nan")
    rows = [Verdict("g", "m", *values) for values in
            ((0.04, 1.0, 0.5, 1.0), (-0.08, 0.8, 2.0, 1.0), (nan, nan, nan, 1.0))]  # fmt: skip
    (line,) = lines_of(rows)
    assert (line.n, line.median_error) == (3, 0.08)
    assert (line.within_5, line.within_10) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert line.sd_ratio == pytest.approx(0.9)
    assert line.within_interval == pytest.approx(1 / 3)
