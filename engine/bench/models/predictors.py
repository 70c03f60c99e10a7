"""Models by name, as the benchmarks ask them.

A further model is one more entry of :data:`MODELS`, or is brought along by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from engine.bench.models.knowledge import (
    CheckpointKnowledge,
    KnowledgeProvider,
    fit,
    ignorance,
)
from engine.bench.models.peers import (
    N_TREES,
    botorch_default,
    constant,
    extra_trees,
    gradient_boosting,
    random_forest,
    regressor,
)
from engine.bench.models.prediction import Entry, Predicted, Predictor, forecast
from engine.campaign import Value
from engine.campaign.history import History
from engine.errors import ModelError, UsageError, nearest_name
from engine.sources.serving_surrogate import STARTER

__all__ = ["MODELS", "Entry", "Predicted", "Predictor", "check_against", "check_models"]


def surrogate(provider: KnowledgeProvider = ignorance) -> Predictor:
    """Return the engine's own model, with what ``provider`` knows of the campaign."""

    def predict(
        history: History,
        conditions: Sequence[Mapping[str, Value]],
        outcomes: Sequence[str],
        *,
        level: float,
        seed: int,
    ) -> Predicted:
        return forecast(fit(history, outcomes, provider), conditions, level)

    return predict


def paper_mlp(
    history: History,
    conditions: Sequence[Mapping[str, Value]],
    outcomes: Sequence[str],
    *,
    level: float,
    seed: int,
) -> Predicted:
    """Predict with the published network for tables (:mod:`engine.bench.models.paper_mlp`)."""
    from engine.bench.models.paper_mlp import predict

    return predict(history, conditions, outcomes, seed=seed)


def frozen_mlp(folder: Path) -> Predictor:
    """Return the published head on the frozen table latent of a checkpoint."""

    def predict(
        history: History,
        conditions: Sequence[Mapping[str, Value]],
        outcomes: Sequence[str],
        *,
        level: float,
        seed: int,
    ) -> Predicted:
        from engine.bench.models import paper_mlp
        from surrogate.errors import SurrogateError

        try:
            encode = paper_mlp.checkpoint_latent(folder, history.campaign)
        except SurrogateError as error:
            raise ModelError(f"the checkpoint cannot be used: {error}") from error
        return paper_mlp.predict(history, conditions, outcomes, seed=seed, encode=encode)

    return predict


AGAINST = ("botorch", "gp")
"""The models to which the others are compared unless told otherwise."""
MODELS: Mapping[str, Entry] = {
    "matmcl": Entry(
        surrogate(CheckpointKnowledge(STARTER)), "`gp` with the starter's heads in its mean"
    ),
    "frozen_mlp": Entry(
        frozen_mlp(STARTER),
        "the recipe of Wu et al. (2025): an MLP head on the starter's frozen table latent",
    ),
    "gp": Entry(surrogate(), "the engine's own Gaussian processes, without any source"),
    "botorch": Entry(botorch_default, "BoTorch's SingleTaskGP at its defaults, on the same inputs"),
    "random_forest": Entry(
        regressor(random_forest), f"scikit-learn's RandomForestRegressor, {N_TREES} trees"
    ),
    "extra_trees": Entry(
        regressor(extra_trees), f"scikit-learn's ExtraTreesRegressor, {N_TREES} trees"
    ),
    "gradient_boosting": Entry(
        regressor(gradient_boosting), "scikit-learn's GradientBoostingRegressor at its defaults"
    ),
    "paper_mlp": Entry(
        paper_mlp,
        "the network of Wu et al. (2025) for tables: encoder of 5 layers of 512 to a unit-norm "
        "latent of 128, head of 3 layers of 128; without micrographs both learn from the fold",
    ),
    "mean": Entry(constant, "the mean of the runs, whatever the conditions"),
}


def check_models(names: Iterable[str], *, custom: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names, each once, in order; ``custom``: further ones to be taken.

    >>> check_models(["gp", "mean", "gp"])
    ('gp', 'mean')

    Raises:
        UsageError: no name at all, or one that no model has.
    """
    offered = (*MODELS, *custom)
    chosen = tuple(dict.fromkeys(names))
    for name in chosen:
        if name not in offered:
            raise UsageError(
                f"expected one of {', '.join(offered)}, got '{name}'.{nearest_name(name, offered)}",
                field="model",
            )
    if not chosen:
        raise UsageError(f"expected at least one of {', '.join(offered)}", field="model")
    return chosen


def check_against(names: Sequence[str], models: Sequence[str]) -> tuple[str, ...]:
    """Return the models to which differences are told; without names, the usual ones.

    Raises:
        UsageError: a name that is not among the models compared.
    """
    for name in names:
        if name not in models:
            raise UsageError(
                f"expected one of the models compared, {', '.join(models)}, "
                f"got '{name}'.{nearest_name(name, models)}",
                field="against",
            )
    usual = tuple(name for name in AGAINST if name in models) or tuple(models[:1])
    return tuple(dict.fromkeys(names)) or usual
