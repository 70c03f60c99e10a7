r"""Embeddings of the gallery's pictures: kept in the database, made anew where one is missing.

The search is the database's where the server has pgvector, and is done in memory elsewhere, with
the same answers: the server names candidates in single precision, a few more than asked for and as
many as its rounding could confuse; their similarities and their order are then computed here.

Notation
--------
=====  =====================================================================  =========
v      embeddings of the gallery's pictures, unit length                      (n, r)
q      embedding of what is asked, unit length                                (r,)
s      similarity, cos ∠(q, v_i)                                              (n,)
=====  =====================================================================  =========
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from db.errors import DatabaseError
from db.session import Database
from engine.sources.runs import Picture
from surrogate.retrieval import cosine_similarity, unit

Array = NDArray[np.float64]
Places = NDArray[np.intp]

ROUNDING = 1e-4
"""More than single precision can be off in a cosine, so that no candidate is missed."""

_SPARE = 32  # candidates beyond those asked for


def key_of(picture: Picture, digest: str, n_tiles: int) -> str:
    """Return the key of a picture's embedding, its content being ``digest``: 64 hex digits."""
    identity = (
        digest,
        picture.nm_per_pixel,
        picture.crop,
        picture.rotation_axis or "x",
        n_tiles,
    )
    return hashlib.sha256(repr(identity).encode()).hexdigest()


@dataclass
class Store:
    """What one model made of pictures, by key: rows of the database, and what it would not take.

    ``width``: r.
    """

    database: Database
    model_id: str
    width: int
    in_memory: dict[str, Array] = field(default_factory=dict)

    def missing(self, keys: Sequence[str]) -> set[str]:
        """Return the keys that have no vector yet."""
        with self.database.read() as tx:
            stored = tx.embeddings.stored(self.model_id, set(keys))
        return set(keys) - stored - self.in_memory.keys()

    def put(self, vectors: Mapping[str, Array]) -> None:
        """Keep vectors (r,); where the database takes none, as long as this process lives."""
        if not vectors:
            return
        rows = {key: vector.tolist() for key, vector in vectors.items()}
        try:
            with self.database.write("embed") as tx:
                tx.embeddings.add(self.model_id, rows)
        # A read-only database can still be asked.
        except DatabaseError:
            self.in_memory |= {key: _single(vector) for key, vector in vectors.items()}

    def get(self, keys: Sequence[str]) -> Array:
        """Return v (n, r) of keys that have one, in single precision's steps.

        Raises:
            KeyError: one has none.
        """
        with self.database.read() as tx:
            rows = tx.embeddings.get(self.model_id, set(keys) - self.in_memory.keys())
        if not keys:
            return np.empty((0, self.width))
        vectors = [self.in_memory[key] if key in self.in_memory else rows[key] for key in keys]
        return np.asarray(vectors, dtype=np.float64)

    def candidates(self, query: Array, keys: Sequence[str], n: int) -> set[str] | None:
        """Let the server name keys that hold the ``n`` most similar; ``None`` if it cannot."""
        if self.in_memory.keys() & set(keys):
            return None
        n_wanted, distinct = n + _SPARE, list(dict.fromkeys(keys))
        with self.database.read() as tx:
            if not tx.embeddings.can_search:
                return None
            while True:
                nearest = tx.embeddings.nearest(self.model_id, query.tolist(), distinct, n_wanted)
                is_all = len(nearest) < n_wanted
                # The last one named is surely farther than the last one wanted, whatever was
                # rounded.
                if is_all or nearest[n - 1][1] - nearest[-1][1] > ROUNDING:
                    return {key for key, _ in nearest}
                n_wanted *= 4


@dataclass(frozen=True)
class Index:
    """The embeddings of a gallery's items, ``keys`` by place; several places may share one."""

    store: Store
    keys: tuple[str, ...]

    def vectors(self, places: Sequence[int] | Places | None = None) -> Array:
        """Return v (n, r) of all places, or of those asked for."""
        keys = self.keys if places is None else [self.keys[place] for place in places]
        return self.store.get(keys)

    def similarity(self, query: Array, places: Sequence[int] | Places) -> Array:
        """Return s of those places to q (r,)."""
        similarity = cosine_similarity(
            torch.from_numpy(query[None]), torch.from_numpy(self.vectors(places))
        )
        return np.asarray(similarity[0].numpy())

    def nearest(self, query: Array, among: Places, n: int) -> Places:
        """Return up to ``n`` of the places ``among``, most similar first, equals as they come."""
        if n < 1 or not len(among):
            return among[:0]
        direction = unit(torch.from_numpy(query[None]))[0].numpy()
        named = self.store.candidates(direction, [self.keys[place] for place in among], n)
        if named is not None:
            among = np.array([place for place in among if self.keys[place] in named], dtype=np.intp)
        order = np.argsort(-self.similarity(query, among), kind="stable")
        return among[order[:n]]


def _single(vector: Array) -> Array:
    # As the database gives it back: the same answer whether or not it was kept.
    return vector.astype(np.float32).astype(np.float64)
