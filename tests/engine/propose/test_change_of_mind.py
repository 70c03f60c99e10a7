"""Choices that can no longer be had, narrower bounds, further choices: old runs stay and teach."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.campaign import Campaign, Parameter, Value
from engine.campaign.history import History, Run
from engine.campaign.ranges import reaches_of
from engine.errors import ModelError, UsageError
from engine.predictions.predict import ask
from engine.predictions.sensitivity import sensitivity
from engine.predictions.slices import grid_of, middle_of
from engine.propose import suggest
from engine.propose.forecaster import Forecaster
from engine.propose.neighbours import neighbours
from engine.propose.request import ProposeRequest, checked
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.sources.axes import axes_of, match_axes
from engine.sources.encoding import cube_mapping, encode_axes
from engine.workspace.settings import ProposeSettings
from surrogate.cube import CubeEncoder
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary

FAST = ("gp", "sobol", "nsga2")
WORTH = {"DMF": 3.0, "water": 0.0, "ethanol": 1.0, "acetone": -1.0}


def kitchen(**changes: object) -> Campaign:
    """Return a campaign of three sorts of parameters, with some of them changed."""
    parameters: dict[str, dict[str, object]] = {
        "heat": {"unit": "°C", "low": 20.0, "high": 80.0},
        "solvent": {"choices": ["DMF", "water", "ethanol"]},
        "needle": {"unit": "mm", "choices": [0.4, 0.6, 0.9]},
    }
    for name, change in changes.items():
        parameters[name] |= change  # type: ignore[operator]
    return Campaign(
        name="kitchen",
        parameters=[{"name": name, **fields} for name, fields in parameters.items()],
        properties=[{"name": "gloss", "unit": "GU"}, {"name": "cost"}],
        objectives=[
            {"outcome": "gloss", "threshold": 0},
            {"outcome": "cost", "goal": "minimize", "threshold": 20},
        ],
    )


def runs(n: int = 24) -> tuple[Run, ...]:
    """Return runs all over the first definition; DMF is best, and so is heat."""
    rng = np.random.default_rng(0)
    return tuple(
        spun(
            {
                "heat": float(np.round(rng.uniform(20, 80), 1)),
                "solvent": ("DMF", "water", "ethanol")[i % 3],
                "needle": (0.4, 0.6, 0.9)[int(rng.integers(3))],
            },
            i + 1,
        )
        for i in range(n)
    )


def spun(conditions: Mapping[str, Value], number: int) -> Run:
    heat, needle = float(conditions["heat"]), float(conditions["needle"])
    noise = 0.05 * np.random.default_rng(number).normal(size=2)
    gloss = 5 + WORTH[str(conditions["solvent"])] + heat / 20 + needle + noise[0]
    cost = 6 + needle + (heat - 50) ** 2 / 900 + noise[1]
    return Run(conditions, {"gloss": (float(gloss),), "cost": (float(cost),)}, id=number)


CHANGES: dict[str, dict[str, dict[str, object]]] = {
    "a name retired": {"solvent": {"retired": ["DMF"]}},
    "all names but one": {"solvent": {"retired": ["DMF", "ethanol"]}},
    "a number retired": {"needle": {"retired": [0.9]}},
    "the middle number retired": {"needle": {"retired": [0.6]}},
    "a number no longer listed": {"needle": {"choices": [0.4, 0.6]}},
    "narrower": {"heat": {"low": 45.0, "high": 55.0}},
    "beside all runs": {"heat": {"low": 100.0, "high": 120.0}},
    "a constant": {"heat": {"low": 50.0, "high": 50.0}},
    "narrower, on a log scale": {"heat": {"low": 45.0, "high": 55.0, "scale": "log"}},
    "narrower, in steps": {"heat": {"low": 45.0, "high": 55.0, "step": 2.5}},
    "a further name": {"solvent": {"choices": ["acetone", "DMF", "water", "ethanol"]}},
    "another name instead": {
        "solvent": {"choices": ["acetone", "DMF", "water", "ethanol"], "retired": ["DMF"]}
    },
    "wider": {"heat": {"low": 0.0, "high": 160.0}},
}


@pytest.fixture
def quick() -> ProposeSettings:
    return ProposeSettings(mc_samples=16, raw_samples=64, restarts=3, cold_start=5)


def propose(history: History, quick: ProposeSettings, strategy: str, **options: object):  # type: ignore[no-untyped-def]
    request = ProposeRequest(n=4, seed=1, strategy=strategy, **options)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        if strategy.startswith("ax"):
            warnings.simplefilter("ignore")
        return suggest(history, request, quick)


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", FAST)
@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_proposed_that_cannot_be_had(
    change: str, strategy: str, quick: ProposeSettings
) -> None:
    campaign = kitchen(**CHANGES[change])
    batch = propose(History(campaign, runs()), quick, strategy)
    assert batch.strategy == strategy
    for suggestion in batch.suggestions:
        for name, value in suggestion.conditions.items():
            assert campaign.parameter(name).problem_as_setting(value) is None
    assert not any("nan" in note for note in batch.notes)


@pytest.mark.deep
@pytest.mark.parametrize(
    "change", ["another name instead", "narrower", "a number no longer listed"]
)
def test_ax_takes_what_is_inside(change: str, quick: ProposeSettings) -> None:
    campaign = kitchen(**CHANGES[change])
    batch = propose(History(campaign, runs()), quick, "ax")
    for suggestion in batch.suggestions:
        for name, value in suggestion.conditions.items():
            assert campaign.parameter(name).problem_as_setting(value) is None
    n = sum(
        not campaign.parameter(name).is_inside(value)
        for run in runs()
        for name, value in run.conditions.items()
    )
    assert f"Ax was not told of {n} runs outside of what is searched today: it takes none." in (
        batch.notes
    )


@pytest.mark.parametrize("change", CHANGES)
def test_every_run_teaches_by_its_own_place(change: str) -> None:
    history = History(kitchen(**CHANGES[change]), runs())
    space = Space.of(history)
    X = space.encode([run.conditions for run in history.finished])
    assert np.isfinite(X).all()
    # No two runs that differ become one input.
    differ = {tuple(run.conditions.values()) for run in history.finished}
    assert len(np.unique(X, axis=0)) == len(differ)
    # Of the reach, not of the bounds alone: all but a stray lie in the unit cube.
    heat = X[:, space.columns["heat"][0]]
    assert np.mean((heat >= 0) & (heat <= 1)) >= 0.9
    assert heat.min() > -0.5
    assert heat.max() < 1.5


class TestRetired:
    @pytest.fixture
    def campaign(self) -> Campaign:
        return kitchen(solvent={"retired": ["DMF"]})

    def test_what_was_learnt_of_it_stays(self, campaign: Campaign, quick: ProposeSettings) -> None:
        before = Forecaster.fit(History(kitchen(), runs()), quick)
        after = Forecaster.fit(History(campaign, runs()), quick)
        rows = [{"heat": 50.0, "solvent": s, "needle": 0.6} for s in ("DMF", "water", "ethanol")]
        assert before.predict(rows) == after.predict(rows)
        dmf, water, _ = after.predict(rows)
        assert dmf["gloss"].mean - water["gloss"].mean == pytest.approx(3.0, abs=0.5)

    def test_fixing_it_is_refused_with_the_reason(self, campaign: Campaign) -> None:
        expected = (
            r"DMF is retired, it can no longer be had: expected solvent to be one of water, e"
        )
        with pytest.raises(UsageError, match=expected):
            checked(ProposeRequest(n=1, seed=0, fixed={"solvent": "DMF"}), campaign)
        by_number = kitchen(needle={"retired": [0.9]})
        with pytest.raises(UsageError, match=r"0\.9 is retired.*one of 0\.4, 0\.6"):
            checked(ProposeRequest(n=1, seed=0, fixed={"needle": "0.9"}), by_number)

    def test_replicates_of_it_are_not_proposed(
        self, campaign: Campaign, quick: ProposeSettings
    ) -> None:
        batch = propose(History(campaign, runs()), quick, "gp", replicates=True)
        assert all(s.conditions["solvent"] != "DMF" for s in batch.suggestions)

    def test_the_model_is_asked_of_what_can_be_had(self, campaign: Campaign) -> None:
        solvent = campaign.parameter("solvent")
        assert grid_of(solvent, 5) == ["water", "ethanol"]
        assert middle_of(campaign)["solvent"] == "ethanol"
        shares = sensitivity(
            campaign, ["gloss"], lambda rows: {"gloss": [WORTH[str(r["solvent"])] for r in rows]}
        )
        assert shares.spread[0] == pytest.approx(0.5, abs=0.01)  # of 0 and 1, without DMF's 3

    def test_asked_of_it_all_the_same_it_answers_and_says_so(
        self, campaign: Campaign, quick: ProposeSettings
    ) -> None:
        history = History(campaign, runs())
        conditions = [{"heat": 50.0, "solvent": "DMF", "needle": 0.6}]
        (row,) = ask(Forecaster.fit(history, quick), history, conditions, 0.9).rows
        assert row.warnings == ("solvent = DMF is retired, it can no longer be had",)

    def test_never_run_it_is_no_input(self, campaign: Campaign, quick: ProposeSettings) -> None:
        others = tuple(run for run in runs() if run.conditions["solvent"] != "DMF")
        history = History(campaign, others)
        assert Space.of(history).labels == ("heat", "solvent=water", "solvent=ethanol", "needle")
        conditions = [{"heat": 50.0, "solvent": "DMF", "needle": 0.6}]
        (row,) = ask(Forecaster.fit(history, quick), history, conditions, 0.9).rows
        assert "no run tells what solvent DMF does: the forecast is that of others" in row.warnings

    def test_neighbours_and_samples(self, campaign: Campaign) -> None:
        space = Space(campaign)
        settings = Sampler(space).sample(200, 0)
        assert set(settings[:, 1]) == {1.0, 2.0}
        assert set(neighbours(space, settings[:20])[:, 1]) == {1.0, 2.0}
        dmf = space.settings_of([{"heat": 50.0, "solvent": "DMF", "needle": 0.6}])
        assert not space.is_feasible(dmf)[0]
        assert space.is_feasible(space.snap(dmf))[0]

    def test_an_exclusion_of_it_may_stay(self) -> None:
        definition = kitchen(solvent={"retired": ["DMF"]}).definition()
        rule = {"when": {"solvent": "DMF", "heat": {"above": 60}}}
        campaign = Campaign(**{**definition, "exclusions": [rule]})
        assert set(Sampler(Space(campaign)).sample(64, 0)[:, 1]) == {1.0, 2.0}
        away = Campaign(**{**definition, "exclusions": [{"when": {"solvent": "water"}}]})
        assert set(Sampler(Space(away)).sample(64, 0)[:, 1]) == {2.0}


class TestNarrower:
    def test_what_was_learnt_stays(self, quick: ProposeSettings) -> None:
        # The reach of the data is that of the former bounds, all but the outermost runs.
        narrow = kitchen(heat={"low": 49.0, "high": 51.0})
        before = Forecaster.fit(History(kitchen(), runs(36)), quick)
        after = Forecaster.fit(History(narrow, runs(36)), quick)
        rows = [{"heat": h, "solvent": "water", "needle": 0.6} for h in (30.0, 50.0, 70.0)]
        for old, new in zip(before.predict(rows), after.predict(rows), strict=True):
            assert new["cost"].mean == pytest.approx(old["cost"].mean, abs=0.15)

    def test_a_slip_of_the_comma_stretches_nothing(self) -> None:
        slip = Run({"heat": 5000.0, "solvent": "water", "needle": 0.6}, {"gloss": (1.0,)}, id=99)
        space = Space.of(History(kitchen(), (*runs(), slip)))
        X = space.encode([slip.conditions])
        assert X[0, 0] == pytest.approx((5000 - 20) / 60)

    @given(
        st.lists(st.floats(-1e6, 1e6), max_size=40),
        st.floats(-1e6, 1e6),
        st.floats(0, 1e3),
        st.sampled_from(["linear", "log"]),
    )
    def test_the_reach_holds_bounds_and_nearly_all_runs(
        self, values: list[float], low: float, width: float, scale: str
    ) -> None:
        if scale == "log":
            low, values = abs(low) + 1e-3, [abs(value) for value in values]
        parameter = Parameter(name="heat", low=low, high=low + width, scale=scale)
        campaign = kitchen()
        definition = campaign.definition()
        definition["parameters"][0] = parameter.model_dump(exclude_defaults=True)
        reach = reaches_of(Campaign(**definition), [{"heat": v} for v in values])["heat"]
        assert reach.low <= parameter.bounds[0]
        assert reach.high >= parameter.bounds[1]
        outside = [
            v for v in values if not parameter.is_inside(v) and (v > 1e-15 * low or scale != "log")
        ]
        n_beyond = sum(not reach.low <= v <= reach.high for v in outside)
        assert n_beyond <= 2 * (1 + 0.05 * len(values))
        places = reach.places(np.array(values))
        assert np.isfinite(places).all()
        order = np.argsort(values, kind="stable")
        assert (np.diff(places[order]) >= 0).all()

    @given(st.floats(1e-6, 1e3), st.floats(1.001, 1e4), st.sampled_from(["linear", "log"]))
    def test_what_is_written_is_inside(self, low: float, ratio: float, scale: str) -> None:
        parameter = Parameter(name="heat", low=low, high=low * ratio, scale=scale)
        for value in parameter.bounds:
            assert parameter.problem_as_setting(parameter.written(value)) is None
            assert low <= parameter.written(value) <= low * ratio

    def test_sources_read_the_true_values(self) -> None:
        words = Vocabulary(
            parameters=(
                ParameterSpec("needle", "mm", False, 0.6, 0.2),
                ParameterSpec("heat", "°C", False, 50.0, 10.0),
            ),
            outcomes=("gloss",),
        )
        campaign = kitchen(heat={"low": 49.0, "high": 51.0}, solvent={"retired": ["DMF"]})
        conditions = [run.conditions for run in runs()]
        space = Space.of(History(campaign, runs()))
        mapping = cube_mapping(campaign, words, reaches=space.reaches)
        T = CubeEncoder(mapping)(torch.from_numpy(space.encode(conditions))).numpy()
        heats = np.array([float(row["heat"]) for row in conditions])
        np.testing.assert_allclose(T[:, 1, 0], (heats - 50.0) / 10.0, atol=1e-9)
        # What the encoders were taught by these runs is what they are asked.
        taught = encode_axes(match_axes(axes_of(campaign, conditions), words), words, conditions)
        np.testing.assert_allclose(T, taught, atol=1e-9)


class TestFurther:
    @pytest.mark.parametrize("worth", [5.0, -1.0])
    def test_a_further_choice_is_explored(
        self, worth: float, quick: ProposeSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(WORTH, "acetone", worth)
        campaign = kitchen(solvent={"choices": ["acetone", "DMF", "water", "ethanol"]})
        known, tried = runs(), set()
        for seed in range(3):
            request = ProposeRequest(n=4, seed=seed, strategy="gp", forecast=False)
            batch = suggest(History(campaign, known), request, quick)
            known += tuple(spun(s.conditions, len(known) + s.order) for s in batch.suggestions)
            tried |= {s.conditions["solvent"] for s in batch.suggestions}
        assert "acetone" in tried

    def test_old_runs_mean_the_same(self, quick: ProposeSettings) -> None:
        # A choice in front shifts the codes of all others.
        campaign = kitchen(solvent={"choices": ["acetone", "DMF", "water", "ethanol"]})
        rows = [{"heat": 50.0, "solvent": s, "needle": 0.6} for s in ("DMF", "water", "acetone")]
        dmf, water, acetone = Forecaster.fit(History(campaign, runs()), quick).predict(rows)
        assert dmf["gloss"].mean - water["gloss"].mean == pytest.approx(3.0, abs=0.5)
        width = acetone["gloss"].upper - acetone["gloss"].lower
        assert width > 2 * (dmf["gloss"].upper - dmf["gloss"].lower)


class TestSaid:
    def test_the_best_is_out_of_reach(self, quick: ProposeSettings) -> None:
        history = History(kitchen(solvent={"retired": ["DMF"]}), runs())
        best = max(history.finished, key=lambda run: run.outcomes["gloss"][0])
        assert best.conditions["solvent"] == "DMF"
        for strategy in FAST:
            notes = " ".join(propose(history, quick, strategy).notes)
            assert "on the front" in notes
            assert f"{best.name} with the best gloss {best.outcomes['gloss'][0]:.4g} GU" in notes
            assert "solvent = DMF is retired, it can no longer be had" in notes
            bred = "8 runs outside of what is searched today are bred from" in notes
            assert bred is (strategy == "nsga2")
        plain = propose(History(kitchen(), runs()), quick, "sobol")
        assert not any("out of reach" in note for note in plain.notes)

    def test_who_is_beaten_is_not_named(self, quick: ProposeSettings) -> None:
        poor = Run(
            {"heat": 50.0, "solvent": "DMF", "needle": 0.6},
            {"gloss": (0.1,), "cost": (19.0,)},
            id=9,
        )
        good = tuple(run for run in runs() if run.conditions["solvent"] != "DMF")
        history = History(kitchen(solvent={"retired": ["DMF"]}), (*good, poor))
        assert not any("out of reach" in n for n in propose(history, quick, "sobol").notes)

    def test_what_is_awaited(self, quick: ProposeSettings) -> None:
        pending = (Run({"heat": 75.0, "solvent": "DMF", "needle": 0.6}, id=31),)
        campaign = kitchen(solvent={"retired": ["DMF"]}, heat={"high": 60.0})
        notes = propose(History(campaign, runs()[:6], pending), quick, "sobol").notes
        assert (
            "experiment 31 is awaited, but heat [°C] = 75 lies outside the range searched, 20 … 60 "
            "and solvent = DMF is retired, it can no longer be had: give it up, or spin it all the "
            "same."
        ) in notes


def test_a_surrogate_of_other_parameters_is_not_used_in_silence(nanofibre: Campaign) -> None:
    from engine.sources.knowledge import starter_knowledge

    knowledge = starter_knowledge(nanofibre)
    definition = nanofibre.definition()
    definition["parameters"][0]["high"] = 0.5
    narrower = Campaign(**definition)
    with pytest.raises(ModelError, match="was read for other parameters"):
        knowledge.within(narrower, Space(narrower).reaches)
    assert knowledge.within(nanofibre, Space(nanofibre).reaches).parameters == knowledge.parameters


def test_a_column_before_others_moves_what_sources_read(nanofibre: Campaign) -> None:
    """One retired choice that was run, one that was not: the columns behind follow."""
    from engine.sources.knowledge import starter_knowledge

    definition = nanofibre.definition()
    solvent = {"name": "solvent", "choices": ["DMF", "DMAc", "water"], "retired": ["DMF"]}
    definition["parameters"].insert(0, solvent)
    campaign = Campaign(**definition)
    rows = [{**middle_of(campaign), "voltage": v} for v in (16.0, 18.0, 22.0)]
    knowledge = starter_knowledge(campaign)
    values = []
    for first in ("DMF", "water"):
        space = Space(campaign, [{**rows[0], "solvent": first}])
        heads = knowledge.within(campaign, space.reaches).heads(campaign.outcomes)
        assert heads is not None
        with torch.no_grad():
            values.append(heads(torch.from_numpy(space.encode(rows))))
    assert values[0].shape == values[1].shape
    torch.testing.assert_close(values[0], values[1])


def test_the_definition_comes_back() -> None:
    campaign = kitchen(solvent={"retired": ["DMF"]}, needle={"retired": [0.4]})
    assert Campaign(**campaign.definition()) == campaign
    assert campaign.definition()["parameters"][1]["retired"] == ["DMF"]
