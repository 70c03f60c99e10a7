"""What training minimises: regression of every source, and the contrastive term beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surrogate.matmcl.batches import Rows
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.lab_latent import joint_likelihood
from surrogate.matmcl.loss import gmc_loss, lab_likelihood, masked_regression
from surrogate.matmcl.model import ENSEMBLE, MatMCL


class Objective(nn.Module):
    r"""A model with its losses, as one module, so that ``accelerate`` can spread it.

    .. math:: L = \frac{1}{S} \sum_s L_s + \lambda L_\mathrm{GMC}

    with :math:`L_s` the negative log marginal likelihood of the simulated labs, or Huber's loss of
    another source, each per measured value.
    """

    def __init__(self, model: MatMCL) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, rows: tuple[Rows, ...], table: Tensor | None = None, tiles: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the losses, scalars: ``loss``, one of each source, ``contrastive`` if any.

        Args:
            rows: of each source.
            table, tiles: (n, p, 3) and (n, 1, s, s), 0…1: pairs for the contrastive term.
        """
        losses: dict[str, Tensor] = {}
        # Only f_v runs in bfloat16: a likelihood's Cholesky factors need float32.
        with torch.autocast(self.model.log_noise.device.type, enabled=False):
            for source_rows in rows:
                losses[f"source.{source_rows.source}"] = source_loss(self.model, source_rows)
            total = sum(losses.values()) / max(len(losses), 1)
        if table is not None and tiles is not None:
            losses["contrastive"] = contrastive(self.model, table, tiles)
            total = total + self.model.config.contrastive_weight * losses["contrastive"]
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


def contrastive(model: MatMCL, table: Tensor, tiles: Tensor) -> Tensor:
    """Return GMC's loss of pairs; f_v in the precision that is set around, the rest in float32."""
    config: MatMCLConfig = model.config
    vision = model.vision_latent(tiles)
    with torch.autocast(tiles.device.type, enabled=False):
        vision = vision.to(model.log_noise.dtype)
        latent = model.table_latent(table)
        joint = model.project(model.merge(latent, vision))
        projections = [model.project(latent), model.project(vision)]
        return gmc_loss(joint, projections, temperature=config.temperature)
