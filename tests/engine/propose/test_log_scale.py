"""``scale = "log"``: what counts is the ratio; steps and whole numbers stay what they are."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.campaign import Campaign, Parameter, Value
from engine.campaign.history import History, Run
from engine.errors import UsageError
from engine.propose import suggest
from engine.propose.forecaster import Forecaster
from engine.propose.neighbours import neighbours
from engine.propose.request import ProposeRequest
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.sources.axes import axes_of
from engine.workspace.settings import ProposeSettings, read_campaign_file

SALT = {"name": "salt", "unit": "mol/L", "low": 1e-4, "high": 1.0}
CYCLES = {"name": "cycles", "low": 1.0, "high": 1000.0, "step": 1.0}
LOAD = {"name": "load", "choices": [1.0, 10.0, 100.0]}


def decades(scale: str = "log") -> Campaign:
    return Campaign(
        name="decades",
        parameters=[{**p, "scale": scale} for p in (SALT, CYCLES, LOAD)],
        properties=[{"name": "u"}, {"name": "v"}],
        objectives=[{"outcome": "u", "threshold": -9.0}, {"outcome": "v", "threshold": -9.0}],
    )


def runs_of(campaign: Campaign, n: int, seed: int = 0) -> tuple[Run, ...]:
    space = Space(decades())
    runs = []
    for i, conditions in enumerate(space.conditions_of(Sampler(space).sample(n, seed))):
        salt, cycles = (np.log10(float(conditions[name])) for name in ("salt", "cycles"))
        outcomes = {"u": (float(-((salt + 2) ** 2)),), "v": (float(-((cycles - 1) ** 2) + salt),)}
        runs.append(Run(conditions, outcomes, id=i + 1))
    return tuple(runs)


def test_space_is_filled_evenly_over_decades() -> None:
    space = Space(decades())
    sample = Sampler(space).sample(256, 0)
    counts, _ = np.histogram(np.log10(sample[:, 0]), bins=[-4, -3, -2, -1, 0])
    assert (np.abs(counts - 64) <= 8).all()
    assert (sample[:, 1] == np.round(sample[:, 1])).all()
    assert abs(float((sample[:, 1] <= 31).mean()) - 0.5) < 0.06
    assert set(sample[:, 2]) == {1.0, 10.0, 100.0}
    assert space.is_feasible(sample).all()


def test_the_cube_is_that_of_the_logarithm() -> None:
    space = Space(decades())
    X = space.encode(
        [
            {"salt": 1e-4, "cycles": 1.0, "load": 1.0},
            {"salt": 0.01, "cycles": 1000.0, "load": 10.0},
            {"salt": 0.0, "cycles": 10.0, "load": 100.0},
        ]
    )
    np.testing.assert_allclose(X, [[0, 0, 0], [0.5, 1, 0.5], [-1, 1 / 3, 1]], atol=1e-12)


def test_neighbours_lie_at_ratios_and_on_steps() -> None:
    space = Space(decades())
    row = np.array([1e-3, 200.0, 10.0])
    near = neighbours(space, row)
    assert space.is_feasible(near).all()
    salts = near[near[:, 0] != row[0], 0]
    assert {1e-4, 1.0} <= set(salts)
    assert ((salts > row[0] / 2) & (salts < row[0])).any()
    cycles = near[near[:, 1] != row[1], 1]
    assert {199.0, 201.0, 1.0, 1000.0} <= set(cycles)
    assert ((cycles > 60) & (cycles < 190)).any()


def test_places_and_values_are_each_others_inverse() -> None:
    for parameter in decades().parameters:
        for place in np.linspace(0, 1, 7):
            value = parameter.value_at(float(place))
            assert parameter.place_of(value) == pytest.approx(place, abs=1e-9)
            assert parameter.bounds[0] <= value <= parameter.bounds[1]


def test_the_model_learns_in_the_logarithm() -> None:
    asked = [{"salt": 10.0**x, "cycles": 10.0, "load": 10.0} for x in (-3.5, -2.5, -1.0)]
    truth = np.array([-2.25, -0.25, -1.0])
    errors = {}
    for scale in ("log", "linear"):
        campaign = decades(scale)
        forecaster = Forecaster.fit(History(campaign, runs_of(campaign, 24)), ProposeSettings())
        means = np.array([row["u"].mean for row in forecaster.predict(asked)])
        errors[scale] = float(np.abs(means - truth).mean())
    assert errors["log"] < 0.3
    assert errors["log"] < errors["linear"]


@pytest.mark.parametrize("strategy", ["gp", "sobol", "nsga2"])
def test_every_strategy_proposes_settings(strategy: str, quick: ProposeSettings) -> None:
    campaign = decades()
    history = History(campaign, runs_of(campaign, 20))
    request = ProposeRequest(n=4, seed=1, strategy=strategy, fixed={"load": 10.0})
    for suggestion in suggest(history, request, quick).suggestions:
        for name, value in suggestion.conditions.items():
            assert campaign.parameter(name).problem_as_setting(value) is None


def test_ax_with_the_surrogate_refuses_and_sources_leave_it_out(quick: ProposeSettings) -> None:
    campaign = decades()
    history = History(campaign, runs_of(campaign, 12))
    with pytest.raises(UsageError, match="no logarithm of salt, cycles, load"):
        suggest(history, ProposeRequest(n=2, seed=1, strategy="ax-matmcl"), quick)
    assert axes_of(campaign) == ()
    assert [axis.name for axis in axes_of(decades("linear"))] == ["salt", "cycles", "load"]


def test_the_scale_is_part_of_the_definition(tmp_path) -> None:
    campaign = decades()
    assert Campaign(**campaign.definition()) == campaign
    assert campaign.definition()["parameters"][0]["scale"] == "log"
    assert "scale" not in decades("linear").definition()["parameters"][0]
    file = tmp_path / "campaign.toml"
    file.write_text(
        '[campaign]\nname = "salt"\n'
        '[[campaign.parameters]]\nname = "salt"\nlow = 1e-4\nhigh = 1.0\nscale = "log"\n'
        '[[campaign.properties]]\nname = "u"\n'
        '[[campaign.objectives]]\noutcome = "u"\nthreshold = 0.0\n',
        encoding="utf-8",
    )
    assert read_campaign_file(file).parameters[0].scale == "log"


@pytest.mark.parametrize(
    "parameter",
    [
        {"name": "x", "low": 0.0, "high": 1.0},
        {"name": "x", "low": -1.0, "high": 1.0, "step": 0.5},
        {"name": "x", "choices": [0.0, 1.0]},
        {"name": "x", "choices": ["a", "b"]},
    ],
)
def test_what_has_no_logarithm_is_refused(parameter) -> None:
    with pytest.raises(ValidationError, match="needs numbers above 0"):
        Parameter(**parameter, scale="log")


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", ["sobol", "nsga2", "gp"])
@pytest.mark.parametrize(("low", "high"), [(1e-12, 1.0), (2e-9, 5e4), (1e3, 1e15)])
def test_twelve_decades_keep_their_digits(strategy, low, high) -> None:
    """Digits count from the value, not from the range: the lowest are neither 0 nor all alike."""
    salt = Parameter(name="salt", low=low, high=high, scale="log")
    held = low * 3.14159265359
    assert salt.written(held) == pytest.approx(held, rel=1e-9)
    campaign = Campaign(
        name="decades",
        parameters=[salt, Parameter(name="x", low=0, high=1)],
        properties=[{"name": "u"}],
        objectives=[{"outcome": "u", "threshold": -9.0}],
    )
    places = np.linspace(0.0, 1.0, 7)
    runs = tuple(
        Run({"salt": salt.value_at(v), "x": v}, {"u": (float(-v),)}, id=i)
        for i, v in enumerate(places, 1)
    )
    history = History(campaign, runs)
    request = ProposeRequest(n=6, seed=1, strategy=strategy)
    batch = suggest(history, request, ProposeSettings(raw_samples=64, restarts=1))
    values = [float(s.conditions["salt"]) for s in batch.suggestions]
    assert all(low <= value <= high for value in values)
    assert all(salt.problem_as_setting(value) is None for value in values)
    held_batch = suggest(
        history,
        ProposeRequest(n=6, seed=1, strategy=strategy, fixed={"salt": held}),
        ProposeSettings(raw_samples=64, restarts=1),
    )
    values = [float(s.conditions["salt"]) for s in held_batch.suggestions]
    assert values == pytest.approx([held] * 6, rel=1e-9)
    space = Space(campaign)
    alike = [{"salt": low * factor, "x": 0.5} for factor in (1, 1.001, 2, 1 + 1e-12)]
    assert len(space.keys(alike)) == 3


def test_numeric_choices_of_many_decades_stay_what_they_are() -> None:
    load = Parameter(name="load", choices=(1e-13, 3e-9, 2.0, 1e6))
    assert [load.written(choice) for choice in load.choices] == list(load.choices)


@given(
    value=st.floats(0.0051, 499.0),
    digits=st.integers(10, 13),
    log=st.booleans(),
)
@example(value=0.308339168609, digits=12, log=True)
def test_a_run_with_more_digits_than_are_written_is_no_new_setting(
    value: float, digits: int, log: bool
) -> None:
    scale = {"scale": "log"} if log else {}
    voltage = {"name": "voltage", "low": 0.005, "high": 500.0, **scale}
    campaign = Campaign(
        name="toy",
        parameters=(
            voltage,
            {"name": "b", "low": 0, "high": 1, "step": 0.25},
            {"name": "c", "choices": ["x", "y"]},
        ),
        properties=({"name": "y"},),
        objectives=({"outcome": "y", "threshold": 0},),
    )
    space = Space(campaign)
    rest: dict[str, Value] = {"b": 0.5, "c": "x"}
    measured = float(f"{value:.{digits}g}")
    written = campaign.parameters[0].written(measured)
    was_run = {"voltage": measured, **rest}
    proposed = {"voltage": written, **rest}
    apart = {"voltage": written * (1 + 1e-6) + 1e-5, **rest}
    settings = space.settings_of([proposed, apart, {**proposed, "b": 0.75}, {**proposed, "c": "y"}])
    others = space.new_among(settings, space.keys([was_run]))
    assert others.tolist() == settings[1:].tolist()
