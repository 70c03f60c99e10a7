"""Drawn pictures measured against true ones of the same embedding, and what is laid set right.

A network softens edges and lightens what lies deep, so that a drawn mat measures a little thicker
or airier than the one that was laid. By how much is measured, alike on drawn and on true pictures,
and what the prior reads off an embedding is moved by that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from engine.host import usable_cores
from engine.previews.expected_statistics import measured
from generator.data import GeneratorData
from generator.pipeline import MicrostructurePipeline
from surrogate.progress import Progress, silent

N_PICTURES = 120
FEWEST = 20
"""Fewer pictures on which both were measured tell nothing but their own luck."""

# Where what is measured stands among what is laid (:data:`generator.layout.STATISTICS`).
_PLACES = {"diameter": 0, "order": 2, "porosity": 3}


def calibrate(
    pipeline: MicrostructurePipeline, data: GeneratorData, progress: Progress = silent
) -> dict[str, float]:
    """Move what ``pipeline`` lays so that drawn pictures measure as true ones do in the mean.

    Args:
        pipeline: changed in place.
        data: what it learned from.
        progress: called once.

    Returns:
        By how much each of ln diameter, order and porosity was moved; nothing where mats are not
        laid or too few could be measured.
    """
    prior, shape = pipeline.prior, pipeline.shape
    if not prior.can_read:
        return {}
    progress("calibrating what is laid")
    # Evenly over all pictures: of the virtual lab, of other mats, of a lab's own.
    n = min(N_PICTURES, len(data.pictures))
    chosen = torch.linspace(0, len(data.pictures) - 1, n).round().long()
    luck = torch.Generator().manual_seed(0)
    drawn = pipeline(image_embedding=data.embeddings[chosen, 0], generator=luck).pictures
    workers = usable_cores()
    ours = measured(drawn, shape.nm_per_pixel, workers=workers)
    true = measured(data.pictures[chosen].numpy(), shape.nm_per_pixel, workers=workers)
    moves = {name: _mean_difference(true, ours, name) for name in _PLACES}
    with torch.no_grad():
        for name, move in moves.items():
            place = _PLACES[name]
            prior.reading[-1].bias[place] += move / prior.shown_sd[place]
    return moves


def _mean_difference(
    true: Sequence[Mapping[str, float | None]],
    drawn: Sequence[Mapping[str, float | None]],
    name: str,
) -> float:
    pairs = np.array(
        [
            (a[name], b[name])
            for a, b in zip(true, drawn, strict=True)
            if a[name] is not None and b[name] is not None
        ],
        dtype=np.float64,
    ).reshape(-1, 2)
    if len(pairs) < FEWEST:
        return 0.0
    if name == "diameter":
        pairs = np.log(np.maximum(pairs, math.exp(-9.0)))
    # A single picture taken for something else must not move all of them.
    return float(np.median(pairs[:, 0] - pairs[:, 1]))
