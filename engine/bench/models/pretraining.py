"""Sources of a benchmark, pretrained on as ``engine pretrain`` does: from the starter on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.sources.serving_surrogate import STARTER

if TYPE_CHECKING:
    from engine.bench.models.knowledge import SourceRuns
    from engine.campaign import Campaign
    from engine.sources.knowledge import Knowledge
    from surrogate.matmcl.config import MatMCLConfig
    from surrogate.matmcl.data import SourceTensors
    from surrogate.matmcl.vocabulary import Vocabulary

STEPS, RATE = 600, 1e-3
TILES_PER_PICTURE = 2
REPLAYED_LABS = range(192)
BAD = "bad"


def load(campaign: Campaign, folder: Path, outcomes: Mapping[str, str]) -> Knowledge:
    """Return what a checkpoint knows of a campaign; ``outcomes``: ours → theirs."""
    from engine.sources.axes import Names
    from engine.sources.knowledge import knowledge_of
    from surrogate.matmcl.checkpoint import read_card

    left_out = read_card(folder).extra.get("left_out", ())
    return knowledge_of(campaign, folder, Names(outcomes=dict(outcomes)), exclude=left_out)


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
    tensors = [source_tensors(one, vocabulary, config, seed) for one in sources]
    names = (ENSEMBLE, *(one.name for one in tensors))
    model = grown(starter, vocabulary, names, seed=seed)
    replay = EnsembleDesign(REPLAYED_LABS, settings=32, pictures=0)
    labs = ensemble_tensors(replay, vocabulary, config)
    settings = TrainSettings(steps=STEPS, learning_rate=RATE, seed=seed, contrastive_every=4)
    train(model, [labs, *tensors], settings)
    is_bad = any(one.name.startswith(BAD) for one in sources)
    extra = {"sources": [one.name for one in sources], "left_out": [ENSEMBLE] if is_bad else []}
    save_checkpoint(folder, model, seed=seed, extra=extra)


def source_tensors(
    source: SourceRuns, vocabulary: Vocabulary, config: MatMCLConfig, seed: int
) -> SourceTensors:
    """Encode a lab's finished runs, outcomes standardised over them, micrographs cut to tiles."""
    import torch

    from engine.propose.training_data import to_work
    from engine.sources.axes import outcome_places
    from engine.sources.encoding import encode_conditions
    from surrogate.matmcl.data import SourceTensors
    from surrogate.matmcl.tiles import cut_tiles

    T = encode_conditions(source.campaign, vocabulary, [run.conditions for run in source.runs])
    Y = np.full((len(source.runs), len(vocabulary.outcomes)), np.nan)
    for outcome, place in outcome_places(source.campaign, vocabulary).items():
        values = np.array([np.mean(run.outcomes.get(outcome, [np.nan])) for run in source.runs])
        work = to_work(source.campaign, outcome, values)
        Y[:, place] = (work - np.nanmean(work)) / max(float(np.nanstd(work)), 1e-6)
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
