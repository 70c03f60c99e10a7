"""A server in this process, with a user of each role; and one in a process of its own."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from virtual_runs import TWO, draw, record

pytest.importorskip("fastapi", reason="the extra `web` is not installed")

from fastapi import FastAPI
from starlette.routing import BaseRoute, Route
from starlette.testclient import TestClient

from engine.web import users
from engine.web.app import create_app
from engine.workspace import Workspace

PASSWORD = "correct horse"  # noqa: S105 -- of a test
SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords with little memory: what is tested is not argon2."""
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(users, "_hasher", lambda: hasher)
    users._absent_hash.cache_clear()


_STRANGE = re.compile(r"(?<![\w-])--[a-z]{2,}|`engine |<code>engine |⟦|⟧")
"""What is for the command line only: an option, a command, a mark that nobody filled in."""


@pytest.fixture(autouse=True)
def worded_for_people_and_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Look for the command line's words and this machine's paths in every answer of a test."""
    request = TestClient.request

    def checked(client: TestClient, method: str, url: Any, **more: Any) -> Any:
        answer = request(client, method, url, **more)
        kind = answer.headers.get("content-type", "")
        if "/static/" not in str(url) and kind.startswith(("text/html", "application/")):
            stranger = _STRANGE.search(answer.text)
            assert stranger is None, f"{method} {url}: {answer.text[stranger.start() - 80 :][:200]}"
            assert str(tmp_path) not in answer.text, f"{method} {url} names a path of the server"
        return answer

    monkeypatch.setattr(TestClient, "request", checked)


@pytest.fixture
def people(workspace: Workspace) -> Workspace:
    """Return a workspace with a user of each role."""
    for name, role in (("anna", "admin"), ("vera", "viewer"), ("otto", "operator")):
        users.add_user(workspace, name, role, PASSWORD)
    return workspace


_routers: list[BaseRoute] = []
"""Of the first application: those of a later one are the same, and would be put together anew."""


@pytest.fixture
def app(people: Workspace) -> Iterator[FastAPI]:
    """Return the application; whatever works beside it ends with the test."""
    application = create_app(people)
    routes = application.router.routes
    routers = [route for route in routes if not isinstance(route, Route)]
    _routers[:] = _routers or routers
    assert len(_routers) == len(routers)
    routes[:] = [*_routers, *(route for route in routes if isinstance(route, Route))]
    yield application
    application.state.site.stop()


AT_THE_TOP = re.compile(
    r"/(api|login|logout|account|people|changes|campaigns|new-campaign|reset|static|health)\b"
)


@dataclass
class Browser:
    """A client that is logged in, with the key that its pages carry; it is in one campaign."""

    client: TestClient
    csrf: str
    campaign: int = 1

    def at(self, path: str) -> str:
        """Return where a page stands: ``/runs`` in the campaign, ``/people`` beside it."""
        if AT_THE_TOP.match(path):
            return path
        return f"/campaigns/{self.campaign}{path}".removesuffix("/")

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(self.at(path), headers={"accept": "text/html"}, **more)

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> Any:
        return self.client.post(
            self.at(path),
            data={"csrf": self.csrf, **(data or {})},
            headers={"accept": "text/html"},
            **more,
        )


@pytest.fixture
def stranger(app: FastAPI) -> TestClient:
    """Return a client without a session."""
    return TestClient(app, follow_redirects=False)


@pytest.fixture
def login(app: FastAPI) -> Callable[[str], Browser]:
    """Return a function that logs a user in."""

    def log_in(name: str) -> Browser:
        client = TestClient(app, follow_redirects=False)
        answer = client.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        page = client.get("/account", headers={"accept": "text/html"}).text
        found = re.search(r'name="csrf" content="(\w+)"', page)
        assert found is not None
        return Browser(client, found[1])

    return log_in


@pytest.fixture
def token(people: Workspace) -> Callable[[str, str], dict[str, str]]:
    """Return a function that makes a token's header."""

    def make(user: str, scope: str) -> dict[str, str]:
        secret, _ = users.make_token(people, user, f"{user} {scope} {time.monotonic_ns()}", scope)
        return {"authorization": f"Bearer {secret}"}

    return make


@pytest.fixture
def run_id(people: Workspace) -> int:
    """Return the number of a run that is under way."""
    from engine.experiments.entries import Entry
    from engine.experiments.record import record

    return record(people, Entry(conditions=dict(SETTINGS))).experiment.id


def picture(size: int = 96, seed: int = 0) -> bytes:
    """Return a PNG with something like fibres."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    grey = 128 + 80 * np.sin((x + 0.3 * y) / 3.0 + rng.uniform(0, 6)) + rng.normal(0, 8, x.shape)
    out = io.BytesIO()
    Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(out, format="PNG")
    return out.getvalue()


@pytest.fixture
def png() -> Callable[..., bytes]:
    """Return a function that draws a picture."""
    return picture


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``engine serve`` in a process of its own; give its address."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("SPINNERET_")},
        "OMP_NUM_THREADS": "1",
        "SPINNERET_PROPOSE__MC_SAMPLES": "8",
        "SPINNERET_PROPOSE__RAW_SAMPLES": "16",
        "SPINNERET_PROPOSE__RESTARTS": "1",
    }
    code = "from engine.cli.app import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", "0", *words],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.match(r"serving (http://[\d.:]+)/", line)
        assert found, line + process.stderr.read()
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(found[1] + "/health", timeout=1)  # noqa: S310
                break
            except OSError:
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.1)
        yield line.split()[1], process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()


@pytest.fixture
def serve(folder: Path) -> Callable[..., Any]:
    """Return the context manager that serves the test's workspace."""
    return lambda *words: serving(folder, *words)


@pytest.fixture(scope="session")
def serve_in() -> Callable[..., Any]:
    """Return the context manager that serves the workspace of a folder."""
    return serving


def two_outcomes(workspace: Workspace, n: int) -> None:
    """Record finished runs of the virtual lab with two outcomes: quick to fit."""
    record(workspace, draw(n, seed=7, outcomes=TWO))


@pytest.fixture
def fill_two() -> Callable[[Workspace, int], None]:
    """Return a function that records finished runs with two outcomes."""
    return two_outcomes
