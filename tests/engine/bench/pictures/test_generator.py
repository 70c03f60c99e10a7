"""The benchmark of the generator: its distances, and a toy run of all of it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.bench.pictures.generator import GeneratorBenchConfig
from engine.bench.pictures.generator_scores import (
    Looks,
    circular,
    correlation,
    kernel_distance,
    nearest_distances,
    pair_distances,
    ratio,
    set_distances,
)
from engine.errors import UsageError


def shown(diameter: float, order: float = 0.0, porosity: float = 0.1, n: int = 2) -> Looks:
    quantiles = np.full((n, 5), diameter)
    directions = np.zeros((n, 18))
    directions[:, 0] = 1.0
    means = np.tile([diameter, order, porosity], (n, 1))
    return Looks(quantiles, directions, means)


class TestDistances:
    def test_of_pairs(self) -> None:
        found = pair_distances(shown(500.0), shown(560.0, porosity=0.3))
        assert found == pytest.approx([60.0, 0.0, 0.2])

    def test_of_sets(self) -> None:
        assert set_distances(shown(500.0, 0.1), shown(560.0, 0.3)) == pytest.approx(
            [60.0, 0.2, 0.0]
        )

    def test_on_the_circle(self) -> None:
        def at(place: int) -> np.ndarray:
            histogram = np.zeros(18)
            histogram[place] = 1.0
            return histogram

        assert circular(at(0) - at(1)) == pytest.approx(10.0)
        assert circular(at(0) - at(17)) == pytest.approx(10.0)  # 0° and 170° are neighbours
        assert circular(at(0) - at(9)) == pytest.approx(90.0)

    def test_a_picture_without_fibres_is_left_out(self) -> None:
        one = shown(500.0)
        one.quantiles[0], one.averages[0, 0] = np.nan, np.nan
        assert pair_distances(one, shown(510.0))[0] == pytest.approx(10.0)

    def test_ratio(self) -> None:
        found = ratio(np.array([2.0, 4.0, np.nan]), np.array([1.0, 2.0, 9.0]))
        assert found == {"ratio": 2.0, "lower": 2.0, "upper": 2.0}
        assert np.isnan(ratio(np.array([1.0]), np.array([0.0]))["ratio"])

    def test_correlation(self) -> None:
        assert correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])) == 1.0
        assert np.isnan(correlation(np.array([1.0, np.nan]), np.array([2.0, 4.0])))

    def test_kernel_distance(self) -> None:
        rng = np.random.default_rng(0)
        x, y = rng.standard_normal((2, 400, 4))
        assert abs(kernel_distance(x, y)) < 0.2
        assert kernel_distance(x, y + 1.0) > 1.0

    def test_what_was_learnt_by_heart_is_found_mirrored_too(self) -> None:
        training = np.random.default_rng(0).integers(0, 256, (5, 16, 16), dtype=np.uint8)
        found = nearest_distances(np.flip(training, 2), training)
        assert found == pytest.approx(np.zeros(5), abs=0.05)


@pytest.mark.parametrize("words", [{"n": 2}, {"pictures": 1}, {"slow": -1}])
def test_sizes_that_cannot_be(words: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="expected"):
        GeneratorBenchConfig(**words)
