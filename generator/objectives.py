"""What the two networks minimise, and which examples a step shows them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from generator.config import GeneratorConfig, TrainingSettings
from generator.data import FLIPS, GeneratorData, mirrored
from generator.folding import fold, folded, labels_of
from generator.networks import EmbeddingPrior
from generator.noise import drawn_times, noised, training_scheduler
from generator.sketches import Softening, sketched
from surrogate.randomness import Passes, drawn_from

Examples = Callable[[int], tuple[Tensor, ...]]
"""What a step (its number) is shown: the arguments of the objective's ``forward``."""


FAINT = 0.04
"""Noise of less than this variance is hardly worth telling: see :func:`worth`."""


def worth(scheduler: DDPMScheduler, times: Tensor) -> Tensor:
    """Return σ² / (σ² + FAINT), the weight of each example's error, (n,).

    A picture's own grain is noise of about this size. To tell it from the diffusion's costs most of
    what plain v-prediction has to learn and changes the outcome by a few grey values; where fibres
    lie is decided under much more noise.
    """
    variance = (1.0 - scheduler.alphas_cumprod.to(times.device)[times]).float()
    return variance / (variance + FAINT)


class UNetObjective(nn.Module):
    """Mean squared error of what the UNet says of noisy pictures, by what it is :func:`worth`."""

    def __init__(self, unet: UNet2DConditionModel, config: GeneratorConfig) -> None:
        super().__init__()
        self.network = unet
        self._scheduler = training_scheduler(config.prediction)

    def forward(  # noqa: PLR0917 -- an example's parts, in their order
        self,
        x: Tensor,
        e: Tensor,
        is_conditioned: Tensor,
        times: Tensor,
        noise: Tensor,
        sketch: Tensor | None = None,
    ) -> Tensor:
        """Return the loss; x, noise and sketch (n, c, s, s), e (n, d), told and times (n,)."""
        noisy, target = noised(self._scheduler, x, noise, times)
        visible = noisy if sketch is None else torch.cat([noisy, sketch], dim=1)
        predicted = self.network(
            visible, times, encoder_hidden_states=None, class_labels=labels_of(e, is_conditioned)
        ).sample
        off = (predicted.float() - target).square().mean(dim=(1, 2, 3))
        return (off * worth(self._scheduler, times)).mean()


class PriorObjective(nn.Module):
    """Mean squared error of what the prior says of noisy embeddings, and of what it reads."""

    def __init__(self, prior: EmbeddingPrior) -> None:
        super().__init__()
        self.network = prior
        self._scheduler = training_scheduler("v_prediction")

    def forward(  # noqa: PLR0917 -- an example's parts, in their order
        self,
        e: Tensor,
        c: Tensor,
        times: Tensor,
        noise: Tensor,
        legible: Tensor | None = None,
        statistics: Tensor | None = None,
    ) -> Tensor:
        """Return the loss.

        e and noise (n, d), c (n, k), times (n,); ``legible`` (n, d) are embeddings to read
        ``statistics`` (n, 6) off, standardised, NaN where nothing is known.
        """
        noisy, target = noised(self._scheduler, e, noise, times)
        loss = functional.mse_loss(self.network(noisy, times, c).float(), target)
        if legible is None or statistics is None:
            return loss
        is_known = torch.isfinite(statistics)
        off = self.network.reading(legible) - torch.where(is_known, statistics, 0.0)
        return loss + (off.square() * is_known).sum() / is_known.sum().clamp_min(1)


def pictures_of(
    data: GeneratorData, prior: EmbeddingPrior, config: GeneratorConfig, settings: TrainingSettings
) -> Examples:
    """Return the examples of the UNet: pictures with their own embeddings, some of them hidden."""
    embeddings = prior.embedding(data.embeddings)
    passes = Passes(len(data.pictures), "pictures", settings.seed)

    def at(step: int) -> tuple[Tensor, ...]:
        luck = drawn_from("picture", settings.seed, step)
        chosen = _chosen(data, passes, step, settings.batch, luck)
        flips = torch.randint(len(FLIPS), (settings.batch,), generator=luck)
        pictures = mirrored(data.pictures[chosen], flips)
        x = fold(pictures, config.fold)
        is_conditioned = (torch.rand(settings.batch, generator=luck) >= settings.drop).float()
        times = drawn_times(settings.batch, luck)
        noise = torch.randn(x.shape, generator=luck)
        example = x, embeddings[chosen, flips], is_conditioned, times, noise
        if not config.is_laid:
            return example
        softening = Softening.drawn(len(pictures), config.side_px, luck)
        return *example, folded(sketched(pictures.float() / 255.0, softening), config.fold)

    return at


def pairs_of(data: GeneratorData, prior: EmbeddingPrior, settings: TrainingSettings) -> Examples:
    """Return the examples of the prior: embeddings of pictures with those of their conditions."""
    embeddings = prior.embedding(data.embeddings)
    conditions = prior.condition(data.conditions)
    n, variants, _ = conditions.shape
    statistics = (
        (data.statistics - prior.shown_mean) / prior.shown_sd
        if data.statistics is not None and prior.can_read
        else None
    )
    paired = GeneratorData(
        data.pictures[:n],
        data.embeddings[:n],
        data.conditions,
        None if data.weights is None else data.weights[:n],
    )
    passes = Passes(n, "pairs", settings.seed)

    def at(step: int) -> tuple[Tensor, ...]:
        luck = drawn_from("pair", settings.seed, step)
        chosen = _chosen(paired, passes, step, settings.batch, luck)
        flips = torch.randint(len(FLIPS), (settings.batch,), generator=luck)
        # Mirrored pictures have embeddings of their own; the conditions are the same.
        e = embeddings[chosen, flips]
        c = conditions[chosen, torch.randint(variants, (settings.batch,), generator=luck)]
        times = drawn_times(settings.batch, luck)
        example = e, c, times, torch.randn(e.shape, generator=luck)
        if statistics is None:
            return example
        # Of every picture, whether or not its conditions are known.
        legible = torch.randint(len(statistics), (settings.batch,), generator=luck)
        flips = torch.randint(len(FLIPS), (settings.batch,), generator=luck)
        return *example, embeddings[legible, flips], statistics[legible]

    return at


def _chosen(
    data: GeneratorData, passes: Passes, step: int, size: int, luck: torch.Generator
) -> Tensor:
    if data.weights is None:
        return passes.at(step, size)
    # With replacement: `Passes` shows everything once before anything twice, which weights forbid.
    return torch.multinomial(data.weights, size, replacement=True, generator=luck)
