r"""f_t: conditions → latent. An MLP and the FT-Transformer, chosen by name.

Notation
--------
======  ==========================================================================  =========
T       z, place in the campaign's own range, 1 where present                       (n, p, 3)
e_j     learnt stand-in for (z, place) of a parameter j that is missing             (2,)
======  ==========================================================================  =========

Where parameter j is missing, its z and place are never read: the learnt e_j stands there, and the
flag says so. Activations are smooth, because proposals follow gradients through f_t to T.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from surrogate.errors import InputError
from surrogate.matmcl.config import MatMCLConfig

_ATTENTION_HEADS = 4


def table_encoder(config: MatMCLConfig, n_parameters: int) -> nn.Module:
    """Build f_t by its name: a module from T (n, p, 3) to (n, latent_dim)."""
    kind = MLPEncoder if config.table_encoder == "mlp" else FTTransformer
    return kind(config, n_parameters)


class _Table(nn.Module):
    """What every f_t shares: missing parameters are replaced by what was learnt for them."""

    def __init__(self, n_parameters: int) -> None:
        super().__init__()
        # Zero is the middle of every scale and range.
        self.missing = nn.Parameter(torch.zeros(n_parameters, 2))

    def present(self, T: Tensor) -> Tensor:
        """Return T in the weights' dtype, with e_j where parameter j is missing.

        Raises:
            InputError: T is not (n, p, 3).
        """
        p = self.missing.shape[0]
        if T.ndim < 2 or tuple(T.shape[-2:]) != (p, 3):
            raise InputError(f"expected conditions of shape (n, {p}, 3), got {tuple(T.shape)}")
        T = T.to(self.missing.dtype)
        is_here = T[..., 2:] > 0.5
        values = torch.where(is_here, T[..., :2], self.missing)
        return torch.cat([values, is_here.to(T.dtype)], dim=-1)


class MLPEncoder(_Table):
    """Residual MLP: every parameter's three numbers at once, ``depth`` blocks, layer norm."""

    def __init__(self, config: MatMCLConfig, n_parameters: int) -> None:
        super().__init__(n_parameters)
        self.enter = nn.Linear(3 * n_parameters, config.width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(config.width),
                nn.Linear(config.width, config.width),
                nn.SiLU(),
                nn.Dropout(config.dropout),
                nn.Linear(config.width, config.width),
            )
            for _ in range(config.depth)
        )
        self.leave = nn.Linear(config.width, config.latent_dim)

    def forward(self, T: Tensor) -> Tensor:
        """T (n, p, 3) → latent (n, latent_dim)."""
        hidden = self.enter(self.present(T).flatten(-2))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.leave(functional.silu(hidden))


class FTTransformer(_Table):
    """FT-Transformer (Gorishniy et al. 2021): a token for each parameter, a [CLS] token read out.

    Pre-norm blocks; the activation is GEGLU's smooth kin of the paper's ReGLU.
    """

    def __init__(self, config: MatMCLConfig, n_parameters: int) -> None:
        super().__init__(n_parameters)
        bound = config.width**-0.5
        self.scale = nn.Parameter(torch.empty(n_parameters, 3, config.width))
        self.offset = nn.Parameter(torch.empty(n_parameters + 1, config.width))  # last: [CLS]
        for weights in (self.scale, self.offset):
            nn.init.uniform_(weights, -bound, bound)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.depth))
        self.leave = nn.Sequential(
            nn.LayerNorm(config.width), nn.Linear(config.width, config.latent_dim)
        )

    def forward(self, T: Tensor) -> Tensor:
        """T (n, p, 3) → latent (n, latent_dim)."""
        tokens = torch.einsum("...pc,pcw->...pw", self.present(T), self.scale) + self.offset[:-1]
        readout = self.offset[-1].expand(*tokens.shape[:-2], 1, -1)
        hidden = torch.cat([tokens, readout], dim=-2)
        for block in self.blocks:
            hidden = block(hidden)
        return self.leave(hidden[..., -1, :])


class _Block(nn.Module):
    """Pre-norm attention and gated feed-forward, each with a residual."""

    def __init__(self, config: MatMCLConfig) -> None:
        super().__init__()
        # Two thirds of the usual feed-forward's inner width: gated units have three matrices
        # (Shazeer 2020).
        # https://arxiv.org/abs/2002.05202
        width, inner = config.width, max(1, config.width * 4 // 3)
        self.norm_attention = nn.LayerNorm(width)
        self.mix = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.norm_feed = nn.LayerNorm(width)
        self.gate = nn.Linear(width, 2 * inner)
        self.shrink = nn.Linear(inner, width)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """Tokens (…, t, width) → tokens of the same shape."""
        mixed = self.mix(self.norm_attention(hidden)).unflatten(-1, (3, _ATTENTION_HEADS, -1))
        query, key, value = mixed.movedim(-3, 0).transpose(-3, -2)
        attended = functional.scaled_dot_product_attention(query, key, value)
        hidden = hidden + self.drop(self.merge(attended.transpose(-3, -2).flatten(-2)))
        gate, up = self.gate(self.norm_feed(hidden)).chunk(2, dim=-1)
        return hidden + self.drop(self.shrink(functional.gelu(gate) * up))
