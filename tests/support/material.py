"""A campaign's records made by hand: no database, no model."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from db.records import (
    BatchRecord,
    ExperimentRecord,
    MeasurementRecord,
    Origin,
    PredictionRecord,
    ProposalRecord,
    Status,
)
from engine.campaign import Campaign
from engine.results.material import Material

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OUTCOMES = ("fracture_strength.longitudinal", "elongation.longitudinal")


MakeMaterial = Callable[..., Material]


def maker(default: Campaign) -> MakeMaterial:
    """Return a maker of material: imported runs, then proposed ones, of which the last wait."""

    def make(
        *,
        n_imported: int = 6,
        n_proposed: int = 8,
        n_pending: int = 4,
        label: str | None = None,
        note: str | None = None,
        campaign: Campaign = default,
    ) -> Material:
        rng = np.random.default_rng(1)
        experiments: list[ExperimentRecord] = []
        predictions: list[PredictionRecord] = []
        n = n_imported + n_proposed
        for index in range(n):
            id_ = index + 1
            is_proposed, is_pending = index >= n_imported, index >= n - n_pending
            failed = id_ == 3
            conditions = {
                p.name: p.snap(float(rng.uniform(*p.bounds)))
                if p.is_numeric
                else str((p.choices or ("",))[0])
                for p in campaign.parameters
            }
            swing = 0.5 + 0.4 * np.sin(2.0 * index)
            expected = {OUTCOMES[0]: 5 + 9 * swing + 0.1 * index, OUTCOMES[1]: 120 - 90 * swing}
            measured = {} if failed or is_pending else expected
            proposal = None
            if is_proposed:
                batch = 1 + (index - n_imported) // 4
                proposal = ProposalRecord(
                    id_, batch, 1 + (index - n_imported) % 4, 0.9, "fills_gap", "fills a gap", None
                )
                predictions += [
                    PredictionRecord(id_, name, mean, mean * 0.8, mean * 1.25, 0.9, batch)
                    for name, mean in expected.items()
                ]
            experiments.append(
                ExperimentRecord(
                    id=id_,
                    campaign_id=1,
                    revision_id=1,
                    label=label,
                    origin=Origin.PROPOSAL if is_proposed else Origin.IMPORT,
                    status=Status.PROPOSED
                    if is_pending
                    else Status.FAILED
                    if failed
                    else Status.COMPLETED,
                    failure="no_jet" if failed else None,
                    note=note,
                    created_at=NOON + timedelta(hours=index),
                    created_by="ada",
                    proposed=conditions if is_proposed else {},
                    actual={} if is_proposed else conditions,
                    measurements=tuple(
                        MeasurementRecord(
                            id=100 * id_ + 10 * k + replicate,
                            experiment_id=id_,
                            outcome=name,
                            replicate=replicate,
                            revision=1,
                            value=float(mean * np.exp(rng.normal(0, 0.12))),
                            supersedes_id=None,
                            recorded_at=NOON,
                            recorded_by="ada",
                        )
                        for k, (name, mean) in enumerate(measured.items())
                        for replicate in (1, 2)
                    ),
                    proposal=proposal,
                )
            )
        batches = tuple(
            BatchRecord(
                id=batch,
                campaign_id=1,
                revision_id=1,
                strategy="gp",
                seed=7,
                request={"n": 4, "notes": ["the room is averaged over 6 readings"]},
                watermark=batch,
                versions={"spinneret": "0.1.0"},
                created_at=NOON + timedelta(days=batch),
                created_by="ada",
            )
            for batch in sorted({e.proposal.batch_id for e in experiments if e.proposal})
        )
        return Material(campaign, 1, 12, tuple(experiments), batches, tuple(predictions))

    return make
