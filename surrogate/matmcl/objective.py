"""What training minimises: regression of every source, and the contrastive term beside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from surrogate.matmcl.batches import Rows
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.lab_latent import joint_likelihood
from surrogate.matmcl.loss import gmc_loss, lab_likelihood, masked_regression
from surrogate.matmcl.model import ENSEMBLE, MatMCL
from surrogate.matmcl.pairs import CurveRows, Pairs


class Objective(nn.Module):
    r"""A model with its losses, as one module, so that ``accelerate`` can spread it.

    .. math:: L = \frac{1}{S} \sum_s L_s + \lambda L_\mathrm{GMC}

    with :math:`L_s` the negative log marginal likelihood of the simulated labs, or Huber's loss of
    another source, each per measured value. Where rows have curves, the same loss with the curve
    given is added, so that f_m says what a specimen's other properties are.
    """

    def __init__(self, model: MatMCL) -> None:
        super().__init__()
        self.model = model

    def forward(self, rows: tuple[Rows, ...], pairs: Pairs | None = None) -> dict[str, Tensor]:
        """Return the losses, scalars: ``loss``, one of each source, ``contrastive``, ``curves``.

        Args:
            rows: of each source.
            pairs: for the contrastive term, tiles (k, 1, s, s), 0…1.
        """
        losses: dict[str, Tensor] = {}
        # Only f_v runs in bfloat16: a likelihood's Cholesky factors need float32.
        with torch.autocast(self.model.log_noise.device.type, enabled=False):
            for source_rows in rows:
                losses[f"source.{source_rows.source}"] = source_loss(self.model, source_rows)
            total = sum(losses.values()) / max(len(losses), 1)
        if pairs is not None:
            losses["contrastive"] = contrastive(self.model, pairs)
            total = total + self.model.config.contrastive_weight * losses["contrastive"]
            if pairs.curves is not None and bool(pairs.curves.present.any()):
                with torch.autocast(self.model.log_noise.device.type, enabled=False):
                    losses["curves"] = curve_loss(
                        self.model, pairs.table, pairs.curves, [part.source for part in rows]
                    )
                total = total + losses["curves"]
        return {"loss": total, **losses}


def source_loss(model: MatMCL, rows: Rows) -> Tensor:
    """Return a source's regression loss per measured value, a scalar."""
    place = model.source_index(rows.source)
    H = model.heads(rows.table, rows.source)
    outcomes = rows.outcomes.to(H.dtype)
    if rows.source != ENSEMBLE:
        return masked_regression(H[..., 0], outcomes, model.log_noise[place])
    # Models that keep no labs learnt directions for each outcome by itself, and go on so.
    of_lab = joint_likelihood if model.config.n_labs else lab_likelihood
    likelihood = of_lab(H, outcomes, rows.lab, model.log_noise[place])
    return -likelihood.sum() / (~torch.isnan(outcomes)).sum().clamp_min(1)


def curve_loss(model: MatMCL, table: Tensor, curves: CurveRows, sources: Sequence[str]) -> Tensor:
    """Return the regression loss per measured value where the curve is given, a scalar.

    Args:
        model: with a curve encoder.
        table: conditions (n, p, 3).
        curves: of these rows.
        sources: names by the places in ``curves.source``.
    """
    losses = []
    has_curve = curves.present.any(dim=1)
    for place, source in enumerate(sources):
        chosen = has_curve & (curves.source == place)
        if bool(chosen.any()):
            mean, log_noise = model.heads_with_curves(
                table[chosen], curves.curves[chosen], curves.present[chosen], source
            )
            losses.append(
                masked_regression(mean, curves.outcomes[chosen].to(mean.dtype), log_noise[0])
            )
    return torch.stack(losses).mean()


def contrastive(model: MatMCL, pairs: Pairs) -> Tensor:
    """Return GMC's loss of pairs; f_v in the precision that is set around, the rest in float32."""
    config: MatMCLConfig = model.config
    vision = None if pairs.tiles is None else model.vision_latent(pairs.tiles)
    with torch.autocast(pairs.table.device.type, enabled=False):
        latent = model.table_latent(pairs.table)
        if vision is not None:
            vision = vision.to(model.log_noise.dtype)
        if pairs.curves is None and vision is not None:
            joint = model.project(model.merge(latent, vision))
            projections = [model.project(latent), model.project(vision)]
            return gmc_loss(joint, projections, temperature=config.temperature)
        return _contrastive_of_all(model, latent, vision, pairs)


def _contrastive_of_all(
    model: MatMCL, latent: Tensor, vision: Tensor | None, pairs: Pairs
) -> Tensor:
    """Return the loss where rows have tiles, curves or both; a modality counts where it is there.

    Args:
        model: with a curve encoder.
        latent: of conditions (n, l).
        vision: of tiles (k, l).
        pairs: whose rows these are.
    """
    assert pairs.curves is not None  # noqa: S101 -- rows without tiles have curves
    n, has_tile = len(latent), pairs.has_tile
    if has_tile is None:
        has_tile = torch.ones(n, dtype=torch.bool, device=latent.device)
    # What stands in for missing tiles is what f_m has learnt for them.
    pictured = model.stand_in(n)
    if vision is not None:
        pictured = pictured.index_copy(0, has_tile.nonzero().flatten(), vision)
    curve = model.curve_latent(pairs.curves.curves, pairs.curves.present)
    joint = model.project(model.merge(latent, pictured, curve))
    always = torch.ones_like(has_tile)
    return gmc_loss(
        joint,
        [model.project(latent), model.project(pictured), model.project(curve)],
        [always, has_tile, pairs.curves.present.any(dim=1)],
        temperature=model.config.temperature,
    )
