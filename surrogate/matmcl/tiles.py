"""Tiles: cut from a micrograph at a fixed scale, and varied while training.

A tile shows the same number of nanometres whatever the magnification was, so that a picture taken
closer is not mistaken for thicker fibres. The collector's rotation runs along the width: tiles are
mirrored, never turned by 90°.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from surrogate.errors import InputError
from surrogate.matmcl.config import MatMCLConfig, TrainSettings

_COARSEST = 1.25
"""How many times coarser than a tile's pixel a picture's pixel may be."""


def cut_tiles(
    picture: NDArray[Any] | Tensor,
    nm_per_pixel: float,
    *,
    config: MatMCLConfig,
    n: int,
    generator: torch.Generator,
) -> Tensor:
    """Cut ``n`` tiles from a grey picture, brought to ``config.nm_per_pixel`` by area averaging.

    Tiles do not overlap as long as the picture has room; further ones lie anywhere. Only what is
    cut is resampled, so a large picture costs no memory.

    Args:
        picture: (h, w), uint8, or float within 0…1; without its data bar, rotation along the width.
        nm_per_pixel: the picture's scale [nm/px].
        config: side and scale of a tile.
        n: how many.
        generator: decides where; the same state gives the same tiles.

    Returns:
        (n, s, s) uint8.

    Raises:
        InputError: not such a picture, or too small or too coarse for a tile.
    """
    grey = np.asarray(picture)
    _check(grey, nm_per_pixel, n)
    side = _side(grey, nm_per_pixel, config)
    tiles = torch.empty(n, config.tile_px, config.tile_px, dtype=torch.uint8)
    for place, (top, left) in enumerate(_corners(grey.shape, side, n, generator)):
        crop = np.array(grey[top : top + side, left : left + side], dtype=np.float32)
        if not np.isfinite(crop).all():
            raise InputError("expected a finite picture, got NaN or infinity in it")
        if grey.dtype != np.uint8:
            crop *= 255.0
            if crop.min() < -0.5 or crop.max() > 255.5:
                raise InputError("expected a float picture within 0…1; divide by its full scale")
        resampled = functional.interpolate(
            torch.from_numpy(crop)[None, None],
            size=(config.tile_px, config.tile_px),
            mode="bilinear",
            align_corners=False,
            # Without it a bilinear reduction skips pixels, and thin fibres come and go with the
            # grid.
            antialias=True,
        )
        tiles[place] = resampled[0, 0].round().clamp(0, 255).to(torch.uint8)
    return tiles


def _check(grey: NDArray[Any], nm_per_pixel: float, n: int) -> None:
    if grey.ndim != 2 or not (grey.dtype == np.uint8 or np.issubdtype(grey.dtype, np.floating)):
        raise InputError(
            f"expected a grey picture (h, w) of uint8, or float within 0…1, "
            f"got {grey.dtype} of shape {grey.shape}"
        )
    if not (np.isfinite(nm_per_pixel) and nm_per_pixel > 0):
        raise InputError(f"expected nm per pixel above 0, got {nm_per_pixel}")
    if n < 1:
        raise InputError(f"expected at least one tile to cut, got n = {n}")


def _side(grey: NDArray[Any], nm_per_pixel: float, config: MatMCLConfig) -> int:
    """Return how many of the picture's pixels one tile spans."""
    if nm_per_pixel > _COARSEST * config.nm_per_pixel:
        raise InputError(
            f"the picture is too coarse: expected at most {_COARSEST * config.nm_per_pixel:g} nm "
            f"per pixel, got {nm_per_pixel:g}; take one at higher magnification"
        )
    side = max(1, round(config.tile_px * config.nm_per_pixel / nm_per_pixel))
    if side > min(grey.shape):
        field = config.tile_px * config.nm_per_pixel / 1000
        extent = " × ".join(f"{length * nm_per_pixel / 1000:.3g}" for length in grey.shape)
        raise InputError(
            f"the picture is too small: expected at least {field:.3g} µm each way (one tile), "
            f"got {extent} µm; take one at lower magnification"
        )
    return side


def _corners(
    shape: tuple[int, ...], side: int, n: int, generator: torch.Generator
) -> list[tuple[int, int]]:
    """Return ``n`` upper left corners: cells of a shifted grid in random order, then anywhere."""
    rows, columns = (length // side for length in shape)
    spare = [length - count * side for length, count in zip(shape, (rows, columns), strict=True)]
    # The grid is shifted, or the right and lower margins would never be seen.
    shift = [int(torch.randint(room + 1, (), generator=generator)) for room in spare]
    order = torch.randperm(rows * columns, generator=generator)[:n].tolist()
    corners = [
        (shift[0] + cell // columns * side, shift[1] + cell % columns * side) for cell in order
    ]
    while len(corners) < n:
        top, left = (
            int(torch.randint(length - side + 1, (), generator=generator)) for length in shape
        )
        corners.append((top, left))
    return corners


def augment(tiles: Tensor, settings: TrainSettings, generator: torch.Generator) -> Tensor:
    """Mirror tiles along either axis, vary their brightness and contrast, add a little noise.

    Args:
        tiles: (n, 1, s, s), 0…1, on any device.
        settings: how much.
        generator: on the CPU, so that every device sees the same mirrors, shifts and gains.

    Returns:
        New tiles of the same shape, within 0…1.
    """
    n = len(tiles)
    flips = torch.rand(n, 2, generator=generator) < 0.5
    shift, gain = torch.randn(2, n, 1, 1, 1, generator=generator).to(tiles.device)
    seed = int(torch.randint(2**31, (), generator=generator))
    for axis in (-1, -2):
        chosen = flips[:, axis].to(tiles.device).view(-1, 1, 1, 1)
        tiles = torch.where(chosen, tiles.flip(axis), tiles)
    # Contrast about each tile's own mean, which brightness then moves.
    middle = tiles.mean(dim=(-2, -1), keepdim=True)
    tiles = middle + (tiles - middle) * torch.exp(settings.contrast * gain)
    tiles = tiles + settings.brightness * shift
    if settings.noise > 0:
        # Drawn on the device: the noise of a batch would else cross the bus.
        noise = torch.Generator(tiles.device).manual_seed(seed)
        tiles = tiles + settings.noise * torch.randn(
            tiles.shape, generator=noise, device=tiles.device, dtype=tiles.dtype
        )
    return tiles.clamp(0.0, 1.0)


def as_float(tiles: Tensor) -> Tensor:
    """Return uint8 tiles as float32 within 0…1; others as they are."""
    return tiles.to(torch.float32) / 255.0 if tiles.dtype == torch.uint8 else tiles
