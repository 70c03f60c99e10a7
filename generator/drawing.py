"""Drawing without diffusers: the networks of a folder, ready to draw a batch's pictures at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generator.config import GeneratorConfig
from generator.errors import InputError
from generator.folding import labels_of, unfold
from generator.prior import Prior
from generator.solver import solve
from generator.unet import DrawingUNet

# 8 draw mats as true as 16 do, in every score (docs/notes/generator.md); the prior costs nothing.
STEPS, PRIOR_STEPS = 8, 16
MAX_PICTURES = 4096
# In bfloat16 a fifth faster than a row's four pictures at a time; larger ones bring nothing.
BATCH = 16


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
        self, embeddings: Tensor, n: int, seed: int, *, steps: int = STEPS, workers: int = 1
    ) -> NDArray[np.uint8]:
        """Draw ``n`` pictures of each row of condition embeddings (m, k): (m, n, s, s).

        Each row's pictures follow from the row and ``seed`` alone, whatever else is drawn.

        Args:
            embeddings: as the conditions' encoder gives them.
            n: pictures a row, as different as lots are.
            seed: of the noise, the same for every row: rows then differ by what they promise only.
            steps: of the solver.
            workers: threads.

        Raises:
            InputError: rows of another width, numbers that are not finite, too many pictures.
        """
        self._check(embeddings, self.config.condition_dim, n)
        prior_noise, noise = self._noise(n, seed)
        with torch.no_grad():
            rows = [
                # Row by row: in float32 a sum's last digit depends on how many are summed at once.
                solve(
                    prior_noise,
                    self._told_by_prior(row.expand(n, -1)),
                    PRIOR_STEPS,
                    "v_prediction",
                )
                for row in self.prior.condition(embeddings.float()).split(1)
            ]
        x = self._drawn(torch.cat(rows), noise.repeat(len(rows), 1, 1, 1), n, steps, workers)
        return x.reshape(len(embeddings), n, *x.shape[1:])

    def of_picture(self, embeddings: Tensor, seed: int, *, steps: int = STEPS) -> NDArray[np.uint8]:
        """Draw a picture for each image embedding (n, d), as the pictures' encoder gives it."""
        self._check(embeddings, self.config.embedding_dim, 1)
        n = len(embeddings)
        _, noise = self._noise(n, seed)
        return self._drawn(self.prior.embedding(embeddings.float()), noise, n, steps, 1)

    def _noise(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        config, generator = self.config, torch.Generator().manual_seed(seed)
        side = config.side_px // config.fold
        e = torch.randn((n, config.embedding_dim), generator=generator)
        return e, torch.randn((n, config.fold**2, side, side), generator=generator)

    def _told_by_prior(self, c: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda e, time: self.prior(e, time, c)

    def _drawn(
        self, e: Tensor, noise: Tensor, n: int, steps: int, workers: int
    ) -> NDArray[np.uint8]:
        # In float32 larger batches than a row's bring nothing, and its last digits would depend on
        # them.
        size = BATCH if self.unet.conv_in.weight.dtype == torch.bfloat16 else n

        def part(first: int) -> Tensor:
            labels = labels_of(e[first : first + size])
            x = noise[first : first + size].contiguous(memory_format=torch.channels_last)
            with torch.no_grad():  # of each thread its own
                return solve(
                    x, lambda x, time: self.unet(x, time, labels), steps, self.config.prediction
                )

        firsts = range(0, len(e), size)
        if workers > 1 and len(firsts) > 1:
            with ThreadPoolExecutor(workers) as pool:
                parts = list(pool.map(part, firsts))
        else:
            parts = [part(first) for first in firsts]
        pictures: NDArray[np.uint8] = unfold(torch.cat(parts), self.config.fold).numpy()
        return pictures

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
