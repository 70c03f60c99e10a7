r"""f_c: a run's tensile curves → latent; and how a curve becomes what it reads.

Notation
--------
=====  ==========================================================================  ============
g      points of the grid, from strain 0 to that of the break                       number
d      directions in which specimens are pulled, as the outcomes name them          number
C      stress over its greatest value on the grid, then ln of the strain at break   (n, d, g+2)
       and ln of the greatest stress over 10 MPa
P      whether a run has a curve in a direction                                     (n, d)
=====  ==========================================================================  ============

One network reads every curve; what it says is told which direction it is of, and averaged over the
directions that a run has. A missing curve is never read.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from surrogate.errors import InputError

CURVE_POINTS = 64
"""Grid of curve encoders that are made anew: a toe of 2 % of the strain still spans a point."""

N_SCALES = 2
USUAL_STRESS_MPA = 10.0

_WIDTHS = (16, 32, 32)
_KERNEL = 5


def resample_curve(strain: NDArray[Any], stress: NDArray[Any], n: int = CURVE_POINTS) -> Tensor:
    """Return a curve as f_c reads it, (n + 2,) float32: its form, then its two scales.

    Args:
        strain: (k,) ratios, from 0 at the origin to the break; not falling but for noise.
        stress: (k,) MPa.
        n: points of the grid.

    Raises:
        InputError: not such a curve.
    """
    x, y = np.asarray(strain, dtype=np.float64), np.asarray(stress, dtype=np.float64)
    is_finite = x.ndim == 1 and x.shape == y.shape and bool(np.isfinite([x, y]).all())
    if not is_finite or len(x) < 8 or x[-1] <= 0 or y.max() <= 0:
        raise InputError(
            "expected a curve of 8 finite samples at least, strain and stress above 0 at its end, "
            f"got {x.shape} and {y.shape}"
        )
    # Noise of the extensometer: strain must not fall where it is interpolated over.
    x = np.maximum.accumulate(x)
    form = np.interp(np.linspace(0.0, x[-1], n), x, y) / y.max()
    scales = [math.log(x[-1]), math.log(y.max() / USUAL_STRESS_MPA)]
    return torch.from_numpy(np.concatenate([form, scales])).float()


class CurveEncoder(nn.Module):
    """Three strided convolutions over form, slope and scales of a curve, then a linear map.

    Args:
        n_points: g.
        n_directions: d.
        latent_dim: l.
    """

    def __init__(self, n_points: int, n_directions: int, latent_dim: int) -> None:
        super().__init__()
        self.n_points = n_points
        widths = (2 + N_SCALES, *_WIDTHS)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(n_in, n_out, _KERNEL, stride=2, padding=_KERNEL // 2)
            for n_in, n_out in pairwise(widths)
        )
        length = n_points
        for _ in _WIDTHS:
            length = (length + 1) // 2
        # Not pooled: where along the strain something happens is what it means.
        self.leave = nn.Linear(_WIDTHS[-1] * length, latent_dim)
        self.direction = nn.Parameter(torch.zeros(n_directions, latent_dim))

    def forward(self, curves: Tensor, present: Tensor) -> Tensor:
        """Curves C (n, d, g + 2) and P (n, d) → latent (n, latent_dim), 0 where there is none.

        Raises:
            InputError: another shape.
        """
        expected = (len(self.direction), self.n_points + N_SCALES)
        if curves.ndim != 3 or curves.shape[1:] != expected or present.shape != curves.shape[:2]:
            raise InputError(
                f"expected curves of shape (n, {expected[0]}, {expected[1]}) and whether each is "
                f"there, got {tuple(curves.shape)} and {tuple(present.shape)}"
            )
        row, direction = present.nonzero(as_tuple=True)
        latents = self._read(curves[row, direction]) + self.direction[direction]
        total = latents.new_zeros(len(curves), latents.shape[-1]).index_add(0, row, latents)
        return total / present.sum(dim=1, keepdim=True).clamp_min(1)

    def _read(self, curves: Tensor) -> Tensor:
        """Curves (k, g + 2) → (k, latent_dim)."""
        curves = curves.to(self.leave.weight.dtype)
        form, scales = curves[:, : self.n_points], curves[:, self.n_points :]
        # In units of the chord from 0 to the break.
        slope = functional.pad(form.diff(dim=1), (0, 1), mode="replicate") * (self.n_points - 1)
        spread = scales.unsqueeze(-1).expand(-1, -1, self.n_points)
        hidden = torch.cat([form.unsqueeze(1), slope.unsqueeze(1), spread], dim=1)
        for convolution in self.convolutions:
            hidden = functional.silu(convolution(hidden))
        return self.leave(hidden.flatten(1))


class CurvePart(nn.Module):
    """What a model with curves has beside the others: f_c, and how f_m takes its latent.

    Args:
        n_points: g.
        n_directions: d.
        latent_dim: l.
        width: of f_m.
        noise_shape: (sources, m).
    """

    def __init__(
        self,
        n_points: int,
        n_directions: int,
        *,
        latent_dim: int,
        width: int,
        noise_shape: tuple[int, int],
    ) -> None:
        super().__init__()
        self.encoder = CurveEncoder(n_points, n_directions, latent_dim)
        self.enter = nn.Linear(latent_dim, width, bias=False)
        """Beside f_m's first layer."""
        self.missing = nn.Parameter(torch.zeros(latent_dim))
        """Stands in f_m for the latent of a micrograph that is missing."""
        self.log_noise = nn.Parameter(torch.full(noise_shape, -1.0))
        """ln σ² of each source and outcome where the curve is given."""
