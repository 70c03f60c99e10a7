"""Accuracy on held-out runs: the splits, the scores, the models, the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import lognorm, norm
from typer.testing import CliRunner

from engine.bench.models.accuracy import AccuracyConfig, accuracy, folds_of, recipes_of
from engine.bench.models.prediction_scores import (
    Measurements,
    OutOfFold,
    normal_nlpd,
    resamples,
    summarise,
)
from engine.bench.models.predictors import MODELS, Predicted, check_models
from engine.bench.search.latency import virtual_runs, write_table
from engine.campaign import Campaign, Objective, Parameter, Property
from engine.campaign.history import History, Run
from engine.cli.app import app
from engine.errors import DataError, ModelError, UsageError

CAMPAIGN = Campaign(
    name="rows",
    parameters=(
        Parameter(name="x", low=0.0, high=1.0),
        Parameter(name="k", choices=("low", "high")),
        Parameter(name="warmth", role="ambient", low=0.0, high=2.0),
    ),
    properties=(
        Property(name="y", unit="%"),
        Property(name="s", unit="MPa", scale="log", minimum=0.0),
        Property(name="never", unit="nm"),
    ),
    objectives=(Objective(outcome="y", threshold=0.0),),
)


@pytest.fixture(autouse=True)
def small_forest(monkeypatch):
    monkeypatch.setattr("engine.bench.models.peers.N_TREES", 20)
    monkeypatch.setattr("engine.bench.models.paper_mlp.EPOCHS", 30)


@pytest.fixture
def runs():
    """24 runs of 12 recipes, each spun in two rooms; some with a second specimen of y."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(24):
        x, k = (number % 12) / 11, ("low", "high")[number % 2]
        warmth = float(rng.uniform(0, 2))
        y = 3 * x + 0.2 * warmth + 0.05 * rng.standard_normal()
        values = {"y": (y, y + 0.02) if number % 3 == 0 else (y,)}
        if number != 5:
            values["s"] = (float(np.exp(x + (k == "high") + 0.1 * rng.standard_normal())),)
        found.append(Run({"x": x, "k": k, "warmth": warmth}, values, label=f"m{number}"))
    return found


def oracle(history, conditions, outcomes, *, level, seed):
    """Know y and s without noise; tell that it saw the other recipes only."""
    seen = {(run.conditions["x"], run.conditions["k"]) for run in history.finished}
    assert seen.isdisjoint((c["x"], c["k"]) for c in conditions)
    assert all(set(c) == {"x", "k", "warmth"} for c in conditions)
    truth = {
        "y": [3 * c["x"] + 0.2 * c["warmth"] for c in conditions],
        "s": [float(np.exp(c["x"] + (c["k"] == "high"))) for c in conditions],
    }
    return Predicted(np.array([truth[outcome] for outcome in outcomes]).T)


def engine(*words):
    return CliRunner().invoke(app, ["bench", "accuracy", *map(str, words)])


# -- splits ---------------------------------------------------------------------------------------


def test_runs_with_the_same_settings_are_one_recipe(runs):
    recipes = recipes_of(CAMPAIGN, runs)
    assert recipes.tolist() == [number % 12 for number in range(24)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=9, max_size=40), st.integers(2, 5), st.integers(0, 99))
def test_a_recipe_is_never_torn_and_folds_are_even(draws, n_folds, seed):
    recipes = np.unique(np.array(draws + list(range(9))), return_inverse=True)[1]
    folds = folds_of(recipes, n_folds, [seed, 0])
    for recipe in range(recipes.max() + 1):
        assert len(set(folds[recipes == recipe])) == 1
    sizes = [len(set(recipes[folds == fold])) for fold in range(n_folds)]
    assert max(sizes) - min(sizes) <= 1
    assert (folds == folds_of(recipes, n_folds, [seed, 0])).all()


# -- scores ---------------------------------------------------------------------------------------


