"""Strategies that need no model, and a lab of two knobs: what the benchmarks are tested with."""

from __future__ import annotations

import numpy as np
import pytest

from engine.bench.search.strategies import Choice
from engine.campaign import Campaign, Objective, Parameter, Property
from engine.campaign.history import Run
from engine.lab import LabResult
from engine.propose.sampling import Sampler
from engine.propose.space import Space


class TwoKnobLab:
    """y = x, z = 1 − x² + k/10 for a choice k: the front is known on paper."""

    campaign = Campaign(
        name="knobs",
        parameters=(
            Parameter(name="x", low=0.0, high=1.0, step=0.1),
            Parameter(name="k", choices=("low", "high")),
            Parameter(name="warmth", role="ambient", low=0.0, high=2.0),
        ),
        properties=(Property(name="y"), Property(name="z", unit="MPa")),
        objectives=(Objective(outcome="y", threshold=0.0), Objective(outcome="z", threshold=0.0)),
    )

    def room(self, rng):
        return {"warmth": float(rng.uniform(0.0, 2.0))}

    def truth(self, conditions, ambient):
        x = float(conditions["x"])
        return {"y": x, "z": 1.0 - x**2 + (0.1 if conditions["k"] == "high" else 0.0)}

    def run(self, conditions, ambient, rng):
        noise = 0.01 * rng.standard_normal()
        if rng.random() < 0.1:
            return LabResult(failure="drips")
        return LabResult({n: v + noise for n, v in self.truth(conditions, ambient).items()})


class UnknownLab(TwoKnobLab):
    """The same lab, which does not know its truth."""

    truth = None

    def run(self, conditions, ambient, rng):
        x = float(conditions["x"])
        return LabResult({"y": x, "z": 1.0 - x**2})


def space_filling(history, n, seed, at):
    space = Space(history.campaign)
    return Choice(space.conditions_of(Sampler(space).sample(n, seed)), "sobol", {"fit": 0.0})


def sweep(history, n, seed, at):
    """Step through the front: as good as can be."""
    done = len(history.finished) + len(history.failed)
    return Choice([{"x": (done + i) % 11 / 10, "k": "high"} for i in range(n)], "sweep")


def random_pool(history, pool, n, seed):
    return np.random.default_rng(seed).permutation(len(pool))[:n].tolist()


def best_of_pool(history, pool, n, seed):
    """Look through the walls: the table's results grow with x."""
    return sorted(range(len(pool)), key=lambda i: -float(pool[i]["x"]))[:n]


@pytest.fixture
def lab():
    return TwoKnobLab()


@pytest.fixture
def unknown_lab():
    return UnknownLab()


@pytest.fixture
def strategies():
    return {"sobol": space_filling, "sweep": sweep}


@pytest.fixture
def pool_strategies():
    return {"random": random_pool, "best": best_of_pool}


@pytest.fixture
def table():
    """A campaign and 30 runs in which y = z = x: the best row is the last."""
    campaign = Campaign(
        name="rows",
        parameters=(Parameter(name="x", low=0.0, high=1.0),),
        properties=(Property(name="y"), Property(name="z")),
        objectives=(Objective(outcome="y", threshold=0.0), Objective(outcome="z", threshold=0.0)),
    )
    xs = np.linspace(0.01, 1.0, 30).tolist()
    return campaign, [Run({"x": x}, {"y": (x,), "z": (x, x)}, label=f"{x:.2f}") for x in xs]
