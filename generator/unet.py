"""The UNet as previews run it: the network that diffusers trains, for drawing only, in plain torch.

Loading diffusers takes 2.2 s of a processor, as long as drawing a batch's previews. This is the
same arithmetic by the same names, so that it takes the very weights; the tests compare the two.

Notation
--------
===  ==================================================================  =====================
x    a noisy picture, folded                                             (n, fold², s, s)
t    the time of the diffusion and what the picture is to show, together (n, 4 · channels[0])
h    features of a level                                                 (n, channels, s', s')
===  ==================================================================  =====================
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.config import GeneratorConfig
from generator.prior import TimeWaves, TwoLayers

EPSILON = 1e-5
WIDEST_HEAD = 32


class DrawingUNet(nn.Module):
    """From a noisy picture, a time and labels (:func:`generator.folding.labels_of`), what to undo.

    Args:
        config: the generator's shape.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        widths, groups = config.channels, config.norm_groups
        first, last, told = widths[0], widths[-1], 4 * widths[0]
        head = min(WIDEST_HEAD, last)
        self.time = TimeWaves(first)
        self.time_embedding = TwoLayers(first, told)
        self.class_embedding = TwoLayers(config.embedding_dim + 1, told)
        self.conv_in = _conv(config.in_channels, first)
        self.down_blocks = nn.ModuleList()
        kept = [first]
        for level, (before, width) in enumerate(pairwise((first, *widths))):
            is_last = level == len(widths) - 1
            ins = [before, *[width] * (config.layers - 1)]
            self.down_blocks.append(
                _Level(
                    [(n, width) for n in ins],
                    told,
                    groups,
                    head if config.attention[level] else None,
                    downsamplers=None if is_last else _Halved(width),
                )
            )
            kept += [width] * (config.layers + (not is_last))
        self.mid_block = _Level([(last, last)], told, groups, None)
        self.up_blocks = nn.ModuleList()
        width = last
        for level in reversed(range(len(widths))):
            pairs = []
            for _ in range(config.layers + 1):
                pairs.append((width + kept.pop(), widths[level]))
                width = widths[level]
            self.up_blocks.append(
                _Level(
                    pairs,
                    told,
                    groups,
                    head if config.attention[level] else None,
                    upsamplers=_Doubled(width) if level else None,
                )
            )
        self.conv_norm_out = nn.GroupNorm(groups, first, eps=EPSILON)
        self.conv_out = _conv(first, config.fold**2)

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """x (n, fold², s, s), times (n,), labels (n, d + 1) → as x."""
        dtype = self.conv_in.weight.dtype
        told = self.time_embedding(self.time(time).to(dtype))
        told = functional.silu(told + self.class_embedding(labels.to(dtype)))
        h = self.conv_in(x.to(dtype))
        kept = [h]
        for block in self.down_blocks:
            h = block(h, told, kept=kept)
        h = self.mid_block(h, told)
        for block in self.up_blocks:
            h = block(h, told, joined=kept)
        return self.conv_out(functional.silu(self.conv_norm_out(h))).to(x.dtype)


class _Level(nn.Module):
    """The residual blocks of one level, each with attention or none, then a change of size."""

    def __init__(
        self,
        sizes: list[tuple[int, int]],
        told: int,
        groups: int,
        head: int | None,
        *,
        downsamplers: nn.Module | None = None,
        upsamplers: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(_Residual(n, out, told, groups) for n, out in sizes)
        attentions = [] if head is None else [_Attention(out, groups, head) for _, out in sizes]
        self.attentions = nn.ModuleList(attentions)
        self.downsamplers = nn.ModuleList([] if downsamplers is None else [downsamplers])
        self.upsamplers = nn.ModuleList([] if upsamplers is None else [upsamplers])

    def forward(
        self,
        h: Tensor,
        told: Tensor,
        *,
        kept: list[Tensor] | None = None,
        joined: list[Tensor] | None = None,
    ) -> Tensor:
        """On the way down ``kept`` is filled, on the way up ``joined`` is emptied."""
        for place, residual in enumerate(self.resnets):
            if joined is not None:
                h = torch.cat([h, joined.pop()], dim=1)
            h = residual(h, told)
            if len(self.attentions):
                h = self.attentions[place](h)
            if kept is not None:
                kept.append(h)
        for resize in (*self.downsamplers, *self.upsamplers):
            h = resize(h)
            if kept is not None:
                kept.append(h)
        return h


class _Residual(nn.Module):
    """Two convolutions; the second's normalised features are scaled and shifted by what is told."""

    def __init__(self, n: int, out: int, told: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, n, eps=EPSILON)
        self.conv1 = _conv(n, out)
        self.time_emb_proj = nn.Linear(told, 2 * out)
        self.norm2 = nn.GroupNorm(groups, out, eps=EPSILON)
        self.conv2 = _conv(out, out)
        self.conv_shortcut = nn.Conv2d(n, out, 1) if n != out else None

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        inner = self.conv1(functional.silu(self.norm1(h)))
        scale, shift = self.time_emb_proj(told)[:, :, None, None].chunk(2, dim=1)
        inner = self.conv2(functional.silu(torch.addcmul(shift, self.norm2(inner), 1.0 + scale)))
        return inner + (h if self.conv_shortcut is None else self.conv_shortcut(h))


class _Attention(nn.Module):
    """Each place looks at every other one."""

    def __init__(self, width: int, groups: int, head: int) -> None:
        super().__init__()
        self.heads = width // head
        self.group_norm = nn.GroupNorm(groups, width, eps=EPSILON)
        inner = self.heads * head
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, inner) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(inner, width)])

    def forward(self, h: Tensor) -> Tensor:
        n, width, *side = h.shape
        places = self.group_norm(h).flatten(2).transpose(1, 2)
        q, k, v = (
            part(places).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.to_q, self.to_k, self.to_v)
        )
        looked = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return h + self.to_out[0](looked).transpose(1, 2).reshape(n, width, *side)


class _Halved(nn.Module):
    """Half as many places a side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _conv(width, width, stride=2)

    def forward(self, h: Tensor) -> Tensor:
        return self.conv(h)


class _Doubled(nn.Module):
    """Twice as many places a side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _conv(width, width)

    def forward(self, h: Tensor) -> Tensor:
        return self.conv(functional.interpolate(h, scale_factor=2.0, mode="nearest"))


def _conv(n: int, out: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n, out, 3, stride=stride, padding=1)
