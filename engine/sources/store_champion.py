"""A trained surrogate into the data folder and the database: whole, or not at all.

The checkpoint is in its place before a row of the database names it (:mod:`engine.registry.files`);
the former champion retires in the same transaction that brings the new one. A killed process leaves
at most a folder that nothing refers to.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.records import ModelKind, ModelStatus
from engine.compute import versions
from engine.registry.files import FILES, FOLDER, Kept, keep
from engine.workspace import Workspace
from surrogate.errors import CheckpointError
from surrogate.matmcl.checkpoint import read_card, save_checkpoint
from surrogate.matmcl.model import MatMCL

__all__ = ["FOLDER", "Pretrained", "keep_surrogate", "register"]


@dataclass(frozen=True)
class Pretrained:
    """A new champion: its row, its folder (relative to the data folder), what it was made of."""

    model_id: int
    artifact: str
    sha256: str
    watermark: int
    metrics: Mapping[str, Any]
    former_id: int | None
    notes: tuple[str, ...] = ()


def keep_surrogate(
    workspace: Workspace,
    model: MatMCL,
    *,
    extra: Mapping[str, Any],
    watermark: int,
    seed: int,
) -> Kept:
    """Write a checkpoint and put its whole folder in its place below the data folder.

    Raises:
        CheckpointError: it cannot be written.
        DataError: the disk is full, or the data folder cannot be written.
    """

    def fill(aside: Path) -> None:
        try:
            save_checkpoint(aside, model, extra=extra, data_watermark=watermark, seed=seed)
        except CheckpointError as error:
            # `keep` tells a full disk as such.
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from error
            raise

    return keep(workspace.data_dir, ModelKind.SURROGATE, fill)


def register(
    workspace: Workspace,
    campaign_id: int,
    stored: Kept,
    *,
    metrics: Mapping[str, Any],
    watermark: int,
    start: str = "",
    config: Mapping[str, Any] | None = None,
    seed: int | None = None,
    reason: str = "pretrained",
) -> Pretrained:
    """Retire the former champion and register the new one, in one transaction.

    Args:
        workspace: whose database.
        campaign_id: the campaign that the model serves.
        stored: the checkpoint, in its place.
        metrics: what it was made of and how well it does, plain JSON types.
        watermark: the change up to which data were known to the training.
        start: the folder that it was trained on from, if it was one of this campaign's models.
        config: what it was trained with, plain JSON types.
        seed: of everything drawn at random.
        reason: why it serves.

    Raises:
        DatabaseError: it cannot be recorded; a folder that was made for it is gone then.
    """
    kind = ModelKind.SURROGATE
    digest = read_card(stored.folder).sha256
    name = Path(start.rstrip("/")).name
    try:
        with workspace.database.write("pretrain", detail=stored.artifact) as tx:
            recorded = tx.models.all_of(campaign_id)
            parents = [
                version.id for version in recorded if Path(version.artifact_path).name == name
            ]
            former = tx.models.retire_champion(campaign_id, kind)
            model_id = tx.models.add(
                campaign_id,
                kind=kind,
                artifact_path=stored.artifact,
                sha256=digest,
                watermark=watermark,
                metrics=metrics,
                status=ModelStatus.CHAMPION,
                parent_id=parents[-1] if parents else None,
                config={**(config or {}), FILES: dict(stored.files)},
                seed=seed,
                versions=versions(),
                reason=reason,
            )
    # Ctrl-C too. A folder that was there before belongs to another row.
    except BaseException:
        if stored.is_new:
            shutil.rmtree(stored.folder, ignore_errors=True)
        raise
    return Pretrained(model_id, stored.artifact, digest, watermark, metrics, former)
