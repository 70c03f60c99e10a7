"""Refreshing the generator: trained on from the lab's own micrographs, judged on some it never saw.

The same lease, record and promotion as for the surrogate (:mod:`engine.refresh.run`); what is
trained, and by what it is judged, is :mod:`engine.previews.fine_tuning`'s.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.records import ModelKind, ModelStatus, RefreshOutcome, Status
from engine.compute import versions
from engine.errors import ModelError, by_voice, spell
from engine.previews.serving_generator import serving_generator
from engine.refresh.request import Plan, Refreshed, RefreshRequest, ShouldStop
from engine.refresh.snapshot import Snapshot
from engine.refresh.state import state_folder
from engine.registry.files import FILES
from engine.sources.spinning import spins
from engine.workspace import Workspace
from engine.workspace.leases import Lease, now
from surrogate.progress import Progress


def problem_of(snapshot: Snapshot) -> str | None:
    """Say why the generator cannot be refreshed, if it cannot."""
    from engine.previews.fine_tuning import FEWEST

    match = spins(snapshot.campaign)
    if not match.is_spinning:
        return f"previews are pictures of electrospun mats: {match.reason}"
    n = n_pictures(snapshot)
    if n >= FEWEST:
        return None
    mend = by_voice(
        "log more of them first (`engine log ID --micrograph FILE`)",
        "add more of them to runs first",
    )
    return (
        f"expected at least {FEWEST} micrographs of finished runs with a known scale, got {n}: "
        f"{mend}"
    )


def n_pictures(snapshot: Snapshot) -> int:
    """Return how many micrographs there are to learn from."""
    return sum(
        micrograph.nm_per_pixel is not None
        for experiment in snapshot.experiments
        if experiment.status is Status.COMPLETED
        for micrograph in experiment.micrographs
    )


@dataclass(frozen=True)
class GeneratorWork:
    """One refresh of the generator under way; see :class:`engine.refresh.run`'s own."""

    workspace: Workspace
    lease: Lease
    snapshot: Snapshot
    request: RefreshRequest
    planned: Plan
    refresh_id: int
    progress: Progress
    should_stop: ShouldStop

    def run(self) -> Refreshed:
        """Train, judge, record."""
        from engine.previews.fine_tuning import FineTuning, tune_generator

        snapshot, request = self.snapshot, self.request
        with self.workspace.database.read() as tx:
            serving = serving_generator(self.workspace, tx, snapshot.record.id)
        if serving is None:
            raise ModelError(
                "expected a generator to train on from, found none: set [generator] pretrained "
                "to 'auto' or 'starter' in config.toml"
            )
        settings = FineTuning(seed=request.seed, device=request.device)
        if request.steps is not None:
            settings = FineTuning(request.steps, request.steps, request.seed, request.device)

        def report_progress(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
        ) -> None:
            if self.should_stop():
                raise KeyboardInterrupt
            self.progress(stage, completed, total, numbers)

        work = state_folder(self.workspace, snapshot.record.id, ModelKind.GENERATOR)
        tuned = tune_generator(
            self.workspace,
            snapshot.campaign,
            snapshot.experiments,
            serving,
            settings,
            work=work,
            progress=report_progress,
        )
        numbers = {
            "micrographs": tuned.n_micrographs,
            "held_out": tuned.n_held,
            "loss_before": tuned.loss_before,
            "loss_after": tuned.loss_after,
        }
        better = "less" if tuned.is_better else "not less"
        reason = (
            f"loss on {tuned.n_held} micrographs that no training saw: {tuned.loss_after:.4f}, "
            f"{better} than the {tuned.loss_before:.4f} of {serving.name}"
        )
        refreshed = self._record(tuned, numbers, reason, serving.model_version_id)
        # Only once it is recorded: a crash before goes on from here.
        shutil.rmtree(work, ignore_errors=True)
        return refreshed

    def _record(
        self, tuned: Any, numbers: dict[str, Any], reason: str, parent_id: int | None
    ) -> Refreshed:
        from engine.previews.fine_tuning import keep_generator

        stored, sha256 = keep_generator(self.workspace, tuned, watermark=self.snapshot.watermark)
        passes = tuned.is_better
        outcome = RefreshOutcome.PROMOTED if passes else RefreshOutcome.REJECTED
        former = None
        try:
            detail = f"{outcome}: {stored.artifact}"
            with self.workspace.database.write("refresh", detail=detail) as tx:
                # In the transaction itself: one that was taken for dead writes nothing.
                self.lease.require(tx)
                model_id = tx.models.add(
                    self.snapshot.record.id,
                    kind=ModelKind.GENERATOR,
                    artifact_path=stored.artifact,
                    sha256=sha256,
                    watermark=self.snapshot.watermark,
                    metrics=numbers,
                    status=ModelStatus.CANDIDATE if passes else ModelStatus.REJECTED,
                    parent_id=parent_id,
                    config={
                        "prior": tuned.recipe.prior.to_dict(),
                        "unet": tuned.recipe.unet.to_dict(),
                        FILES: dict(stored.files),
                    },
                    seed=self.request.seed,
                    versions=versions(),
                )
                if passes:
                    former = tx.models.promote(
                        model_id, reason=f"refresh {self.refresh_id}: {reason}"
                    )
                tx.refreshes.finish(
                    self.refresh_id,
                    outcome,
                    at=now(),
                    log=spell(reason, "api"),
                    model_version_id=model_id,
                    report={"generator": numbers},
                )
        except BaseException:
            if stored.is_new:
                shutil.rmtree(stored.folder, ignore_errors=True)
            raise
        return Refreshed(
            self.refresh_id,
            ModelKind.GENERATOR,
            outcome,
            reason,
            self.planned.mode,
            model_id,
            former,
            stored.artifact,
            {"generator": numbers},
        )
