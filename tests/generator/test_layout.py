"""Mats laid by rule show what they are to show; sketches of pictures tell where fibres lie."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from generator.grain import grain_of, grained
from generator.layout import STATISTICS, lay, layers_of
from generator.prior import N_SHOWN
from generator.sketches import Softening, sketched

NM, SIDE = 120.0, 64


def asked(
    diameter: float = 600.0, order: float = 0.0, porosity: float = 0.2, beads: float = 0.0
) -> np.ndarray:
    return np.array([math.log(diameter), 0.2, order, porosity, beads, 3.0])


class TestLayout:
    @pytest.mark.parametrize(
        ("diameter", "order", "porosity"),
        [(300.0, 0.0, 0.1), (500.0, 0.8, 0.3), (900.0, -0.4, 0.2), (700.0, 0.95, 0.05)],
    )
    def test_shows_what_it_is_to_show(self, diameter: float, order: float, porosity: float) -> None:
        mats = [lay(asked(diameter, order, porosity), SIDE, NM, seed) for seed in range(6)]
        ratios = [mat.diameter_nm / diameter for mat in mats]
        assert np.mean(ratios) == pytest.approx(1.0, abs=0.03)
        assert np.std(ratios) < 0.1
        assert np.mean([mat.order for mat in mats]) == pytest.approx(order, abs=0.06)
        # No picture of thick fibres is covered to the per cent: one fibre more is a step.
        step = 0.25 * diameter / (NM * SIDE)
        assert [mat.porosity for mat in mats] == pytest.approx([porosity] * 6, abs=step + 0.02)

    def test_what_it_tells_is_what_the_picture_shows(self) -> None:
        for seed in range(4):
            mat = lay(asked(900.0, 0.0, 0.4), SIDE, NM, seed)
            # The ground is 0.12, the faintest fibre 0.26 (0.4 × 0.66).
            assert (mat.grey < 0.16).mean() == pytest.approx(mat.porosity, abs=0.06)

    def test_what_is_covered_by_luck_has_no_more_layers(self) -> None:
        # Thick fibres in a small window: what little air there is says little of the mat.
        assert 2.5 < layers_of(0.015, 0.08) < 3.2
        assert layers_of(0.015, 0.001) == pytest.approx(-math.log(0.015), rel=0.05)
        assert layers_of(0.4, 0.1) > -math.log(0.4)

    @pytest.mark.parametrize("porosity", [0.015, 0.05, 0.4])
    def test_some_are_moved_until_the_air_is_right(self, porosity: float) -> None:
        mats = [lay(asked(600.0, 0.2, porosity), SIDE, NM, seed).porosity for seed in range(4)]
        assert mats == pytest.approx([porosity] * 4, abs=0.012)

    def test_follows_from_the_seed(self) -> None:
        one, same, other = (lay(asked(), SIDE, NM, seed).grey for seed in (1, 1, 2))
        assert (one == same).all()
        assert (one != other).any()

    def test_magnified_it_is_the_same_mat(self) -> None:
        near = lay(asked(600.0), SIDE, 60.0, 3)
        far = lay(asked(1200.0), SIDE, 120.0, 3)
        assert np.allclose(near.grey, far.grey, atol=1e-4)

    def test_beads_cover_their_share(self) -> None:
        plain, beaded = (
            np.mean([(lay(asked(500.0, 0.0, 0.5, b), SIDE, NM, s).grey > 0.16).mean()
                     for s in range(6)]) for b in (0.0, 0.3)
        )  # fmt: skip
        # Porosity is as asked with beads as without.
        assert beaded == pytest.approx(plain, abs=0.04)

    @pytest.mark.parametrize(
        "shown",
        [
            (50.0, 0.2, 0.0, 0.2, 0.0, 0.0),
            (-9.0, 0.2, 0.0, 0.9, 0.0, 0.0),
            (6.0, -1.0, 3.0, -0.5, -0.2, -3.0),
            (6.0, 9.0, -3.0, 1.5, 2.0, 9.0),
        ],
        ids=["thick", "thin", "below", "above"],
    )
    def test_what_cannot_be_becomes_what_can(self, shown: tuple[float, ...]) -> None:
        mat = lay(np.array(shown), SIDE, NM, 0)
        assert mat.grey.shape == (SIDE, SIDE)
        assert np.isfinite(mat.grey).all()
        assert 0.0 <= mat.porosity <= 1.0

    def test_reads_as_many_as_the_prior_tells(self) -> None:
        assert len(STATISTICS) == N_SHOWN


def luck(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestSketches:
    mats = torch.stack([torch.from_numpy(lay(asked(), SIDE, NM, seed).grey) for seed in range(3)])

    def test_instruments_change_little(self) -> None:
        plain = Softening.least(torch.zeros(3, SIDE, SIDE))
        one = sketched(self.mats, plain)
        brighter = sketched((0.6 * self.mats + 0.3).clamp(0, 1), plain)
        assert torch.allclose(one, brighter, atol=0.05)
        assert one.mean(dim=(1, 2)).abs().max() < 1e-5
        assert torch.allclose(one.std(dim=(1, 2)), torch.full((3,), 0.5), atol=1e-3)

    def test_differ_by_chance_and_still_tell_where_fibres_lie(self) -> None:
        one, other = (sketched(self.mats, Softening.drawn(3, SIDE, luck(seed))) for seed in (1, 2))
        assert (one != other).any()
        for a, b in zip(one, other, strict=True):
            assert np.corrcoef(a.flatten(), b.flatten())[0, 1] > 0.75

    def test_nothing_to_see(self) -> None:
        blank = sketched(torch.full((1, 16, 16), 0.4), Softening.drawn(1, 16, luck()))
        assert torch.isfinite(blank).all()


class TestGrain:
    @pytest.mark.parametrize("sd", [2.0, 5.0, 10.0])
    def test_is_measured_and_added(self, sd: float) -> None:
        mats = (TestSketches.mats * 200.0).round().to(torch.uint8)
        noise = torch.randn(mats.shape, generator=luck(4))
        noisy = grained(mats, torch.full((3,), sd), noise)
        # Edges add to it, the smoothest places are the least noisy ones.
        assert grain_of(noisy).mean() == pytest.approx(sd, rel=0.35)

    def test_none_is_none(self) -> None:
        flat = torch.full((1, 32, 32), 90, dtype=torch.uint8)
        assert float(grain_of(flat)) == 0.0
        assert (grained(flat, torch.tensor([-1.0]), torch.ones(1, 32, 32)) == flat).all()
