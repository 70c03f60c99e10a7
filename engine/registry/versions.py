"""``engine models``: list, show, promote, roll back and prune versions. No numerical library.

Each function is one transaction, or reads only; the command line and the web page call the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from db.records import (
    ModelKind,
    ModelStatus,
    ModelVersionRecord,
    PromotionRecord,
    RefreshRunRecord,
)
from db.transaction import Transaction
from engine.errors import DataError, NotFoundError, StateError, by_voice, place
from engine.registry.files import FOLDER, problems
from engine.registry.serving_version import ROLLBACK, stack
from engine.workspace import Workspace

SHIPPED = {ModelKind.SURROGATE: "the starter", ModelKind.GENERATOR: "the starter"}
"""What serves where no version does."""


@dataclass(frozen=True)
class ModelEntry:
    """A version with what is to be told of it.

    ``problems``: what is wrong with its files, in words. ``refresh``: the run that made it, if one
    did. ``served``: when it began to serve, and why, oldest first.
    """

    version: ModelVersionRecord
    problems: tuple[str, ...]
    refresh: RefreshRunRecord | None = None
    served: tuple[PromotionRecord, ...] = ()

    @property
    def is_champion(self) -> bool:
        """Whether it is the one to serve."""
        return self.version.status is ModelStatus.CHAMPION


@dataclass(frozen=True)
class Promoted:
    """What serves now and what served before; ``None``: what ships with the program."""

    kind: ModelKind
    now_id: int | None
    former_id: int | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pruned:
    """Versions whose files were removed (or would be), and how many bytes that frees."""

    ids: tuple[int, ...]
    n_bytes: int
    is_dry_run: bool


def list_models(workspace: Workspace, kind: ModelKind | None = None) -> list[ModelEntry]:
    """Return the active campaign's versions, newest first.

    Raises:
        NotFoundError: no campaign is active.
    """
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        versions = [v for v in tx.models.all_of(record.id) if kind in (None, v.kind)]
        return [_entry(workspace, tx, version) for version in reversed(versions)]


def show_model(workspace: Workspace, model_id: int) -> ModelEntry:
    """Return one version of the active campaign.

    Raises:
        NotFoundError: there is no such version.
    """
    with workspace.database.read() as tx:
        return _entry(workspace, tx, version_of(workspace, tx, model_id))


def version_of(workspace: Workspace, tx: Transaction, model_id: int) -> ModelVersionRecord:
    """Return a version of the active campaign by its number.

    Raises:
        NotFoundError: there is no such version.
    """
    record, _ = workspace.active_campaign(tx)
    version = tx.models.get(model_id)
    if version is None or version.campaign_id != record.id:
        ids = ", ".join(str(model.id) for model in tx.models.all_of(record.id)) or "none"
        raise NotFoundError(f"there is no model {model_id} of '{record.name}'; recorded are: {ids}")
    return version


def promote(workspace: Workspace, model_id: int, *, reason: str = "by hand") -> Promoted:
    """Let a version serve from now on, whatever its numbers say.

    Raises:
        NotFoundError: there is no such version.
        DataError: its files are gone or altered.
        StateError: it serves already.
    """
    with workspace.database.write("models promote", detail=f"model {model_id}: {reason}") as tx:
        version = version_of(workspace, tx, model_id)
        _require_sound(workspace, version)
        if version.status is ModelStatus.CHAMPION:
            raise StateError(f"model {model_id} is the champion already")
        former = tx.models.promote(model_id, reason=reason)
    return Promoted(version.kind, model_id, former)


def rollback(workspace: Workspace, kind: ModelKind = ModelKind.SURROGATE) -> Promoted:
    """Let what served before the champion serve again: the same files, hence the same predictions.

    A former champion whose files are gone or altered is passed over. Before the first version
    stands what ships with the program.

    Raises:
        StateError: nothing served before.
    """
    notes: list[str] = []
    with workspace.database.write("models rollback", detail=str(kind)) as tx:
        record, _ = workspace.active_campaign(tx)
        champion = tx.models.champion(record.id, kind)
        order = stack(list(tx.models.promotions(record.id, kind)))
        if champion is None or len(order) < 2:
            raise StateError(
                f"nothing to roll back: {SHIPPED[kind]} serves, and nothing served before it"
            )
        reason = f"{ROLLBACK} of model {champion.id}"
        for former in reversed(order[:-1]):
            if former is None:
                tx.models.step_down(record.id, kind, reason=reason)
                return Promoted(kind, None, champion.id, tuple(notes))
            version = tx.models.get(former)
            assert version is not None  # noqa: S101 -- a foreign key holds it
            findings = problems(workspace.data_dir, version)
            if not findings:
                tx.models.promote(former, reason=reason)
                return Promoted(kind, former, champion.id, tuple(notes))
            notes += findings
    raise AssertionError("what ships with the program stands before everything")


def prune(
    workspace: Workspace,
    *,
    keep: int = 3,
    kind: ModelKind | None = None,
    is_dry_run: bool = False,
) -> Pruned:
    """Remove the files of old versions; their rows stay, with what they can be rebuilt from.

    The champion, the one that a rollback would bring back, and the newest ``keep`` of each kind
    are left alone. Rows say so before a file goes, so that a kill leaves no row without its files.

    Raises:
        DataError: a folder cannot be removed.
    """
    folders: list[Path] = []
    ids: list[int] = []
    with workspace.database.write("models prune", detail=f"keep {keep}") as tx:
        record, _ = workspace.active_campaign(tx)
        every_version = [v for v in tx.models.all_of(record.id) if not v.is_pruned]
        for pruned_kind in ModelKind if kind is None else (kind,):
            ids += _prunable(tx, record.id, pruned_kind, every_version, keep)
        # Two versions of the same content share a folder.
        kept_paths = {v.artifact_path for v in every_version if v.id not in ids}
        paths = {v.artifact_path for v in every_version if v.id in ids} - kept_paths
        folders = [workspace.data_dir / path for path in sorted(paths)]
        n_bytes = sum(folder_bytes(folder) for folder in folders)
        if not is_dry_run:
            for id_ in ids:
                tx.models.mark_pruned(id_)
            pruned = {v.sha256 for v in every_version if v.id in ids}
            # Embeddings go with the encoder that made them, unless another version has the same
            # weights.
            tx.embeddings.forget(pruned - {v.sha256 for v in every_version if v.id not in ids})
    if not is_dry_run:
        for folder in folders:
            try:
                shutil.rmtree(folder)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise DataError(
                    f"{place(folder)} cannot be removed: {error.strerror}; it is not needed any "
                    "more" + by_voice(", `engine doctor --fix` removes it", "")
                ) from error
    return Pruned(tuple(ids), n_bytes, is_dry_run)


def _prunable(
    tx: Transaction,
    campaign_id: int,
    kind: ModelKind,
    every_version: Sequence[ModelVersionRecord],
    keep: int,
) -> list[int]:
    order = stack(list(tx.models.promotions(campaign_id, kind)))
    # What serves, and what a rollback would bring back.
    needed = {id_ for id_ in order[-2:] if id_ is not None}
    versions = [v for v in every_version if v.kind is kind]
    needed |= {v.id for v in versions[len(versions) - keep :]} if keep else set()
    needed |= {v.id for v in versions if v.status is ModelStatus.CHAMPION}
    return [v.id for v in versions if v.id not in needed]


def orphans(workspace: Workspace) -> list[Path]:
    """Return what lies in the folder of models and belongs to no version of any campaign.

    Interrupted trainings that can be taken up again are no orphans.
    """
    home = workspace.data_dir / FOLDER
    if not home.is_dir():
        return []
    with workspace.database.read() as tx:
        ids = {
            Path(version.artifact_path).name
            for campaign in tx.campaigns.all()
            for version in tx.models.all_of(campaign.id)
            if not version.is_pruned
        }
    return [
        folder
        for folder in sorted(home.iterdir())
        if folder.name not in ids and not folder.name.startswith(TAKEN_UP)
    ]


TAKEN_UP = (".pretraining-", ".refresh-")
"""How the folders of interrupted trainings begin."""


def folder_bytes(folder: Path) -> int:
    """Return the size of everything below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _entry(workspace: Workspace, tx: Transaction, version: ModelVersionRecord) -> ModelEntry:
    runs = tx.refreshes.find(version.campaign_id, version.kind)
    promotions = tx.models.promotions(version.campaign_id, version.kind)
    return ModelEntry(
        version,
        tuple(problems(workspace.data_dir, version)),
        next((run for run in runs if run.model_version_id == version.id), None),
        tuple(p for p in promotions if p.model_version_id == version.id),
    )


def _require_sound(workspace: Workspace, version: ModelVersionRecord) -> None:
    findings = problems(workspace.data_dir, version)
    if findings:
        raise DataError(
            f"{'; '.join(findings)}. It cannot serve: restore its files from a backup, or train "
            "anew" + by_voice(" (`engine refresh --full`)", "")
        )


__all__ = [
    "ModelEntry",
    "Promoted",
    "Pruned",
    "folder_bytes",
    "list_models",
    "orphans",
    "promote",
    "prune",
    "rollback",
    "show_model",
    "version_of",
]