def test_scores_on_paper():
    y = np.array([1.0, 2.0, 3.0, 4.0])
    held = Measurements(y, np.zeros(4, dtype=int), np.arange(4), np.arange(4))
    said = {
        "random_forest": OutOfFold(np.full((1, 4), 2.5)),
        "half": OutOfFold(
            2.5 + (y[None] - 2.5) / 2, lower=y[None] - [[1, 1, 1, -1]], upper=y[None] + 1,
            nlpd=np.array([[1.0, 2.0, 3.0, 4.0]]),
        ),
    }  # fmt: skip
    summary = summarise(held, said, ["y"], ["random_forest"])
    forest, half = summary["models"]["random_forest"], summary["models"]["half"]
    assert forest["mean_r2"] == pytest.approx(0.0)
    assert forest["coverage"] is forest["nlpd"] is None
    assert forest["differences"] == {}
    assert half["r2"]["y"] == pytest.approx(0.75)
    assert half["coverage"]["y"] == pytest.approx(0.75)
    assert half["mean_nlpd"] == pytest.approx(2.5)
    difference = half["differences"]["random_forest"]
    assert difference["r2"] == pytest.approx(0.75)
    assert difference["nlpd"] is difference["nlpd_interval"] is None
    low, high = difference["r2_interval"]
    assert 0.7 <= low <= high


def test_r2_of_repeats_is_the_mean_of_theirs_and_resamples_keep_recipes_whole():
    rng = np.random.default_rng(3)
    y = rng.standard_normal(30)
    held = Measurements(y, np.zeros(30, dtype=int), np.arange(30), np.repeat(np.arange(10), 3))
    mean = y + 0.5 * rng.standard_normal((2, 30))
    one, two = (
        summarise(held, {"a": OutOfFold(mean[i : i + 1])}, ["y"], ["a"])["models"]["a"]["mean_r2"]
        for i in (0, 1)
    )
    both = summarise(held, {"a": OutOfFold(mean)}, ["y"], ["a"])["models"]["a"]
    assert both["mean_r2"] == pytest.approx((one + two) / 2)
    assert both["mean_r2_by_repeat"] == pytest.approx([one, two])
    assert both["r2_interval"]["y"][0] < both["mean_r2"] < both["r2_interval"]["y"][1]
    C = resamples(10)
    assert (C[0] == 1).all()
    assert (C.sum(axis=1) == 10).all()


def test_the_density_is_that_of_the_outcome_in_its_unit():
    value, centre, variance = np.array([0.5, 2.0]), np.array([0.1, 0.4]), np.array([0.3, 0.2])
    sd = np.sqrt(variance)
    assert normal_nlpd(value, centre, variance, is_log=False) == pytest.approx(
        -norm.logpdf(value, centre, sd)
    )
    assert normal_nlpd(value, centre, variance, is_log=True) == pytest.approx(
        -lognorm.logpdf(value, sd, scale=np.exp(centre))
    )


# -- the benchmark --------------------------------------------------------------------------------


def test_all_models_meet_the_same_folds_and_the_better_one_wins(runs):
    names = ("random_forest", "mean", "oracle")
    steps = []
    config = AccuracyConfig("rows.csv", folds=3, repeats=2, models=names)
    document = accuracy(
        config, CAMPAIGN, runs, models={"oracle": oracle}, progress=lambda *step: steps.append(step)
    )
    assert len(steps) == config.n_steps == 18
    assert steps[-1] == ("repeat 2, fold 3: oracle", 18, 18)
    assert document["data"] == {
        "experiments": 24,
        "recipes": 12,
        "measurements": 55,
        "outcomes_left_out": ["never"],
    }
    models = document["summary"]["models"]
    assert document["summary"]["against"] == ["random_forest"]
    assert models["oracle"]["mean_r2"] > 0.9 > models["random_forest"]["mean_r2"]
    assert models["mean"]["mean_r2"] < 0.05
    assert models["oracle"]["differences"]["random_forest"]["r2_interval"][0] > 0
    assert models["mean"]["differences"]["random_forest"]["r2_interval"][1] < 0
    measured = document["measurements"]
    assert np.shape(measured["fold"]) == (2, 55)
    assert measured["fold"][0] != measured["fold"][1]
    assert np.shape(document["predictions"]["oracle"]["mean"]) == (2, 55)
    again = accuracy(config, CAMPAIGN, runs, models={"oracle": oracle})
    assert again["predictions"] == document["predictions"]
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_predicts_in_the_outcomes_units(name, runs):
    found = MODELS[name].predict(
        History(CAMPAIGN, tuple(runs[:20])),
        [run.conditions for run in runs[20:]],
        ("y", "s"),
        level=0.9,
        seed=1,
    )
    assert all(part.shape == (4, 2) for part in found.parts())
    assert (found.mean > 0).all()
    if name in ("gp", "botorch"):
        measured = np.array([[run.outcomes["y"][0], run.outcomes["s"][0]] for run in runs[20:]])
        assert np.abs(found.mean - measured).max() < 1.0
    if found.lower is not None:
        assert (found.lower < found.mean).all()
        assert (found.mean < found.upper).all()
        assert found.variance.min() > 0


