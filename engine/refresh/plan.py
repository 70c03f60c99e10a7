"""What a refresh would look at, and what it would do: the campaign read once, consistently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.records import CampaignRecord, ExperimentRecord, ModelKind, Status
from db.session import Transaction
from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.experiments.learning_set import history_of, learnable
from engine.refresh.due import Due, due
from engine.refresh.request import Mode, Plan, RefreshRequest, Tell
from engine.registry.serving_version import Serving, serving
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.refresh.suspicion import Suspicion
    from engine.refresh.training import Material


@dataclass(frozen=True)
class Seen:
    """The campaign as it stands when a refresh begins.

    ``experiments``: what is looked at; ``n_left_out`` finished ones of a large campaign are not.
    """

    record: CampaignRecord
    campaign: Campaign
    experiments: tuple[ExperimentRecord, ...]
    watermark: int
    due: Due
    serving: Serving
    sources: tuple[str, ...]
    n_left_out: int = 0

    @property
    def history(self) -> History:
        """What strategies would see."""
        return history_of(self.campaign, self.experiments)


def plan(workspace: Workspace, request: RefreshRequest) -> Plan:
    """Say what a refresh would do, and why. Writes nothing, trains nothing.

    Raises:
        NotFoundError: no campaign is active.
    """
    with workspace.database.read() as tx:
        seen = see(workspace, tx, request)
    return plan_of(seen, request)


def see(workspace: Workspace, tx: Transaction, request: RefreshRequest) -> Seen:
    """Read the active campaign as it stands.

    Raises:
        NotFoundError: no campaign is active.
    """
    record, campaign = workspace.active_campaign(tx)
    most, n_left_out = workspace.settings.propose.most_runs, 0
    if request.kind is ModelKind.GENERATOR:
        experiments = list(tx.experiments.get_all(tx.experiments.pictured(record.id, newest=most)))
    else:
        experiments, n_left_out = learnable(tx, record, campaign, most=most)
    return Seen(
        record,
        campaign,
        tuple(experiments),
        tx.watermark(),
        due(tx, record.id, workspace.settings.refresh, request.kind),
        serving(workspace.data_dir, tx, record.id, request.kind),
        tuple(one.name for one in tx.sources.list(record.id)),
        n_left_out,
    )


def plan_of(seen: Seen, request: RefreshRequest) -> Plan:
    """Say what would be done with what was seen."""
    from engine.refresh.gate import LEAST_JUDGED, n_judged

    champion = seen.serving.version
    mode: Mode = "full" if request.full or champion is None else "incremental"
    runs = [run for run in seen.history.finished if run.outcomes]
    judged = n_judged(seen.campaign, runs)
    problem = None
    if request.kind is ModelKind.GENERATOR:
        from engine.refresh.generator import n_pictures, problem_of

        mode, judged, problem = "incremental", n_pictures(seen) // 5, problem_of(seen)
    elif judged < LEAST_JUDGED:
        problem = (
            f"expected at least {LEAST_JUDGED} recipes to judge a new model by (a fifth of all "
            f"recipes is kept for that), got {judged} of {len(runs)} finished runs: log more "
            "results first. Until then the model that serves learns them at each proposal"
        )
    return Plan(
        request.kind,
        mode,
        seen.due.reasons,
        seen.due.is_due,
        seen.due.n_results,
        seen.due.n_micrographs,
        len(runs),
        judged,
        None if champion is None else champion.id,
        seen.sources,
        problem,
        seen.n_left_out,
    )


def doubts(workspace: Workspace, seen: Seen) -> Suspicion:
    """Compare the new results with what the old ones say of them."""
    from engine.refresh.suspicion import Suspicion, examine

    if not seen.due.since:  # nothing was learnt from yet: the older half speaks of the newer
        finished = [run for run in seen.history.finished if run.outcomes]
        old = History(seen.campaign, tuple(finished[: len(finished) // 2]))
        return examine(old, finished[len(finished) // 2 :], workspace.settings.propose)
    with workspace.database.read() as tx:
        if seen.n_left_out:
            ids = [one.id for one in seen.experiments]
            then = list(tx.experiments.get_all(ids, watermark=seen.due.since))
        else:
            then = tx.experiments.list(seen.record.id, watermark=seen.due.since)
    old = history_of(seen.campaign, then)
    if not old.n_finished:
        return Suspicion()
    return examine(old, new_runs(seen.history, old), workspace.settings.propose)


def new_runs(history: History, old: History) -> list[Run]:
    """Return the finished runs whose results are new or changed, in order."""
    known = {run.id: run.outcomes for run in old.finished}
    return [run for run in history.finished if known.get(run.id) != run.outcomes]


def material_of(workspace: Workspace, seen: Seen, tell: Tell, odd: set[int | None]) -> Material:
    """Read what there is to learn from, but for what is odd.

    Raises:
        NotFoundError, DataError, DatabaseError: a source is gone, or cannot be read.
    """
    from engine.refresh.training import Material
    from engine.sources.manage import sources_of
    from engine.sources.reading import read_source, refuse_own_runs

    _, _, records = sources_of(workspace)
    found = []
    for place, record in enumerate(records):
        tell(f"reading {record.name}", place, len(records), {})
        data, _ = refuse_own_runs(workspace, read_source(workspace, record))
        found.append(data)
    return Material(
        seen.campaign,
        workspace.data_dir,
        tuple(one for one in seen.experiments if one.status is Status.COMPLETED),
        tuple(found),
        seen.watermark,
        workspace.settings.storage.max_image_megapixels,
        tuple(sorted(id_ for id_ in odd if id_ is not None)),
        is_part=seen.n_left_out > 0,
    )
