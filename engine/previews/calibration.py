"""Drawn pictures measured against true ones of the same embedding, and what is laid set right.

A network softens edges and lightens what lies deep, so that a drawn mat measures a little thicker
or airier than the one that was laid, thick ones perhaps more than thin ones. By how much is
measured, alike on drawn and on true pictures, and what the prior reads off an embedding is moved.

Notation
--------
=====  =========================================================================================
x      what the prior reads off an embedding, and what is laid
m      the middle of all x
a, b   what true pictures measure at m, and how much more for one more of x
g, h   the same of drawn ones
=====  =========================================================================================

Laid is in future what makes drawn pictures measure as true ones do: m + (a − g)/h + (b/h)(x − m).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.host import usable_cores
from engine.previews.expected_statistics import measured
from generator.data import GeneratorData
from generator.pipeline import MicrostructurePipeline
from surrogate.progress import Progress, silent

Array = NDArray[np.float64]

N_PICTURES = 120
FEWEST, FEWEST_FOR_SLOPE = 20, 60
"""Fewer pictures on which both were measured tell nothing but their own luck."""

# Beyond it the fit is wrong, not the picture.
_STEEPEST = 1.25
_FINEST_NM = 1e-4
# Where what is measured stands among what is laid (:data:`generator.layout.STATISTICS`).
_PLACES = {"diameter": 0, "order": 2, "porosity": 3}


@dataclass(frozen=True)
class Move:
    """What is laid is moved to ``middle + shift + slope · (x − middle)``."""

    middle: float
    shift: float
    slope: float


def calibrate(
    pipeline: MicrostructurePipeline, data: GeneratorData, progress: Progress = silent
) -> dict[str, Move]:
    """Move what ``pipeline`` lays so that drawn pictures measure as true ones do, thick and thin.

    Args:
        pipeline: changed in place.
        data: what it learned from.
        progress: called once.

    Returns:
        How each of diameter (its logarithm), order and porosity was moved; nothing where mats are
        not laid.
    """
    prior, shape = pipeline.prior, pipeline.shape
    if not prior.can_read:
        return {}
    progress("calibrating what is laid")
    # Evenly over all pictures: of the virtual lab, of other mats, of a lab's own.
    n = min(N_PICTURES, len(data.pictures))
    chosen = torch.linspace(0, len(data.pictures) - 1, n).round().long()
    embeddings = data.embeddings[chosen, 0]
    luck = torch.Generator().manual_seed(0)
    drawn = pipeline(image_embedding=embeddings, generator=luck).pictures
    workers = usable_cores()
    ours = measured(drawn, shape.nm_per_pixel, workers=workers)
    true = measured(data.pictures[chosen].numpy(), shape.nm_per_pixel, workers=workers)
    with torch.no_grad():
        asked = prior.statistics(prior.embedding(embeddings)).double().numpy()
        moves = {
            name: move_between(asked[:, place], _column(true, name), _column(ours, name))
            for name, place in _PLACES.items()
        }
        for name, move in moves.items():
            _apply(prior, _PLACES[name], move)
    return moves


def move_between(asked: Array, true: Array, drawn: Array) -> Move:
    """Return how what is laid has to move; each (n,), NaN where nothing was measured.

    The slope stays 1 where fewer than :data:`FEWEST_FOR_SLOPE` pictures tell, and all stays where
    fewer than :data:`FEWEST` do.
    """
    is_known = np.isfinite(asked) & np.isfinite(true) & np.isfinite(drawn)
    x, a, g = asked[is_known], true[is_known], drawn[is_known]
    if len(x) < FEWEST:
        return Move(0.0, 0.0, 1.0)
    middle = float(np.median(x))
    if len(x) < FEWEST_FOR_SLOPE or np.ptp(x) < 1e-6:
        # A single picture taken for something else must not move all of them.
        return Move(middle, float(np.median(a - g)), 1.0)
    (at_true, b), (at_drawn, h) = (_line(x - middle, y) for y in (a, g))
    h = max(h, 1.0 / _STEEPEST**2)
    slope = float(np.clip(b / h, 1.0 / _STEEPEST, _STEEPEST))
    return Move(middle, (at_true - at_drawn) / h, slope)


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Return a line's value at 0 and its slope, the medians of Theil 1950 and Sen 1968."""
    from scipy.stats import theilslopes

    slope = float(theilslopes(y, x).slope)
    return float(np.median(y - slope * x)), slope


def _apply(prior: torch.nn.Module, place: int, move: Move) -> None:
    """Change the last layer that reads a statistic, which stands there standardised."""
    mean, sd = float(prior.shown_mean[place]), float(prior.shown_sd[place])
    last = prior.reading[-1]
    old = float(last.bias[place])
    middle = (move.middle - mean) / sd
    last.weight[place] *= move.slope
    last.bias[place] = middle + move.shift / sd + move.slope * (old - middle)


def _column(rows: Sequence[Mapping[str, float | None]], name: str) -> Array:
    """Return a statistic of pictures, of the diameter its logarithm; NaN where it is unknown."""
    values = np.array(
        [np.nan if (value := row[name]) is None else value for row in rows], dtype=np.float64
    )
    return np.log(np.maximum(values, _FINEST_NM)) if name == "diameter" else values
