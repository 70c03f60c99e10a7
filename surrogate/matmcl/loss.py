r"""The losses, as plain functions of tensors.

Contrastive (GMC, Poklukar et al. 2022, as used by Wu et al. 2025). For each modality t, v, the 2n
unit vectors of joint and modality embeddings, each with its counterpart as the positive and the
other 2n − 2 as negatives:

.. math:: L_\mathrm{GMC} = \sum_{u \in \{t, v\}} \frac{1}{2 n_u} \sum_{a}
          -\ln \frac{\exp(z_a \cdot z_{a'} / \tau)}{\sum_{b \ne a} \exp(z_a \cdot z_b / \tau)}

Simulated labs. A lab of the ensemble is one draw of a function; its outcome o at conditions x is

.. math:: y = h_0(x) + \sum_{k=1}^{K} w_k h_k(x) + \varepsilon, \quad w_k \sim N(0, 1), \quad
          \varepsilon \sim N(0, \sigma_o^2)

so that with :math:`U = [h_1 … h_K]` the lab's values are :math:`N(h_0, U U^T + \sigma_o^2 I)`, a
probabilistic PCA (Tipping & Bishop 1999) whose loadings are functions of the conditions. Maximising
the exact marginal likelihood over many labs makes the heads a learnt prior over labs: neural
empirical Bayes, as in ALPaCA (Harrison, Sharma & Pavone 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from surrogate.errors import InputError

# The floor of the Gaussian process's own noise: an outcome that was memorised would else rule the
# loss.
LEAST_LOG_NOISE = math.log(1e-4)
# Beyond two standard deviations linear: one wild value of an archive does not rule the heads.
_HUBER = 2.0


def gmc_loss(
    joint: Tensor,
    modalities: Sequence[Tensor],
    present: Sequence[Tensor] | None = None,
    *,
    temperature: float = 0.1,
) -> Tensor:
    """GMC's contrastive loss of the joint embedding against each single modality.

    Args:
        joint: (n, r) unit vectors, the joint embeddings.
        modalities: each (n, r) unit vectors.
        present: for each modality (n,) bool, where it exists; ``None`` means everywhere. Rows
            without it are neither positives nor negatives of that modality.
        temperature: τ.

    Returns:
        The loss, a scalar; a modality with fewer than two rows adds nothing.

    Raises:
        InputError: shapes do not fit.
    """
    masks = present if present is not None else [None] * len(modalities)
    if len(masks) != len(modalities) or any(part.shape != joint.shape for part in modalities):
        raise InputError(
            f"expected modalities of shape {tuple(joint.shape)} and a mask for each, "
            f"got {[tuple(part.shape) for part in modalities]} and {len(masks)} masks"
        )
    total = joint.new_zeros(())
    for modality, mask in zip(modalities, masks, strict=True):
        rows = slice(None) if mask is None else mask
        pair = torch.cat([joint[rows], modality[rows]])
        n = len(pair) // 2
        if n < 2:
            continue
        itself = torch.eye(2 * n, dtype=torch.bool, device=pair.device)
        similarity = (pair @ pair.T / temperature).masked_fill(itself, -torch.inf)
        # Row a's positive is n places on: joint and modality follow one another.
        counterpart = torch.arange(2 * n, device=pair.device).roll(n)
        total = total + functional.cross_entropy(similarity, counterpart)
    return total


def lab_likelihood(H: Tensor, y: Tensor, lab_index: Tensor, log_noise: Tensor) -> Tensor:
    r"""Exact log marginal likelihood of each lab and outcome, by Woodbury's identity on K.

    With residuals :math:`r = y - h_0`, :math:`A = I_K + U^T U / \sigma^2` and
    :math:`b = U^T r / \sigma^2`:

    .. math:: \ln p = -\tfrac{1}{2} \left( n \ln 2 \pi \sigma^2 + \ln |A| + r^T r / \sigma^2
              - b^T A^{-1} b \right)

    Args:
        H: (n, m, 1 + K) mean head and deviation heads at each row.
        y: (n, m) outcomes, standardised within their lab; NaN where not measured.
        lab_index: (n,) which lab a row belongs to, 0 … L − 1.
        log_noise: (m,) ln σ² of each outcome.

    Returns:
        (L, m) log likelihoods of what was measured; 0 where a lab lacks an outcome.

    Raises:
        InputError: shapes do not fit.
    """
    if H.ndim != 3 or y.shape != H.shape[:2] or lab_index.shape != y.shape[:1]:
        raise InputError(
            f"expected H (n, m, J), y (n, m) and lab_index (n,), "
            f"got {tuple(H.shape)}, {tuple(y.shape)} and {tuple(lab_index.shape)}"
        )
    is_measured = ~torch.isnan(y)
    inverse = torch.exp(-log_noise.clamp_min(LEAST_LOG_NOISE))  # (m,) 1/σ²
    r = torch.where(is_measured, y.nan_to_num() - H[..., 0], 0.0)
    # Zero rows add nothing to any sum below, so that missing values need no loop.
    U = H[..., 1:] * is_measured.unsqueeze(-1)
    per_lab = torch.bincount(lab_index)
    # Rows of a lab side by side, (L, m, most rows of a lab, …), so that sums are matrix products.
    packed = pack(torch.cat([r.unsqueeze(-1), U], dim=-1), lab_index, per_lab).transpose(1, 2)
    count = pack(is_measured.to(H.dtype), lab_index, per_lab).sum(dim=1)
    inner = packed.transpose(-2, -1) @ packed * inverse[:, None, None]  # (L, m, 1 + K, 1 + K)
    squares, b, gram = inner[..., 0, 0], inner[..., 1:, :1], inner[..., 1:, 1:]
    # K × K for each lab and outcome in place of n × n.
    factor = torch.linalg.cholesky(gram + torch.eye(U.shape[-1], dtype=H.dtype, device=H.device))
    log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
    half = torch.linalg.solve_triangular(factor, b, upper=False)
    gained = half.square().sum(dim=(-2, -1))
    return -0.5 * (count * (math.log(2 * math.pi) - inverse.log()) + log_det + squares - gained)


def pack(rows: Tensor, lab_index: Tensor, per_lab: Tensor) -> Tensor:
    """Return rows (n, …) as (L, most rows of a lab, …), filled up with zeros."""
    n_rows = int(per_lab.max()) if len(per_lab) else 0
    order = torch.argsort(lab_index, stable=True)
    start = torch.cumsum(per_lab, dim=0) - per_lab
    place = torch.arange(len(rows), device=rows.device) - start[lab_index[order]]
    slots = lab_index[order] * n_rows + place
    empty = rows.new_zeros(len(per_lab) * n_rows, *rows.shape[1:])
    return empty.index_copy(0, slots, rows[order]).unflatten(0, (len(per_lab), n_rows))


def masked_regression(mean: Tensor, y: Tensor, log_noise: Tensor) -> Tensor:
    r"""Huber's loss on residuals in units of a learnt σ, averaged over what was measured.

    .. math:: \rho_2((y - \mu) / \sigma) + \ln \sigma, \quad \rho_2(r) = r^2 / 2 \text{ for }
              |r| \le 2, \text{ else } 2 |r| - 2

    Args:
        mean: (n, m) predictions.
        y: (n, m) outcomes, NaN where not measured.
        log_noise: (m,) ln σ².

    Returns:
        A scalar; 0 if nothing was measured.

    Raises:
        InputError: shapes do not fit.
    """
    if mean.shape != y.shape:
        raise InputError(f"expected y of shape {tuple(mean.shape)}, got {tuple(y.shape)}")
    is_measured = ~torch.isnan(y)
    half = 0.5 * log_noise.clamp_min(LEAST_LOG_NOISE)
    scaled = torch.where(is_measured, y.nan_to_num() - mean, 0.0) * torch.exp(-half)
    losses = functional.huber_loss(
        scaled, torch.zeros_like(scaled), reduction="none", delta=_HUBER
    ) + half.expand_as(scaled)
    return (losses * is_measured).sum() / is_measured.sum().clamp_min(1)
