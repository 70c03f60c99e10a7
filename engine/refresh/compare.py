"""Versions beside one another, on recipes that none of them ever saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from db.records import ModelKind
from engine.compute import limit_threads
from engine.errors import DataError, StateError, UsageError
from engine.experiments.learning_set import history_from_records, learnable
from engine.refresh.request import ShouldStop
from engine.registry.files import problems
from engine.registry.versions import version_of
from engine.workspace import Workspace
from surrogate.progress import Progress, silent

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
            "differences": {
                name: dict(difference) for name, difference in self.differences.items()
            },
        }


def compare_models(
    workspace: Workspace,
    ids: Sequence[int],
    progress: Progress = silent,
    should_stop: ShouldStop = lambda: False,
) -> Compared:
    """Compare surrogates of the active campaign with one another, the starter and a plain model.

    Args:
        workspace: whose campaign and results, as they stand now.
        ids: versions; with one, the champion is compared with it too.
        progress: hears how far it is.
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
        limit = workspace.settings.propose.most_runs
        experiments, _ = learnable(tx, record, campaign, limit=limit)
        history = history_from_records(campaign, experiments)
        # Each once, in the order in which they were named: the first is the one the others are
        # compared with.
        chosen = [version_of(workspace, tx, id_) for id_ in dict.fromkeys(ids)]
        champion = tx.models.champion(record.id, ModelKind.SURROGATE)
        if len(chosen) == 1 and champion is not None and champion.id != chosen[0].id:
            chosen.append(champion)
    models: dict[str, Knowledge | None] = {}
    for version in chosen:
        if version.kind is not ModelKind.SURROGATE:
            raise UsageError(
                f"expected surrogates to compare, got model {version.id}, a {version.kind}",
                field="models",
            )
        wrong = problems(workspace.data_dir, version)
        if wrong:
            raise DataError("; ".join(wrong))
        folder = workspace.data_dir / version.artifact_path
        models[f"model {version.id}"] = knowledge_of(campaign, folder)
    models[STARTER_NAME] = knowledge_of(campaign, STARTER)
    models[PLAIN] = None
    scores = evaluate(history, models, workspace.settings.propose, progress, should_stop)
    first, *opponents = scores
    # Paired differences of other recipes would mean nothing.
    if any(len(scores[a].error) != len(scores[b].error) for a, b in pairwise(scores)):
        raise StateError("the models were scored on different recipes")
    return Compared(
        len(scores[first].error),
        {name: score.r2 for name, score in scores.items()},
        {name: -float(score.density.mean()) for name, score in scores.items()},
        {name: paired(scores[first], scores[name]) for name in opponents},
    )
