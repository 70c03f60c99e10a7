"""What a lab's own micrographs show is measured, as there is no truth to be told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.lab.render import render_known
from engine.lab.virtual import VirtualLab
from engine.previews.encoders import NM_PER_PIXEL
from engine.previews.fine_tuning import shown_on
from engine.previews.lessons import SHOWN, row_of, settings_of

SIDE = 96


@pytest.fixture(scope="module")
def measured() -> tuple[np.ndarray, list]:
    """Return what is read off four mats of the virtual lab and a blank, and the mats' truth."""
    lab, rng = VirtualLab(), np.random.default_rng(3)
    mats = lab.microstructure_columns(settings_of(lab, 4, rng))
    drawn = [
        render_known(row_of(mats, i), rng, shape=(SIDE, SIDE), nm_per_pixel=NM_PER_PIXEL)
        for i in range(4)
    ]
    blank = np.full((SIDE, SIDE), 90, dtype=np.uint8)
    tiles = np.stack([*(picture for picture, _ in drawn), blank])
    return shown_on(tiles), [truth for _, truth in drawn]


def test_it_reads_what_the_pictures_show(measured: tuple[np.ndarray, list]) -> None:
    rows, truths = measured
    assert rows.shape == (5, len(SHOWN))
    off = np.array([row[0] - math.log(t.diameter_nm) for row, t in zip(rows, truths, strict=False)])
    assert np.abs(off).max() < 0.25  # a logarithm of nm, at the encoders' scale
    assert np.median(np.abs(off)) < 0.12
    for row, truth in zip(rows, truths, strict=False):
        assert row[2] == pytest.approx(truth.order, abs=0.25)
        assert row[3] == pytest.approx(truth.porosity, abs=0.12)
        assert 0.0 <= row[1] < 1.0
        assert 0.0 <= row[4] <= 1.0


def test_what_shows_nothing_is_unknown(measured: tuple[np.ndarray, list]) -> None:
    blank = measured[0][-1]
    assert np.isnan(blank[[0, 1, 2, 4]]).all()
