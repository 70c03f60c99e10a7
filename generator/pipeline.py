"""From an embedding to micrographs: prior, UNet and a fast solver, as one pipeline of diffusers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from diffusers.utils import BaseOutput
from numpy.typing import NDArray
from torch import Tensor

from generator.config import GeneratorConfig
from generator.drawing import LAID_STEPS, MAX_PICTURES, PRIOR_STEPS, STEPS, Noise, laid
from generator.errors import InputError
from generator.folding import labels_of, unfold
from generator.grain import grained
from generator.networks import EmbeddingPrior

# Above 1 it would draw mats more alike than lots are.
GUIDANCE = 1.0


@dataclass
class Pictures(BaseOutput):
    """``pictures``: (n, s, s) uint8, grey. ``embeddings``: (n, d), by which each was drawn."""

    pictures: NDArray[np.uint8]
    embeddings: Tensor


class MicrostructurePipeline(DiffusionPipeline):
    """Draws micrographs of the mat that conditions promise, or of mats like one that was seen.

    Args:
        prior: from condition embeddings to image embeddings.
        prior_scheduler: its solver.
        unet: from noise to a folded picture, told the image embedding.
        scheduler: its solver.
        fold: pixels a side that are one place of the UNet.
        nm_per_pixel: the scale of what is drawn.
    """

    model_cpu_offload_seq = "prior->unet"

    def __init__(  # noqa: PLR0917 -- diffusers wants them so
        self,
        prior: EmbeddingPrior,
        prior_scheduler: Any,
        unet: UNet2DConditionModel,
        scheduler: Any,
        fold: int = 4,
        nm_per_pixel: float = 60.0,
    ) -> None:
        super().__init__()
        self.register_modules(
            prior=prior, prior_scheduler=prior_scheduler, unet=unet, scheduler=scheduler
        )
        self.register_to_config(fold=fold, nm_per_pixel=nm_per_pixel)

    @property
    def side_px(self) -> int:
        """Pixels a side of a picture."""
        return int(self.unet.config.sample_size * self.config.fold)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def __call__(
        self,
        condition_embedding: Tensor | None = None,
        n: int = 1,
        generator: torch.Generator | None = None,
        *,
        image_embedding: Tensor | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float = GUIDANCE,
        batch: int = 32,
    ) -> Pictures:
        """Draw ``n`` pictures for each row; the rows' pictures follow one another.

        Args:
            condition_embedding: (m, k), as the conditions' encoder gives them: the prior draws an
                image embedding for each picture, so that they differ as lots do.
            n: pictures a row.
            generator: on the CPU; decides everything. The same state gives the same pictures,
                however many are drawn at a time.
            image_embedding: (m, d), as the pictures' encoder gives them, in place of conditions.
            num_inference_steps: of the solver; ``None``: as many as are enough.
            guidance_scale: 1 draws as the data lie; above 1 keeps closer to the embedding.
            batch: pictures at a time.

        Raises:
            InputError: neither embedding or both, of another shape, or numbers that cannot be.
        """
        self._check(condition_embedding, image_embedding, n, num_inference_steps, guidance_scale)
        device = self._execution_device
        if image_embedding is None:
            assert condition_embedding is not None  # noqa: S101 -- checked above
            rows = condition_embedding.to(device, torch.float32).repeat_interleave(n, dim=0)
            e = self.image_embeddings(rows, generator)
        else:
            rows = image_embedding.to(device, torch.float32).repeat_interleave(n, dim=0)
            e = self.prior.embedding(rows)
        # All of it at once, before the batches: their size then changes nothing.
        noise = Noise.drawn(self.shape, len(e), generator)
        steps = num_inference_steps or (LAID_STEPS if self.shape.is_laid else STEPS)
        drawn = [
            self._draw(part, e[first : first + batch], steps, guidance_scale)
            for first, part in zip(range(0, len(e), batch), noise.split(batch), strict=True)
        ]
        pictures = torch.cat(drawn).cpu().numpy()
        raw = e * self.prior.embedding_sd + self.prior.embedding_mean
        return Pictures(pictures=pictures, embeddings=raw.cpu())

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def image_embeddings(
        self, conditions: Tensor, generator: torch.Generator | None, steps: int = PRIOR_STEPS
    ) -> Tensor:
        """Draw e (n, d), standardised, for raw condition embeddings (n, k)."""
        c = self.prior.condition(conditions)
        e = _noise((len(c), self.prior.config.embedding_dim), generator).to(c.device)
        # Also forgets the former drawing: a multistep solver keeps what it said before.
        self.prior_scheduler.set_timesteps(steps)
        for time in self.prior_scheduler.timesteps:
            predicted = self.prior(e, time.expand(len(e)), c)
            e = self.prior_scheduler.step(predicted, time, e).prev_sample
        return e

    @property
    def shape(self) -> GeneratorConfig:
        """What of the generator's shape the noise depends on."""
        fold, unet = int(self.config.fold), self.unet.config
        return GeneratorConfig(
            side_px=self.side_px,
            nm_per_pixel=float(self.config.nm_per_pixel),
            fold=fold,
            channels=(8,),
            attention=(False,),
            is_laid=int(unet.in_channels) > int(unet.out_channels),
        )

    def _draw(self, noise: Noise, e: Tensor, steps: int, guidance: float) -> Tensor:
        x, labels = noise.places.to(e.device), labels_of(e)
        mats = laid(self.shape, self.prior, e, noise) if self.shape.is_laid else None
        is_guided = guidance != 1.0
        if is_guided:
            labels = torch.cat([labels, labels_of(e, e.new_zeros(len(e)))])
        self.scheduler.set_timesteps(steps)
        for time in self.scheduler.timesteps:
            visible = x if mats is None else torch.cat([x, mats.sketch.to(x)], dim=1)
            doubled = torch.cat([visible, visible]) if is_guided else visible
            predicted = self.unet(
                doubled, time, encoder_hidden_states=None, class_labels=labels
            ).sample
            if is_guided:
                guided, untold = predicted.chunk(2)
                predicted = untold + guidance * (guided - untold)
            x = self.scheduler.step(predicted, time, x).prev_sample
        pictures = unfold(x.cpu(), self.config.fold)
        return pictures if mats is None else grained(pictures, mats.grain, noise.grain)

    def _check(
        self,
        condition: Tensor | None,
        image: Tensor | None,
        n: int,
        steps: int | None,
        guidance: float,
    ) -> None:
        if (condition is None) == (image is None):
            raise InputError("expected condition_embedding or image_embedding, and not both")
        rows = condition if image is None else image
        name = "condition_dim" if image is None else "embedding_dim"
        width = int(self.prior.config[name])
        if rows is None or rows.ndim != 2 or rows.shape[1] != width or not len(rows):
            got = None if rows is None else tuple(rows.shape)
            raise InputError(
                f"expected embeddings of shape (m, {width}), m of at least 1, got {got}"
            )
        if not torch.isfinite(rows).all():
            raise InputError("expected finite embeddings, got NaN or infinity among them")
        if not 1 <= n * len(rows) <= MAX_PICTURES or n < 1:
            raise InputError(
                f"expected 1 to {MAX_PICTURES} pictures in all, got {n} for {len(rows)} rows"
            )
        if (steps is not None and not 1 <= steps <= 1000) or not 0.0 <= guidance <= 100.0:
            raise InputError(
                "expected 1 to 1000 steps and a guidance of 0 to 100, "
                f"got {steps} steps and a guidance of {guidance}"
            )


def _noise(shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Draw on the CPU, whatever the device: the same seed gives the same noise everywhere."""
    return torch.randn(shape, generator=generator)
