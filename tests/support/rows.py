"""Rows to test the database with: a proposal, a batch of them, a micrograph."""

from __future__ import annotations

from db.records import CampaignRecord, NewProposal
from db.transaction import Transaction

OUTCOME = "elongation.longitudinal"
SHA = "a" * 64


def proposal(order: int, **changes: object) -> NewProposal:
    fields: dict[str, object] = {
        "conditions": {"voltage": 16.0 + order, "polymer": "PCL"},
        "order": order,
        "p_success": 0.9,
        "reason_kind": "fills_gap",
        "reason": "nothing was run near it",
        "nearest_experiment_id": None,
        "acquisition_value": -1.5,
        "predictions": {OUTCOME: (80.0, 60.0, 100.0)},
        "level": 0.9,
    }
    return NewProposal(**{**fields, **changes})  # type: ignore[arg-type]


def add_batch(tx: Transaction, campaign: CampaignRecord, *proposals: NewProposal) -> list[int]:
    _, ids = tx.batches.add(
        campaign,
        strategy="gp",
        seed=7,
        request={"n": len(proposals)},
        watermark=tx.watermark(),
        versions={"spinneret": "0.1.0"},
        proposals=proposals,
    )
    return ids


def add_picture(tx: Transaction, experiment_id: int, **changes: object) -> object:
    fields: dict[str, object] = {
        "sha256": SHA,
        "path": "a",
        "original_name": "a",
        "width_px": 10,
        "height_px": 10,
        "n_bytes": 10,
    }
    return tx.micrographs.add(experiment_id, **{**fields, **changes})  # type: ignore[arg-type]
