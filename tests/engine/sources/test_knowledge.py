"""The starter as a campaign sees it, and what proposals make of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.bench.harness.labs import finished_runs
from engine.campaign import Campaign
from engine.campaign.history import History
from engine.errors import ModelError
from engine.lab import VirtualLab
from engine.lab.composite import SOURCE_OUTCOMES, CompositeLab
from engine.propose import Forecaster, choose_from_pool, suggest
from engine.propose.request import ProposeRequest
from engine.propose.space import Space
from engine.sources.axes import Names
from engine.sources.encoding import encode_conditions
from engine.sources.ensemble_data import EnsembleDesign, ensemble_tensors, starter_vocabulary
from engine.sources.knowledge import knowledge_of, starter_knowledge
from engine.sources.make_starter import MAX_BYTES, make_starter
from engine.sources.serving_surrogate import STARTER
from engine.workspace.settings import ProposeSettings
from surrogate.matmcl.checkpoint import load_checkpoint, save_checkpoint
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.model import MatMCL

QUICK = ProposeSettings(mc_samples=16, raw_samples=64, restarts=2, ambient_readings=2)
TWO = ("fracture_strength.longitudinal", "elongation.longitudinal")


@pytest.fixture(scope="module")
def history() -> History:
    """Return sixteen finished runs of the virtual lab."""
    lab = VirtualLab()
    return History(lab.campaign, tuple(run for run, _ in finished_runs(lab, 16, seed=3)))


def test_the_starter_ships_small_and_knows_the_template(nanofibre: Campaign) -> None:
    assert sum(file.stat().st_size for file in STARTER.iterdir()) <= MAX_BYTES
    knowledge = starter_knowledge(nanofibre)
    assert set(knowledge.parameters) == {p.name for p in nanofibre.parameters}
    assert knowledge.heads(nanofibre.outcomes) is not None


def test_heads_on_the_cube_are_those_of_the_encoded_conditions(history: History) -> None:
    campaign = history.campaign
    conditions = [run.conditions for run in history.finished]
    heads = starter_knowledge(campaign).heads(TWO)
    assert heads is not None
    model = load_checkpoint(STARTER, parts="table").double().eval()
    T = torch.from_numpy(encode_conditions(campaign, model.vocabulary, conditions))
    places = [model.vocabulary.outcomes.index(outcome) for outcome in TWO]
    X = torch.from_numpy(Space(campaign).encode(conditions))
    assert torch.allclose(heads(X), model.heads(T)[:, places], atol=1e-9)


def test_what_model_and_campaign_do_not_share_gives_no_heads(nanofibre: Campaign) -> None:
    definition = nanofibre.definition()
    for i, parameter in enumerate(definition["parameters"]):
        parameter |= {"name": f"knob_{i}", "aliases": []}
    other = Campaign(**definition)
    knowledge = starter_knowledge(other)
    assert knowledge.parameters == ()
    assert knowledge.heads(nanofibre.outcomes) is None
    assert starter_knowledge(nanofibre).heads(["gloss.longitudinal"]) is None


def test_an_outcome_of_another_name_may_be_mapped() -> None:
    campaign = CompositeLab().campaign
    assert starter_knowledge(campaign).heads(campaign.outcomes) is None
    told = Names(outcomes=dict(SOURCE_OUTCOMES))
    assert knowledge_of(campaign, STARTER, told).heads(campaign.outcomes) is not None


def test_half_of_the_first_batch_is_where_the_starter_expects_the_front(
    nanofibre: Campaign,
) -> None:
    empty = History(nanofibre, ())
    request = ProposeRequest(n=6, seed=1, strategy="matmcl")
    batch = suggest(empty, request, QUICK, starter_knowledge(nanofibre))
    space, lab = Space(nanofibre), VirtualLab()
    settings = space.settings_of([s.conditions for s in batch.suggestions])
    assert batch.strategy == "matmcl"
    assert len({space.key(row) for row in settings}) == 6
    assert space.is_feasible(settings).all()
    # Fast collectors align fibres: every lab of the literature would look there for strength.
    guided = [s for s in batch.suggestions if s.reason_kind == "expected_by_sources"]
    assert len(guided) == 3
    assert {s.reason_kind for s in batch.suggestions if s not in guided} == {"space_filling"}
    speeds = [float(s.conditions["collector_speed"]) for s in guided]
    assert np.mean(speeds) > 0.5 * nanofibre.parameter("collector_speed").bounds[1]
    assert batch.surrogate == starter_knowledge(lab.campaign).sha256


def test_a_model_led_batch_tells_what_the_starter_contributed(history: History) -> None:
    knowledge = starter_knowledge(history.campaign)
    request = ProposeRequest(n=3, seed=2, strategy="matmcl", explore=True)
    batch = suggest(history, request, QUICK, knowledge)
    assert [source.name for source in batch.sources] == ["ensemble"]
    assert set(batch.sources[0].weights) == set(TWO)
    # Every outcome with data is a witness, not only those that are wanted.
    asked_of_all = Forecaster.fit(history, QUICK, knowledge=knowledge).sources[0].trust
    assert batch.sources[0].trust == pytest.approx(asked_of_all, abs=1e-3)
    again = suggest(history, request, QUICK, knowledge)
    assert [s.conditions for s in batch.suggestions] == [s.conditions for s in again.suggestions]


def test_other_strategies_do_not_ask_the_starter(history: History) -> None:
    request = ProposeRequest(n=3, seed=2, strategy="gp", explore=True)
    with_it = suggest(history, request, QUICK, starter_knowledge(history.campaign))
    without = suggest(history, request, QUICK)
    assert with_it.surrogate is None
    assert [s.conditions for s in with_it.suggestions] == [
        s.conditions for s in without.suggestions
    ]


def test_a_pool_is_chosen_from_with_what_the_starter_knows(history: History) -> None:
    pool = [run.conditions for run, _ in finished_runs(VirtualLab(), 30, seed=9)]
    picks = choose_from_pool(
        history, pool, 4, strategy="matmcl", seed=1, settings=QUICK,
        knowledge=starter_knowledge(history.campaign),
    )  # fmt: skip
    assert len(set(picks)) == 4


def test_forecasts_know_their_sources(history: History) -> None:
    knowledge = starter_knowledge(history.campaign)
    forecaster = Forecaster.fit(history, QUICK, outcomes=TWO, knowledge=knowledge)
    assert 0.0 <= forecaster.sources[0].trust <= 1.0
    assert Forecaster.fit(history, QUICK, outcomes=TWO).sources == ()


def test_a_damaged_checkpoint_is_told_not_thrown(nanofibre: Campaign, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(STARTER, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cannot be used"):
        knowledge_of(nanofibre, broken)


def test_simulated_labs_are_standardised_within_each_lab() -> None:
    config = MatMCLConfig(tile_px=16)
    data = ensemble_tensors(EnsembleDesign(range(3), 16, 1), starter_vocabulary(), config)
    assert data.table.shape == (48, 7, 3)
    assert data.tiles is not None
    assert data.tiles.shape == (3, 16, 16)
    for lab in range(3):
        mean = data.outcomes[data.lab == lab].nanmean(dim=0)
        assert torch.allclose(mean[~mean.isnan()], torch.zeros(1), atol=1e-5)


def test_a_starter_can_be_made_anew(tmp_path: Path, nanofibre: Campaign) -> None:
    config = MatMCLConfig(tile_px=16, width=8, latent_dim=8, projection_dim=4, n_deviations=2)
    figures = make_starter(tmp_path / "small", labs=4, steps=6, held_out=3, config=config)
    assert figures["labs"] == 4
    assert np.isfinite(figures["nlpd"])
    assert knowledge_of(nanofibre, tmp_path / "small").heads(TWO) is not None


def test_the_starter_places_labs_that_speak_for_all_outcomes(history: History) -> None:
    campaign = history.campaign
    knowledge = starter_knowledge(campaign)
    labs = knowledge.labs(campaign.outcomes)
    assert labs is not None
    L, K = labs.points.shape
    assert (L, K) == (5000, 64)
    assert labs.noise.shape == (10, 10)
    assert torch.linalg.eigvalsh(labs.noise).min() > 0
    assert (labs.unit > 0).all()
    X = torch.from_numpy(Space(campaign).encode([run.conditions for run in history.finished]))
    assert labs.basis(X).shape == (16, 10, 1 + K)
    assert knowledge.labs(TWO) is not None


def test_labs_of_a_linear_outcome_are_told_in_shares_of_its_level(nanofibre: Campaign) -> None:
    document = nanofibre.model_dump()
    for entry in document["properties"]:
        if entry["name"] == "elongation":
            entry["scale"] = "linear"
    linear = starter_knowledge(Campaign(**document)).labs(TWO)
    assert linear is not None
    assert linear.is_relative.tolist() == [False, True]


def test_a_checkpoint_that_keeps_no_labs_gives_none(tmp_path: Path, nanofibre: Campaign) -> None:
    torch.manual_seed(0)
    config = MatMCLConfig(tile_px=16, width=8, latent_dim=8, projection_dim=4, n_deviations=2)
    save_checkpoint(tmp_path, MatMCL(config, starter_vocabulary()))
    knowledge = knowledge_of(nanofibre, tmp_path)
    assert knowledge.labs(TWO) is None
    assert knowledge.heads(TWO) is not None
    assert knowledge_of(nanofibre, STARTER, exclude=("ensemble",)).labs(TWO) is None
