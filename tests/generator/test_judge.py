from __future__ import annotations

import numpy as np
import pytest

from generator.judge import BEAD, CENTRES, FIRST_BIN, N_CLASSES, NONE, Judge, adapted, soft_bins
from generator.judge import the_judge as shipped
from generator.lesson_scenes import draw_lesson_scene
from generator.outlines import (
    N_FEATURES,
    context_of,
    find_outlines,
    noise_of,
    patches,
    resized,
)
from generator.scenes import draw_scene
from generator.train_judge import classes, gathered, save, train


def test_scenes_tell_their_truth():
    for seed in range(6):
        scene = draw_scene(np.random.default_rng(seed), 64)
        covered = scene.order > 0
        assert scene.grey.shape == scene.bead.shape == (64, 64)
        assert np.isfinite(scene.grey).all()
        assert set(np.unique(scene.bead)) <= {0.0, 1.0}
        assert not scene.bead[~covered].any()
        assert ((scene.diameter > 0) == covered).all()
        plain = covered & (scene.bead == 0)
        assert (scene.local[plain] <= 1.51 * scene.diameter[plain]).all()
    again = draw_scene(np.random.default_rng(5), 64)
    assert (again.grey == scene.grey).all()


def test_lesson_scenes_reach_from_sharp_to_blurred():
    drawn = [draw_lesson_scene(np.random.default_rng(seed), 64) for seed in range(30)]
    assert all(np.isfinite(one.scene.grey).all() for one in drawn)
    blurs = np.array([one.blur for one in drawn])
    assert blurs.min() < 0.5
    assert blurs.max() > 2.0
    again = draw_lesson_scene(np.random.default_rng(29), 64)
    assert (again.scene.grey == drawn[-1].scene.grey).all()


def test_bins_keep_the_mean():
    sizes = np.array([1.5, 3.3, 12.0, 32.0])
    shares = soft_bins(sizes)
    assert shares.sum(axis=-1) == pytest.approx(1.0)
    assert shares @ CENTRES == pytest.approx(sizes, rel=4e-3)
    assert soft_bins(np.array(100.0))[-1] == 1.0


def test_a_step_is_an_edge_seen_from_both_sides():
    image = np.zeros((40, 50), dtype=np.float32)
    image[:, 20:] = 100.0
    edges = find_outlines(image, 0.0, 1000, np.random.default_rng(0))
    assert edges.x == pytest.approx(19.5, abs=0.1)
    assert np.abs(edges.right) == pytest.approx(1.0)
    assert edges.length.sum() == pytest.approx(2 * 34)
    half = find_outlines(image, 0.0, 17, np.random.default_rng(0))
    assert len(half) == 34
    assert half.length.sum() == pytest.approx(2 * 34)
    seen = patches(image, edges, context_of(image))
    assert seen.shape == (len(edges), N_FEATURES)
    brighter = patches(7.0 * image + 3.0, edges, context_of(7.0 * image + 3.0))
    assert brighter == pytest.approx(seen, abs=1e-3)


@pytest.mark.parametrize("degrees", [0.0, 17.0, 45.0, 70.0, 90.0])
def test_edges_of_all_directions_count_alike(degrees):
    y, x = np.mgrid[:120, :120] - 59.5
    turned = y * np.cos(np.radians(degrees)) - x * np.sin(np.radians(degrees))
    image = np.clip(turned + 0.5, 0.0, 1.0).astype(np.float32)
    edges = find_outlines(image, 0.0, 10_000, np.random.default_rng(0))
    inside = np.hypot(edges.y - 59.5, edges.x - 59.5) < 40.0
    assert edges.length[inside].sum() == pytest.approx(2 * 80.0, rel=0.04)


