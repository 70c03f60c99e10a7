"""What MatMCL learnt from sources, as benchmarks have it: pretrained, loaded, told to the models.

A *knowledge provider* answers, for a campaign, what the surrogate of ``matmcl`` knows of it before
its first run; ``None`` means nothing. Providers travel to worker processes, so they are plain data
and load at the first call. Sources are pretrained on as ``engine pretrain`` does: from the starter
on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.bench.harness.labs import SourceRuns
from engine.campaign import Campaign
from engine.campaign.history import History
from engine.sources.serving_surrogate import STARTER

if TYPE_CHECKING:
    from engine.propose.forecaster import Forecaster
    from engine.sources.knowledge import Knowledge
    from surrogate.matmcl.config import MatMCLConfig
    from surrogate.matmcl.data import SourceTensors
    from surrogate.matmcl.vocabulary import Vocabulary

KnowledgeProvider = Callable[[Campaign], object | None]
"""campaign → what the surrogate knows of it beforehand (``knowledge=`` of ``engine.propose``)."""

STEPS, RATE = 600, 1e-3
TILES_PER_PICTURE = 2
REPLAYED_LABS = range(192)
BAD = "bad"


@dataclass(frozen=True)
class CheckpointKnowledge:
    """The provider of a checkpoint's folder; ``outcomes``: ours → theirs, where names differ."""

    folder: Path
    outcomes: tuple[tuple[str, str], ...] = ()

    def __call__(self, campaign: Campaign) -> object:
        """Return what the checkpoint knows of ``campaign``."""
        return load(campaign, self.folder, dict(self.outcomes))


def ignorance(campaign: Campaign) -> None:
    """Know nothing of any campaign."""


def keywords(campaign: Campaign, provider: KnowledgeProvider) -> dict[str, Any]:
    """Return the arguments by which ``engine.propose`` is told what ``provider`` knows."""
    knowledge = provider(campaign)
    return {} if knowledge is None else {"knowledge": knowledge}


def fit(
    history: History, outcomes: Sequence[str], provider: KnowledgeProvider = ignorance
) -> Forecaster:
    """Fit the engine's surrogate to ``history``, with what ``provider`` knows of its campaign.

    Raises:
        ModelError: too few results to learn from.
    """
    from engine.propose import Forecaster
    from engine.workspace.settings import ProposeSettings

    knowledge = keywords(history.campaign, provider)
    return Forecaster.fit(history, ProposeSettings(), outcomes=outcomes, **knowledge)


def load(campaign: Campaign, folder: Path, outcomes: Mapping[str, str]) -> Knowledge:
    """Return what a checkpoint knows of a campaign; ``outcomes``: ours → theirs."""
    from engine.sources.axes import Names
    from engine.sources.knowledge import knowledge_of
    from surrogate.matmcl.checkpoint import read_card

    excluded = read_card(folder).extra.get("left_out", ())
    return knowledge_of(campaign, folder, Names(outcomes=dict(outcomes)), exclude=excluded)


def pretrain(sources: Sequence[SourceRuns], folder: Path, seed: int) -> None:
    """Train on the sources from the starter on, and write the checkpoint to ``folder``.

    A misleading source stands alone: beside the starter's heads it would do no harm to speak of.
    """
    from engine.sources.ensemble_data import EnsembleDesign, ensemble_tensors
    from surrogate.matmcl.checkpoint import load_checkpoint, save_checkpoint
    from surrogate.matmcl.config import TrainSettings
    from surrogate.matmcl.growing import grown
    from surrogate.matmcl.model import ENSEMBLE
    from surrogate.matmcl.train import train

    starter = load_checkpoint(STARTER)
    vocabulary, config = starter.vocabulary, starter.config
    tensors = [source_tensors(source, vocabulary, config, seed) for source in sources]
    names = (ENSEMBLE, *(source.name for source in tensors))
    model = grown(starter, vocabulary, names, seed=seed)
    # Labs that the starter learned from are replayed, or the encoders would forget them.
    replay = EnsembleDesign(REPLAYED_LABS, settings=32, pictures=0)
    labs = ensemble_tensors(replay, vocabulary, config)
    settings = TrainSettings(steps=STEPS, learning_rate=RATE, seed=seed, contrastive_every=4)
    train(model, [labs, *tensors], settings)
    is_bad = any(source.name.startswith(BAD) for source in sources)
    extra = {
        "sources": [source.name for source in sources],
        "left_out": [ENSEMBLE] if is_bad else [],
    }
    save_checkpoint(folder, model, seed=seed, extra=extra)


def source_tensors(
    source: SourceRuns, vocabulary: Vocabulary, config: MatMCLConfig, seed: int
) -> SourceTensors:
    """Encode a lab's finished runs, outcomes standardised over them, micrographs cut to tiles."""
    import torch

    from engine.propose.work_space import WorkSpace
    from engine.sources.axes import outcome_places
    from engine.sources.encoding import encode_conditions
    from surrogate.matmcl.data import SourceTensors
    from surrogate.matmcl.tiles import cut_tiles

    T = encode_conditions(source.campaign, vocabulary, [run.conditions for run in source.runs])
    Y = np.full((len(source.runs), len(vocabulary.outcomes)), np.nan)
    for outcome, column in outcome_places(source.campaign, vocabulary).items():
        values = np.array([np.mean(run.outcomes.get(outcome, [np.nan])) for run in source.runs])
        work = WorkSpace(source.campaign).transform(outcome, values)
        Y[:, column] = (work - np.nanmean(work)) / max(float(np.nanstd(work)), 1e-6)
    tiles, owners = None, None
    if source.pictures and source.nm_per_pixel is not None:
        generator = torch.Generator().manual_seed(seed)
        tiles = torch.cat(
            [
                cut_tiles(
                    picture,
                    source.nm_per_pixel,
                    config=config,
                    n=TILES_PER_PICTURE,
                    generator=generator,
                )
                for picture in source.pictures
            ]
        )
        owners = torch.arange(len(source.pictures)).repeat_interleave(TILES_PER_PICTURE)
    return SourceTensors(
        source.name,
        torch.from_numpy(T).float(),
        torch.from_numpy(Y).float(),
        torch.zeros(len(source.runs), dtype=torch.int64),
        tiles,
        owners,
    )
