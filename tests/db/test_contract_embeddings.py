"""Embeddings in the database: kept alike by every kind, searched by those that can."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import IntegrityError

from db.errors import ConflictError
from db.session import Database

MODEL, OTHER = "a" * 64, "b" * 64


def key(i: int) -> str:
    return f"{i:064x}"


@pytest.fixture
def filled(database: Database) -> Database:
    """Return a database with two vectors by one model, and one by another."""
    with database.write("embed") as tx:
        assert tx.embeddings.add(MODEL, {key(1): [0.6, 0.8], key(2): [1.0, 0.0]}) == 2
        assert tx.embeddings.add(OTHER, {key(1): [0.0, -1.0]}) == 1
    return database


def test_round_trip_in_single_precision(filled: Database) -> None:
    with filled.read() as tx:
        got = tx.embeddings.get(MODEL, {key(1), key(2), key(3)})
        assert tx.embeddings.stored(MODEL, {key(2), key(3)}) == {key(2)}
        assert tx.embeddings.count() == {MODEL: 2, OTHER: 1}
    assert got == {key(1): pytest.approx((0.6, 0.8), abs=1e-7), key(2): (1.0, 0.0)}
    assert got[key(1)] != (0.6, 0.8)


def test_what_is_there_stays(filled: Database) -> None:
    with filled.write("embed") as tx:
        assert tx.embeddings.add(MODEL, {key(1): [0.0, 1.0], key(3): [0.0, 1.0]}) == 1
    with filled.read() as tx:
        assert tx.embeddings.get(MODEL, {key(1)})[key(1)] == pytest.approx((0.6, 0.8), abs=1e-7)


def test_they_are_no_changes(filled: Database) -> None:
    with filled.read() as tx:
        assert (tx.watermark(), tx.changes()) == (0, [])


def test_models_are_forgotten(filled: Database) -> None:
    with filled.write("prune") as tx:
        assert tx.embeddings.forget({MODEL, "c" * 64}) == 2
    with filled.read() as tx:
        assert tx.embeddings.count() == {OTHER: 1}


def test_many_at_once(database: Database) -> None:
    vectors = {key(i): [math.cos(i), math.sin(i)] for i in range(2_000)}
    with database.write("embed") as tx:
        assert tx.embeddings.add(MODEL, vectors) == 2_000
    with database.read() as tx:
        got = tx.embeddings.get(MODEL, vectors.keys())
    assert got.keys() == vectors.keys()
    assert got[key(1999)] == pytest.approx(vectors[key(1999)], abs=1e-7)


def test_a_key_that_is_none_is_refused(database: Database) -> None:
    with pytest.raises((ConflictError, IntegrityError)), database.write("embed") as tx:
        tx.embeddings.add(MODEL, {"short": [1.0]})


class TestSearch:
    """On a server with pgvector; the others say that they cannot."""

    @pytest.fixture
    def server(self, postgres_url: str) -> Iterator[Database]:
        with Database.open(postgres_url) as database:
            with database.read() as tx:
                if not tx.embeddings.can_search:
                    pytest.skip("the PostgreSQL server has no pgvector")
            yield database

    def test_a_file_cannot(self, sqlite_database: Database) -> None:
        with sqlite_database.read() as tx:
            assert not tx.embeddings.can_search

    def test_nearest_first_among_those_asked_for(self, server: Database) -> None:
        vectors = {key(i): [math.cos(i / 100), math.sin(i / 100)] for i in range(100)}
        with server.write("embed") as tx:
            tx.embeddings.add(MODEL, vectors)
            tx.embeddings.add(OTHER, {key(50): [-1.0, 0.0]})
        asked = [math.cos(0.5), math.sin(0.5)]
        with server.read() as tx:
            found = tx.embeddings.nearest(MODEL, asked, [*vectors, key(1000)], 3)
            some = tx.embeddings.nearest(MODEL, asked, [key(3), key(4)], 3)
        assert [one for one, _ in found] == [key(50), key(49), key(51)]
        assert [s for _, s in found] == pytest.approx(
            [1.0, math.cos(0.01), math.cos(0.01)], abs=1e-6
        )
        assert [one for one, _ in some] == [key(4), key(3)]

    def test_a_database_without_the_extension_says_so(
        self, empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from postgres_server import execute

        from db.schema import create

        create(empty_postgres_url)
        execute(empty_postgres_url, "DROP EXTENSION IF EXISTS vector")
        with Database.open(empty_postgres_url) as database:
            with database.write("embed") as tx:
                tx.embeddings.add(MODEL, {key(1): [1.0, 0.0]})
            with database.read() as tx:
                assert not tx.embeddings.can_search
                assert tx.embeddings.get(MODEL, {key(1)}) == {key(1): (1.0, 0.0)}
