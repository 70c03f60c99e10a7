"""Ax's generation with the engine's own surrogate: the strategy ``ax-matmcl``.

Ax's modular BoTorch generator is handed :class:`surrogate.sourced_gp.SourcedGP` as its model class,
one configuration for each outcome, so that each reads the heads of its own outcome. Ax fits it and
searches with qLogNEHVI, as it does with its own models.

Columns
-------
Ax keeps the order of the parameters, controlled then ambient, and hands the model raw values; the
model's input transform scales them by the reaches of the space that Ax searches
(:func:`engine.propose.ax_parameters.ax_space`). So a column is that of
:meth:`engine.propose.space.Space.cube` there, also for a room that was outside its range (Ax's own
bounds are wider there) and for numeric choices. Constants are no parameters of Ax. Named choices
are one-hot in another order in Ax and are refused.

Outcomes reach Ax in work space (:mod:`engine.propose.training_data`), the mean of a run's
replicates each, and are standardised there; Ax's winsorising and its bi-logarithm are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from engine.errors import UsageError, field
from engine.propose.ax_parameters import AxUnits
from engine.propose.space import Space
from surrogate.sourced import Heads


@dataclass(frozen=True)
class Guide:
    """What leads Ax's generation: the sources that the results trust, and where to beat the front.

    ``heads``: of ``outcomes``, in their order; ``None`` where no source is trusted.
    ``reference``: the gains in work space from which on runs count.
    """

    heads: Heads | None
    outcomes: tuple[str, ...]
    reference: Sequence[float]


def check_columns(space: Space) -> None:
    """Refuse a campaign whose columns Ax writes otherwise.

    Raises:
        UsageError: a parameter is a choice between names, or is searched in the logarithm.
    """
    logarithmic = [p.name for p in (*space.controlled, *space.ambient) if p.scale == "log"]
    if logarithmic:
        raise UsageError(
            f"{field('strategy')} ax-matmcl: Ax takes no logarithm of {', '.join(logarithmic)} "
            f"before the engine's surrogate; use {field('strategy')} matmcl."
        )
    named = [p.name for p in (*space.controlled, *space.ambient) if p.is_categorical]
    if named:
        raise UsageError(
            f"{field('strategy')} ax-matmcl: Ax encodes the named choices of {', '.join(named)} "
            f"otherwise than the sources do; use {field('strategy')} matmcl."
        )


def guided_strategy(
    space: Space, guide: Guide, metrics: Mapping[str, str], distances: Sequence[str] = ()
) -> Any:
    """Return the Ax ``GenerationStrategy`` that searches with the engine's surrogate throughout.

    Args:
        space: the campaign's geometry.
        guide: what leads.
        metrics: Ax's name of each outcome.
        distances: metrics that are a run's distance from a target, of which no source knows.
    """
    from ax.adapter.registry import Generators, MBM_X_trans
    from ax.adapter.transforms.derelativize import Derelativize
    from ax.adapter.transforms.standardize_y import StandardizeY
    from ax.generation_strategy.generation_node import GenerationNode
    from ax.generation_strategy.generation_strategy import GenerationStrategy
    from ax.generation_strategy.generator_spec import GeneratorSpec

    generator = GeneratorSpec(
        generator_enum=Generators.BOTORCH_MODULAR,
        generator_kwargs={
            "surrogate_spec": surrogate_spec(space, guide, metrics, distances),
            "transforms": [*MBM_X_trans, Derelativize, StandardizeY],
        },
    )
    node = GenerationNode(name="MatMCL", generator_specs=[generator], should_deduplicate=True)
    return GenerationStrategy(name="ax-matmcl", nodes=[node])


def surrogate_spec(
    space: Space, guide: Guide, metrics: Mapping[str, str], distances: Sequence[str] = ()
) -> Any:
    """Return the Ax ``SurrogateSpec``: the engine's model class, once for each outcome."""
    from ax.generators.torch.botorch_modular.surrogate import SurrogateSpec
    from ax.generators.torch.botorch_modular.utils import ModelConfig
    from botorch.models.transforms.input import Normalize
    from botorch.models.transforms.outcome import Standardize

    from surrogate.sourced_gp import SourcedGP

    units = AxUnits(space)
    varying = [p.name for p in (*space.controlled, *space.ambient) if space.columns[p.name]]
    reaches = [space.reaches[name] for name in varying]
    scales = [units.by_name.get(name, 1.0) for name in varying]
    bounds = torch.tensor(
        [(r.low / s, r.high / s) for r, s in zip(reaches, scales, strict=True)], dtype=torch.double
    ).T
    heads = {metrics[name]: (guide.heads, place) for place, name in enumerate(guide.outcomes)}
    heads |= dict.fromkeys(distances, (None, 0))
    return SurrogateSpec(
        metric_to_model_configs={
            metric: [
                ModelConfig(
                    botorch_model_class=SourcedGP,
                    model_options={"heads": members, "outcomes": [place]},
                    input_transform_classes=[Normalize],
                    input_transform_options={"Normalize": {"d": space.d, "bounds": bounds}},
                    outcome_transform_classes=[Standardize],
                    outcome_transform_options={"Standardize": {"m": 1}},
                    name=f"{metric} with sources",
                )
            ]
            for metric, (members, place) in heads.items()
        }
    )
