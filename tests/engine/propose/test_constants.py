"""A parameter of one value alone: nothing to search or to learn, but a condition of every run."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from db.records import ExperimentBrief, Status
from engine.campaign import Campaign, Parameter, Value
from engine.campaign.history import History, Run
from engine.errors import ModelError, UsageError
from engine.experiments.conditions import outside_of
from engine.experiments.learning_set import _cube
from engine.predictions.predict import what_drives
from engine.predictions.sensitivity import sensitivity
from engine.predictions.slices import middle_of, slices, surface
from engine.propose import suggest
from engine.propose.forecaster import Forecaster
from engine.propose.neighbours import neighbours
from engine.propose.request import ProposeRequest, checked
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.sources.encoding import cube_mapping, encode_conditions
from engine.workspace.settings import ProposeSettings
from surrogate.cube import CubeEncoder
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary

Definition = dict[str, object]

CONSTANTS: dict[str, Definition] = {
    "range": {"low": 15.0, "high": 15.0},
    "range at 0": {"low": 0, "high": 0},
    "negative, tiny": {"low": -3e-12, "high": -3e-12},
    "not a short decimal": {"low": 1 / 3, "high": 1 / 3},
    "with a step": {"low": 15, "high": 15, "step": 0.1},
    "on a log scale": {"low": 1e-4, "high": 1e-4, "scale": "log"},
    "one name": {"choices": ["water"]},
    "one number": {"choices": [2.5]},
    "all but one retired": {"choices": ["DMF", "water"], "retired": ["DMF"]},
    "all numbers but one retired": {"choices": [1, 2.5], "retired": [1]},
    "hard to change": {"low": 15, "high": 15, "hard_to_change": True, "max_distinct": 1},
}
VALUES: dict[str, Value] = {
    name: c["low"] if "low" in c else ("water" if "water" in c["choices"] else 2.5)  # type: ignore[operator]
    for name, c in CONSTANTS.items()
}
FAST = ("gp", "sobol", "nsga2")


def with_constant(toy: Campaign, kind: str, place: int = 1) -> Campaign:
    parameters = list(toy.definition()["parameters"])
    parameters.insert(place, {"name": "fixture", **CONSTANTS[kind]})
    return Campaign(**{**toy.definition(), "parameters": parameters})


def with_value(history: History, campaign: Campaign, kind: str) -> History:
    """Return the same runs, each with the constant's value."""
    runs = tuple(
        replace(run, conditions={**run.conditions, "fixture": VALUES[kind]})
        for run in history.finished
    )
    return History(campaign, runs)


def batch_of(history: History, quick: ProposeSettings, strategy: str, **options: object):  # type: ignore[no-untyped-def]
    with warnings.catch_warnings():
        if strategy.startswith("ax"):
            warnings.simplefilter("ignore")
        request = ProposeRequest(n=3, seed=1, strategy=strategy, **options)  # type: ignore[arg-type]
        return suggest(history, request, quick)


def without(conditions: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in conditions.items() if name != "fixture"}


@pytest.mark.matrix(7)
@pytest.mark.parametrize(
    ("strategy", "kind"),
    [
        *((strategy, kind) for strategy in ("sobol", "nsga2") for kind in CONSTANTS),
        *(("gp", kind) for kind in ("range at 0", "on a log scale", "all but one retired")),
    ],
)
def test_the_batch_is_that_of_the_campaign_without_it(
    strategy: str, kind: str, history: History, quick: ProposeSettings
) -> None:
    plain = batch_of(history, quick, strategy)
    campaign = with_constant(history.campaign, kind)
    batch = batch_of(with_value(history, campaign, kind), quick, strategy)
    assert [without(s.conditions) for s in batch.suggestions] == [
        dict(s.conditions) for s in plain.suggestions
    ]
    assert {s.conditions["fixture"] for s in batch.suggestions} == {VALUES[kind]}
    assert [s.outcomes for s in batch.suggestions] == [s.outcomes for s in plain.suggestions]
    assert batch.notes == plain.notes


@pytest.mark.deep
@pytest.mark.parametrize("strategy", ["ax", "ax-matmcl"])
def test_ax_never_hears_of_it(strategy: str, history: History, quick: ProposeSettings) -> None:
    plain = batch_of(history, quick, strategy)
    campaign = with_constant(history.campaign, "range")
    batch = batch_of(with_value(history, campaign, "range"), quick, strategy)
    assert [without(s.conditions) for s in batch.suggestions] == [
        dict(s.conditions) for s in plain.suggestions
    ]
    assert {s.conditions["fixture"] for s in batch.suggestions} == {15.0}


