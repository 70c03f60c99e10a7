r"""DPM-Solver++ of second order (Lu et al. 2022): turns the diffusion of ``noise.py`` back.

Notation
--------
=========  ===============================================================================
α, σ       of x_t = α x_0 + σ ε; σ / α falls from far above 1 to 0
λ          ln(α / σ)
x̂          what the network's word means for the clean picture
h          the step in λ; r: the former step, in units of this one
=========  ===============================================================================

One step: x ← (σ′/σ) x − α′ (e^{−h} − 1) D, with D = x̂ at first and at the last step (where σ′ is
0), else x̂ + (x̂ − x̂_before) / 2r. The same times and numbers as
:func:`generator.noise.fast_scheduler`, without loading diffusers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

N_STEPS = 1000
# Of a step's noise at most, and the schedule's offset: Nichol & Dhariwal 2021, section 3.2.
MOST_NOISE, OFFSET = 0.999, 0.008


def solve(
    x: Tensor, told: Callable[[Tensor, Tensor], Tensor], steps: int, prediction: str
) -> Tensor:
    """Return x (n, …) of pure noise turned back in ``steps``.

    Args:
        x: noise.
        told: the network: (x, times (n,)) → what ``prediction`` names, as x.
        steps: of the solver.
        prediction: ``v_prediction`` or ``epsilon``.
    """
    times, alphas, sigmas = _grid(steps)
    before: Tensor | None = None
    former = 0.0
    for place, time in enumerate(times):
        alpha, sigma = alphas[place], sigmas[place]
        word = told(x, torch.full((len(x),), time, device=x.device))
        clean = alpha * x - sigma * word if prediction == "v_prediction" \
            else (x - sigma * word) / alpha  # fmt: skip
        next_alpha, next_sigma = alphas[place + 1], sigmas[place + 1]
        if next_sigma == 0.0:
            return clean
        h = math.log(next_alpha / next_sigma) - math.log(alpha / sigma)
        direction = clean if before is None else clean + (clean - before) * (0.5 * h / former)
        x = (next_sigma / sigma) * x - (next_alpha * math.expm1(-h)) * direction
        before, former = clean, h
    return x


@cache
def _grid(steps: int) -> tuple[list[int], list[float], list[float]]:
    """Return the times of the steps, and α and σ there and at the end."""
    share = np.arange(N_STEPS + 1) / N_STEPS
    kept = np.cos((share + OFFSET) / (1.0 + OFFSET) * 0.5 * np.pi) ** 2
    beta = np.minimum(1.0 - kept[1:] / kept[:-1], MOST_NOISE)
    product = np.cumprod(1.0 - beta)
    # Trailing: the first step is at pure noise, as drawing begins there (Lin et al., WACV 2024).
    times = np.round(np.arange(N_STEPS, 0, -N_STEPS / steps)[:steps]).astype(int) - 1
    alphas, sigmas = np.sqrt(product[times]), np.sqrt(1.0 - product[times])
    return times.tolist(), [*alphas.tolist(), 1.0], [*sigmas.tolist(), 0.0]
