"""Trainings of the surrogate as ``engine refresh`` does them, on runs in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.campaign import Campaign
from engine.campaign.history import Run
from surrogate.progress import silent

if TYPE_CHECKING:
    from engine.refresh.request import Mode
    from engine.refresh.training import Material, Trained
    from engine.sources.knowledge import Knowledge


def material_of(campaign: Campaign, runs: Sequence[Run]) -> Material:
    """Return finished runs as a training reads them from the database."""
    from db.records import ExperimentRecord, MeasurementRecord, Origin, Status
    from engine.refresh.training import Material

    moment = datetime(2026, 1, 1, tzinfo=UTC)

    def record(number: int, run: Run) -> ExperimentRecord:
        measurements = [
            MeasurementRecord(0, number, outcome, k + 1, 1, value, None, moment, "bench")
            for outcome, values in run.outcomes.items()
            for k, value in enumerate(values)
        ]
        return ExperimentRecord(
            number, 1, 1, None, Origin.MANUAL, Status.COMPLETED, None, None, moment, "bench",
            actual=dict(run.conditions), measurements=tuple(measurements),
        )  # fmt: skip

    records = tuple(record(i + 1, run) for i, run in enumerate(runs))
    return Material(campaign, Path(), records, (), watermark=len(runs))


def train(material: Material, mode: Mode, champion: Path | None, *, seed: int) -> Trained:
    """Train as ``engine refresh`` does, on the CPU."""
    from engine.refresh.request import RefreshRequest
    from engine.refresh.training import train_candidate

    request = RefreshRequest(full=mode == "full", seed=seed, device="cpu")
    with tempfile.TemporaryDirectory(prefix="spinneret-bench-") as folder:
        return train_candidate(
            material,
            request,
            champion,
            state=Path(folder) / "state",
            progress=silent,
            should_stop=lambda: False,
        )


def knowledge_of(campaign: Campaign, trained: Trained) -> Knowledge:
    """Return what a candidate knows of a campaign."""
    import copy

    from engine.sources.knowledge import Knowledge

    # A copy: Gaussian processes want doubles, and the candidate is trained on in floats.
    frozen = copy.deepcopy(trained.model).double().eval()
    frozen.requires_grad_(requires_grad=False)
    return Knowledge(campaign, frozen, "the candidate", names=trained.names)


def keep(trained: Trained, folder: Path) -> Path:
    """Write a candidate's checkpoint, to be trained on from later."""
    from surrogate.matmcl.checkpoint import save_checkpoint

    save_checkpoint(folder, trained.model, extra=trained.extra)
    return folder
