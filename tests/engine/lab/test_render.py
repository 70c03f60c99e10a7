from __future__ import annotations

import time

import numpy as np
import pytest

from engine.lab.physics import Microstructure
from engine.lab.render import render


def mat(**changes):
    values = {
        "diameter_nm": 600.0, "diameter_cv": 0.2, "order": 0.1,
        "porosity": 0.75, "bead_fraction": 0.0, "fusion": 0.2,
    }  # fmt: skip
    return Microstructure(**{k: np.asarray(v) for k, v in {**values, **changes}.items()})


def picture(shape=(96, 96), seed=0, nm_per_pixel=60.0, **changes):
    return render(
        mat(**changes), np.random.default_rng(seed), shape=shape, nm_per_pixel=nm_per_pixel
    )


def gradient_order(image):
    """⟨cos 2θ⟩ of the edges' directions, by the structure tensor: > 0 lies along the width."""
    gy, gx = np.gradient(image.astype(float))
    return ((gy**2 - gx**2).sum()) / ((gy**2 + gx**2).sum())


@pytest.mark.parametrize("shape", [(1, 1), (16, 40), (64, 64), (200, 120)])
def test_any_shape(shape):
    image = picture(shape)
    assert image.shape == shape
    assert image.dtype == np.uint8


def test_same_generator_same_picture():
    assert np.array_equal(picture(seed=4), picture(seed=4))
    assert not np.array_equal(picture(seed=4), picture(seed=5))


def test_ordered_mats_look_ordered():
    orders = [
        np.mean([gradient_order(picture(seed=s, order=order)) for s in range(6)])
        for order in (-0.6, 0.0, 0.6)
    ]
    assert orders[0] < -0.2 < orders[1] < 0.2 < orders[2]


def test_scale_is_true():
    """Twice the diameter at twice the nanometres per pixel is the same picture."""
    fine = picture(diameter_nm=600.0, nm_per_pixel=60.0)
    coarse = picture(diameter_nm=1200.0, nm_per_pixel=120.0)
    assert np.array_equal(fine, coarse)


def test_thin_fibres_make_finer_texture():
    def roughness(image):
        return np.abs(np.diff(image.astype(float), axis=0)).mean()

    assert roughness(picture(diameter_nm=250.0)) > roughness(picture(diameter_nm=1500.0))


def test_dense_mats_hide_the_background():
    dark = [np.mean(picture((128, 128), seed=1, porosity=p) < 50) for p in (0.6, 0.9)]
    assert dark[0] < dark[1]


def test_beads_change_the_picture():
    assert not np.array_equal(picture(bead_fraction=0.0), picture(bead_fraction=0.3))


def test_a_small_picture_takes_milliseconds():
    started = time.process_time()
    for seed in range(5):
        picture((64, 64), seed=seed)
    assert (time.process_time() - started) / 5 < 0.2


@pytest.mark.parametrize(("shape", "scale"), [((0, 4), 60.0), ((4, 4), 0.0), ((4, 4), -1.0)])
def test_refuses_what_cannot_be_drawn(shape, scale):
    with pytest.raises(ValueError, match="expected a shape"):
        picture(shape, nm_per_pixel=scale)