def test_the_published_network_learns_both_directions_at_once():
    """y differs by direction, z has none: one row a direction, masked where nothing is measured."""
    from engine.bench.models.paper_mlp import Layout

    layout = Layout.from_names(["y.along", "z", "y.across"])
    Y = np.array([[1.0, 2.0, 3.0], [4.0, np.nan, 6.0]])
    targets = layout.targets(Y)
    assert targets.shape == (6, 2)
    np.testing.assert_array_equal(layout.outcomes(targets), Y)
    inputs = layout.inputs(np.array([[0.1], [0.2]]))
    assert inputs.shape == (6, 4)
    assert (inputs[:3, 0] == 0.1).all()
    assert (inputs[:, 1:].sum(axis=1) == 1).all()


def test_the_published_network_fits_a_line_and_repeats_itself():
    from engine.bench.models.paper_mlp import fit_and_predict

    rng = np.random.default_rng(0)
    X = rng.uniform(size=(120, 2))
    Y = np.stack([10 + 3 * X[:, 0], 5 - 2 * X[:, 1]], axis=1)
    Y[::7, 1] = np.nan
    asked = rng.uniform(size=(20, 2))
    found = fit_and_predict(X, Y, np.arange(120), asked, seed=1)
    assert np.abs(found[:, 0] - (10 + 3 * asked[:, 0])).max() < 0.6
    again = fit_and_predict(X, Y, np.arange(120), asked, seed=1)
    np.testing.assert_array_equal(found, again)


def test_a_model_that_fails_is_named_with_its_fold(runs):
    def broken(history, conditions, outcomes, *, level, seed):
        raise ModelError("no luck")

    def short(history, conditions, outcomes, *, level, seed):
        return Predicted(np.zeros((1, 1)))

    config = AccuracyConfig("rows.csv", folds=2, models=("broken",))
    with pytest.raises(ModelError, match="broken, repeat 1, fold 1: no luck"):
        accuracy(config, CAMPAIGN, runs, models={"broken": broken})
    with pytest.raises(ModelError, match="expected \\(12, 2\\) finite numbers"):
        accuracy(config, CAMPAIGN, runs, models={"broken": short})


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"folds": 13}, UsageError, "at most the table's 12 recipes"),
        ({"folds": 1}, UsageError, "^folds: expected at least 2"),
        ({"repeats": 0}, UsageError, "^repeats: "),
        ({"seed": -1}, UsageError, "^seed: "),
        ({"against": ("gpp",)}, UsageError, "Did you mean 'gp'"),
        ({"models": ("forest",)}, UsageError, "^model: expected one of matmcl"),
        ({"outcomes": ("yy",)}, UsageError, "unknown outcome 'yy'"),
        ({"outcomes": ("never",)}, DataError, "differing results of never"),
    ],
)
def test_refuses_with_a_mend(runs, change, error, told):
    with pytest.raises(error, match=told):
        accuracy(AccuracyConfig("rows.csv", **change), CAMPAIGN, runs)


def test_names_of_models_are_taken_once():
    assert check_models(["gp", "mean", "gp"]) == ("gp", "mean")
    assert check_models(["mine"], custom=["mine"]) == ("mine",)


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    campaign, found = virtual_runs(16, seed=0)
    path = tmp_path / "runs.csv"
    write_table(path, campaign, found)
    return path


