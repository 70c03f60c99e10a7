from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from generator.sharpness import HAZY, blur_of


def edges_of(blur: float, noise: float, side: int = 240) -> np.ndarray:
    """Slanted edges far apart, blurred as told, with white noise."""
    y, x = np.mgrid[: 4 * side, : 4 * side] / 4.0
    picture = ((x + 0.3 * y) % 80.0 < 40.0) * 100.0
    small = picture.reshape(side, 4, side, 4).mean(axis=(1, 3))
    soft = ndi.gaussian_filter(small, blur) if blur else small
    rng = np.random.default_rng(0)
    return (soft + noise * rng.standard_normal(small.shape)).astype(np.float32)


@pytest.mark.parametrize("blur", [1.5, 2.5, 4.0])
@pytest.mark.parametrize("noise", [0.0, 4.0])
def test_the_blur_of_single_edges_is_told(blur, noise):
    assert blur_of(edges_of(blur, noise), 12.0) == pytest.approx(blur, rel=0.15)


def test_brightness_does_not_matter_and_sharp_pictures_have_no_blur():
    picture = edges_of(2.0, 3.0)
    assert blur_of(7.0 * picture + 30.0, 12.0) == pytest.approx(blur_of(picture, 12.0), rel=1e-3)
    fibres = np.tile(np.arange(240) % 12 < 5, (240, 1)).astype(np.float32)
    assert blur_of(fibres, 5.0) < 0.0


def test_a_picture_without_slopes_is_haze():
    assert blur_of(np.full((40, 40), 3.0, dtype=np.float32), 8.0) == HAZY
