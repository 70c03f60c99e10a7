"""A trained surrogate into the data folder and the database: whole, or not at all.

The checkpoint's folder is written aside, brought to the disk and put in its place before a row of
the database names it; the former champion retires in the same transaction that brings the new one.
A killed process leaves at most a folder that nothing refers to.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.records import ModelKind, ModelStatus
from engine.workspace import Workspace
from surrogate.matmcl.checkpoint import read_card, save_checkpoint
from surrogate.matmcl.model import MatMCL

FOLDER = "models"
"""Below the data folder."""


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


@dataclass(frozen=True)
class Kept:
    """A checkpoint's folder in its place; ``is_new``: it was not there before."""

    folder: Path
    artifact: str
    sha256: str
    is_new: bool


def keep(
    workspace: Workspace, model: MatMCL, *, extra: Mapping[str, Any], watermark: int, seed: int
) -> Kept:
    """Write a checkpoint aside and put its whole folder in its place below the data folder.

    Raises:
        CheckpointError: it cannot be written.
    """
    home = workspace.data_dir / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=home, prefix=".new-"))
    try:
        save_checkpoint(aside, model, extra=extra, data_watermark=watermark, seed=seed)
        digest = read_card(aside).sha256
        folder = home / f"surrogate-{digest[:12]}"
        is_new = not folder.exists()
        if is_new:
            aside.chmod(0o755)
            _sync(aside)
            aside.rename(folder)
            _sync(home)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    artifact = folder.relative_to(workspace.data_dir).as_posix()
    return Kept(folder, artifact, digest, is_new)


def _sync(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def register(
    workspace: Workspace,
    campaign_id: int,
    kept: Kept,
    *,
    metrics: Mapping[str, Any],
    watermark: int,
    start: str = "",
) -> Pretrained:
    """Retire the former champion and register the new one, in one transaction.

    Args:
        workspace: whose database.
        campaign_id: the campaign that the model serves.
        kept: the checkpoint, in its place.
        metrics: what it was made of and how well it does, plain JSON types.
        watermark: the change up to which data were known to the training.
        start: the folder that it was trained on from, if it was one of this campaign's models.

    Raises:
        DatabaseError: it cannot be recorded; a folder that was made for it is gone then.
    """
    kind = ModelKind.SURROGATE
    parent = re.search(r"surrogate-([0-9a-f]{12})$", start.rstrip("/"))
    try:
        with workspace.database.write("pretrain", detail=kept.artifact) as tx:
            known = tx.models.list(campaign_id)
            parents = [one.id for one in known if parent and one.sha256.startswith(parent[1])]
            former = tx.models.retire_champion(campaign_id, kind)
            model_id = tx.models.add(
                campaign_id,
                kind=kind,
                artifact_path=kept.artifact,
                sha256=kept.sha256,
                watermark=watermark,
                metrics=metrics,
                status=ModelStatus.CHAMPION,
                parent_id=parents[-1] if parents else None,
            )
    except BaseException:
        if kept.is_new:
            shutil.rmtree(kept.folder, ignore_errors=True)
        raise
    return Pretrained(model_id, kept.artifact, kept.sha256, watermark, metrics, former)
