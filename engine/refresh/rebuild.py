"""A version trained again from what its row tells: same data, same settings, same weights.

The row holds watermark, request and seed; results, micrographs and sources are read as they were
at the watermark, and an incremental training begins with the very parent. On the same machine and
libraries the weights come out the same, to the last bit on a CPU; then files that were lost or
altered are put back in their place.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from db.records import ModelKind, ModelVersionRecord, Status
from db.transaction import Transaction
from engine.compute import limit_threads, versions
from engine.errors import DataError, StateError, by_voice
from engine.refresh.request import RefreshRequest, ShouldStop
from engine.registry.files import FILES, hashes, problems
from engine.registry.versions import version_of
from engine.workspace import Workspace, definition_of
from engine.workspace.leases import TRAINING, held
from surrogate.files import whole_folder
from surrogate.private_files import make_folder
from surrogate.progress import Progress, silent


@dataclass(frozen=True)
class Rebuilt:
    """What a training from a version's row gave.

    ``is_same``: the weights are those of the row. ``restored``: its files were put back.
    ``differences``: versions of code and libraries, and sources, that are not as they were.
    """

    model_id: int
    sha256: str
    is_same: bool
    restored: bool
    differences: tuple[str, ...]


def rebuild(
    workspace: Workspace,
    model_id: int,
    progress: Progress = silent,
    should_stop: ShouldStop = lambda: False,
) -> Rebuilt:
    """Train a version again, compare the weights, and put its files back where they are missing.

    Raises:
        NotFoundError: there is no such version.
        StateError: it was not made by a refresh, or somebody trains.
        DataError: its parent's files are gone, or the data folder cannot be written.
        ModelError: the training fails.
        KeyboardInterrupt: it was asked to stop.
    """
    limit_threads(workspace.settings.compute.threads)
    with held(workspace.database, TRAINING):
        return _rebuild(workspace.settled(), model_id, progress, should_stop)


def _rebuild(
    workspace: Workspace, model_id: int, progress: Progress, should_stop: ShouldStop
) -> Rebuilt:
    from engine.refresh.training import train_candidate
    from surrogate.matmcl.checkpoint import read_card, save_checkpoint

    with workspace.database.read() as tx:
        version = version_of(workspace, tx, model_id)
        noted = (version.config or {}).get("refresh")
        if version.kind is not ModelKind.SURROGATE or noted is None:
            raise StateError(
                f"model {model_id} was not made by a refresh, so its row does not tell all of it: "
                f"{by_voice('`engine pretrain` with its options makes it', 'pretrain it')} anew"
            )
        parent = _parent(workspace, tx, version)
        material, differences = _material(workspace, tx, version, noted)
    # The row tells more than the request (mode, settings, sources).
    names = {attribute.name for attribute in fields(RefreshRequest)}
    request = RefreshRequest(**{k: v for k, v in noted.items() if k in names})
    with TemporaryDirectory(prefix="spinneret-rebuild-") as place:
        trained = train_candidate(
            material, request, parent, state=Path(place) / "state", progress=progress,
            should_stop=should_stop,
        )  # fmt: skip
        folder = Path(place) / "made"
        save_checkpoint(
            folder, trained.model, extra=trained.extra, data_watermark=version.watermark,
            seed=request.seed,
        )  # fmt: skip
        digest = read_card(folder).sha256
        is_same = digest == version.sha256
        restored = False
        if is_same and not version.is_pruned and problems(workspace.data_dir, version):
            restored = _put_back(workspace.data_dir, folder, version)
    current = versions()
    differences += [
        f"{name} was {old}, is {current.get(name, 'not installed')}"
        for name, old in (version.versions or {}).items()
        if current.get(name) != old
    ]
    return Rebuilt(model_id, digest, is_same, restored, tuple(differences))


def _parent(workspace: Workspace, tx: Transaction, version: ModelVersionRecord) -> Path | None:
    if version.parent_id is None:
        return None
    parent = tx.models.get(version.parent_id)
    assert parent is not None  # noqa: S101 -- a foreign key holds it
    wrong = problems(workspace.data_dir, parent)
    if wrong:
        raise DataError(
            f"model {version.id} was trained on from model {parent.id}: {'; '.join(wrong)}. "
            f"Rebuild that one first{by_voice(f': `engine models rebuild {parent.id}`', '')}"
        )
    return workspace.data_dir / parent.artifact_path


def _material(
    workspace: Workspace,
    tx: Transaction,
    version: ModelVersionRecord,
    noted: Mapping[str, Any],
) -> tuple[Any, list[str]]:
    """Return what was there to learn from at the version's watermark, and what differs now."""
    from engine.refresh.training import Material
    from engine.sources.curves import curves_of_runs
    from engine.sources.reading import read_source, refuse_own_runs

    record, campaign = workspace.active_campaign(tx)
    part = noted.get("learnt_from")  # of a large campaign
    experiments = (
        list(tx.experiments.get_all(part, watermark=version.watermark))
        if part
        else tx.experiments.find(record.id, watermark=version.watermark)
    )
    revision_ids = {entry.revision_id for entry in experiments}
    # The newest revision that any of these runs was made under is what the training saw.
    if revision_ids and max(revision_ids) < record.revision_id:
        campaign = definition_of(tx.campaigns.at_revision(max(revision_ids)))
    fingerprints = {entry["name"]: entry["fingerprint"] for entry in noted.get("sources", ())}
    sources, differences = [], []
    for source in tx.sources.find(record.id, watermark=version.watermark):
        data, _ = refuse_own_runs(workspace, read_source(workspace, source))
        sources.append(data)
        if fingerprints.get(source.name) != data.fingerprint:
            differences.append(f"source '{source.name}' reads otherwise than then")
    completed = tuple(entry for entry in experiments if entry.status is Status.COMPLETED)
    # Versions of before curves were learnt from saw none, whatever was recorded.
    curves = (
        curves_of_runs(tx, record.id, {e.id for e in completed}, watermark=version.watermark)
        if noted.get("learns_curves")
        else {}
    )
    material = Material(
        campaign,
        workspace.data_dir,
        completed,
        tuple(sources),
        version.watermark,
        workspace.settings.storage.max_image_megapixels,
        tuple(noted.get("left_out", ())),
        is_part=bool(part),
        curves=curves,
    )
    return material, differences


def _put_back(data_dir: Path, rebuilt: Path, version: ModelVersionRecord) -> bool:
    """Put a version's files in their place, if they are the very same."""
    if hashes(rebuilt) != dict((version.config or {}).get(FILES, {})):
        return False
    folder = data_dir / version.artifact_path
    make_folder(folder.parent)
    with whole_folder(folder) as draft:
        shutil.copytree(rebuilt, draft, dirs_exist_ok=True)
        # Last, once the draft is complete: an altered folder is better than none.
        shutil.rmtree(folder, ignore_errors=True)
    return True
