"""Many people at once, while a model is being trained. Run by hand: it needs a quiet machine.

`LOAD_SECONDS=60 pytest -s tests/engine/web/test_load.py`: 50 people (`LOAD_USERS`) look at pages
and ask the API, each pausing `LOAD_THINK` seconds (1) between; one request in fifty records
something.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
from collections import defaultdict
from statistics import quantiles

import numpy as np
import pytest

from db.records import NewExperiment, Origin, Status
from engine.jobs import queue as tasks
from engine.jobs.kinds import TASK_HANDLERS
from engine.jobs.worker import work
from engine.web import users

SECONDS = float(os.environ.get("LOAD_SECONDS", "0"))
USERS = int(os.environ.get("LOAD_USERS", "50"))
THINK = float(os.environ.get("LOAD_THINK", "1"))
RUNS = int(os.environ.get("LOAD_RUNS", "10000"))
LIMIT_S = 0.3

pytestmark = [
    pytest.mark.skipif(SECONDS <= 0, reason="by hand: LOAD_SECONDS=60"),
    pytest.mark.timeout(1800),
]

PAGES = (
    "/health",
    "/campaigns/1",
    "/campaigns/1/runs",
    "/campaigns/1/propose",
    "/campaigns/1/models",
    "/campaigns/1/jobs",
    "/campaigns/1/explore",
    "/campaigns/1/figures/front-0.json",
    "/campaigns/1/figures/progress.json",
    "/api/v1/campaigns/1/overview",
    "/api/v1/campaigns/1/experiments?limit=50",
    "/api/v1/campaigns/1/jobs",
    "/api/v1/campaigns/1/proposals",
    "/campaigns/1/runs/{id}",
    "/api/v1/campaigns/1/experiments/{id}",
)


def fill(workspace, n: int) -> None:
    rng = np.random.default_rng(1)
    with workspace.database.read() as tx:
        _, campaign = workspace.active_campaign(tx)
    new = []
    for _ in range(n):
        conditions = {
            p.name: float(p.levels[rng.integers(len(p.levels))]) for p in campaign.controlled
        }
        room = {"temperature": rng.normal(22, 2), "humidity": float(rng.uniform(20, 75))}
        strength = float(np.exp(rng.normal(2.3, 0.5)))
        outcomes = {
            "fracture_strength.longitudinal": (strength,),
            "elongation.longitudinal": (float(max(1.0, rng.normal(110 - 3 * strength, 20))),),
        }
        new.append(
            NewExperiment(
                Origin.IMPORT, Status.COMPLETED, actual={**conditions, **room}, outcomes=outcomes
            )
        )
    with workspace.database.write("test") as tx:
        tx.experiments.add(workspace.active_campaign(tx)[0], new)


class Crowd:
    def __init__(self, address: str, headers: dict[str, str]) -> None:
        self.host = address.removeprefix("http://").rstrip("/")
        self.headers = headers
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.wrong: list[str] = []
        self.lock = threading.Lock()

    def person(self, number: int, until: float) -> None:
        luck = random.Random(number)  # noqa: S311 -- no secret
        connection = http.client.HTTPConnection(self.host, timeout=30)
        time.sleep(luck.uniform(0, THINK))
        while time.monotonic() < until:  # /health is the peer: what the machine itself costs
            path = luck.choice(PAGES)
            id_ = luck.randint(1, RUNS)
            method, body = "GET", None
            if luck.random() < 0.02:
                method, path = "PATCH", "/api/v1/campaigns/1/experiments/{id}"
                body = json.dumps({"note": f"seen by {number}"})
            start = time.perf_counter()
            headers = {**self.headers, "Content-Type": "application/json"}
            connection.request(method, path.replace("{id}", str(id_)), body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
            took = time.perf_counter() - start
            with self.lock:
                self.seconds[f"{method} {path}"].append(took)
                if answer.status != 200:
                    self.wrong.append(f"{method} {path}: {answer.status}")
            if THINK:
                time.sleep(luck.expovariate(1 / THINK))
        connection.close()


def test_fifty_people_at_ten_thousand_runs(serve, workspace) -> None:
    fill(workspace, RUNS)
    users.add_user(workspace, "anna", "admin", "correct horse")
    secret, _ = users.make_token(workspace, "anna", "crowd", "operator")
    tasks.submit(workspace, "propose", {"n": 8, "strategy": "sobol"}, actor="anna")
    work(workspace, tasks.BENCH, TASK_HANDLERS)
    with serve() as (address, _process):
        refresh = tasks.submit(workspace, "refresh", {}, actor="anna")
        while tasks.get(workspace, refresh.id).status.value == "queued":
            time.sleep(0.1)
        time.sleep(5)
        crowd = Crowd(address, {"Authorization": f"Bearer {secret}"})
        until = time.monotonic() + SECONDS
        threads = [
            threading.Thread(target=crowd.person, args=(number, until)) for number in range(USERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        state = tasks.get(workspace, refresh.id)
    everything = [one for of in crowd.seconds.values() for one in of]
    print(f"\n{len(everything)} requests in {SECONDS:g} s; the training is {state.status}, "
          f"{state.progress}, {state.error}")  # fmt: skip
    for name, of in sorted(crowd.seconds.items()):
        if len(of) > 1:
            cut = quantiles(of, n=20)
            print(f"{name:34} {len(of):5}  median {cut[9] * 1e3:6.0f}  p95 {cut[18] * 1e3:6.0f} ms")
    p95 = quantiles(everything, n=20)[18]
    print(f"all: p95 {p95 * 1e3:.0f} ms, slowest {max(everything) * 1e3:.0f} ms")
    assert crowd.wrong == []
    assert p95 < LIMIT_S