@pytest.mark.parametrize("kind", CONSTANTS)
def test_no_run_yet(kind: str, toy: Campaign, quick: ProposeSettings) -> None:
    campaign = with_constant(toy, kind, place=0)
    batch = batch_of(History(campaign, ()), quick, "gp")
    assert {s.conditions["fixture"] for s in batch.suggestions} == {VALUES[kind]}
    assert len(Sampler(Space(campaign)).sample(99, 0)) == 99  # the 11 × 9 grid of the two others


@pytest.mark.parametrize("kind", CONSTANTS)
def test_it_is_a_setting_and_no_other_value_is(kind: str) -> None:
    parameter = Parameter(name="fixture", **CONSTANTS[kind])  # type: ignore[arg-type]
    value = VALUES[kind]
    assert parameter.problem_as_setting(value) is None
    assert parameter.levels == (value,)
    assert parameter.is_constant
    other = "DMF" if isinstance(value, str) else value + 1.0
    assert parameter.problem_as_setting(other) is not None


def test_fixing_it(toy: Campaign) -> None:
    campaign = with_constant(toy, "range")
    assert checked(ProposeRequest(n=1, seed=0, fixed={"fixture": "15"}), campaign).fixed == {
        "fixture": 15.0
    }
    with pytest.raises(UsageError, match="expected fixture to be 15, the constant"):
        checked(ProposeRequest(n=1, seed=0, fixed={"fixture": 20}), campaign)


class TestOff:
    """Runs off the constant are what any run outside the bounds is."""

    @pytest.fixture
    def mixed(self, history: History) -> History:
        """Half of the runs were made at 20, where everything is three times as strong."""
        campaign = with_constant(history.campaign, "range")
        runs = with_value(history, campaign, "range").finished
        return History(
            campaign,
            tuple(
                replace(
                    run,
                    conditions={**run.conditions, "fixture": 20.0},
                    outcomes={**run.outcomes, "strength": (3.0 * run.outcomes["strength"][0],)},
                )
                if place % 2
                else run
                for place, run in enumerate(runs)
            ),
        )

    @pytest.mark.parametrize("strategy", [*FAST, "ax"])
    def test_none_is_proposed(self, strategy: str, mixed: History, quick: ProposeSettings) -> None:
        batch = batch_of(mixed, quick, strategy)
        assert {s.conditions["fixture"] for s in batch.suggestions} == {15.0}
        if strategy == "ax":
            assert any("not told of 12 runs outside" in note for note in batch.notes)

    def test_they_teach(self, mixed: History, quick: ProposeSettings) -> None:
        forecaster = Forecaster.fit(mixed, quick)
        at = {"a": 0.5, "b": 1.0, "room": 20.0}
        here, there = forecaster.predict([{**at, "fixture": 15.0}, {**at, "fixture": 20.0}])
        assert 2.0 < there["strength"].mean / here["strength"].mean < 4.0

    def test_their_settings_are_not_taken(self, mixed: History, quick: ProposeSettings) -> None:
        # On the constant, the very same a and b were not run.
        space = Space.of(mixed)
        run = mixed.finished[1]
        assert run.conditions["fixture"] == 20.0
        at = space.settings_of([{**run.conditions, "fixture": 15.0}])
        assert space.key(at[0]) not in space.keys([run.conditions])
        assert space.is_feasible(at)[0]
        assert not space.is_feasible(space.settings_of([run.conditions]))[0]

    def test_one_of_them_alone_is_told_apart(self, history: History) -> None:
        campaign = with_constant(history.campaign, "on a log scale")
        runs = with_value(history, campaign, "on a log scale").finished
        for value in (1.0, 2e-4, 0.0):
            odd = replace(runs[0], conditions={**runs[0].conditions, "fixture": value})
            space = Space.of(History(campaign, (odd, *runs[1:])))
            X = space.encode([odd.conditions, runs[0].conditions])
            column = space.columns["fixture"][0]
            assert np.isfinite(X).all()
            assert abs(X[0, column] - X[1, column]) >= 0.99

    def test_it_is_said(self, toy: Campaign) -> None:
        campaign = with_constant(toy, "range")
        conditions = {"a": 0.5, "b": 1.0, "fixture": 20.0}
        assert outside_of(campaign, conditions) == [
            "fixture = 20 is not 15, the only value searched"
        ]


