"""A toy generator and toy data: pictures of 16 × 16, two steps."""

from __future__ import annotations

import pytest
import torch

from generator.config import GeneratorConfig, TrainingSettings
from generator.data import GeneratorData
from generator.networks import EmbeddingPrior
from generator.pipeline import MicrostructurePipeline

TOY = GeneratorConfig(
    side_px=16, fold=2, channels=(8, 16), attention=(False, True), condition_dim=4,
    embedding_dim=4, prior_width=16, prior_depth=1,
)  # fmt: skip
BRIEF = TrainingSettings(
    steps=2, batch=4, warmup=0, device="cpu", precision="no", checkpoint_every=1, report_every=1
)


@pytest.fixture
def config() -> GeneratorConfig:
    """Return the toy's shape."""
    return TOY


@pytest.fixture
def brief() -> TrainingSettings:
    """Return a budget of two steps."""
    return BRIEF


@pytest.fixture
def data() -> GeneratorData:
    """Return ten pictures, six of them with conditions."""
    luck = torch.Generator().manual_seed(3)
    return GeneratorData(
        torch.randint(0, 256, (10, 16, 16), generator=luck, dtype=torch.uint8),
        torch.randn(10, 4, 4, generator=luck),
        torch.randn(6, 2, 4, generator=luck),
    )


@pytest.fixture
def pipeline(config: GeneratorConfig, data: GeneratorData) -> MicrostructurePipeline:
    """Return an untrained toy."""
    from generator.checkpoint import make_pipeline

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = make_pipeline(config)
    prior: EmbeddingPrior = made.prior
    prior.standardise(data.conditions[:, 0], data.embeddings[:, 0])
    made.set_progress_bar_config(disable=True)
    return made
