"""A refresh: one training from reading to promotion, whole or without a trace that serves.

In this order: the lease (one training at a time, whoever starts it), new results doubted, the
training, the judgement, the files, and last one transaction with the version, its promotion and the
outcome. Killed at any moment, the champion serves as before; the next refresh closes the record of
the one that died, and takes an interrupted training up again where nothing has changed since.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from db.errors import DatabaseError
from db.records import (
    ModelKind,
    ModelStatus,
    RefreshOutcome,
)
from engine.campaign import Campaign
from engine.compute import limit_threads, versions
from engine.errors import SpinneretError, StateError, by_voice, field, spell
from engine.refresh.generator import GeneratorWork
from engine.refresh.plan import doubts, material_of, plan, plan_of
from engine.refresh.request import Plan, Refreshed, RefreshRequest, ShouldStop
from engine.refresh.snapshot import Snapshot, take_snapshot
from engine.refresh.state import state_folder
from engine.registry.files import FILES, Kept
from engine.workspace import Workspace
from engine.workspace.leases import TRAINING, Lease, held, now
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    from engine.refresh.gate import Verdict
    from engine.refresh.suspicion import Suspicion
    from engine.refresh.training import Trained

__all__ = ["close_dead_runs", "plan", "refresh", "state_folder"]

# A batch's worth of names; the report has them all.
MOST_MENTIONED = 8


def refresh(
    workspace: Workspace,
    request: RefreshRequest,
    progress: Progress = silent,
    should_stop: ShouldStop = lambda: False,
) -> Refreshed:
    """Train a candidate, judge it, and promote it only if it is not worse than model and plain GP.

    Args:
        workspace: whose campaign.
        request: what to train, and how.
        progress: hears how far it is; may be called from this thread only.
        should_stop: asked between steps (cooperative cancellation, from any thread): once it says
            so, the training is kept to be taken up again, and the outcome is ``interrupted``.

    Returns:
        What became of it; ``rejected`` is no error.

    Raises:
        StateError: another process is training, took this one for dead, or there are too few
            results to judge by.
        ModelError, DataError, NotFoundError, DatabaseError: it failed; recorded as such.
        KeyboardInterrupt: Ctrl-C; recorded as interrupted.
    """
    limit_threads(workspace.settings.compute.threads)
    workspace = workspace.settled()
    with held(workspace.database, TRAINING) as lease:
        with workspace.database.read() as tx:
            # Read under the lease: before it, another training might change what serves.
            snapshot = take_snapshot(workspace, tx, request)
        planned = plan_of(snapshot, request)
        if planned.problem is not None:
            raise StateError(planned.problem)
        if request.only_if_due and not planned.is_due:
            raise StateError("not due any more: somebody else has just trained")
        refresh_id = _start(workspace, lease, snapshot, request)
        kind = GeneratorWork if request.kind is ModelKind.GENERATOR else _Work
        work = kind(workspace, lease, snapshot, request, planned, refresh_id, progress, should_stop)
        try:
            return work.run()
        # Asked for by `should_stop` it is an answer; by Ctrl-C it goes on to end the program.
        except KeyboardInterrupt:
            reason = "stopped; what was trained is kept, the next refresh goes on from there"
            _finish(workspace, refresh_id, RefreshOutcome.INTERRUPTED, reason)
            if not should_stop():
                raise
            return Refreshed(
                refresh_id, request.kind, RefreshOutcome.INTERRUPTED, reason, planned.mode
            )
        except (SpinneretError, DatabaseError) as error:
            _finish(workspace, refresh_id, RefreshOutcome.FAILED, str(error))
            raise
        except BaseException as error:
            _finish(
                workspace, refresh_id, RefreshOutcome.FAILED, f"{type(error).__name__}: {error}"
            )
            raise


def close_dead_runs(workspace: Workspace, lease: Lease) -> int:
    """Record that trainings whose process is gone failed; return how many.

    Whoever holds the lease knows that nobody else trains.
    """
    with workspace.database.read() as tx:
        dead = tx.refreshes.running()
    if not dead:
        return 0
    with workspace.database.write("refresh", detail="close what died") as tx:
        lease.require(tx)
        dead = tx.refreshes.running()
        for run in dead:
            tx.refreshes.finish(
                run.id,
                RefreshOutcome.INTERRUPTED,
                at=now(),
                log="its process ended before it did",
            )
    return len(dead)


# -- doing -------------------------------------------------------------------------------------


def _start(workspace: Workspace, lease: Lease, snapshot: Snapshot, request: RefreshRequest) -> int:
    close_dead_runs(workspace, lease)
    with workspace.database.write("refresh", detail=request.trigger) as tx:
        lease.require(tx)
        return tx.refreshes.start(
            snapshot.record.id,
            kind=request.kind,
            trigger=request.trigger,
            watermark=snapshot.watermark,
            at=now(),
        )


def _finish(workspace: Workspace, refresh_id: int, outcome: RefreshOutcome, reason: str) -> None:
    # What went wrong is raised by the caller; a database that is away as well must not hide it.
    with suppress(DatabaseError), workspace.database.write("refresh", detail=str(outcome)) as tx:
        tx.refreshes.finish(refresh_id, outcome, at=now(), log=spell(reason, "api"))


@dataclass(frozen=True)
class _Work:
    """One refresh under way."""

    workspace: Workspace
    lease: Lease
    snapshot: Snapshot
    request: RefreshRequest
    planned: Plan
    refresh_id: int
    progress: Progress
    should_stop: ShouldStop

    def run(self) -> Refreshed:
        """Doubt, train, judge, record."""
        from engine.refresh.training import train_candidate

        self.progress("looking at the new results", 0, 1)
        doubt = doubts(self.workspace, self.snapshot)
        notes = [outlier.sentence(self.snapshot.campaign) for outlier in doubt.outliers]
        if doubt.disbelief is not None and not self.request.accept_suspicious:
            return replace(self._disbelieved(doubt), notes=tuple(notes))
        if self.should_stop():
            raise KeyboardInterrupt
        outlier_ids = (
            set()
            if self.request.accept_suspicious
            else {outlier.run.id for outlier in doubt.outliers}
        )
        state = state_folder(self.workspace, self.snapshot.record.id, self.request.kind)
        trained = train_candidate(
            material_of(self.workspace, self.snapshot, self.progress, outlier_ids),
            self.request,
            self.snapshot.serving.folder,
            state=state,
            progress=self.progress,
            should_stop=self.should_stop,
        )
        verdict = self._judge(trained, outlier_ids)
        refreshed = self._record(trained, verdict, doubt)
        shutil.rmtree(state, ignore_errors=True)
        return replace(refreshed, notes=(*notes, *trained.notes))

    def _disbelieved(self, doubt: Suspicion) -> Refreshed:
        names = ", ".join(run.name for run in doubt.suspects[:MOST_MENTIONED])
        n_unmentioned = len(doubt.suspects) - MOST_MENTIONED
        mend = by_voice(
            "Look at them (`engine show ID`), correct what is wrong (`engine log ID --correct`), "
            "or learn from them all the same (`engine refresh --accept-suspicious`)",
            "Look at them, correct what is wrong, or learn from them all the same "
            f"({field('accept_suspicious')})",
        )
        reason = (
            f"the new results are not believed: {doubt.disbelief}. Meant are {names}"
            f"{f' and {n_unmentioned} more' if n_unmentioned > 0 else ''}. {mend}"
        )
        report = {"suspicion": _suspicion_json(doubt, self.snapshot.campaign)}
        with self.workspace.database.write("refresh", detail="rejected") as tx:
            self.lease.require(tx)
            tx.refreshes.finish(
                self.refresh_id,
                RefreshOutcome.REJECTED,
                at=now(),
                log=spell(reason, "api"),
                report=report,
            )
        return self._answer(RefreshOutcome.REJECTED, reason, report=report)

    def _judge(self, trained: Trained, outlier_ids: set[int | None]) -> Verdict:
        import copy

        from engine.refresh.gate import CANDIDATE, CHAMPION, judge
        from engine.sources.knowledge import Knowledge, knowledge_of
        from engine.sources.serving_surrogate import STARTER

        campaign, settings = self.snapshot.campaign, self.workspace.settings
        # A copy in double precision, as the Gaussian processes on top are; the model itself is
        # saved as trained.
        frozen = copy.deepcopy(trained.model).double().eval()
        frozen.requires_grad_(requires_grad=False)
        candidate = Knowledge(campaign, frozen, "the candidate", names=trained.names)
        champion = knowledge_of(campaign, self.snapshot.serving.folder or STARTER)
        history = self.snapshot.history
        # What is not believed must not judge either.
        believed = tuple(run for run in history.finished if run.id not in outlier_ids)
        return judge(
            replace(history, finished=believed),
            {CANDIDATE: candidate, CHAMPION: champion},
            tolerance=settings.refresh.tolerance,
            settings=settings.propose,
            progress=self.progress,
            should_stop=self.should_stop,
        )

    def _record(self, trained: Trained, verdict: Verdict, doubt: Suspicion) -> Refreshed:
        from engine.sources.store_champion import keep_surrogate
        from surrogate.matmcl.checkpoint import read_card

        snapshot, request = self.snapshot, self.request
        report = {
            "gate": dict(verdict.numbers),
            "suspicion": _suspicion_json(doubt, snapshot.campaign),
        }
        # Files before the row: without a row they are leftovers, which the doctor removes; a row
        # without its files would be a champion that cannot serve.
        stored: Kept = keep_surrogate(
            self.workspace,
            trained.model,
            extra=trained.extra,
            watermark=snapshot.watermark,
            seed=request.seed,
        )
        outcome = RefreshOutcome.PROMOTED if verdict.passes else RefreshOutcome.REJECTED
        # The training may have fallen back to a full one, whose parent is the starter and no
        # version.
        parent = None if trained.mode == "full" else snapshot.serving.version
        try:
            detail = f"{outcome}: {stored.artifact}"
            with self.workspace.database.write("refresh", detail=detail) as tx:
                self.lease.require(tx)
                model_id = tx.models.add(
                    snapshot.record.id,
                    kind=request.kind,
                    artifact_path=stored.artifact,
                    sha256=read_card(stored.folder).sha256,
                    watermark=snapshot.watermark,
                    metrics={**trained.metrics, **report},
                    status=ModelStatus.CANDIDATE if verdict.passes else ModelStatus.REJECTED,
                    parent_id=None if parent is None else parent.id,
                    config={**trained.config, FILES: dict(stored.files)},
                    seed=request.seed,
                    versions=versions(),
                )
                former = None
                if verdict.passes:
                    reason = f"refresh {self.refresh_id}: {verdict.reason}"
                    former = tx.models.promote(model_id, reason=reason)
                tx.refreshes.finish(
                    self.refresh_id,
                    outcome,
                    at=now(),
                    log=verdict.reason,
                    model_version_id=model_id,
                    report=report,
                )
        except BaseException:
            if stored.is_new:
                shutil.rmtree(stored.folder, ignore_errors=True)
            raise
        refreshed = self._answer(outcome, verdict.reason, report=report)
        return replace(
            refreshed,
            mode=trained.mode,
            model_id=model_id,
            former_id=former,
            artifact=stored.artifact,
        )

    def _answer(
        self, outcome: RefreshOutcome, reason: str, *, report: dict[str, Any] | None = None
    ) -> Refreshed:
        return Refreshed(
            self.refresh_id,
            self.request.kind,
            outcome,
            reason,
            self.planned.mode,
            report=report or {},
        )


def _suspicion_json(doubt: Suspicion, campaign: Campaign) -> dict[str, Any]:
    return {
        "disbelief": doubt.disbelief,
        "suspects": [run.id for run in doubt.suspects],
        "odd": [outlier.sentence(campaign) for outlier in doubt.outliers],
        "numbers": doubt.numbers,
    }
