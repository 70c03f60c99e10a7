"""``engine models compare``: versions beside one another, on recipes that none of them ever saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from db.records import ModelKind
from engine.compute import limit_threads
from engine.errors import DataError, StateError, UsageError
from engine.experiments.learning_set import history_from_records, learnable
from engine.refresh.request import ShouldStop, Tell
from engine.registry.files import problems
from engine.registry.versions import version_of
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.sources.knowledge import Knowledge

STARTER_NAME = "starter"


@dataclass(frozen=True)
class Compared:
    """R² and log density [nats] of each model by name, and paired differences to the first.

    ``differences``: of the first model to every other: ``d_r2``, ``se_r2``, ``d_density``,
    ``se_density``; above 0 where the first is better.
    """

    n_recipes: int
    r2: Mapping[str, float]
    log_density: Mapping[str, float]
    differences: Mapping[str, Mapping[str, float]]

    def as_json(self) -> dict[str, Any]:
        """Return the same in JSON's types."""
        return {
            "n_recipes": self.n_recipes,
            "r2": dict(self.r2),
            "log_density": dict(self.log_density),
            "differences": {name: dict(one) for name, one in self.differences.items()},
        }


def compare_models(
    workspace: Workspace,
    ids: Sequence[int],
    tell: Tell = lambda what, n, total, numbers: None,
    should_stop: ShouldStop = lambda: False,
) -> Compared:
    """Compare surrogates of the active campaign with one another, the starter and a plain model.

    Args:
        workspace: whose campaign and results, as they stand now.
        ids: versions; with one, the champion is compared with it too.
        tell: hears how far it is.
        should_stop: ends it early.

    Raises:
        NotFoundError: there is no such version.
        UsageError: a version of another kind.
        DataError: files are gone or altered.
        StateError: too few recipes to judge by.
        KeyboardInterrupt: it was asked to stop.
    """
    limit_threads(workspace.settings.compute.threads)
    from engine.refresh.gate import PLAIN, evaluate, paired
    from engine.sources.knowledge import knowledge_of
    from engine.sources.serving_surrogate import STARTER

    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        most = workspace.settings.propose.most_runs
        experiments, _ = learnable(tx, record, campaign, most=most)
        history = history_from_records(campaign, experiments)
        chosen = [version_of(workspace, tx, one) for one in dict.fromkeys(ids)]
        champion = tx.models.champion(record.id, ModelKind.SURROGATE)
        if len(chosen) == 1 and champion is not None and champion.id != chosen[0].id:
            chosen.append(champion)
    models: dict[str, Knowledge | None] = {}
    for version in chosen:
        if version.kind is not ModelKind.SURROGATE:
            raise UsageError(f"model {version.id} is a {version.kind}; surrogates are compared")
        wrong = problems(workspace.data_dir, version)
        if wrong:
            raise DataError("; ".join(wrong))
        folder = workspace.data_dir / version.artifact_path
        models[f"model {version.id}"] = knowledge_of(campaign, folder)
    models[STARTER_NAME] = knowledge_of(campaign, STARTER)
    models[PLAIN] = None
    scores = evaluate(history, models, workspace.settings.propose, tell, should_stop)
    first, *others = scores
    if any(len(scores[a].error) != len(scores[b].error) for a, b in pairwise(scores)):
        raise StateError("the models were scored on different recipes")
    return Compared(
        len(scores[first].error),
        {name: one.r2 for name, one in scores.items()},
        {name: -float(one.density.mean()) for name, one in scores.items()},
        {name: paired(scores[first], scores[name]) for name in others},
    )
