"""The model that puts conditions and micrographs into one space, and what it says of either.

Notation
--------
=====  ==============================================================  =========
t      g(f_t(conditions)), unit length                                 (n, r)
v      g(f_v(tile)), averaged over a picture's tiles, unit length      (n, r)
=====  ==============================================================  =========
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from db.transaction import Transaction
from engine.campaign import Value
from engine.errors import ModelError, NotFoundError, place
from engine.sources.axes import Axis, match_axes
from engine.sources.encoding import encode_axes
from engine.sources.serving_surrogate import STARTER, serving_folder
from engine.workspace import Workspace

if TYPE_CHECKING:
    from surrogate.matmcl.model import MatMCL

Array = NDArray[np.float64]

TILES = 16
"""Tiles of a micrograph; more bring nothing on the virtual lab's pictures of 30 µm."""

_BATCH = 64


@dataclass(frozen=True)
class Encoder:
    """A trained MatMCL with its identity: ``id`` is the SHA-256 of its weights.

    ``name``: how it is called in messages.
    """

    model: MatMCL
    id: str
    name: str
    n_tiles: int = TILES

    def of_conditions(
        self, axes: Sequence[Axis], conditions: Sequence[Mapping[str, Value]]
    ) -> Array:
        """Return t (n, r) of conditions in the units of ``axes``; missing ones are masked.

        Raises:
            ModelError: none of them is a parameter that the model knows.
        """
        import torch

        vocabulary = self.model.vocabulary
        table = np.asarray(encode_axes(match_axes(axes, vocabulary), vocabulary, conditions))
        if len(table) and not (table[..., 2] > 0.5).any():
            raise ModelError(
                f"{self.name} knows none of the stated parameters; it knows "
                f"{', '.join(self.model.vocabulary.names)}"
            )
        with torch.no_grad():
            latent = self.model.table_latent(torch.as_tensor(table, dtype=torch.float32))
            return np.asarray(self.model.project(latent).double().numpy())

    def of_picture(self, grey: NDArray[np.float32], nm_per_pixel: float, seed: int) -> Array:
        """Return v (r,) of a grey picture (height, width), any scale, rotation along the width.

        ``seed`` decides where the tiles are cut.

        Raises:
            SurrogateError: the picture is too small or too coarse for one tile.
        """
        import torch

        from surrogate.matmcl.tiles import cut_tiles
        from surrogate.retrieval import mean_direction

        tiles = cut_tiles(
            levelled(grey),
            nm_per_pixel,
            config=self.model.config,
            n=self.n_tiles,
            generator=torch.Generator().manual_seed(seed),
        )
        embeddings = self.of_tiles(tiles)
        owner = torch.zeros(len(embeddings), dtype=torch.long)
        return np.asarray(mean_direction(torch.from_numpy(embeddings), owner, 1)[0].numpy())

    def of_tiles(self, tiles: Any) -> Array:
        """Return v (t, r) of single tiles (t, s, s), uint8."""
        import torch

        parts = []
        with torch.no_grad():
            for chunk in tiles.split(_BATCH):
                latent = self.model.vision_latent(chunk.unsqueeze(1).float() / 255.0)
                parts.append(self.model.project(latent))
        return np.asarray(torch.cat(parts).double().numpy())


def levelled(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return grey values of any scale as 0 … 255 by their range, as pretraining does."""
    # The same as in `engine.sources.tensors`: what was learnt at one level must be asked at it.
    low, high = np.percentile(grey, (0.5, 99.5))
    share = (grey - low) / max(float(high - low), 1e-6)
    return np.asarray(np.rint(255.0 * np.clip(share, 0.0, 1.0)), dtype=np.uint8)


def open_encoder(workspace: Workspace, tx: Transaction, campaign_id: int) -> Encoder:
    """Load the model that serves the campaign: its champion, else the starter of the package.

    Raises:
        ModelError: there is neither, or it cannot be loaded.
    """
    folder = serving_folder(workspace, tx, campaign_id)
    if folder is None:
        raise ModelError(
            "expected a model that knows micrographs, but config.toml asks for none: set "
            '[surrogate] pretrained = "auto"'
        )
    return load_encoder(folder, "the starter" if folder == STARTER else folder.name)


def load_encoder(folder: Path, name: str) -> Encoder:
    """Load a checkpoint's folder.

    Raises:
        ModelError: it cannot be loaded.
    """
    from surrogate.errors import SurrogateError
    from surrogate.matmcl.checkpoint import load_checkpoint, read_card

    try:
        return Encoder(load_checkpoint(folder), read_card(folder).sha256, name)
    except SurrogateError as error:
        raise ModelError(f"{name} cannot be used: {error}") from error


def read_picture(
    path: Path,
    *,
    max_megapixels: float,
    crop: tuple[int, int, int, int] | None = None,
    rotation_axis: str | None = None,
    name: str | None = None,
) -> NDArray[np.float32]:
    """Read a picture, cut off what is outside ``crop``, turn the rotation along its width.

    Raises:
        NotFoundError: the file is gone.
        DataError: no picture, or a damaged one.
    """
    from engine.micrographs.opened import Opened
    from engine.micrographs.reading import read_grey

    label = name or place(path)
    if not path.is_file():
        raise NotFoundError(f"{label}: the file is not there")
    grey = read_grey(path, max_megapixels=max_megapixels, name=name)
    return Opened(path, label, grey, crop=crop, rotation_axis=rotation_axis).upright
