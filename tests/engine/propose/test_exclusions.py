"""Exclusions are kept by sampling, neighbours, every strategy and every held value."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.campaign import Campaign, Value
from engine.campaign.history import History, Run
from engine.errors import UsageError
from engine.propose import choose_from_pool, suggest
from engine.propose.candidates import spread_settings
from engine.propose.neighbours import nearest_allowed, neighbours
from engine.propose.regions import Regions, draw
from engine.propose.request import STRATEGIES, ProposeRequest, checked
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.workspace.settings import ProposeSettings

Definition = dict[str, Any]

KITCHEN: list[Definition] = [
    {"name": "solvent", "choices": ["WATER", "DMF", "DCM"]},
    {"name": "polymer", "choices": ["PVA", "PCL"]},
    {"name": "temperature", "low": 20, "high": 100},
    {"name": "voltage", "low": 0, "high": 20, "step": 1},
]
HOT = {"solvent": "WATER", "temperature": {"above": 60}}
INSOLUBLE = {"solvent": "WATER", "polymer": "PCL"}
SPARKS = {"voltage": {"above": 12}, "temperature": {"at_least": 80}}


def ruled(
    parameters: Sequence[Definition],
    exclusions: Sequence[Mapping[str, Any]],
    rules: Sequence[str] = (),
) -> Campaign:
    return Campaign(
        name="ruled",
        parameters=parameters,
        properties=[{"name": "u"}, {"name": "v"}],
        objectives=[{"outcome": "u", "threshold": -1e9}, {"outcome": "v", "threshold": -1e9}],
        parameter_constraints=rules,
        exclusions=[{"when": dict(when), "note": "because"} for when in exclusions],
    )


def parts(n: int, step: float | None = None) -> list[Definition]:
    extra = {} if step is None else {"step": step}
    return [{"name": f"c{i}", "low": 0.0, "high": 1.0, **extra} for i in range(n)]


def total(n: int) -> str:
    return " + ".join(f"c{i}" for i in range(n)) + " == 1"


NAMED = {"name": "solvent", "choices": ["a", "b", "c"]}
SPACES: dict[str, Campaign] = {
    "choices and ranges": ruled(KITCHEN, [HOT, INSOLUBLE, SPARKS]),
    "one solvent out of stock": ruled(KITCHEN, [{"solvent": "DMF"}]),
    "a corner of ten ranges": ruled(parts(10), [{f"c{i}": {"below": 0.9}} for i in range(10)]),
    "a corner on steps": ruled(parts(8, 0.01), [{f"c{i}": {"below": 0.9}} for i in range(8)]),
    "neighbours in a ring": ruled(
        parts(10),
        [{f"c{i}": {"below": 0.9}, f"c{(i + 1) % 10}": {"below": 0.9}} for i in range(10)],
    ),
    "a mixture": ruled(
        [*parts(5, 0.05), {"name": "c5", "low": 0.0, "high": 1.0}, NAMED],
        [
            {"solvent": ["a", "b"], "c0": {"below": 0.7}},
            {"solvent": "c", "c1": {"below": 0.8}},
            {"c2": {"above": 0.05}, "c3": {"above": 0.05}},
        ],
        [total(6)],
    ),
    "a mixture of continuous parts": ruled(
        [*parts(6), NAMED],
        [{"solvent": "a", "c0": {"below": 0.6}}, {"c1": {"above": 0.02}}],
        [total(6)],
    ),
    "pairs of many choices": ruled(
        [{"name": f"k{i}", "choices": [str(j) for j in range(8)]} for i in range(8)],
        [
            {
                f"k{i}": str(a),
                f"k{i + 1}": [str(b) for b in range(8) if (3 * a + 5 * b + i) % 8 > 1],
            }
            for i in range(7)
            for a in range(8)
        ],
    ),
    "a log range": ruled(
        [{"name": "salt", "low": 1e-4, "high": 1.0, "scale": "log"}, *parts(4)],
        [{"salt": {"above": 2e-4}}, *({f"c{i}": {"above": 0.1}} for i in range(4))],
    ),
    "numeric choices": ruled(
        [{"name": "load", "choices": [0.05, 0.2, 0.45]}, *parts(5, 0.05)],
        [{"load": [0.05, 0.45], "c0": {"below": 0.4}}],
        ["c0 + c1 + c2 + c3 + c4 + 2*load == 1"],
    ),
}


def assert_kept(campaign: Campaign, conditions: Sequence[Mapping[str, Value]]) -> None:
    for row in conditions:
        assert not campaign.exclusions_of(row)
        assert not campaign.broken_by(row)
        for name, value in row.items():
            assert campaign.parameter(name).problem_as_setting(value) is None


@pytest.mark.parametrize("name", SPACES)
def test_settings_are_sampled_wherever_there_are_some(name: str) -> None:
    campaign = SPACES[name]
    space = Space(campaign)
    began = time.process_time()
    sample = Sampler(space).sample(64, 3)
    spread = spread_settings(space, 128, 3, {})
    near = neighbours(space, sample[:5])
    assert time.process_time() - began < 4.0
    assert len(sample) == 64
    assert len(near)
    assert len(set(space.identities(sample))) == len(sample)
    assert_kept(campaign, space.conditions_of(np.concatenate([sample, spread, near])))
    np.testing.assert_array_equal(Sampler(Space(campaign)).sample(64, 3), sample)


@pytest.mark.parametrize("name", SPACES)
def test_any_value_that_is_possible_can_be_held(name: str) -> None:
    """A held range is a point of no width, in every box that the exclusions leave."""
    space = Space(SPACES[name])
    (setting,) = space.conditions_of(Sampler(space).sample(1, 5))
    for parameter in space.controlled[:4]:
        held = {parameter.name: setting[parameter.name]}
        rows = space.conditions_of(Sampler(space).sample(8, 1, held))
        assert {row[parameter.name] for row in rows} == {setting[parameter.name]}
        assert_kept(SPACES[name], rows)
        regions = Regions(space, held)
        assert all(region.share > 0 for region in regions.listed)
        drawn = draw(regions.selected, 16, np.random.default_rng(0))
        assert np.isfinite(drawn).all()


def test_what_is_left_is_reached_evenly_and_at_its_borders() -> None:
    """Water below 60 °C, in a space of which rejection would find nothing."""
    rare = [{f"c{i}": {"below": 0.9}} for i in range(8)]
    campaign = ruled([*KITCHEN[:1], *KITCHEN[2:3], *parts(8)], [HOT, *rare])
    space = Space(campaign)
    sample = Sampler(space).sample(512, 0)
    water = sample[sample[:, 0] == 0]
    others = sample[sample[:, 0] != 0]
    # Water holds half as much as another solvent: 1 in 5 by size, 1 in 2 by boxes.
    assert 0.2 < len(water) / len(sample) < 0.5
    assert water[:, 1].max() <= 60.0
    assert others[:, 1].max() > 95.0
    assert np.abs(np.mean(water[:, 1]) - 40.0) < 4.0
    corners = Sampler(space).corners()
    assert {60.0, 100.0, 20.0} <= set(np.round(corners[:, 1], 6))


@pytest.mark.parametrize("sign", ["above", "at_least", "below", "at_most"])
@pytest.mark.parametrize("limit", [2e-11, 4.42953971768e-08, 0.03])
def test_a_border_on_a_scale_of_decades_is_kept_as_it_is_written(sign: str, limit: float) -> None:
    """Ten digits of a value are told, so that what lies nearer to a limit would be the limit."""
    salt = {"name": "salt", "low": 1e-12, "high": 1.0, "scale": "log"}
    campaign = ruled([salt, {"name": "x", "low": 0, "high": 1}], [{"salt": {sign: limit}}])
    space = Space(campaign)
    rows = [*Sampler(space).sample(64, 1, ends=0.5), *Sampler(space).corners()]
    values = [float(row["salt"]) for row in space.conditions_of(np.array(rows))]
    is_excluded = {
        "above": lambda value: value > limit * (1 + 1e-8),
        "at_least": lambda value: value >= limit,
        "below": lambda value: value < limit * (1 - 1e-8),
        "at_most": lambda value: value <= limit,
    }[sign]
    assert not any(map(is_excluded, values))
    edge = max(values) if sign in ("above", "at_least") else min(values)
    assert edge == pytest.approx(limit, rel=1e-6)


def test_a_search_sees_the_border_of_an_exclusion() -> None:
    """The optimum may lie just where an exclusion begins, which no share of the range hits."""
    space = Space(ruled(KITCHEN, [HOT]))
    (row,) = space.settings_of(
        [{"solvent": "WATER", "polymer": "PVA", "temperature": 47.0, "voltage": 3.0}]
    )
    near = space.conditions_of(neighbours(space, row))
    assert 60.0 in {c["temperature"] for c in near if c["solvent"] == "WATER"}
    # And two changes at once where one alone would end inside.
    (hot,) = space.settings_of(
        [{"solvent": "DMF", "polymer": "PVA", "temperature": 90.0, "voltage": 3.0}]
    )
    near = space.conditions_of(neighbours(space, hot))
    assert ("WATER", 60.0) in {(c["solvent"], c["temperature"]) for c in near}
    held = space.conditions_of(neighbours(space, hot, {"temperature": 90.0}))
    assert {c["temperature"] for c in held} == {90.0}
    assert "WATER" not in {c["solvent"] for c in held}


def test_a_setting_is_moved_out_by_as_little_as_can_be() -> None:
    space = Space(ruled(KITCHEN, [HOT, INSOLUBLE]))
    inside = {"solvent": "WATER", "polymer": "PCL", "temperature": 62.0, "voltage": 3.0}
    (row,) = space.settings_of([inside])
    (moved,) = space.conditions_of(nearest_allowed(space, row, {})[None])
    assert_kept(space.campaign, [moved])
    (held,) = space.conditions_of(nearest_allowed(space, row, {"solvent": "WATER"})[None])
    assert held == {**inside, "temperature": 60.0, "polymer": "PVA"}


def runs_of(campaign: Campaign, rows: Sequence[Mapping[str, Value]]) -> tuple[Run, ...]:
    def u(row: Mapping[str, Value]) -> float:
        # Best in hot water, which is excluded.
        return float(row["temperature"]) / 50 + (row["solvent"] == "WATER")

    return tuple(
        Run(row, {"u": (u(row),), "v": (float(row["voltage"]) - u(row) ** 2,)}, id=i + 1)
        for i, row in enumerate(rows)
    )


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n_runs", [0, 24])
def test_every_strategy_keeps_out(strategy: str, n_runs: int, quick: ProposeSettings) -> None:
    """Old runs lie in the exclusions, too, and are the best: they teach, and are not repeated."""
    campaign = ruled(KITCHEN, [HOT, INSOLUBLE, SPARKS])
    if strategy == "ax-matmcl":
        # Ax writes named choices otherwise than the surrogate: it takes numbers only.
        numbers = [{"name": "solvent", "low": 0, "high": 2}, *KITCHEN[2:]]
        campaign = ruled(numbers, [{**HOT, "solvent": {"below": 0.5}}, SPARKS])
    free = Campaign(**{**campaign.definition(), "exclusions": []})
    rows = Space(free).conditions_of(Sampler(Space(free)).sample(24, 1))[:n_runs]
    assert not n_runs or any(campaign.exclusions_of(row) for row in rows)
    history = History(campaign, runs_of(campaign, rows))
    request = ProposeRequest(n=4, seed=1, strategy=strategy, forecast=False)
    batch = suggest(history, request, quick)
    assert len(batch.suggestions) == 4
    assert_kept(campaign, [suggestion.conditions for suggestion in batch.suggestions])


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", ["gp", "nsga2"])
@pytest.mark.parametrize("name", ["a mixture", "a corner on steps", "pairs of many choices"])
def test_strategies_keep_out_where_little_is_left(
    strategy: str, name: str, quick: ProposeSettings
) -> None:
    campaign = SPACES[name]
    space = Space(campaign)
    settings = Sampler(space).sample(20, 1)
    runs = tuple(
        Run(row, {"u": (float(x[0] + x[1]),), "v": (float(x[2] - x[0] ** 2),)}, id=i + 1)
        for i, (row, x) in enumerate(zip(space.conditions_of(settings), settings, strict=True))
    )
    request = ProposeRequest(n=4, seed=1, strategy=strategy, forecast=False)
    batch = suggest(History(campaign, runs), request, quick)
    assert_kept(campaign, [suggestion.conditions for suggestion in batch.suggestions])


def test_the_best_of_what_is_allowed_is_found(quick: ProposeSettings) -> None:
    """What rises with temperature in water is run at the border, 60 °C."""
    campaign = Campaign(
        **{
            **ruled(KITCHEN, [HOT]).definition(),
            "objectives": [{"outcome": "u", "threshold": 0.0}],
            "properties": [{"name": "u"}],
        }
    )
    space = Space(campaign)
    rows = space.conditions_of(Sampler(space).sample(30, 2))
    runs = tuple(
        Run(
            row,
            {"u": (float(row["temperature"]) / 50 + 3 * (row["solvent"] == "WATER"),)},
            id=i + 1,
        )
        for i, row in enumerate(rows)
    )
    request = ProposeRequest(n=1, seed=0, strategy="gp", forecast=False)
    (best,) = suggest(History(campaign, runs), request, quick).suggestions
    assert best.conditions["solvent"] == "WATER"
    assert best.conditions["temperature"] == pytest.approx(60.0, abs=0.5)


def test_a_held_value_that_leaves_nothing_is_told_with_the_reason() -> None:
    campaign = ruled(KITCHEN, [HOT, INSOLUBLE])
    fixed: dict[str, Value] = {"solvent": "WATER", "voltage": 3, "temperature": 80}
    with pytest.raises(UsageError) as refusal:
        checked(ProposeRequest(n=2, seed=0, fixed=fixed), campaign)
    message = str(refusal.value)
    assert "solvent=WATER, temperature=80 leaves no setting" in message
    assert "'solvent = WATER and temperature > 60' is excluded (because)" in message
    assert "voltage" not in message
    assert "PCL" not in message
    assert refusal.value.field == "fixed"
    allowed = checked(ProposeRequest(n=2, seed=0, fixed={"solvent": "WATER"}), campaign)
    batch = suggest(History(campaign), allowed, ProposeSettings())
    for suggestion in batch.suggestions:
        assert suggestion.conditions["solvent"] == "WATER"
        assert suggestion.conditions["polymer"] == "PVA"
        assert float(suggestion.conditions["temperature"]) <= 60.0


def test_exclusions_and_constraints_that_contradict_each_other_are_named() -> None:
    campaign = ruled(
        [*parts(4, 0.05), NAMED],
        [
            {"solvent": ["a", "b"], "c0": {"below": 0.7}},
            {"solvent": "c", "c1": {"below": 0.8}},
            {"c2": {"above": 0.5}},
        ],
        [total(4), "c0 + c1 <= 0.4"],
    )
    with pytest.raises(UsageError, match=r"no setting satisfies .*, and none can") as refusal:
        Sampler(Space(campaign)).sample(4, 0)
    message = str(refusal.value)
    assert "c0 + c1 <= 0.4" in message
    assert "solvent = a or b and c0 < 0.7" in message
    assert "c2 > 0.5" not in message
    assert "c3 == 1" not in message


def test_of_a_pool_nothing_excluded_is_chosen(quick: ProposeSettings) -> None:
    campaign = ruled(KITCHEN, [HOT])
    free = Space(ruled(KITCHEN, []))
    pool = free.conditions_of(Sampler(free).sample(40, 5))
    excluded = {i for i, row in enumerate(pool) if campaign.exclusions_of(row)}
    assert excluded
    history = History(campaign, runs_of(campaign, pool[:12]))
    for strategy in ("sobol", "gp", "nsga2"):
        chosen = choose_from_pool(history, pool, 40, strategy=strategy, seed=0, settings=quick)
        assert sorted(chosen) == sorted(set(range(40)) - excluded)
    with pytest.raises(UsageError, match=r"all .* conditions lie in what the campaign excludes"):
        choose_from_pool(
            history, [pool[i] for i in excluded], 2, strategy="gp", seed=0, settings=quick
        )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 6), st.sampled_from([None, 0.1]), st.booleans())
def test_exclusions_drawn_around_a_setting_never_leave_nothing(
    seed: int, n: int, step: float | None, is_mixture: bool
) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.multinomial(10, np.ones(n) / n) / 10 if is_mixture else rng.integers(0, 11, n) / 10
    named = str(rng.choice(["a", "b", "c"]))
    exclusions: list[dict[str, Any]] = []
    for _ in range(int(rng.integers(1, 9))):
        when: dict[str, Any] = {}
        for i in rng.permutation(n)[: int(rng.integers(1, 3))]:
            word = str(rng.choice(["above", "below"]))
            when[f"c{i}"] = {word: float(rng.integers(1, 10)) / 10}
        if rng.random() < 0.4:
            when["solvent"] = str(rng.choice(["a", "b", "c"]))
        inside = all(
            (named == value)
            if name == "solvent"
            else (
                shares[int(name[1:])] > value["above"]
                if "above" in value
                else shares[int(name[1:])] < value["below"]
            )
            for name, value in when.items()
        )
        if not inside:
            exclusions.append(when)
    campaign = ruled([*parts(n, step), NAMED], exclusions, [total(n)] if is_mixture else [])
    space = Space(campaign)
    sample = Sampler(space).sample(8, seed)
    assert len(sample)
    assert space.is_feasible(sample).all()
    assert_kept(campaign, space.conditions_of(sample))