def test_the_command_prints_units_seed_and_versions(table, tmp_path):
    result = engine(
        "--table", table, "--template", "nanofibre", "--folds", 2, "--seed", 7,
        "--model", "gp,random_forest", "--model", "mean",
        "--outcomes", "elongation.longitudinal,fracture_strength.transverse",
        "--plot", tmp_path / "plot.png",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for expected in ("elongation.longitudinal [%]", "[MPa]", "seed 7", "R² − gp",
                     "paired by recipe", "90 % bootstrap",
                     "[nat]", "scikit-learn", "cores", "1 thread", "90 % interval"):  # fmt: skip
        assert expected in result.stdout
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_one_document_and_what_out_keeps(table, tmp_path):
    out = tmp_path / "out.json"
    result = engine("--table", table, "--template", "nanofibre", "--folds", 2, "--model", "mean",
                    "--out", out, "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document == json.loads(out.read_text())
    assert document["kind"] == "accuracy"
    assert len(document["summary"]["outcomes"]) == 10
    assert document["environment"]["versions"]["scikit-learn"]


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        ([], "--table FILE", 2),
        (["--table", "x.csv"], "--campaign FILE.toml", 2),
        (["--table", "x.csv", "--format", "matmcl"], "no such file", 1),
        (["--table", "x.csv", "--format", "xls", "--template", "blank"], "--format", 2),
        (["--table", "x.csv", "--format", "matmcl", "--folds", "1"], "--folds", 2),
        (["--table", "x.csv", "--format", "matmcl", "--model", "gpp"], "Did you mean 'gp'", 2),
        (["--table", "x.csv", "--format", "matmcl", "--against", "x"], "--against", 2),
        (["--table", "x.csv", "--format", "matmcl", "--out", "/no/such/f.json"], "folder", 2),
    ],
)
def test_mistakes_are_told_in_a_line(words, told, code):
    result = engine(*words)
    assert result.exit_code == code, result.output
    assert told in result.stderr
    assert "Traceback" not in result.output


# -- knowledge from sources ------------------------------------------------------------------------


def test_knowledge_reaches_the_surrogate_and_its_lack_changes_nothing(runs, monkeypatch):
    from engine.bench.models import knowledge
    from engine.propose import Forecaster

    told = []
    real = Forecaster.fit

    def spy(history, settings, *, outcomes, **more):
        told.append(more)
        return real(history, settings, outcomes=outcomes)

    monkeypatch.setattr(Forecaster, "fit", spy)
    history = History(CAMPAIGN, tuple(runs))
    knowledge.fit(history, ("y",))
    knowledge.fit(history, ("y",), lambda campaign: {"of": campaign.name})
    assert told == [{}, {"knowledge": {"of": "rows"}}]


def test_the_published_head_reads_a_checkpoints_frozen_latent(tmp_path):
    from engine.bench.harness.labs import finished_runs, lab_of
    from engine.bench.models.paper_mlp import checkpoint_latent
    from engine.bench.models.predictors import frozen_mlp
    from surrogate.matmcl.checkpoint import save_checkpoint
    from surrogate.matmcl.config import MatMCLConfig
    from surrogate.matmcl.model import MatMCL
    from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary

    lab = lab_of("standard")
    words = (
        ParameterSpec("concentration", "%", True, 2.9, 0.3),
        ParameterSpec("collector_speed", "rpm", False, 800.0, 800.0),
    )
    config = MatMCLConfig(width=8, depth=1, latent_dim=6, projection_dim=5, tile_px=16)
    save_checkpoint(tmp_path / "kept", MatMCL(config, Vocabulary(words, lab.campaign.outcomes)))
    runs = [run for run, _ in finished_runs(lab, 24, 0)]
    conditions = [run.conditions for run in runs[20:]]
    latent = checkpoint_latent(tmp_path / "kept", lab.campaign)(conditions)
    assert latent.shape == (4, 5)
    assert np.linalg.norm(latent, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    history, outcomes = History(lab.campaign, tuple(runs[:20])), lab.campaign.outcomes
    found = frozen_mlp(tmp_path / "kept")(history, conditions, outcomes, level=0.9, seed=0)
    assert found.mean.shape == (4, 10)
    assert np.isfinite(found.mean).all()
    with pytest.raises(ModelError, match="the checkpoint cannot be used"):
        frozen_mlp(tmp_path / "none")(history, conditions, outcomes, level=0.9, seed=0)
