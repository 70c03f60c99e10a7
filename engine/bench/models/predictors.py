"""Models by name, as the benchmarks ask them.

A further model is one more entry of :data:`MODELS`, or is brought along by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from engine.bench.models import knowledge
from engine.bench.models.knowledge import KnowledgeProvider, fit, nothing
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

__all__ = ["MODELS", "Entry", "Predicted", "Predictor", "check_against", "check_models"]


def surrogate(provider: KnowledgeProvider = nothing) -> Predictor:
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


def _sourced() -> dict[str, Entry]:
    if knowledge.CONNECTION is None:
        return {}
    folder = knowledge.CONNECTION.starter
    starter = surrogate(knowledge.CheckpointKnowledge(folder))
    return {
        "matmcl": Entry(starter, "`gp` with the starter's heads in its mean"),
        "frozen_mlp": Entry(
            frozen_mlp(folder),
            "the recipe of Wu et al. (2025): an MLP head on the starter's frozen table latent",
        ),
    }


AGAINST = ("botorch", "gp")
"""The models to which the others are compared unless told otherwise."""
MODELS: Mapping[str, Entry] = {
    **_sourced(),
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


def check_models(names: Iterable[str], *, brought: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names, each once, in order.

    Raises:
        UsageError: none, or a name that is neither known nor brought along.
    """
    known = (*MODELS, *brought)
    chosen = tuple(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            raise UsageError(
                f"--model: expected one of {', '.join(known)}, got '{name}'."
                f"{nearest_name(name, known)}"
            )
    if not chosen:
        raise UsageError(f"--model: expected at least one of {', '.join(known)}")
    return chosen


def check_against(names: Sequence[str], models: Sequence[str]) -> tuple[str, ...]:
    """Return the models to which differences are told; without names, the usual ones.

    Raises:
        UsageError: a name that is not among the models compared.
    """
    for name in names:
        if name not in models:
            raise UsageError(
                f"--against: expected one of the models compared, {', '.join(models)}, "
                f"got '{name}'.{nearest_name(name, models)}"
            )
    usual = tuple(name for name in AGAINST if name in models) or tuple(models[:1])
    return tuple(dict.fromkeys(names)) or usual
