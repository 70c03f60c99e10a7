"""What a refresh would do with the campaign as it stands, and what it would learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.records import ModelKind, Status
from engine.campaign.history import History, Run
from engine.errors import by_voice
from engine.experiments.learning_set import history_from_records
from engine.refresh.generator import n_pictures, problem_of
from engine.refresh.request import Mode, Plan, RefreshRequest
from engine.refresh.snapshot import Snapshot, take_snapshot
from engine.sources.spinning import spins
from engine.workspace import Workspace
from surrogate.progress import Progress

if TYPE_CHECKING:
    from engine.refresh.suspicion import Suspicion
    from engine.refresh.training import Material


def plan(workspace: Workspace, request: RefreshRequest) -> Plan:
    """Say what a refresh would do, and why. Writes nothing, trains nothing.

    Raises:
        NotFoundError: no campaign is active.
    """
    with workspace.database.read() as tx:
        snapshot = take_snapshot(workspace, tx, request)
    return plan_of(snapshot, request)


def plan_of(snapshot: Snapshot, request: RefreshRequest) -> Plan:
    """Say what would be done with what was snapshot."""
    from engine.refresh.gate import LEAST_JUDGED, n_judged

    champion = snapshot.serving.version
    mode: Mode = "full" if request.full or champion is None else "incremental"
    runs = [run for run in snapshot.history.finished if run.outcomes]
    judged = n_judged(snapshot.campaign, runs)
    problem = None
    if request.kind is ModelKind.GENERATOR:
        # The fifth that `fine_tuning` holds out.
        mode, judged, problem = "incremental", n_pictures(snapshot) // 5, problem_of(snapshot)
    elif reason := _nothing_to_learn_from(snapshot):
        problem = reason
    elif judged < LEAST_JUDGED:
        problem = (
            f"expected at least {LEAST_JUDGED} recipes to judge a new model by (a fifth of all "
            f"recipes is kept for that), got {judged} of {len(runs)} finished runs: log more "
            "results first. Until then the model that serves learns them at each proposal"
        )
    return Plan(
        request.kind,
        mode,
        snapshot.due.reasons,
        snapshot.due.is_due,
        snapshot.due.n_results,
        snapshot.due.n_micrographs,
        len(runs),
        judged,
        None if champion is None else champion.id,
        snapshot.sources,
        problem,
        snapshot.n_left_out,
    )


def _nothing_to_learn_from(snapshot: Snapshot) -> str | None:
    """Say why the surrogate of a campaign that does not spin is not trained, if it is not."""
    match = spins(snapshot.campaign)
    if match.is_spinning or snapshot.sources:
        return None
    # The campaign's own runs alone bring nothing: their head never stands in the model, and every
    # proposal is fitted to them anyhow.
    mend = by_voice("`engine source add`", "a source of the campaign's own field")
    return (
        "the surrogate is pretrained on simulated electrospinning labs and on sources, and neither "
        f"is there to learn from: {match.reason}. Add runs made elsewhere first ({mend}); until "
        "then the plain Gaussian process learns every result at each proposal"
    )


def doubts(workspace: Workspace, snapshot: Snapshot) -> Suspicion:
    """Compare the new results with what the old ones say of them."""
    from engine.refresh.suspicion import Suspicion, examine

    if not snapshot.due.since:  # nothing was learnt from yet: the older half speaks of the newer
        finished = [run for run in snapshot.history.finished if run.outcomes]
        old = History(snapshot.campaign, tuple(finished[: len(finished) // 2]))
        return examine(old, finished[len(finished) // 2 :], workspace.settings.propose)
    with workspace.database.read() as tx:
        if snapshot.n_left_out:
            ids = [experiment.id for experiment in snapshot.experiments]
            old_experiments = list(tx.experiments.get_all(ids, watermark=snapshot.due.since))
        else:
            old_experiments = tx.experiments.find(snapshot.record.id, watermark=snapshot.due.since)
    old = history_from_records(snapshot.campaign, old_experiments)
    if not old.n_finished:
        return Suspicion()
    return examine(old, new_runs(snapshot.history, old), workspace.settings.propose)


def new_runs(history: History, old: History) -> list[Run]:
    """Return the finished runs whose results are new or changed, in order."""
    # By value, not by time: a correction makes an old run new.
    old_outcomes = {run.id: run.outcomes for run in old.finished}
    return [run for run in history.finished if old_outcomes.get(run.id) != run.outcomes]


def material_of(
    workspace: Workspace, snapshot: Snapshot, progress: Progress, outlier_ids: set[int | None]
) -> Material:
    """Read what there is to learn from, but for outliers.

    Raises:
        NotFoundError, DataError, DatabaseError: a source is gone, or it or a curve cannot be read.
    """
    from engine.refresh.training import Material
    from engine.sources.curves import curves_of_runs
    from engine.sources.manage import sources_of
    from engine.sources.reading import read_source, refuse_own_runs

    _, _, records = sources_of(workspace)
    sources = []
    for place, record in enumerate(records):
        progress(f"reading {record.name}", place, len(records))
        data, _ = refuse_own_runs(workspace, read_source(workspace, record))
        sources.append(data)
    completed = tuple(run for run in snapshot.experiments if run.status is Status.COMPLETED)
    with workspace.database.read() as tx:
        curves = curves_of_runs(
            tx, snapshot.record.id, {run.id for run in completed}, watermark=snapshot.watermark
        )
    return Material(
        snapshot.campaign,
        workspace.data_dir,
        completed,
        tuple(sources),
        snapshot.watermark,
        workspace.settings.storage.max_image_megapixels,
        tuple(sorted(id_ for id_ in outlier_ids if id_ is not None)),
        is_part=snapshot.n_left_out > 0,
        curves=curves,
    )