class TestTheModelAsked:
    """Slices, maps, drives, sensitivities: there is nothing to move."""

    @pytest.fixture
    def forecaster(self, history: History, quick: ProposeSettings) -> Forecaster:
        campaign = with_constant(history.campaign, "range")
        return Forecaster.fit(with_value(history, campaign, "range"), quick)

    def test_slices_and_maps(self, forecaster: Forecaster) -> None:
        middle = middle_of(forecaster.space.campaign)
        assert middle["fixture"] == 15.0
        names = [cut.parameter for cut in slices(forecaster, middle, "strength", 0.9)]
        assert names == ["a", "b", "room"]
        with pytest.raises(UsageError, match="got 'fixture', of which one value alone"):
            surface(forecaster, middle, "strength", "a", "fixture")

    def test_drives(self, forecaster: Forecaster) -> None:
        drives = what_drives(forecaster, [middle_of(forecaster.space.campaign)])[0]
        assert {drive.parameter for drive in drives["strength"]} == {"a", "b", "room"}

    def test_sensitivities(self, toy: Campaign) -> None:
        campaign = with_constant(toy, "one name")
        shares = sensitivity(
            campaign, ["strength"], lambda rows: {"strength": [float(r["a"]) for r in rows]}
        )
        assert shares.parameters == ("a", "fixture", "b", "room")
        np.testing.assert_allclose(shares.total[0], [1, 0, 0, 0], atol=0.02)

    def test_what_no_run_tells_is_said(self, history: History, quick: ProposeSettings) -> None:
        from engine.predictions.predict import ask

        campaign = with_constant(history.campaign, "range")
        known = with_value(history, campaign, "range")
        rows = [{"a": 0.5, "b": 1.0, "room": 20.0, "fixture": x} for x in (15.0, 20.0)]
        at, off = ask(Forecaster.fit(known, quick), known, rows, 0.9).rows
        assert at.outcomes == off.outcomes
        assert not any("no run tells" in warning for warning in at.warnings)
        assert "no run tells what fixture 20 does: the forecast is that of others" in off.warnings


class TestMixture:
    """A component that is always 20 % of the mixture."""

    @pytest.fixture
    def campaign(self, mixture: Campaign) -> Campaign:
        definition = mixture.definition()
        base = {"name": "w", "low": 0.2, "high": 0.2, "step": 0.1}
        rules = ["w + x + y + z == 1", "x - y <= 0.5"]
        return Campaign(
            **{
                **definition,
                "parameters": [base, *definition["parameters"]],
                "parameter_constraints": rules,
            }
        )

    def test_settings_meet_the_sum(self, campaign: Campaign) -> None:
        space = Space(campaign)
        settings = Sampler(space).sample(64, 0)
        assert len(settings) == 64
        assert set(settings[:, 0]) == {0.2}
        np.testing.assert_allclose(settings[:, :4].sum(axis=1), 1.0, atol=1e-6)
        near = neighbours(space, settings[:4])
        assert len(near)
        np.testing.assert_allclose(near[:, :4].sum(axis=1), 1.0, atol=1e-6)
        corners = Sampler(space).corners()
        assert set(corners[:, 0]) == {0.2}
        assert corners[:, 1:4].max() == pytest.approx(0.8)

    def test_the_sum_of_constants_alone(self, campaign: Campaign) -> None:
        parts = [{"name": n, "low": x, "high": x} for n, x in (("p", 0.1), ("q", 0.2), ("r", 0.7))]
        definition = campaign.definition()
        free = {"name": "x", "low": 0, "high": 1}
        fixed = {**definition, "parameters": [*parts, free]}
        good = Campaign(**{**fixed, "parameter_constraints": ["p + q + r == 1"]})
        assert len(Sampler(Space(good)).sample(8, 0)) == 8
        bad = Campaign(**{**fixed, "parameter_constraints": ["p + q + r == 2"]})
        with pytest.raises(UsageError, match=r"no setting satisfies.*p 0\.1 alone"):
            Sampler(Space(bad)).sample(8, 0)

    @pytest.mark.parametrize("strategy", FAST)
    def test_every_strategy(
        self, strategy: str, campaign: Campaign, mixture_history: History, quick: ProposeSettings
    ) -> None:
        runs = tuple(
            Run(
                {
                    **{n: 0.8 * float(run.conditions[n]) for n in ("x", "y", "z")},
                    "solvent": run.conditions["solvent"],
                    "w": 0.2,
                },
                run.outcomes,
                id=run.id,
            )
            for run in mixture_history.finished
        )
        batch = batch_of(History(campaign, runs), quick, strategy)
        for suggestion in batch.suggestions:
            assert suggestion.conditions["w"] == 0.2
            parts = [float(suggestion.conditions[name]) for name in ("w", "x", "y", "z")]
            assert sum(parts) == pytest.approx(1.0)

    def test_drives_and_sensitivities(self, campaign: Campaign) -> None:
        shares = sensitivity(
            campaign, ["u"], lambda rows: {"u": [float(r["x"]) for r in rows]}, n_samples=64
        )
        by_name = dict(zip(shares.parameters, shares.total[0], strict=True))
        assert by_name["w"] == pytest.approx(0.0, abs=1e-9)
        assert by_name["x"] > 0.5


