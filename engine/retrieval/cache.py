"""Embeddings of micrographs by content, one file for each model. A cache only: it may be deleted.

``<data folder>/embeddings/<model>.npz`` holds two arrays, keys and vectors; no pickle is read. The
key names everything that the vector follows from: picture, scale, crop, axis, number of tiles.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.sources.reading import Picture

FOLDER = "embeddings"
Array = NDArray[np.float64]


def key_of(picture: Picture, digest: str, n_tiles: int) -> str:
    """Return the key of a picture's embedding, its content being ``digest``: 64 hex digits."""
    words = (
        digest,
        picture.nm_per_pixel,
        picture.crop,
        picture.rotation_axis or "x",
        n_tiles,
    )
    return hashlib.sha256(repr(words).encode()).hexdigest()


@dataclass
class EmbeddingCache:
    """What one model made of pictures so far."""

    path: Path
    known: dict[str, Array] = field(default_factory=dict)
    is_changed: bool = False

    @classmethod
    def open(cls, data_dir: Path, model_id: str, width: int) -> EmbeddingCache:
        """Read a model's file; one that is missing or damaged counts as empty.

        ``width``: r, the length of a vector.
        """
        path = data_dir / FOLDER / f"{model_id[:32]}.npz"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                keys, vectors = stored["keys"], stored["vectors"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return cls(path)
        if keys.ndim != 1 or vectors.shape != (len(keys), width) or keys.dtype.kind != "U":
            return cls(path)
        if not np.isfinite(vectors).all():
            return cls(path)
        return cls(path, dict(zip(keys.tolist(), vectors.astype(np.float64), strict=True)))

    def put(self, key: str, vector: Array) -> None:
        """Remember a vector (r,)."""
        self.known[key] = vector
        self.is_changed = True

    def save(self) -> None:
        """Write what is new, aside and then in place; a folder that cannot be written is let be."""
        if not self.is_changed:
            return
        aside = self.path.with_name(f".{self.path.name}.part-{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                np.savez(
                    file,
                    keys=np.array(list(self.known), dtype="U64"),
                    vectors=np.stack(list(self.known.values())).astype(np.float32),
                )
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self.path)
            self.is_changed = False
        except OSError:
            aside.unlink(missing_ok=True)
