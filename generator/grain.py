"""The grain of a picture: a detector's noise, which a solver of few steps takes for nothing.

A network that minimises squared errors says of a picture with little noise what it looks like in
the mean, without its own grain. So the grain is measured, told by the embedding, and added again.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_PLACE_PX, _SMOOTHEST = 7, 0.01
"""Of what share of the places is taken: a mat is full of edges, and few places show none."""


def grain_of(pictures: Tensor) -> Tensor:
    """Return the standard deviation [grey values] of the noise of pictures (n, h, w), uint8.

    Immerkær 1996: the difference of two Laplacians is blind to planes and to straight edges along
    the axes; here where it is smallest, over places of 7 × 7 pixels.
    """
    line = torch.tensor([1.0, -2.0, 1.0])
    kernel = (line[:, None] * line[None])[None, None]
    squares = functional.conv2d(pictures[:, None].float(), kernel).square()
    places = functional.avg_pool2d(squares, _PLACE_PX, stride=1).flatten(1)
    return places.quantile(_SMOOTHEST, dim=1).sqrt() / 6.0


def grained(pictures: Tensor, grain: Tensor, noise: Tensor) -> Tensor:
    """Return pictures (n, h, w), uint8, with ``grain`` (n,) [grey values] times ``noise`` added."""
    noisy = pictures.float() + grain.clamp_min(0.0)[:, None, None] * noise
    return noisy.round().clamp(0, 255).to(torch.uint8)
