from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from surrogate.errors import InputError
from surrogate.matmcl.config import TrainSettings
from surrogate.matmcl.tiles import augment, cut_tiles
from tests.surrogate.matmcl.conftest import SMALL


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cut(picture, nm_per_pixel=100.0, n=4, seed=0):
    return cut_tiles(picture, nm_per_pixel, config=SMALL, n=n, generator=drawn(seed))


def test_at_the_same_scale_a_tile_is_a_piece_of_the_picture() -> None:
    picture = np.arange(64 * 64, dtype=np.int64).reshape(64, 64) % 251
    tiles = cut(picture.astype(np.uint8))
    assert tiles.shape == (4, 32, 32)
    assert tiles.dtype == torch.uint8
    pieces = np.lib.stride_tricks.sliding_window_view(picture, (32, 32))
    for tile in tiles:
        assert (pieces == tile.numpy()).all(axis=(-2, -1)).any()


def test_tiles_do_not_overlap_while_there_is_room_and_repeat_for_a_seed() -> None:
    picture = np.arange(64 * 96, dtype=np.float64).reshape(64, 96) / (64 * 96)
    tiles = cut(picture, n=6)
    assert len({int(tile.sum()) for tile in tiles}) == 6
    assert torch.equal(tiles, cut(picture, n=6))
    assert cut(picture, n=20).shape == (20, 32, 32)


@pytest.mark.parametrize("nm_per_pixel", [25.0, 37.0, 110.0])
def test_stripes_keep_their_true_width(nm_per_pixel: float) -> None:
    """Stripes of 800 nm: eight pixels of a tile at 100 nm, whatever the picture's scale."""
    side = int(32 * 100 / nm_per_pixel) * 2
    x = (np.arange(side) + 0.5) * nm_per_pixel
    picture = np.broadcast_to(0.5 + 0.4 * np.sin(2 * np.pi * x / 800), (side, side))
    tile = cut(picture, nm_per_pixel, n=1)[0].double().mean(dim=0)
    power = torch.fft.rfft(tile - tile.mean()).abs()
    assert int(power.argmax()) == 4  # 32 px / 8 px


def test_what_is_finer_than_a_pixel_is_averaged_not_aliased() -> None:
    checks = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    tiles = cut(checks, 10.0)
    assert int((tiles.int() - 127).abs().max()) <= 3


@pytest.mark.parametrize(
    ("picture", "nm_per_pixel", "match"),
    [
        (np.zeros((16, 64), np.uint8), 100.0, "too small: expected at least 3.2 µm"),
        (np.zeros((64, 64), np.uint8), 200.0, "too coarse"),
        (np.zeros((64, 64, 3), np.uint8), 100.0, "grey picture"),
        (np.zeros((64, 64), np.uint16), 100.0, "uint16"),
        (np.full((64, 64), 3.0), 100.0, "within 0…1"),
        (np.full((64, 64), np.nan), 100.0, "finite picture"),
        (np.zeros((64, 64), np.uint8), 0.0, "nm per pixel above 0"),
        (np.zeros((64, 64), np.uint8), float("nan"), "nm per pixel above 0"),
    ],
)
def test_pictures_that_cannot_be_cut(picture, nm_per_pixel, match) -> None:
    with pytest.raises(InputError, match=match):
        cut(picture, nm_per_pixel)


def test_augmentation_mirrors_and_never_turns() -> None:
    still = TrainSettings(brightness=0, contrast=0, noise=0)
    across = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)  # varies along the width only
    tiles = augment(across.expand(40, -1, -1, -1), still, drawn())
    mirrored = across.flip(-1)
    same = [(tile - across).abs().max() < 1e-6 for tile in tiles]
    other = [(tile - mirrored).abs().max() < 1e-6 for tile in tiles]
    assert all(a or b for a, b in zip(same, other, strict=True))
    assert any(same)
    assert any(other)
    varied = augment(across.expand(4, -1, -1, -1), TrainSettings(), drawn())
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert torch.equal(varied, augment(across.expand(4, -1, -1, -1), TrainSettings(), drawn()))
    louder = dataclasses.replace(TrainSettings(), noise=0.2)
    assert not torch.equal(varied, augment(across.expand(4, -1, -1, -1), louder, drawn()))
