"""A toy campaign with everything in it: steps, an ambient parameter, objectives that conflict."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from engine.campaign import Campaign, Value
from engine.campaign.history import History, Run
from engine.workspace.settings import ProposeSettings

Definition = dict[str, object]


def toy_definition() -> Definition:
    return {
        "name": "toy",
        "parameters": [
            {"name": "a", "unit": "mm", "low": 0.0, "high": 1.0, "step": 0.1},
            {"name": "b", "low": 0.0, "high": 2.0, "step": 0.25, "hard_to_change": True},
            {"name": "room", "unit": "°C", "role": "ambient", "low": 10.0, "high": 30.0},
        ],
        "properties": [
            {"name": "strength", "unit": "MPa", "minimum": 0.0, "scale": "log"},
            {"name": "stretch", "unit": "%"},
        ],
        "objectives": [
            {"outcome": "strength", "threshold": 1.0},
            {"outcome": "stretch", "threshold": 1.0},
        ],
    }


def truth(conditions: Mapping[str, Value]) -> dict[str, float]:
    a, b, room = (float(conditions.get(name, 20.0)) for name in ("a", "b", "room"))
    return {
        "strength": float(np.exp(1.0 + a - (b - 1) ** 2 + 0.02 * (room - 20))),
        "stretch": 4.0 - 2.5 * a - (b - 1.2) ** 2,
    }


def make_runs(campaign: Campaign, n: int, seed: int = 0, noise: float = 0.05) -> tuple[Run, ...]:
    rng = np.random.default_rng(seed)
    runs = []
    for i in range(n):
        conditions: dict[str, Value] = {}
        for parameter in campaign.parameters:
            if parameter.levels is not None:
                conditions[parameter.name] = parameter.levels[rng.integers(len(parameter.levels))]
            else:
                conditions[parameter.name] = float(rng.uniform(*parameter.bounds))
        clean = truth(conditions)
        outcomes = {k: (v * float(np.exp(noise * rng.normal())),) for k, v in clean.items()}
        runs.append(Run(conditions, outcomes, id=i + 1))
    return tuple(runs)


@pytest.fixture
def toy() -> Campaign:
    return Campaign(**toy_definition())


@pytest.fixture
def toy_with() -> Callable[..., Campaign]:
    """Return the toy campaign with parts of its definition replaced."""
    return lambda **changes: Campaign(**{**toy_definition(), **changes})


@pytest.fixture
def history(toy: Campaign) -> History:
    return History(toy, make_runs(toy, 24))


@pytest.fixture
def runs_of() -> Callable[..., tuple[Run, ...]]:
    return make_runs


@pytest.fixture
def true_outcomes() -> Callable[[Mapping[str, Value]], dict[str, float]]:
    """The toy's noise-free outcomes."""
    return truth


@pytest.fixture
def quick() -> ProposeSettings:
    """A small budget."""
    return ProposeSettings(mc_samples=16, raw_samples=64, restarts=3)


MIXTURE: Definition = {
    "name": "mixture",
    "parameters": [
        {"name": "x", "low": 0.0, "high": 1.0, "step": 0.1},
        {"name": "y", "low": 0.0, "high": 1.0, "step": 0.1},
        {"name": "z", "low": 0.0, "high": 1.0},
        {"name": "solvent", "choices": ["water", "ethanol", "acetone"]},
    ],
    "properties": [{"name": "u"}, {"name": "v"}],
    "objectives": [
        {"outcome": "u", "threshold": 0.0},
        {"outcome": "v", "goal": "minimize", "threshold": 1.0},
    ],
    "parameter_constraints": ["x + y + z == 1", "x - y <= 0.5"],
}


@pytest.fixture
def mixture() -> Campaign:
    return Campaign(**MIXTURE)


@pytest.fixture
def mixture_history(mixture: Campaign) -> History:
    rng = np.random.default_rng(0)
    runs = []
    for i in range(18):
        x, y = np.round(rng.dirichlet([1, 1, 1])[:2], 1)
        solvent = ["water", "ethanol", "acetone"][rng.integers(3)]
        bonus = {"water": 0.0, "ethanol": 0.5, "acetone": 0.2}[solvent]
        outcomes = {
            "u": (float(x + bonus + 0.02 * rng.normal()),),
            "v": (float(x * x + y - bonus),),
        }
        runs.append(
            Run(
                {"x": float(x), "y": float(y), "z": float(1 - x - y), "solvent": solvent},
                outcomes,
                id=i + 1,
            )
        )
    return History(mixture, tuple(runs))
