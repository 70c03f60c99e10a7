"""Where the benchmarks meet what MatMCL learnt from sources: the one seam, and its names.

A *knowledge provider* answers, for a campaign, what the surrogate of ``matmcl`` knows of it before
its first run; ``None`` means nothing. Providers travel to worker processes, so they are plain data
and load at the first call.

:data:`CONNECTION` is how they reach the models (:mod:`engine.bench.models.pretraining`). Were it
``None``, there would be no ``matmcl``, and nothing that needs it would be offered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.bench.models import pretraining
from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import UsageError
from engine.lab.protocol import Picture
from engine.sources.serving_surrogate import STARTER

if TYPE_CHECKING:
    from engine.propose.forecaster import Forecaster

KnowledgeProvider = Callable[[Campaign], object | None]
"""campaign → what the surrogate knows of it beforehand (``knowledge=`` of ``engine.propose``)."""


@dataclass(frozen=True)
class SourceRuns:
    """What one lab did before, to pretrain on.

    ``runs``: its finished runs. ``pictures``: a micrograph of each run, or none at all; grey,
    (height, width), rotation along the width, ``nm_per_pixel`` nanometres each.
    """

    name: str
    campaign: Campaign
    runs: tuple[Run, ...]
    pictures: tuple[Picture, ...] = ()
    nm_per_pixel: float | None = None


@dataclass(frozen=True)
class Connection:
    """How knowledge is had.

    ``starter``: the folder of the packaged checkpoint. ``load``: campaign, folder of a checkpoint
    and, for outcomes of other names, the sources' outcome for each of them → knowledge.
    ``pretrain``: sources, folder to write a checkpoint to (not there yet), seed.
    """

    starter: Path
    load: Callable[[Campaign, Path, Mapping[str, str]], object]
    pretrain: Callable[[Sequence[SourceRuns], Path, int], None]


CONNECTION: Connection | None = Connection(STARTER, pretraining.load, pretraining.pretrain)


@dataclass(frozen=True)
class CheckpointKnowledge:
    """The provider of a checkpoint's folder; ``outcomes``: ours → theirs, where names differ."""

    folder: Path
    outcomes: tuple[tuple[str, str], ...] = ()

    def __call__(self, campaign: Campaign) -> object:
        """Return what the checkpoint knows of ``campaign``."""
        return connection().load(campaign, self.folder, dict(self.outcomes))


def connection() -> Connection:
    """Return how knowledge is had.

    Raises:
        UsageError: there is no way to it.
    """
    if CONNECTION is None:
        raise UsageError("matmcl is not connected (engine.bench.models.knowledge.CONNECTION)")
    return CONNECTION


def nothing(campaign: Campaign) -> None:
    """Know nothing of any campaign."""


def keywords(campaign: Campaign, provider: KnowledgeProvider) -> dict[str, Any]:
    """Return the arguments by which ``engine.propose`` is told what ``provider`` knows."""
    known = provider(campaign)
    return {} if known is None else {"knowledge": known}


def fit(
    history: History, outcomes: Sequence[str], provider: KnowledgeProvider = nothing
) -> Forecaster:
    """Fit the engine's surrogate to ``history``, with what ``provider`` knows of its campaign.

    Raises:
        ModelError: too few results to learn from.
    """
    from engine.propose import Forecaster
    from engine.workspace.settings import ProposeSettings

    known = keywords(history.campaign, provider)
    return Forecaster.fit(history, ProposeSettings(), outcomes=outcomes, **known)
