"""A generator with its encoders, ready to draw: conditions or a picture in, micrographs out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.errors import DataError, ModelError, UsageError, mark_place
from engine.host import usable_cores
from engine.previews.serving_generator import ENCODERS, Serving
from engine.sources.axes import axes_of, match_axes
from engine.sources.encoding import encode_axes

if TYPE_CHECKING:
    from generator.drawing import Drawer
    from surrogate.matmcl.model import MatMCL

MOST_PICTURES = 64


@dataclass(frozen=True)
class Painter:
    """Draws. ``sha256``: of the UNet's weights, by which a generator is known.

    ``encoders``: both, or the conditions' alone, which draws no picture like another.
    """

    drawer: Drawer
    encoders: MatMCL
    sha256: str
    name: str

    @property
    def nm_per_pixel(self) -> float:
        """The scale of what is drawn."""
        return float(self.drawer.config.nm_per_pixel)

    def of_conditions(
        self, campaign: Campaign, conditions: Sequence[Mapping[str, Value]], n: int, seed: int
    ) -> NDArray[np.uint8]:
        """Draw n pictures of each row of conditions: (m, n, s, s). What is not stated stays open.

        Each row's pictures follow from its conditions and ``seed`` alone. No two rows share their
        noise: four mats that recur in every row would be compared in place of the conditions.

        Raises:
            UsageError: a number of pictures that cannot be.
            ModelError: the generator knows none of the stated parameters.
        """
        import torch

        require_count(n)
        vocabulary = self.encoders.vocabulary
        table = np.asarray(
            encode_axes(match_axes(axes_of(campaign), vocabulary), vocabulary, list(conditions))
        )
        for row, stated in zip(table, conditions, strict=True):
            # The third column tells whether a value is there: without one the prior would draw any
            # mat.
            if not (row[:, 2] > 0.5).any():
                raise ModelError(
                    f"{self.name} knows none of {', '.join(stated) or 'the conditions'}; it knows "
                    f"{', '.join(vocabulary.names)}"
                )
        with torch.no_grad():
            # Row by row: a sum's last digit depends on how many rows are summed at once, and a
            # run's pictures must not depend on which others are drawn with it.
            latents = torch.cat(
                [
                    self.encoders.table_latent(row)
                    for row in torch.from_numpy(table).float().split(1)
                ]
            )
        # Pictures are apart from one another, so every core brings its share; `[compute] threads`
        # is of those who work on one matrix together.
        seeds = [seed_of(row, seed) for row in table]
        return self.drawer.of_conditions(latents, n, seeds, workers=usable_cores())

    def like(self, grey: NDArray[Any], nm_per_pixel: float, n: int, seed: int) -> NDArray[np.uint8]:
        """Draw n pictures like a micrograph (height, width), rotation along its width: (n, s, s).

        Raises:
            UsageError: a number of pictures that cannot be.
            DataError: the micrograph is too small or too coarse.
        """
        import torch

        from engine.retrieval.encoder import levelled
        from surrogate.errors import SurrogateError
        from surrogate.matmcl.tiles import cut_tiles

        require_count(n)
        luck = torch.Generator().manual_seed(seed)
        try:
            tiles = cut_tiles(
                levelled(np.asarray(grey, dtype=np.float32)),
                nm_per_pixel,
                config=self.encoders.config,
                n=n,
                generator=luck,
            )
        except SurrogateError as error:
            raise DataError(str(error)) from error
        with torch.no_grad():
            v = self.encoders.vision_latent(tiles.unsqueeze(1).float() / 255.0)
        return self.drawer.of_picture(v, seed)


def seed_of(row: NDArray[np.float64], seed: int) -> int:
    """Return the seed of one row of conditions, encoded (p, 3).

    >>> seed_of(np.zeros((1, 3)), 1) == seed_of(np.zeros((1, 3)), 2)
    False
    """
    # Rounded: another machine's last digit is no other mat; + 0.0 makes −0 a 0.
    digest = hashlib.sha256((np.round(row, 9) + 0.0).tobytes() + str(seed).encode())
    return int.from_bytes(digest.digest()[:7])


def require_count(n: int) -> None:
    """Refuse a number of pictures that cannot be.

    Raises:
        UsageError: it is one.
    """
    if not 1 <= n <= MOST_PICTURES:
        raise UsageError(f"expected 1 to {MOST_PICTURES} pictures, got {n}", field="n")


def open_painter(serving: Serving, *, encoders: Literal["all", "table"] = "all") -> Painter:
    """Load a generator and the encoders beside it, which must belong together.

    ``encoders``: which; those of conditions alone (``table``) spare 1.3 s of loading transformers.

    Raises:
        ModelError: a file is missing, damaged or foreign, or generator and encoders are strangers.
    """
    from generator.checkpoint import load_drawer, read_card
    from generator.drawing import native_precision
    from generator.errors import GeneratorError
    from surrogate.errors import SurrogateError
    from surrogate.matmcl.checkpoint import load_checkpoint
    from surrogate.matmcl.checkpoint import read_card as read_encoders

    folder: Path = serving.folder
    try:
        of_encoders = read_encoders(folder / ENCODERS)
        card = read_card(folder)
        drawer = load_drawer(folder, encoders_sha256=of_encoders.sha256, dtype=native_precision())
        generator_sha256 = of_encoders.extra.get("generator_sha256")
        # Both hold the other's hash: an embedding of other encoders would be drawn without any
        # error.
        if generator_sha256 != card.sha256:
            raise ModelError(
                f"{serving.name}: these encoders belong to the generator "
                f"{str(generator_sha256)[:12]}…, got {card.sha256[:12]}…. "
                "Copy or make the generator again"
            )
        model = load_checkpoint(folder / ENCODERS, parts=encoders)
    except (GeneratorError, SurrogateError) as error:
        reason = mark_place(str(error), folder)
        raise ModelError(f"{serving.name} cannot draw previews: {reason}") from error
    return Painter(drawer, model, card.sha256, serving.name)
