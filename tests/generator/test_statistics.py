from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage as ndi

from engine.lab.physics import Microstructure
from engine.lab.render import render_known
from generator.beads import _united
from generator.estimates import inside_fibres
from generator.overlay import overlay
from generator.pores import air, least_error_threshold, pore_diameters
from generator.reading import HANDY_PX
from generator.standard_errors import HAZY, METHOD_ERROR, UNLIKE, Weakness
from generator.statistics import Distribution, Shown, glance, measure


def drawn(seed=0, nm_per_pixel=60.0, shape=(160, 160), **changes):
    values = {
        "diameter_nm": 620.0, "diameter_cv": 0.2, "order": 0.1,
        "porosity": 0.78, "bead_fraction": 0.0, "fusion": 0.2,
    }  # fmt: skip
    mat = Microstructure(**{k: np.asarray(v) for k, v in {**values, **changes}.items()})
    rng = np.random.default_rng(seed)
    return render_known(mat, rng, shape=shape, nm_per_pixel=nm_per_pixel)


def stripes(width_px: float, angle_deg: float, shape=(200, 240), gap=3.0):
    """Bright bars of one width on a dark ground, with soft edges and a little noise."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    angle = np.radians(angle_deg)
    across = y * np.cos(angle) - x * np.sin(angle)
    period = gap * width_px
    off = np.abs((across + 0.5 * period) % period - 0.5 * period)
    noise = np.random.default_rng(1).normal(0.0, 3.0, shape)
    return 40.0 + 120.0 * np.clip(0.5 * width_px - off + 0.5, 0.0, 1.0) + noise


@pytest.mark.parametrize("width", [5.0, 9.0, 14.0])
@pytest.mark.parametrize("angle", [0.0, 27.0, 90.0, 140.0])
def test_bars_of_one_width_and_direction(width, angle):
    found = measure(stripes(width, angle)).statistics
    assert found.diameter.mean == pytest.approx(width, rel=0.08)
    assert found.order == pytest.approx(np.cos(2 * np.radians(angle)), abs=0.05)
    assert found.porosity == pytest.approx(2 / 3, abs=0.05)
    assert found.unit == "px"


def test_the_rotation_axis_turns_the_order():
    flat = stripes(9.0, 0.0)
    along, across = (measure(flat, rotation_axis=axis).statistics for axis in ("x", "y"))
    assert along.order == pytest.approx(-across.order)
    assert along.diameter == across.diameter


@pytest.mark.parametrize("seed", range(3))
def test_a_drawn_mat_is_measured_as_it_is(seed):
    picture, truth = drawn(seed, shape=(256, 256))
    found = measure(picture, 60.0).statistics
    assert found.diameter.mean == pytest.approx(truth.diameter_nm, rel=0.15)
    assert found.order == pytest.approx(truth.order, abs=0.12)
    assert found.porosity == pytest.approx(truth.porosity, abs=0.05)
    assert found.unit == "nm"
    assert sum(found.directions) == pytest.approx(1.0)


def test_units_scale_with_the_pixel():
    picture, _ = drawn()
    in_px, in_nm = measure(picture).statistics, measure(picture, 60.0).statistics
    assert in_nm.diameter.mean == pytest.approx(60.0 * in_px.diameter.mean)
    assert in_nm.pore.quantiles == pytest.approx([60.0 * v for v in in_px.pore.quantiles])
    assert in_nm.order == in_px.order


def test_brightness_does_not_matter():
    picture, _ = drawn()
    plain = measure(picture).statistics
    deep = measure(picture.astype(float) * 200.0 + 900.0).statistics
    assert deep.diameter.mean == pytest.approx(plain.diameter.mean, rel=1e-3)
    assert deep.porosity == pytest.approx(plain.porosity, abs=1e-3)


@pytest.mark.parametrize("factor", [1e-12, 1e-7, 1e7, 1e20])
def test_detectors_count_in_any_unit(factor):
    grey = drawn(shape=(120, 120))[0].astype(np.float32)
    plain = measure(grey, 60.0).statistics
    scaled = measure(grey * np.float32(factor), 60.0).statistics
    assert scaled.diameter.mean == pytest.approx(plain.diameter.mean, rel=0.02)
    assert scaled.porosity == pytest.approx(plain.porosity, abs=0.01)


def test_statistics_go_through_json():
    picture, _ = drawn()
    found = measure(picture, 60.0).statistics
    document = json.loads(json.dumps(found.as_json()))
    assert document["unit"] == "nm"
    assert document["diameter"]["mean"] == found.diameter.mean
    assert tuple(document["diameter"]["quantiles"]) == found.diameter.quantiles
    assert tuple(document["directions"]) == found.directions
    assert document["standard_errors"] == found.standard_errors
    assert document["version"] == found.version


def test_nothing_to_measure_is_told_as_nothing():
    found = measure(np.full((40, 40), 7.0)).statistics
    assert (found.diameter.n, found.diameter.mean, found.order) == (0, None, None)
    assert (found.porosity, found.n_beads) == (None, 0)


@pytest.mark.parametrize(
    ("picture", "scale", "words"),
    [
        (np.zeros((8, 40)), None, "at least 16"),
        (np.zeros((40, 40, 3)), None, "at least 16"),
        (np.full((40, 40), np.nan), None, "finite"),
        (np.zeros((40, 40)), 0.0, "above 0"),
    ],
)
def test_what_cannot_be_measured_is_refused(picture, scale, words):
    with pytest.raises(ValueError, match=words):
        measure(picture, scale)
    with pytest.raises(ValueError, match="rotation axis"):
        measure(np.zeros((40, 40)), rotation_axis="z")


def test_the_overlay_shows_the_picture():
    picture, _ = drawn()
    drawn_over = overlay(measure(picture, 60.0))
    assert drawn_over.shape == (*picture.shape, 3)
    assert drawn_over.dtype == np.uint8
    assert (drawn_over[..., 0] != drawn_over[..., 2]).any()
    assert overlay(measure(np.full((40, 40), 7.0))).shape == (40, 40, 3)


def test_pores_are_circles_of_their_area():
    mask = np.zeros((30, 30), dtype=bool)
    mask[5:10, 5:10] = True
    mask[:3, 20:25] = True  # cut by the border
    assert pore_diameters(mask) == pytest.approx([2 * np.sqrt(25 / np.pi)])


def test_the_threshold_of_least_error_parts_unlike_classes():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(20, 2, 500), rng.normal(120, 30, 9500)]).reshape(100, 100)
    assert 25 < least_error_threshold(values.astype(np.float32)) < 55
    assert least_error_threshold(np.full((9, 9), 3.0, dtype=np.float32)) is None


def test_a_beaded_mat_shows_more_beads_than_a_plain_one():
    plain, beaded = (drawn(2, shape=(256, 256), bead_fraction=share)[0] for share in (0.0, 0.6))
    found = [measure(picture, 60.0).statistics for picture in (plain, beaded)]
    assert found[0].bead_fraction < 0.05 < found[1].bead_fraction
    assert found[1].n_beads > found[0].n_beads


def test_a_dense_mat_has_a_porosity():
    picture, truth = drawn(porosity=0.3, shape=(192, 192))
    found = measure(picture, 60.0).statistics
    assert truth.porosity < 0.01
    assert found.porosity == pytest.approx(truth.porosity, abs=0.05)


@pytest.mark.parametrize("side", [16, 33, 64, 128])
def test_tiles_are_measured(side):
    picture, _ = drawn(shape=(side, side))
    found = measure(picture, 60.0).statistics
    assert found.diameter.mean is None or 100 < found.diameter.mean < 3000
    assert 0.0 <= found.porosity <= 1.0
    assert json.loads(json.dumps(found.as_json()))["version"] == found.version
    assert (found.standard_errors["porosity"] is None) == (side < 64)


def test_standard_errors_fall_with_the_picture():
    small, large = (measure(drawn(3, shape=(n, n))[0], 60.0).statistics for n in (96, 384))
    for name in ("order", "porosity"):
        assert 0 < large.standard_errors[name] < small.standard_errors[name]


def test_thick_fibres_are_looked_at_from_afar():
    small, _ = drawn(shape=(160, 160))
    large = np.kron(small, np.ones((4, 4)))
    near, far = measure(small, 60.0), measure(large, 15.0)
    assert far.reading.scale > near.reading.scale
    assert far.statistics.diameter.mean == pytest.approx(near.statistics.diameter.mean, rel=0.15)


def test_distributions_weigh():
    weighed = Distribution.of(np.array([1.0, 3.0]), np.array([3.0, 1.0]))
    assert (weighed.n, weighed.mean) == (2, 1.5)
    assert Distribution.of(np.zeros(0)) == Distribution(0)


def test_air_is_the_darkest_of_more_than_two_classes():
    rng = np.random.default_rng(0)
    shares = ((25, 3, 600), (90, 8, 3000), (140, 10, 6400))  # ground, far and near fibres
    values = np.concatenate([rng.normal(grey, sd, n) for grey, sd, n in shares]).reshape(100, 100)
    assert 32 < least_error_threshold(values.astype(np.float32)) < 70


def test_air_of_a_picture_without_classes_is_what_is_nearly_black():
    ramp = np.tile(np.linspace(0.0, 100.0, 200, dtype=np.float32), (100, 1))
    assert air(ramp).mean() < 0.12
    assert not air(np.full((50, 50), 3.0, dtype=np.float32)).any()


def test_air_reaches_up_to_the_fibres():
    image = np.full((100, 100), 120.0, dtype=np.float32)
    image[30:60, 40:80] = 20.0
    found = air(image + np.random.default_rng(0).normal(0, 4, image.shape).astype(np.float32))
    assert found.mean() == pytest.approx(0.12, abs=0.006)


def test_circles_of_one_bead_are_united():
    circles = np.array([[10.0, 10.0, 4.0], [10.0, 18.0, 3.0], [60.0, 60.0, 5.0]])
    beads = _united(circles)
    assert len(beads) == 2
    assert any(np.allclose(bead, [60.0, 60.0, 5.0]) for bead in beads)
    around = beads[np.argmin(beads[:, 0])]
    for row, column, radius in circles[:2]:
        assert np.hypot(row - around[0], column - around[1]) + radius <= around[2] + 1e-9


@pytest.mark.parametrize("nm_per_pixel", [15.0, 30.0, 100.0])
def test_magnification_does_not_matter(nm_per_pixel):
    picture, truth = drawn(4, nm_per_pixel, shape=(320, 320))
    found = measure(picture, nm_per_pixel)
    assert found.statistics.diameter.mean == pytest.approx(truth.diameter_nm, rel=0.1)
    thickness = found.reading.mean_diameter
    assert thickness == pytest.approx(HANDY_PX, rel=0.2)


def test_noise_is_not_taken_for_fibres():
    grey = stripes(24.0, 30.0, shape=(300, 300))
    noisy = grey + np.random.default_rng(0).normal(0.0, 25.0, grey.shape)
    assert measure(noisy).statistics.diameter.mean == pytest.approx(24.0, rel=0.15)


def test_standard_errors_count_the_method_too():
    picture, _ = drawn(5, shape=(384, 384))
    found = measure(picture, 60.0).statistics
    errors = found.standard_errors
    assert errors["diameter"] > METHOD_ERROR["diameter"] * found.diameter.mean
    for name in ("order", "porosity", "bead_fraction"):
        assert errors[name] > METHOD_ERROR[name]


def test_a_glance_says_what_measuring_says():
    grey, _ = drawn(3, diameter_nm=500.0)
    whole, shown = measure(grey, 60.0).statistics, glance(grey, 60.0)
    assert shown.diameter == whole.diameter.mean
    assert (shown.order, shown.porosity) == (whole.order, whole.porosity)
    assert shown.bead_fraction == whole.bead_fraction
    assert glance(np.zeros((32, 32)), 60.0) == Shown(None, None, None, 0.0)
    with pytest.raises(ValueError, match="grey picture"):
        glance(np.zeros((4, 4)))


def test_a_blurred_picture_is_called_blurred_and_its_error_grows():
    grey, truth = drawn(6, shape=(320, 320))
    blur = 0.3 * truth.diameter_nm / 60.0
    noise = np.random.default_rng(0).normal(0.0, 3.0, grey.shape)
    sharp, soft = (
        measure(picture, 60.0).statistics
        for picture in (grey, ndi.gaussian_filter(grey.astype(float), blur) + noise)
    )
    assert sharp.blur_px == 0.0
    assert soft.blur_px > 0.4 * blur
    assert any("blurred" in doubt for doubt in soft.doubts)
    assert not any("blurred" in doubt for doubt in sharp.doubts)
    assert soft.standard_errors["diameter"] > 2.0 * sharp.standard_errors["diameter"]
    assert abs(soft.diameter.mean - truth.diameter_nm) < 2.0 * soft.standard_errors["diameter"]


def test_errors_grow_where_the_method_is_weak():
    plain = Weakness(diameter=12.0, spread=0.1, blur=-0.05, disagreement=0.0)
    weak = (
        Weakness(3.0, 0.1, -0.05, 0.0),
        Weakness(12.0, 0.6, -0.05, 0.0),
        Weakness(12.0, 0.1, 2.0 * HAZY, 0.0),
        Weakness(12.0, 0.1, -0.05, -2.0 * UNLIKE),
    )
    assert plain.method_error < 0.05
    assert plain.doubts == ()
    assert all(one.method_error > plain.method_error for one in weak)
    assert [len(one.doubts) for one in weak] == [0, 0, 1, 1]


def test_bars_are_counted_and_two_widths_are_two_populations():
    narrow, wide = stripes(6.0, 20.0), stripes(17.0, 20.0, gap=2.0)
    one = measure(narrow).statistics
    assert 8 <= one.diameter.n <= 40  # 18 pixels from bar to bar, 200 × 240 pixels
    assert len(one.populations) == 1
    both = measure(np.concatenate([narrow, wide])).statistics
    thin, thick = both.populations
    assert thin.mean == pytest.approx(6.0, rel=0.15)
    assert thick.mean == pytest.approx(17.0, rel=0.15)
    assert any("populations" in doubt for doubt in both.doubts)


def test_thin_fibres_are_still_seen_beside_many_thick_ones():
    """Looked at so that the thick are of a handy size, a picture would show none of the thin."""
    thick = stripes(27.0, 20.0, shape=(260, 300), gap=2.0)
    both = measure(np.concatenate([stripes(6.0, 20.0, shape=(44, 300)), thick])).statistics
    thin = both.populations[0]
    assert thin.mean == pytest.approx(6.0, rel=0.15)
    assert thin.share == pytest.approx(0.4, abs=0.15)  # of the length
    assert measure(thick).statistics.diameter.mean == pytest.approx(27.0, rel=0.08)


def test_what_is_inside_the_fibres_that_were_found():
    grey = stripes(16.0, 30.0, shape=(240, 240))
    found = measure(grey)
    mask = inside_fibres(found.reading, grey.shape, 1)
    smooth = ndi.gaussian_filter(grey, 1.0)
    inner = (slice(20, -20), slice(20, -20))
    assert mask[inner][smooth[inner] > 150.0].mean() > 0.6
    assert mask[inner][smooth[inner] < 60.0].mean() < 0.05
    assert not (found.air & mask).any()
