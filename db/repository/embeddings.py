"""Embeddings of pictures by model: kept, searched where the server can, and forgotten.

They are computed, so they are no changes: nobody's watermark moves, and what is missing is made
anew. A search by the server (pgvector's ``<=>``, cosine distance) goes through every vector asked
for, without an index of approximate neighbours: its answers are those of a search in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, text

from db.repository.scope import Scope
from db.tables import embeddings as t

_CHUNK = 500  # keys in one statement: SQLite takes no longer lists of older builds


class Embeddings:
    """What models made of pictures. Keys are SHA-256 of all that a vector follows from."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def stored(self, model: str, pictures: Collection[str]) -> set[str]:
        """Return which of the pictures have a vector by this model."""
        hashes: set[str] = set()
        for condition in _in_parts(model, pictures):
            rows = self._scope.connection.execute(select(t.c.picture).where(condition))
            hashes.update(rows.scalars())
        return hashes

    def get(self, model: str, pictures: Collection[str]) -> dict[str, tuple[float, ...]]:
        """Return the vectors (r,), in single precision, of those pictures that have one."""
        vectors_by_picture: dict[str, tuple[float, ...]] = {}
        for condition in _in_parts(model, pictures):
            rows = self._scope.connection.execute(select(t.c.picture, t.c.vector).where(condition))
            vectors_by_picture.update({row.picture: row.vector for row in rows})
        return vectors_by_picture

    def add(self, model: str, vectors: Mapping[str, Sequence[float]]) -> int:
        """Keep vectors (r,) by picture; what is there already stays. Return how many are new."""
        assert self._scope.change  # noqa: S101 -- the transaction writes
        # Read first, as there is no INSERT that passes over what is there on both databases alike.
        new = vectors.keys() - self.stored(model, vectors.keys())
        rows = [
            {"model": model, "picture": picture, "vector": vectors[picture]}
            for picture in vectors
            if picture in new
        ]
        if rows:
            self._scope.connection.execute(insert(t), rows)
        return len(rows)

    @property
    def can_search(self) -> bool:
        """Whether the server searches: PostgreSQL with the extension ``vector`` made in it."""
        if self._scope.connection.dialect.name != "postgresql":
            return False
        vector_type = self._scope.connection.execute(
            # Whether the type is there, and not whether the extension is installed: it may be, in
            # another schema.
            text("SELECT to_regtype('vector') IS NOT NULL")
        )
        return bool(vector_type.scalar())

    def nearest(
        self, model: str, query: Sequence[float], pictures: Sequence[str], n: int
    ) -> list[tuple[str, float]]:
        """Let the server search; return the ``n`` nearest pictures with their similarity.

        Args:
            model: whose vectors.
            query: (r,), of any length but zero.
            pictures: among which; those without a vector are passed over.
            n: how many.

        Returns:
            Keys with the cosine of the angle to ``query``, in the server's single precision, most
            similar first.
        """
        assert self.can_search  # noqa: S101 -- the caller asks first
        statement = text(
            # The cast follows PostgreSQL's own array; a column of type `vector` would need the
            # extension to open the database at all.
            "SELECT picture, 1 - (vector::vector <=> CAST(:query AS vector)) AS similarity "
            "FROM embeddings WHERE model = :model AND picture = ANY(:pictures) "
            "ORDER BY vector::vector <=> CAST(:query AS vector), picture LIMIT :n"
        )
        values = {
            "model": model,
            "query": str(array("f", query).tolist()),
            "pictures": list(pictures),
            "n": n,
        }
        rows = self._scope.connection.execute(statement, values)
        return [(str(row.picture), float(row.similarity)) for row in rows]

    def count(self) -> dict[str, int]:
        """Return how many vectors there are of each model."""
        statement = select(t.c.model, func.count()).group_by(t.c.model).order_by(t.c.model)
        return {row.model: row[1] for row in self._scope.connection.execute(statement)}

    def forget(self, models: Collection[str]) -> int:
        """Remove the vectors of models; return how many."""
        assert self._scope.change  # noqa: S101 -- the transaction writes
        deletion = self._scope.connection.execute(delete(t).where(t.c.model.in_(models)))
        return deletion.rowcount


def _in_parts(model: str, pictures: Collection[str]) -> Iterator[ColumnElement[bool]]:
    keys = sorted(pictures)
    for start in range(0, len(keys), _CHUNK):
        yield and_(t.c.model == model, t.c.picture.in_(keys[start : start + _CHUNK]))