class TestNothingToSearch:
    """Every parameter is a constant: one run there is."""

    @pytest.fixture
    def campaign(self, toy_with: Callable[..., Campaign]) -> Campaign:
        return toy_with(
            parameters=[
                {"name": "a", "low": 0.5, "high": 0.5},
                {"name": "b", "choices": ["water"]},
            ]
        )

    @pytest.mark.parametrize("strategy", [*FAST, "ax"])
    def test_the_only_run_and_its_replicates(
        self, strategy: str, campaign: Campaign, quick: ProposeSettings
    ) -> None:
        request = ProposeRequest(n=1, seed=0, strategy=strategy)
        first = suggest(History(campaign, ()), request, quick)
        assert dict(first.suggestions[0].conditions) == {"a": 0.5, "b": "water"}
        runs = tuple(
            Run(first.suggestions[0].conditions, {"strength": (x,), "stretch": (9 - x,)}, id=i + 1)
            for i, x in enumerate((1.0, 2.0, 3.0, 2.5, 1.5, 2.2))
        )
        with pytest.raises(ModelError, match="of the 1 that can be set 0 are left"):
            suggest(History(campaign, runs), request, quick)
        again = suggest(History(campaign, runs), replace(request, replicates=True), quick)
        assert dict(again.suggestions[0].conditions) == {"a": 0.5, "b": "water"}


def test_an_ambient_constant(history: History, quick: ProposeSettings) -> None:
    definition = history.campaign.definition()
    definition["parameters"][2] |= {"low": 20.0, "high": 20.0}
    campaign = Campaign(**definition)
    still = tuple(
        replace(run, conditions={**run.conditions, "room": 20.0}) for run in history.finished
    )
    for runs in (history.finished, still):
        forecaster = Forecaster.fit(History(campaign, runs), quick)
        forecast = forecaster.predict([{"a": 0.5, "b": 1.0, "room": 20.0}])[0]
        assert np.isfinite([forecast["strength"].mean, forecast["strength"].upper]).all()
        assert bool(forecaster.space.columns["room"]) is (runs is not still)
        for strategy in FAST:
            batch_of(History(campaign, runs), quick, strategy)


@pytest.mark.parametrize("kind", ["range", "one number"])
def test_sources_read_its_value(kind: str, toy: Campaign) -> None:
    words = Vocabulary(
        parameters=(
            ParameterSpec("fixture", "", False, 10.0, 4.0),
            ParameterSpec("a", "mm", False, 0.0, 1.0),
        ),
        outcomes=("strength",),
    )
    campaign = with_constant(toy, kind)
    space = Space(campaign)
    conditions = [{"a": a, "b": 1.0, "room": 20.0, "fixture": VALUES[kind]} for a in (0.0, 0.3)]
    T = CubeEncoder(cube_mapping(campaign, words))(torch.from_numpy(space.encode(conditions)))
    np.testing.assert_allclose(T, encode_conditions(campaign, words, conditions), atol=1e-12)
    assert T[0, 0].tolist() == [(float(VALUES[kind]) - 10.0) / 4.0, 0.0, 1.0]


def test_spread_runs_of_large_campaigns(toy: Campaign) -> None:
    briefs = [
        ExperimentBrief(i, Status.COMPLETED, {"a": 0.1 * i, "b": 1.0, "fixture": 15.0}, {})
        for i in range(4)
    ]
    X = _cube(with_constant(toy, "range"), briefs)
    np.testing.assert_allclose(X[:, 1], 0.5)
    assert np.isfinite(X).all()
