"""The index: the same answers from the server's search and from memory, and no vector lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.schema import create
from db.session import Database
from engine.retrieval.index import Index, Store

MODEL, WIDTH = "a" * 64, 6


def key(i: int) -> str:
    return f"{i:064x}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "spinneret.db"
    create(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite(file: Path) -> Iterator[Database]:
    with Database.open(f"sqlite:///{file}") as database:
        yield database


@pytest.fixture
def server(postgres_url: str) -> Iterator[Database]:
    with Database.open(postgres_url) as database:
        with database.read() as tx:
            if not tx.embeddings.can_search:
                pytest.skip("the PostgreSQL server has no pgvector")
        yield database


def directions(n: int, seed: int, n_distinct: int) -> np.ndarray:
    """Return (n, r) of unit length, many of them alike or nearly so."""
    rng = np.random.default_rng(seed)
    some = rng.standard_normal((n_distinct, WIDTH))
    vectors = some[rng.integers(n_distinct, size=n)]
    vectors = vectors + rng.choice([0.0, 1e-7, 1e-3], (n, 1)) * rng.standard_normal((n, WIDTH))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_most_similar_come_first_equals_as_they_stand(sqlite: Database) -> None:
    store = Store(sqlite, MODEL, 2)
    store.put({key(i): np.array(v) for i, v in enumerate([(0.0, 1.0), (1.0, 0.0), (0.6, 0.8)])})
    index = Index(store, (key(0), key(1), key(2), key(1)))
    asked = np.array([2.0, 0.0])
    assert index.nearest(asked, np.arange(4), 3).tolist() == [1, 3, 2]
    assert index.nearest(asked, np.array([0, 2]), 5).tolist() == [2, 0]
    assert index.nearest(asked, np.arange(4), 0).tolist() == []
    assert index.similarity(asked, [2, 0]) == pytest.approx([0.6, 0.0], abs=1e-7)
    assert index.vectors().shape == (4, 2)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    n=st.integers(1, 120),
    seed=st.integers(0, 2**32 - 1),
    distinct=st.integers(1, 20),
    k=st.integers(1, 12),
)
def test_the_server_finds_what_memory_finds(
    server: Database, sqlite: Database, n: int, seed: int, distinct: int, k: int
) -> None:
    v = directions(n, seed, distinct)
    model = f"{seed:064x}"
    keys = tuple(key(seed * 1000 + i) for i in range(n))
    both = []
    for database in (server, sqlite):
        store = Store(database, model, WIDTH)
        store.put({one: v[i] for i, one in enumerate(keys) if one in store.missing(keys)})
        both.append(Index(store, keys))
    asked = np.random.default_rng(seed).standard_normal(WIDTH)
    among = np.flatnonzero(np.random.default_rng([seed, 1]).random(n) < 0.8)
    assert both[0].store.candidates(asked, [keys[i] for i in among], k) is not None or not len(
        among
    )
    found = [index.nearest(asked, among, k) for index in both]
    similar = [index.similarity(asked, places) for index, places in zip(both, found, strict=True)]
    assert similar[0] == pytest.approx(similar[1], abs=1e-12)
    # Vectors that are the same but for their last bit may change places.
    differ = found[0] != found[1]
    exact = both[1].similarity(asked, np.arange(n))
    assert exact[found[0][differ]] == pytest.approx(exact[found[1][differ]], abs=1e-12)


def test_near_ties_make_the_server_name_more(server: Database) -> None:
    store = Store(server, MODEL, 2)
    angles = 1e-6 * np.arange(300)
    store.put({key(i): np.array([np.cos(a), np.sin(a)]) for i, a in enumerate(angles)})
    named = store.candidates(np.array([1.0, 0.0]), [key(i) for i in range(300)], 2)
    assert named is not None
    assert len(named) == 300


def test_a_database_that_takes_nothing_still_answers(sqlite: Database, file: Path) -> None:
    store = Store(sqlite, MODEL, 2)
    with sqlite3.connect(file) as blocker:
        blocker.execute("DROP TABLE embeddings")
    blocker.close()
    store.put({key(1): np.array([0.6, 0.8])})
    assert store.in_memory.keys() == {key(1)}
    assert store.in_memory[key(1)] == pytest.approx([0.6, 0.8], abs=1e-7)
