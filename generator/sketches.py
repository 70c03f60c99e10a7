r"""What the UNet is shown of where fibres lie: a picture without its instrument.

A UNet that has to lay fibres out of noise melts them into a net until it was trained for days. So
where fibres lie is decided by rule (:mod:`generator.layout`), and the network learns what a
micrograph of such a mat looks like. It learns from pictures alone: each is shown to it as a sketch,
its tones bent, softened, flattened and noisy by chance, and it has to tell what was there. A mat
that was laid, sketched alike, lies within what it has seen.

Notation
--------
=====  ===========================================================================  ============
g      grey values, 0 … 1                                                           (n, s, s)
γ      how tones are bent: g^γ                                                       (n,)
b      0: as it is; ½: softened by one binomial filter; 1: by three                  (n,)
f      share of the brightness of the surroundings that is taken away                (n,)
ε      noise, in standard deviations of the sketch                                   (n, s, s)
=====  ===========================================================================  ============
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

# Everything that instruments do to tones, and a little more; found by eye. Most sketches are bent
# and flattened much less: what is always ambiguous is drawn as the mean of all that it may be, and
# what lies deep comes out too light.
_BENT, _FLAT, _NOISE = 0.5, 0.7, (0.03, 0.2)
_SURROUNDINGS_PX = 15
_SCALE = 0.5
"""Of a sketch's standard deviation: about that of pictures, which lie in −1 … 1."""


@dataclass(frozen=True)
class Softening:
    """How pictures become sketches: γ, b, f (n,) and ε (n, s, s)."""

    bent: Tensor
    blur: Tensor
    flat: Tensor
    noise: Tensor

    @classmethod
    def drawn(cls, n: int, side: int, luck: torch.Generator) -> Softening:
        """Draw one for each of n pictures."""
        bent, blur, flat, share = torch.rand(4, n, generator=luck)
        flat, share, sway = flat**2, share**2, 2.0 * bent - 1.0
        low, high = _NOISE
        size = low + (high - low) * share
        noise = torch.randn(n, side, side, generator=luck)
        return cls(
            torch.exp(_BENT * sway * sway.abs()), blur, _FLAT * flat, size[:, None, None] * noise
        )

    @classmethod
    def least(cls, noise: Tensor) -> Softening:
        """Return what mats that were laid are drawn by; ``noise``: (n, s, s), of unit deviation.

        The clearest of what is seen in training: it draws the clearest pictures.
        """
        n = len(noise)
        return cls(torch.ones(n), torch.zeros(n), torch.zeros(n), _NOISE[0] * noise)


def sketched(grey: Tensor, softening: Softening) -> Tensor:
    """Return sketches (n, s, s) of grey pictures (n, s, s), 0 … 1."""
    toned = grey.clamp_min(1e-3) ** softening.bent[:, None, None]
    light = _softened(toned)
    blur = 2.0 * softening.blur[:, None, None]
    soft = torch.lerp(toned, light, blur.clamp(max=1.0))
    soft = torch.lerp(soft, _softened(_softened(light)), (blur - 1.0).clamp(min=0.0))
    around = functional.avg_pool2d(
        soft[:, None], _SURROUNDINGS_PX, stride=1,
        padding=_SURROUNDINGS_PX // 2, count_include_pad=False,
    )[:, 0]  # fmt: skip
    flat = soft - softening.flat[:, None, None] * around
    centred = flat - flat.mean(dim=(1, 2), keepdim=True)
    # A picture without contrast has nothing to be shown.
    scaled = centred / centred.std(dim=(1, 2), keepdim=True).clamp_min(1e-3)
    return _SCALE * (scaled + softening.noise)


def _softened(grey: Tensor) -> Tensor:
    """Return pictures (n, s, s) filtered by ¼ ½ ¼ both ways."""
    line = grey.new_tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line[None])[None, None]
    padded = functional.pad(grey[:, None], (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, kernel)[:, 0]
