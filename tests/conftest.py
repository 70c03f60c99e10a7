"""What every test may ask for: a real PostgreSQL, and hypothesis told to be repeatable in CI.

Hypothesis draws the same cases at each run of continuous integration, others at the bench, and
measures no time. Tests marked ``matrix`` try each value of their axes once, ``matrix(2)`` two
cases, those marked ``deep`` none, and processes are killed at a few moments; ``--every-case``
tries all, and many moments.

Fixtures: ``postgres_server`` (the URL of a server, one for the whole run), ``postgres_url`` (a
fresh database of its own with all tables), ``empty_postgres_url`` (one without tables), and
``own_postgres`` (a server that this test may stop and start).
"""

from __future__ import annotations

import functools
import os
import re
import sys
import uuid
import warnings
from collections import defaultdict
from collections.abc import Iterator

import pytest
from covering import cover
from hypothesis import settings
from postgres_server import PostgresServer, binaries, execute, fresh_database, in_database
from typer import testing

# Tests are of correctness: what a first call imports takes as long as the machine is busy.
settings.register_profile("bench", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("ci" if os.environ.get("CI") else "bench")

# Typer makes all commands anew at each call, which takes longer than most of them; a process of
# the command line makes them once, too.
testing._get_command = functools.cache(testing._get_command)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-case",
        action="store_true",
        help="of tests marked matrix the whole product of their axes, not each value once",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests marked ``deep``, and cases of those marked ``matrix`` beyond what it asks."""
    if config.getoption("every_case"):
        return
    grids: dict[str, list[pytest.Function]] = defaultdict(list)
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("matrix"):
            grids[item.nodeid.split("[")[0]].append(item)
    spare: set[pytest.Item] = {item for item in items if item.get_closest_marker("deep")}
    for cases in grids.values():
        marked = cases[0].get_closest_marker("matrix")
        if marked is not None and marked.args:
            n = min(marked.args[0], len(cases))
            chosen = {i * len(cases) // n for i in range(n)}
        else:
            chosen = set(cover([_values_by_axis(case) for case in cases]))
        spare |= {case for i, case in enumerate(cases) if i not in chosen}
    config.hook.pytest_deselected(items=[item for item in items if item in spare])
    items[:] = [item for item in items if item not in spare]


@pytest.fixture
def n_kills(request: pytest.FixtureRequest) -> int:
    """How many processes a test kills, each at another moment; more with ``--every-case``."""
    return 15 if request.config.getoption("every_case") else 3


def _values_by_axis(case: pytest.Function) -> dict[str, str]:
    values = {}
    for mark in case.iter_markers("parametrize"):
        names = mark.args[0]
        names = [n.strip() for n in names.split(",")] if isinstance(names, str) else names
        values[",".join(names)] = repr([case.callspec.params[name] for name in names])
    return values


def _require_binaries() -> None:
    try:
        binaries()
    except ModuleNotFoundError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL to test with: {error}, or set SPINNERET_TEST_POSTGRES")


@pytest.fixture(autouse=True)
def no_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no previews, unless a test asks for them: they take seconds."""
    monkeypatch.setenv("SPINNERET_GENERATOR__PRETRAINED", "none")


@pytest.fixture(autouse=True)
def short_searches_of_ax(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ax try fewer points: tested is what it is told, and what becomes of its answer."""
    if "ax" in re.split(r"[^a-z0-9]+|_", request.node.name):
        with warnings.catch_warnings():  # its imports warn of each other
            warnings.simplefilter("ignore")
            from ax.generators.torch.botorch_modular import optimizer_argparse

        monkeypatch.setattr(optimizer_argparse, "NUM_RESTARTS", 2)
        monkeypatch.setattr(optimizer_argparse, "RAW_SAMPLES", 64)


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take BoTorch's optional kernel as tried: compiling it takes most of a minute."""
    if (logei := sys.modules.get("botorch.acquisition.multi_objective.logei")) is not None:
        monkeypatch.setattr(logei, "_load_attempted", True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Return the URL of a PostgreSQL server where databases may be made.

    Set ``SPINNERET_TEST_POSTGRES`` to ``postgresql+psycopg://…`` to use another than our own.
    """
    given = os.environ.get("SPINNERET_TEST_POSTGRES")
    if given:
        yield given
        return
    _require_binaries()
    server = PostgresServer()
    yield server.url()
    server.remove()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """Return the name of a database with all tables: copying it is quicker than migrating."""
    from db.schema import create

    name = f"template_{uuid.uuid4().hex}"
    execute(postgres_server, f'CREATE DATABASE "{name}"')
    create(in_database(postgres_server, name))
    yield name
    execute(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """Return the URL of a fresh database with all tables, of this test alone."""
    with fresh_database(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """Return the URL of a fresh database without tables, of this test alone."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Return a server that this test may stop; it listens on TCP too, where it asks passwords."""
    _require_binaries()
    server = PostgresServer(tcp=True)
    yield server
    server.remove()
