"""A model that goes on learning: further parameters, outcomes and sources, nothing forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from surrogate.errors import InputError
from surrogate.matmcl.model import ENSEMBLE, MatMCL
from surrogate.matmcl.vocabulary import Vocabulary


def grown(
    model: MatMCL,
    vocabulary: Vocabulary,
    sources: Sequence[str],
    *,
    seed: int = 0,
    curve_points: int | None = None,
) -> MatMCL:
    """Return a copy of a model with another vocabulary and other sources.

    What both have is taken over by name. Weights of an MLP that read a new parameter begin at 0:
    where it is missing, the copy says what the model says. Heads of a new source begin as the mean
    head of ``ensemble`` where the model has one, so that few rows have little to teach; everything
    else that is new begins at random.

    Args:
        model: with its vision encoder.
        vocabulary: parameters that both have must be scaled alike.
        sources: of the copy; heads of others are left behind.
        seed: of what begins at random.
        curve_points: grid of a curve encoder that the copy has where the model has none.

    Raises:
        InputError: the model was loaded for its table only, or a parameter is scaled otherwise.
    """
    if model.vision is None:
        raise InputError("this model was loaded for tables only: load it with parts='all'")
    known_specs = {spec.name: spec for spec in model.vocabulary.parameters}
    for spec in vocabulary.parameters:
        # Weights learnt on another scale would read the same number as another setting.
        if known_specs.get(spec.name, spec) != spec:
            raise InputError(f"{spec.name}: the model knows it on another scale or in another unit")
    backbone: Mapping[str, Any] = model.vision.backbone_config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = model.config
        if curve_points is not None and not config.curve_points:
            config = replace(config, curve_points=curve_points)
        copy = MatMCL(config, vocabulary, sources, vision_config=backbone)
    copy.to(device=model.log_noise.device, dtype=model.log_noise.dtype)
    places = _Places(model, copy)
    old = model.state_dict()
    new = copy.state_dict()
    for name, tensor in new.items():
        if name.startswith("table."):
            _table(name, tensor, old[name], places)
        elif name.startswith("property_heads."):
            _head(name, tensor, old, places)
        elif name == "log_noise":
            _log_noise(tensor, old[name], places)
        elif name in ("lab_unit", "lab_noise"):
            _by_outcome(tensor, old[name], places)
        elif name.startswith("curve."):
            _curve(name, tensor, old.get(name), places)
        else:
            tensor.copy_(old[name])
    copy.load_state_dict(new)
    return copy.train(model.training)


class _Places:
    """Where in both models the same parameter, outcome or source stands."""

    def __init__(self, old: MatMCL, new: MatMCL) -> None:
        self.parameters = _shared(old.vocabulary.names, new.vocabulary.names)
        self.outcomes = _shared(old.vocabulary.outcomes, new.vocabulary.outcomes)
        self.directions = _shared(old.vocabulary.directions, new.vocabulary.directions)
        self.n_old, self.n_new = len(old.vocabulary.names), len(new.vocabulary.names)
        self.m_old, self.m_new = len(old.vocabulary.outcomes), len(new.vocabulary.outcomes)
        mean = old.sources.index(ENSEMBLE) if ENSEMBLE in old.sources else None
        self.heads = [
            old.sources.index(name) if name in old.sources else mean for name in new.sources
        ]


def _shared(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    return [(old.index(name), place) for place, name in enumerate(new) if name in old]


def _table(name: str, new: Tensor, old: Tensor, places: _Places) -> None:
    if name == "table.enter.weight":  # (width, 3p), parameter by parameter
        new.zero_()
        new_columns, old_columns = (w.view(len(w), -1, 3) for w in (new, old))
        for old_place, place in places.parameters:
            new_columns[:, place] = old_columns[:, old_place]
    elif name in ("table.missing", "table.scale", "table.offset"):
        for old_place, place in places.parameters:
            new[place] = old[old_place]
        if name == "table.offset":  # its last row is [CLS]
            new[-1] = old[-1]
    else:
        new.copy_(old)


def _head(name: str, new: Tensor, old: Mapping[str, Tensor], places: _Places) -> None:
    _, index, part = name.split(".", 2)
    old_place = places.heads[int(index)]
    if old_place is None:
        return
    source = old[f"property_heads.{old_place}.{part}"]
    if not part.startswith("leave"):
        new.copy_(source)
        return
    new_heads, old_heads = (
        new.view(places.m_new, -1, *new.shape[1:]),
        source.view(places.m_old, -1, *source.shape[1:]),
    )
    # A new source has a mean head only, `ensemble` deviations as well.
    columns = min(new_heads.shape[1], old_heads.shape[1])
    for outcome, place in places.outcomes:
        new_heads[place, :columns] = old_heads[outcome, :columns]


def _log_noise(new: Tensor, old: Tensor, places: _Places) -> None:
    for place, old_place in enumerate(places.heads):
        if old_place is not None:
            for outcome, column in places.outcomes:
                new[place, column] = old[old_place, outcome]


def _curve(name: str, new: Tensor, old: Tensor | None, places: _Places) -> None:
    if old is None:
        return
    if name == "curve.log_noise":
        _log_noise(new, old, places)
    elif name == "curve.encoder.direction":
        for old_place, place in places.directions:
            new[place] = old[old_place]
    else:
        new.copy_(old)


def _by_outcome(new: Tensor, old: Tensor, places: _Places) -> None:
    """Take over what belongs to outcomes, (m,) or (m, m); what is new keeps what it began with."""
    old_places = [outcome for outcome, _ in places.outcomes]
    new_places = [place for _, place in places.outcomes]
    if new.ndim == 1:
        new[new_places] = old[old_places]
        return
    for row, place in zip(old_places, new_places, strict=True):
        new[place, new_places] = old[row, old_places]
