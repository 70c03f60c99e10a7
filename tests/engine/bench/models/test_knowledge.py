"""Sources of a benchmark, pretrained on: what comes out is a checkpoint that serves a campaign."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.bench.harness.labs import source_runs
from engine.bench.models import knowledge
from engine.lab import VirtualLab
from engine.sources.serving_surrogate import STARTER
from surrogate.matmcl.checkpoint import load_checkpoint

OUTCOMES = ("elongation.longitudinal",)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train hardly at all."""
    monkeypatch.setattr(knowledge, "STEPS", 2)
    monkeypatch.setattr(knowledge, "REPLAYED_LABS", range(2))


def test_a_source_has_a_head_beside_the_ensemble(tmp_path: Path) -> None:
    lab = VirtualLab()
    source = source_runs(lab, "older 1", 12, seed=1, picture_px=192)
    knowledge.pretrain([source], tmp_path / "model", seed=1)
    known = knowledge.load(lab.campaign, tmp_path / "model", {})
    heads = known.heads(OUTCOMES)
    assert heads is not None
    assert heads.layout.names == ("ensemble", "older 1")


def test_a_misleading_source_stands_alone(tmp_path: Path) -> None:
    lab = VirtualLab()
    knowledge.pretrain([source_runs(lab, "bad 1", 12, seed=1)], tmp_path / "model", seed=1)
    heads = knowledge.load(lab.campaign, tmp_path / "model", {}).heads(OUTCOMES)
    assert heads is not None
    assert heads.layout.names == ("bad 1",)


def test_outcomes_are_standardised_and_what_was_not_measured_stays_so() -> None:
    lab = VirtualLab()
    model = load_checkpoint(STARTER, parts="table")
    source = source_runs(lab, "older 1", 12, seed=1)
    tensors = knowledge.source_tensors(source, model.vocabulary, model.config, seed=1)
    assert tensors.tiles is None
    seen = ~torch.isnan(tensors.outcomes)
    assert seen.all(dim=0).sum() == len(lab.campaign.outcomes)
    column = tensors.outcomes[:, model.vocabulary.outcomes.index(OUTCOMES[0])]
    assert np.isclose(float(column.mean()), 0.0, atol=1e-5)
