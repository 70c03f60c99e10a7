"""What a model learns from, by source: encoded conditions, outcomes, tiles, curves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.errors import InputError
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.curves import N_SCALES
from surrogate.matmcl.vocabulary import Vocabulary


@dataclass(frozen=True)
class SourceTensors:
    """One source, on the CPU.

    Attributes:
        name: among the model's sources.
        table: (n, p, 3) float: z, place in the campaign's range, 1 where present.
        outcomes: (n, m) float, standardised within the row's lab; NaN where not measured.
        lab: (n,) int64, which lab a row comes from; any numbers.
        tiles: (t, s, s) uint8, or ``None``.
        tile_owner: (t,) int64, the row that a tile shows; ``None`` without tiles.
        held: (n,) bool, rows to stop early by, with all rows of their lab or setting; ``None``
            draws the settings' share of them.
        curves: (c, g + 2) float, as :func:`surrogate.matmcl.curves.resample_curve` gives them, or
            ``None``.
        curve_owner, curve_direction: (c,) int64, the row whose specimen was pulled, and the place
            of its direction among the vocabulary's; ``None`` without curves.
    """

    name: str
    table: Tensor
    outcomes: Tensor
    lab: Tensor
    tiles: Tensor | None = None
    tile_owner: Tensor | None = None
    held: Tensor | None = None
    curves: Tensor | None = None
    curve_owner: Tensor | None = None
    curve_direction: Tensor | None = None


def check_sources(
    sources: Sequence[SourceTensors], vocabulary: Vocabulary, config: MatMCLConfig
) -> None:
    """See that every source fits the model.

    Raises:
        InputError: nothing to learn from, a shape or type that does not fit, or a present
            parameter or outcome that is infinite.
    """
    if not sources:
        raise InputError("expected at least one source to learn from, got none")
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise InputError(f"expected each source once, got {', '.join(names)}")
    for source in sources:
        _check_rows(source, vocabulary)
        _check_tiles(source, config)
        _check_curves(source, vocabulary, config)
        if source.held is not None and source.held.shape != source.lab.shape:
            raise InputError(
                f"source '{source.name}': expected for each row whether it is held out"
            )


def _check_rows(source: SourceTensors, vocabulary: Vocabulary) -> None:
    n, p, m = len(source.table), len(vocabulary.parameters), len(vocabulary.outcomes)
    shapes = [tuple(part.shape) for part in (source.table, source.outcomes, source.lab)]
    if shapes != [(n, p, 3), (n, m), (n,)] or n == 0:
        raise InputError(
            f"source '{source.name}': expected table (n, {p}, 3), outcomes (n, {m}) and lab (n,) "
            f"with n above 0, got {shapes}"
        )
    present = source.table[..., 2] > 0.5
    if not torch.isfinite(source.table[present]).all():
        raise InputError(f"source '{source.name}': a present parameter is NaN or infinite")
    if not present.any():
        raise InputError(f"source '{source.name}' has none of the model's parameters")
    if torch.isinf(source.outcomes).any():
        raise InputError(f"source '{source.name}': expected outcomes finite or NaN, got infinity")


def _check_tiles(source: SourceTensors, config: MatMCLConfig) -> None:
    tiles, owner = source.tiles, source.tile_owner
    if tiles is None and owner is None:
        return
    side = config.tile_px
    if tiles is None or owner is None or owner.shape != tiles.shape[:1]:
        raise InputError(f"source '{source.name}': expected an owner for each tile")
    if tiles.dtype != torch.uint8 or tuple(tiles.shape[1:]) != (side, side):
        raise InputError(
            f"source '{source.name}': expected tiles (t, {side}, {side}) of uint8, "
            f"got {tuple(tiles.shape)} of {tiles.dtype}"
        )
    if len(owner) and not (int(owner.min()) >= 0 and int(owner.max()) < len(source.table)):
        raise InputError(f"source '{source.name}': a tile's owner is not one of its rows")


def _check_curves(source: SourceTensors, vocabulary: Vocabulary, config: MatMCLConfig) -> None:
    curves, owner, direction = source.curves, source.curve_owner, source.curve_direction
    if curves is None and owner is None and direction is None:
        return
    if not config.curve_points:
        raise InputError(
            f"source '{source.name}': expected no curves, as the model has no curve encoder; make "
            "it with curve_points"
        )
    if curves is None or owner is None or direction is None:
        raise InputError(f"source '{source.name}': expected owner and direction of each curve")
    width = config.curve_points + N_SCALES
    shapes = [tuple(part.shape) for part in (curves, owner, direction)]
    if shapes != [(len(curves), width), (len(curves),), (len(curves),)]:
        raise InputError(
            f"source '{source.name}': expected curves (c, {width}), owners and directions (c,), "
            f"got {shapes}"
        )
    if not torch.isfinite(curves).all():
        raise InputError(f"source '{source.name}': expected finite curves, got NaN or infinity")
    for places, n, noun in (
        (owner, len(source.table), "owner is not one of its rows"),
        (direction, len(vocabulary.directions), "direction is none of the outcomes'"),
    ):
        if len(places) and not (int(places.min()) >= 0 and int(places.max()) < n):
            raise InputError(f"source '{source.name}': a curve's {noun}")


def fingerprint(sources: Sequence[SourceTensors]) -> str:
    """Return a SHA-256 of everything in the sources: equal data, equal fingerprint."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.name.encode())
        parts = (source.table, source.outcomes, source.lab, source.tiles, source.tile_owner)
        curves = (source.curves, source.curve_owner, source.curve_direction)
        for part in (*parts, source.held, *curves):
            if part is not None:
                # With the shape: the same bytes may be another table.
                digest.update(f"{tuple(part.shape)}{part.dtype}".encode())
                flat = part.detach().cpu().contiguous().view(-1)
                digest.update(flat.view(torch.uint8).numpy() if len(flat) else b"")
    return digest.hexdigest()