@pytest.mark.parametrize("scale", [0.4, 0.77, 1.0, 1.6, 3.3])
def test_resized_pictures_keep_their_places(scale):
    y, x = np.mgrid[:90, :120].astype(np.float32)
    found = resized(x + 2.0 * y, scale)
    assert found.shape == (int(90 / scale + 1e-6), int(120 / scale + 1e-6))
    rows, columns = (scale * np.arange(n) + 0.5 * (scale - 1.0) for n in found.shape)
    inner = (slice(4, -4), slice(4, -4))
    assert found[inner] == pytest.approx((columns + 2.0 * rows[:, None])[inner], abs=0.15)


def test_the_noise_is_told_from_the_picture():
    noise = np.random.default_rng(0).normal(0.0, 3.0, (200, 200)).astype(np.float32)
    assert noise_of(noise) == pytest.approx(3.0, rel=0.05)


def test_shares_are_found_though_the_judge_expects_others():
    rng = np.random.default_rng(0)
    prior = np.full(N_CLASSES, 0.4 / (N_CLASSES - 2))
    prior[[NONE, BEAD]] = 0.5, 0.1
    true = np.zeros(N_CLASSES)
    true[[NONE, BEAD]] = 0.3, 0.02
    true[FIRST_BIN:] = np.exp(-0.5 * (np.log(CENTRES / 6.0) / 0.3) ** 2)
    true[FIRST_BIN:] *= 0.68 / true[FIRST_BIN:].sum()
    off = np.arange(N_CLASSES)[:, None] - np.arange(N_CLASSES)
    looks_like = np.exp(-0.5 * (off / 3.0) ** 2) + 0.02  # from class to look, unsharp
    looks_like /= looks_like.sum(axis=1, keepdims=True)
    kind = rng.choice(N_CLASSES, 20_000, p=true)
    look = (rng.random(20_000)[:, None] > looks_like[kind].cumsum(axis=1)).sum(axis=1)
    seen = prior * looks_like[:, np.minimum(look, N_CLASSES - 1)].T
    seen = (seen / seen.sum(axis=1, keepdims=True)).astype(np.float32)
    shares, kinds = adapted(seen, prior, np.ones(20_000), steps=200)

    def mean(of):
        return of[FIRST_BIN:] @ CENTRES / of[FIRST_BIN:].sum()

    # The thinnest classes count as noise: the mean and the share of none are a little too high.
    assert mean(shares) == pytest.approx(mean(true), rel=0.05)
    assert abs(mean(shares) - mean(true)) < 0.4 * abs(mean(seen.mean(axis=0)) - mean(true))
    assert shares[NONE] == pytest.approx(0.3, abs=0.06)
    assert kinds.sum(axis=1) == pytest.approx(1.0, abs=1e-4)


def test_a_judge_learns_and_is_kept(tmp_path, capsys):
    lessons = gathered(4, 0)
    truth = classes(lessons)
    assert truth.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert truth.shape[1] == N_CLASSES
    model = train(lessons, epochs=8, seed=0)
    lines = capsys.readouterr().out.split()
    assert float(lines[2]) > float(lines[-3])
    save(model, truth.mean(axis=0), tmp_path / "judge.safetensors")
    from safetensors.numpy import load_file

    judge = Judge(load_file(tmp_path / "judge.safetensors"))
    seen, swelling = judge(lessons.patches)
    assert seen.sum(axis=1) == pytest.approx(1.0, abs=1e-4)
    assert (swelling >= 1.0).all()
    assert judge.prior.sum() == pytest.approx(1.0, abs=1e-4)


def test_the_shipped_judge_knows_outlines():
    lessons = gathered(12, 987)
    seen, _ = shipped()(lessons.patches)
    right = (seen[:, NONE] < 0.5) == (lessons.outline > 0.5)
    assert right.mean() > 0.8
    sure = (lessons.outline > 0.5) & (lessons.bead < 0.5) & (seen[:, FIRST_BIN:].sum(axis=1) > 0.5)
    bins = seen[sure, FIRST_BIN:]
    told = np.log(bins @ CENTRES / bins.sum(axis=1))
    assert np.corrcoef(told, np.log(lessons.diameter[sure]))[0, 1] > 0.6
    assert seen[:, BEAD].max() <= 1.0
