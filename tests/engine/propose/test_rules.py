"""Mixtures, equalities, ordered chains: settings if there are any, or a proof of none."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import UsageError
from engine.propose import suggest
from engine.propose.neighbours import neighbours
from engine.propose.request import ProposeRequest
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.workspace.settings import ProposeSettings


def ruled(parameters: list[dict[str, object]], rules: list[str]) -> Campaign:
    return Campaign(
        name="ruled",
        parameters=parameters,
        properties=[{"name": "u"}, {"name": "v"}],
        objectives=[{"outcome": "u", "threshold": -1e9}, {"outcome": "v", "threshold": -1e9}],
        parameter_constraints=rules,
    )


def parts(n: int, step: float | None = None, **more: object) -> list[dict[str, object]]:
    extra = {} if step is None else {"step": step}
    return [{"name": f"c{i}", "low": 0.0, "high": 1.0, **extra, **more} for i in range(n)]


def total(n: int) -> str:
    return " + ".join(f"c{i}" for i in range(n)) + " == 1"


def chain(n: int) -> list[str]:
    return [f"c{i} - c{i + 1} <= 0" for i in range(n - 1)]


SPACES = {
    "eight components": (parts(8), [total(8)]),
    "ten components": (parts(10), [total(10)]),
    "ten on steps": (parts(10, 0.05), [total(10)]),
    "two equalities that share": (parts(8), [total(8), "c0 + c1 + c2 == 0.4"]),
    "two on steps": (parts(8, 0.05), [total(8), "c0 + c1 + c2 == 0.4"]),
    "three that interlock": (
        parts(7, 0.1),
        [total(7), "c0 + c1 - c2 == 0.1", "c2 + c3 + c4 == 0.5"],
    ),
    "a chain": (parts(8), chain(8)),
    "a chain on steps": (parts(8, 0.05), chain(8)),
    "a chain in a mixture": (parts(6, 0.05), [total(6), *chain(6)]),
    "a thin slice": (parts(6), [total(6), "c0 <= 0.1001", "c0 >= 0.1", "c1 - c2 == 0"]),
    "numeric choices": (
        [*parts(6, 0.1), {"name": "load", "choices": [0.05, 0.2, 0.45]}],
        ["c0 + c1 + c2 + c3 + c4 + c5 + 2*load == 1"],
    ),
    "named choices beside": (
        [*parts(7), {"name": "solvent", "choices": ["water", "ethanol"]}],
        [total(7)],
    ),
    "a rule of zeros": (parts(6), [total(6), "0*c0 + c1 <= 0.5"]),
}


@pytest.mark.parametrize("name", SPACES)
def test_settings_are_sampled_whatever_the_rules(name: str) -> None:
    campaign = ruled(*SPACES[name])
    space = Space(campaign)
    began = time.process_time()
    sample = Sampler(space).sample(64, 3)
    near = neighbours(space, sample[:5])
    assert time.process_time() - began < 3.0
    few = {"three that interlock", "numeric choices"}
    assert len(sample) >= (20 if name in few else 64)
    assert len(near)
    assert len(set(space.identities(sample))) == len(sample)
    for conditions in space.conditions_of(np.concatenate([sample, near])):
        assert not campaign.broken_by(conditions)
        for parameter, value in conditions.items():
            assert campaign.parameter(parameter).problem_as_setting(value) is None
    np.testing.assert_array_equal(Sampler(Space(campaign)).sample(64, 3), sample)


@pytest.mark.parametrize("name", ["eight components", "a chain", "two equalities that share"])
def test_the_whole_polytope_is_reached(name: str) -> None:
    """Each parameter comes near both ends of what the rules leave it."""
    space = Space(ruled(*SPACES[name]))
    sample = Sampler(space).sample(512, 0, ends=0.3)
    corners = Sampler(space).corners()
    for column in range(len(space.controlled)):
        low, high = corners[:, column].min(), corners[:, column].max()
        assert sample[:, column].min() < low + 0.1 * (high - low)
        assert sample[:, column].max() > high - 0.35 * (high - low)
        assert sample[:, column].std() > 0.05 * (high - low)


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", ["gp", "sobol", "nsga2"])
@pytest.mark.parametrize("name", ["eight components", "two on steps", "a chain on steps"])
def test_every_strategy_keeps_the_rules(strategy: str, name: str, quick: ProposeSettings) -> None:
    campaign = ruled(*SPACES[name])
    space = Space(campaign)
    runs = tuple(
        Run(
            conditions,
            {
                "u": (float(conditions["c0"]) + 0.2 * float(conditions["c1"]),),
                "v": (float(conditions["c7"]) - 0.5 * float(conditions["c3"]) ** 2,),
            },
            id=i + 1,
        )
        for i, conditions in enumerate(space.conditions_of(Sampler(space).sample(24, 1)))
    )
    request = ProposeRequest(n=4, seed=1, strategy=strategy, forecast=False)
    batch = suggest(History(campaign, runs), request, quick)
    assert len(batch.suggestions) == 4
    for suggestion in batch.suggestions:
        assert not campaign.broken_by(suggestion.conditions)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 7), st.sampled_from([None, 0.1, 0.05]))
def test_rules_with_a_setting_are_never_refused(seed: int, n: int, step: float | None) -> None:
    """Rules are drawn around a setting, so that there is one."""
    rng = np.random.default_rng(seed)
    inside = rng.integers(0, 11, n) / 10
    rules = []
    for _ in range(int(rng.integers(1, 4))):
        factors = rng.integers(-2, 3, n)
        if not factors.any():
            continue
        text = " + ".join(f"{f}*c{i}" for i, f in enumerate(factors) if f).replace("+ -", "- ")
        operator = str(rng.choice(["<=", ">=", "=="]))
        rules.append(f"{text} {operator} {round(float(factors @ inside), 6)!r}")
    space = Space(ruled(parts(n, step), rules))
    sample = Sampler(space).sample(8, seed)
    assert len(sample)
    assert space.is_feasible(sample).all()


@pytest.mark.parametrize(
    ("parameters", "rules", "fixed", "named", "innocent"),
    [
        (parts(4), ["c0 + c1 >= 1.5", "c0 + c1 <= 1.2", "c2 <= 0.5"], {}, "c0 + c1", "c2"),
        (parts(8, 0.1), [total(8), "c0 + c1 == 0.25"], {}, "c0 + c1 == 0.25", "c7"),
        (parts(8), [*chain(8), "c0 - c7 >= 0.1"], {}, "c6 - c7", None),
        (parts(5), [total(5), "c3 <= 0.9"], {"c0": 0.7, "c1": 0.6}, "c0=0.7, c1=0.6", "c3 <="),
    ],
)
def test_rules_that_contradict_each_other_are_named(
    parameters, rules, fixed, named: str, innocent: str | None
) -> None:
    began = time.process_time()
    with pytest.raises(UsageError, match=r"no setting satisfies .* and none can") as refusal:
        Sampler(Space(ruled(parameters, rules))).sample(4, 0, fixed)
    assert time.process_time() - began < 3.0
    message = str(refusal.value)
    assert named in message
    if innocent is not None:
        assert innocent not in message.partition("ranges:")[0].replace(total(8), "")
