"""Drawing without diffusers: the networks of a folder, ready to draw a batch's pictures at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generator.config import GeneratorConfig
from generator.errors import InputError
from generator.folding import folded, labels_of, unfold
from generator.grain import grained
from generator.layout import lay
from generator.prior import Prior
from generator.sketches import Softening, sketched
from generator.solver import solve
from generator.unet import DrawingUNet

# 8 draw mats as true as 16 do, in every score (docs/notes/generator.md); the prior costs nothing.
STEPS, PRIOR_STEPS = 8, 16
LAID_STEPS = 8
"""Where fibres lie is decided; yet of fewer steps more mats come out that are read as thinner."""

MAX_PICTURES = 4096
# In bfloat16 a fifth faster than a row's four pictures at a time; larger ones bring nothing.
BATCH = 16


@dataclass(frozen=True)
class Noise:
    """What decides n pictures.

    ``places``: (n, fold², s', s'), what the UNet turns back. Where mats are laid also ``seeds``:
    (n,), of each; ``sketch``, ``grain``: (n, s, s), of the sketch and of the picture.
    """

    places: Tensor
    seeds: Tensor
    sketch: Tensor
    grain: Tensor

    @classmethod
    def drawn(cls, config: GeneratorConfig, n: int, generator: torch.Generator | None) -> Noise:
        """Draw it; on the CPU, whatever the device: the same seed gives the same everywhere."""
        side = config.side_px // config.fold
        places = torch.randn((n, config.fold**2, side, side), generator=generator)
        if not config.is_laid:
            empty = torch.empty(n, 0)
            return cls(places, empty, empty, empty)
        seeds = torch.randint(2**62, (n,), generator=generator)
        sketch, grain = torch.randn((2, n, config.side_px, config.side_px), generator=generator)
        return cls(places, seeds, sketch, grain)

    @classmethod
    def joined(cls, noises: Sequence[Noise]) -> Noise:
        """Return the noise of all pictures."""
        return cls(*(torch.cat([getattr(noise, f.name) for noise in noises]) for f in fields(cls)))

    def split(self, size: int) -> list[Noise]:
        """Return the noise of ``size`` pictures at a time."""
        parts = zip(*(getattr(self, f.name).split(size) for f in fields(self)), strict=True)
        return [Noise(*part) for part in parts]


@dataclass(frozen=True)
class LaidMats:
    """Mats laid for n pictures: ``sketch`` (n, fold², s', s'), ``grain`` (n,) [grey values]."""

    sketch: Tensor
    grain: Tensor


def laid(config: GeneratorConfig, prior: Prior, e: Tensor, noise: Noise) -> LaidMats:
    """Lay a mat of what each embedding e (n, d) shows, and sketch it."""
    statistics = prior.statistics(e).cpu()
    mats = [
        torch.from_numpy(lay(row, config.side_px, config.nm_per_pixel, seed).grey)
        for row, seed in zip(statistics.double().numpy(), noise.seeds.tolist(), strict=True)
    ]
    sketches = sketched(torch.stack(mats), Softening.least(noise.sketch))
    return LaidMats(folded(sketches, config.fold), statistics[:, -1])


@dataclass(frozen=True)
class Drawer:
    """Draws micrographs of the mat that conditions promise, or of mats like one that was seen.

    ``unet`` may be in bfloat16 (:func:`native_precision`); ``prior`` is in float32, as it costs
    nothing.
    """

    config: GeneratorConfig
    prior: Prior
    unet: DrawingUNet

    def of_conditions(
        self,
        embeddings: Tensor,
        n: int,
        seeds: int | Sequence[int],
        *,
        steps: int | None = None,
        workers: int = 1,
    ) -> NDArray[np.uint8]:
        """Draw ``n`` pictures of each row of condition embeddings (m, k): (m, n, s, s).

        Each row's pictures follow from the row and its seed alone, whatever else is drawn.

        Args:
            embeddings: as the conditions' encoder gives them.
            n: pictures a row, as different as lots are.
            seeds: of the noise, one for all rows, or one for each.
            steps: of the solver; ``None``: as many as are enough.
            workers: threads.

        Raises:
            InputError: rows of another width, numbers that are not finite, too many pictures.
        """
        self._check(embeddings, self.config.condition_dim, n)
        of_rows = [seeds] * len(embeddings) if isinstance(seeds, int) else seeds
        luck = [torch.Generator().manual_seed(seed) for seed in of_rows]
        with torch.no_grad():
            e = [
                # Row by row: in float32 a sum's last digit depends on how many are summed at once.
                solve(
                    torch.randn((n, self.config.embedding_dim), generator=generator),
                    self._told_by_prior(row.expand(n, -1)),
                    PRIOR_STEPS,
                    "v_prediction",
                )
                for row, generator in zip(
                    self.prior.condition(embeddings.float()).split(1), luck, strict=True
                )
            ]
        noise = [Noise.drawn(self.config, n, generator) for generator in luck]
        x = self._drawn(e, noise, steps, workers)
        return x.reshape(len(embeddings), n, *x.shape[1:])

    def of_picture(
        self, embeddings: Tensor, seed: int, *, steps: int | None = None
    ) -> NDArray[np.uint8]:
        """Draw a picture for each image embedding (n, d), as the pictures' encoder gives it."""
        self._check(embeddings, self.config.embedding_dim, 1)
        luck = torch.Generator().manual_seed(seed)
        noise = Noise.drawn(self.config, len(embeddings), luck)
        return self._drawn([self.prior.embedding(embeddings.float())], [noise], steps, 1)

    def _told_by_prior(self, c: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda e, time: self.prior(e, time, c)

    def _drawn(
        self, e: Sequence[Tensor], noise: Sequence[Noise], steps: int | None, workers: int
    ) -> NDArray[np.uint8]:
        """Draw for each row its e (n, d) and noise, all rows by all ``workers``: (m · n, s, s)."""
        if self.unet.conv_in.weight.dtype == torch.bfloat16:
            # In float32 larger batches than a row's bring nothing, and its last digits would depend
            # on them.
            e, noise = torch.cat(list(e)).split(BATCH), Noise.joined(noise).split(BATCH)
        if workers > 1 and len(e) > 1:
            with ThreadPoolExecutor(workers) as pool:
                parts = list(pool.map(self._part, e, noise, repeat(steps)))
        else:
            parts = [self._part(rows, luck, steps) for rows, luck in zip(e, noise, strict=True)]
        pictures: NDArray[np.uint8] = torch.cat(parts).numpy()
        return pictures

    def _part(self, e: Tensor, noise: Noise, steps: int | None) -> Tensor:
        config = self.config
        with torch.no_grad():  # of each thread its own
            labels = labels_of(e)
            mats = laid(config, self.prior, e, noise) if config.is_laid else None

            def velocity(x: Tensor, time: Tensor) -> Tensor:
                visible = x if mats is None else torch.cat([x, mats.sketch], dim=1)
                return self.unet(visible, time, labels)

            x = solve(
                noise.places.contiguous(memory_format=torch.channels_last),
                velocity,
                steps or (LAID_STEPS if config.is_laid else STEPS),
                config.prediction,
            )
            pictures = unfold(x, config.fold)
            return pictures if mats is None else grained(pictures, mats.grain, noise.grain)

    def _check(self, rows: Tensor, width: int, n: int) -> None:
        if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
            raise InputError(
                f"expected embeddings of shape (m, {width}), m of at least 1, got "
                f"{tuple(rows.shape)}"
            )
        if not torch.isfinite(rows).all():
            raise InputError("expected finite embeddings, got NaN or infinity among them")
        if n < 1 or n * len(rows) > MAX_PICTURES:
            raise InputError(
                f"expected 1 to {MAX_PICTURES} pictures in all, got {n} for {len(rows)} rows"
            )


def native_precision() -> torch.dtype:
    """Return bfloat16 where this processor computes in it, else float32.

    It halves the time and moves no statistic of a picture (docs/notes/generator.md); where it is
    only imitated it costs time instead.
    """
    capabilities = torch.cpu.get_capabilities()
    is_native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if is_native else torch.float32
