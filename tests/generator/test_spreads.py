from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage as ndi

from generator.ground import DOUBTFUL, find_ground, ground_index
from generator.judge import CENTRES, FIRST_BIN
from generator.outlines import Outlines
from generator.reading import read
from generator.spreads import class_diameters, outline_neighbours, spread_of
from generator.statistics import measure

WIDTH = 9.0


@pytest.fixture(scope="module")
def bars() -> np.ndarray:
    """Bright bars of one width on a dark ground, with soft edges and a little noise."""
    y, x = np.mgrid[:220, :260].astype(float)
    off = (np.cos(0.5) * y - np.sin(0.5) * x + 1.5 * WIDTH) % (3.0 * WIDTH) - 1.5 * WIDTH
    noise = np.random.default_rng(1).normal(0.0, 3.0, y.shape)
    return (40.0 + 120.0 * np.clip(0.5 * WIDTH - np.abs(off) + 0.5, 0.0, 1.0) + noise).astype("f4")


def test_blur_and_noise_do_not_spread_the_diameters(bars: np.ndarray) -> None:
    soft = ndi.gaussian_filter(bars, 2.0) + np.random.default_rng(2).normal(0.0, 3.0, bars.shape)
    reading, _ = read(soft.astype(np.float32))
    mean = np.average(CENTRES, weights=reading.lengths)
    shares = np.sqrt(np.average((CENTRES - mean) ** 2, weights=reading.lengths)) / mean
    spread = spread_of(reading)
    assert spread is not None
    assert spread < 0.06
    assert shares > 0.08


def test_beads_taken_for_thick_fibres_do_not_spread_the_diameters(
    bars: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, _ = read(bars)
    thick = np.zeros_like(reading.shares)
    thick[FIRST_BIN + int(np.argmin(np.abs(CENTRES - 25.0)))] = reading.shares[FIRST_BIN:].sum()
    few, many = (
        replace(reading, shares=(1.0 - part) * reading.shares + part * thick) for part in (0.1, 0.4)
    )
    assert spread_of(few) > 0.25
    monkeypatch.setattr("generator.spreads.bead_fraction_of", lambda _: 0.2)
    assert spread_of(few) == pytest.approx(spread_of(reading), abs=0.05)
    assert spread_of(many) > 0.3  # as many are a population


def test_the_spread_told_is_that_of_the_only_population(bars: np.ndarray) -> None:
    spread, statistics = spread_of(read(bars)[0]), measure(bars).statistics
    assert statistics.diameter.sd == pytest.approx(spread * statistics.diameter.mean)
    (one,) = statistics.populations
    assert one.sd == pytest.approx(statistics.diameter.sd)


@pytest.mark.parametrize("spread", [0.04, 0.2])
def test_classes_spread_as_told_and_keep_their_mean(bars: np.ndarray, spread: float) -> None:
    reading, _ = read(bars)
    moved, lengths = class_diameters(reading, spread), reading.lengths
    mean = np.average(moved, weights=lengths)
    assert mean == pytest.approx(np.average(CENTRES, weights=lengths))
    cv = np.sqrt(np.average((moved - mean) ** 2, weights=lengths)) / mean
    assert cv == pytest.approx(spread, rel=0.5)
    assert (np.diff(moved) > 0).all()
    assert (class_diameters(reading, None) == CENTRES).all()


def test_edges_of_an_arc_are_of_one_outline_and_those_beside_it_are_not() -> None:
    angles = np.linspace(0.0, 0.2, 6)
    edges = [(radius, angle) for radius in (150.0, 158.0) for angle in angles]
    radius, angle = np.array(edges).T
    down, right = np.sin(angle), np.cos(angle)
    outlines = Outlines(radius * down, radius * right, down, right, np.full(12, 8.0))
    joined = outline_neighbours(outlines).toarray() > 0
    assert joined[:6, :6].sum() == 30  # all but each with itself
    assert not joined[:6, 6:].any()
    assert (joined == joined.T).all()


def dark_parts(*, textured: bool, noise: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Bright bars both ways; between them flat ground, or dark bars that lie deeper."""
    y, x = np.mgrid[:240, :240]
    bright = ((x % 24) < 12) | ((y % 30) < 12)
    deep = 14.0 * np.sin(2.0 * np.pi * (x + y) / 7.0) if textured else 0.0
    grey = np.where(bright, 160.0, 30.0 + deep)
    grey = grey + np.random.default_rng(0).normal(0.0, noise, grey.shape)
    return grey.astype(np.float32), ~bright


def test_deep_fibres_are_no_flat_ground() -> None:
    index = {}
    for textured in (False, True):
        grey, dark = dark_parts(textured=textured)
        index[textured] = ground_index(grey, dark, 12.0, float(dark.mean()))
    assert index[False] < DOUBTFUL < 0.5 < index[True]
    flat, textured = (find_ground(dark_parts(textured=t)[0], 12.0, 0.0) for t in (False, True))
    assert flat.doubts == ()
    assert flat.error == 0.0
    assert textured.error > 0.02
    assert any("ground" in doubt for doubt in textured.doubts)


def test_a_darker_flat_ground_is_taken_instead() -> None:
    grey, dark = dark_parts(textured=True)
    hole = np.zeros_like(dark)
    hole[60:150, 60:150] = True
    grey[hole & dark] = np.random.default_rng(2).normal(2.0, 1.0, int((hole & dark).sum()))
    ground = find_ground(grey, 12.0, 0.0)
    assert ground.mask[hole & dark].mean() > 0.8
    assert ground.mask[~hole].mean() < 0.1
