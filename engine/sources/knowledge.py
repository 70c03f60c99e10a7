"""What the sources know of one campaign: heads and labs of a checkpoint, read off its cube.

The checkpoint is the campaign's champion, or else the starter that ships with the package. Loading
takes the table side only: a proposal needs no picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from engine.errors import ModelError
from engine.sources.axes import Names, outcome_places
from engine.sources.definition import OWN
from engine.sources.encoding import cube_mapping
from engine.sources.serving_surrogate import STARTER
from surrogate.cube import CubeHeads
from surrogate.errors import CheckpointError
from surrogate.labs.population import Population
from surrogate.matmcl.checkpoint import CheckpointCard, load_checkpoint, read_card
from surrogate.matmcl.model import ENSEMBLE, MatMCL
from surrogate.sourced import HeadLayout, Heads

if TYPE_CHECKING:
    from engine.campaign import Campaign
    from engine.campaign.ranges import Reach

_SHARES = ("order_parameter", "porosity", "bead_fraction")
"""Of the mat: not logarithms in the model, and often per cent in a campaign."""


class Knowledge:
    """The heads of one checkpoint as one campaign sees them.

    Args:
        campaign: whose conditions and outcomes are asked about.
        model: MatMCL, for its table side at least.
        identity: says which checkpoint it is, to people.
        sha256: of its weights, for the record.
        names: what the campaign's own names stand for, where told.
        exclude: sources that must not count for this campaign; its own runs never do.

    Its heads read the cube of the campaign's bounds; :meth:`within` those of a wider one.
    """

    def __init__(
        self,
        campaign: Campaign,
        model: MatMCL,
        identity: str,
        *,
        sha256: str = "",
        names: Names | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        self.campaign = campaign
        self.identity = identity
        self.sha256 = sha256
        self._model = model
        self._names = names
        self._mapping = cube_mapping(campaign, model.vocabulary, names)
        self._places = outcome_places(campaign, model.vocabulary, names)
        sources = tuple(name for name in model.sources if name not in (*exclude, OWN))
        self._layout: HeadLayout | None = None
        if sources:
            self._layout = HeadLayout(sources, tuple(map(self._deviations, sources)))

    def within(self, campaign: Campaign, reaches: Mapping[str, Reach]) -> Knowledge:
        """Return the same, reading a cube that was made with these reaches.

        Raises:
            ModelError: it was made for parameters that the campaign does not have today.
        """
        if campaign.parameters != self.campaign.parameters:
            raise ModelError(
                f"{self.identity} was read for other parameters than the campaign "
                f"'{campaign.name}' has now; open it again"
            )
        clone = copy(self)
        clone._mapping = cube_mapping(campaign, self._model.vocabulary, self._names, reaches)
        return clone

    def _deviations(self, source: str) -> int:
        return self._model.config.n_deviations if source == ENSEMBLE else 0

    @property
    def parameters(self) -> tuple[str, ...]:
        """The model's parameters that the campaign has."""
        return tuple(
            name
            for name, column in zip(self._model.vocabulary.names, self._mapping.column, strict=True)
            if column >= 0
        )

    def heads(self, outcomes: Sequence[str]) -> Heads | None:
        """Return the heads of ``outcomes``; ``None`` where model and campaign share too little."""
        places = [self._places.get(outcome) for outcome in outcomes]
        if self._layout is None or not self.parameters or all(p is None for p in places):
            return None
        return CubeHeads(self._model, self._mapping, places, self._layout)

    def labs(self, outcomes: Sequence[str]) -> Population | None:
        """Return the simulated labs as points of one latent that all ``outcomes`` share.

        ``None`` where the checkpoint keeps none, where they are not to count, or where model and
        campaign share too little.
        """
        model = self._model
        places = [self._place_of_property(outcome) for outcome in outcomes]
        is_known = torch.tensor([place is not None for place in places])
        if not model.config.n_labs or not self.parameters or not is_known.any():
            return None
        if self._layout is None or ENSEMBLE not in self._layout.names:
            return None
        index = [place or 0 for place in places]
        noise = model.lab_noise[index][:, index] * torch.outer(is_known.double(), is_known.double())
        return Population(
            CubeHeads(
                model, self._mapping, places, HeadLayout((ENSEMBLE,), (self._deviations(ENSEMBLE),))
            ),
            model.lab_points,
            torch.where(is_known, model.lab_unit[index], 0.0),
            noise,
            torch.tensor([self.campaign.property_of(o).scale != "log" for o in outcomes]),
        )

    def _place_of_property(self, outcome: str) -> int | None:
        """Return an outcome's place among the model's; shares of the mat count as unknown."""
        place = self._places.get(outcome)
        if place is None or self._model.vocabulary.outcomes[place] in _SHARES:
            return None
        return place


def starter_knowledge(campaign: Campaign) -> Knowledge:
    """Return what the starter that ships with the package knows of a campaign.

    Raises:
        ModelError: the package's files are damaged.
    """
    return knowledge_of(campaign, STARTER)


def knowledge_of(
    campaign: Campaign,
    folder: Path,
    names: Names | None = None,
    *,
    exclude: Sequence[str] = (),
) -> Knowledge:
    """Return what a checkpoint's folder knows of a campaign.

    ``names``: what the campaign's own names stand for; as the checkpoint notes them if left out.
    ``exclude``: sources that are not to count.

    Raises:
        ModelError: the checkpoint cannot be read.
    """
    model, card = _loaded(folder.resolve())
    digest = card.sha256
    if names is None:
        noted = card.extra.get("names", {})
        names = Names(noted.get("parameters", {}), noted.get("outcomes", {}))
    identity = f"{folder.name} {digest[:12]}"
    return Knowledge(campaign, model, identity, sha256=digest, names=names, exclude=exclude)


@lru_cache(maxsize=4)
def _loaded(folder: Path) -> tuple[MatMCL, CheckpointCard]:
    try:
        card = read_card(folder)
        model = load_checkpoint(folder, parts="table")
    except CheckpointError as error:
        raise ModelError(f"the pretrained surrogate cannot be used: {error}") from error
    model = model.double().eval()
    model.requires_grad_(requires_grad=False)
    return model, card
