"""Looks at files of models, pictures, curves and embeddings: as recorded, and none to spare?"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from engine.curves.samples import expand
from engine.curves.store import FOLDER as CURVES
from engine.doctor.findings import Finding, Level
from engine.errors import DataError, spell
from engine.micrographs.store import FOLDER as PICTURES
from engine.registry.files import problems
from engine.registry.versions import folder_bytes, orphans
from engine.sources.serving_surrogate import starter_sha256
from engine.workspace import Workspace

_NOUNS = {PICTURES: "pictures", CURVES: "curves"}


def champions(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look whether the files of every version are as recorded, and say what serves instead."""
    with workspace.database.read() as tx:
        versions_ = [
            (campaign, version)
            for campaign in tx.campaigns.all()
            for version in tx.models.all_of(campaign.id)
            if not version.is_pruned
        ]
    bad = 0
    for campaign, version in versions_:
        faults = problems(workspace.data_dir, version)
        bad += bool(faults)
        for item in faults:
            is_champion = version.status == "champion"
            mend = (
                "what served before serves instead; `engine models rollback` makes that last, "
                "`engine refresh --full` trains anew"
                if is_champion
                else "it cannot be promoted; restore it from a backup, or forget it"
            )
            level = Level.WRONG if is_champion else Level.LOOK
            yield Finding(
                "models", level, f"campaign '{campaign.name}': {spell(item, 'cli')}: {mend}"
            )
    if not bad:
        yield Finding("models", Level.FINE, f"{len(versions_)} versions, every file as recorded")


def files(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look for files that no row names, and for rows whose files are not there."""
    yield from _leftovers("models' leftovers", orphans(workspace), workspace, fix, stale_s)
    for subject in (PICTURES, CURVES):
        leftovers = f"{_NOUNS[subject]}' leftovers"
        yield from _leftovers(leftovers, _stray(workspace, subject), workspace, fix, stale_s)
        missing = _missing(workspace, subject)
        if missing:
            named = ", ".join(missing[:5])
            yield Finding(
                _NOUNS[subject], Level.WRONG,
                f"{len(missing)} files that are recorded are not there, such as {named}: restore "
                "them from a backup",
            )  # fmt: skip


def curves(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look whether the samples of every tensile curve are what was recorded."""
    damaged = []
    with workspace.database.read() as tx:
        hashes = tx.curves.array_hashes()
        for sha256 in hashes:
            array = tx.curves.array(sha256)
            assert array is not None  # noqa: S101 -- listed in this transaction
            try:
                expand(array)
            except DataError:
                damaged.append(sha256)
    if damaged:
        yield Finding(
            "curves", Level.WRONG,
            f"the samples of {len(damaged)} curves are not what was recorded, such as "
            f"{damaged[0][:12]}: restore the database from a backup",
        )  # fmt: skip
    elif hashes:
        yield Finding("curves", Level.FINE, f"{len(hashes)}, all samples as recorded")


def embeddings(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look for vectors of models that are no more, and say who searches."""
    with workspace.database.read() as tx:
        rows = tx.embeddings.count()
        models = {
            version.sha256
            for campaign in tx.campaigns.all()
            for version in tx.models.all_of(campaign.id)
            if not version.is_pruned
        }
        by = "by the server (pgvector)" if tx.embeddings.can_search else "in memory"
    yield Finding("embeddings", Level.FINE, f"{sum(rows.values())} of pictures, searched {by}")
    former = rows.keys() - models - {starter_sha256()}
    if former:
        text = f"{sum(rows[item] for item in former)} by models that are no more"
        if fix:
            with workspace.database.write("doctor") as tx:
                tx.embeddings.forget(former)
        mend = "removed" if fix else "`engine doctor --fix` removes them"
        yield Finding("embeddings", Level.LOOK, f"{text}: {mend}", fixed=fix)
    folder = workspace.data_dir / "embeddings"  # where versions before revision 0006 kept them
    if folder.is_dir():
        yield from _leftovers("embeddings' leftovers", [folder], workspace, fix, stale_s)


def _recorded(workspace: Workspace, folder: str) -> set[str]:
    with workspace.database.read() as tx:
        return tx.micrographs.paths() if folder == PICTURES else tx.curves.paths()


def _stray(workspace: Workspace, folder: str) -> list[Path]:
    """Return files below the folder of pictures, or of curves, that no row names."""
    home = workspace.data_dir / folder
    if not home.is_dir():
        return []
    # First the files, then the rows: what comes meanwhile has its file first, and counts as young.
    files = [path for path in sorted(home.rglob("*")) if path.is_file()]
    recorded = _recorded(workspace, folder)
    return [
        path for path in files if path.relative_to(workspace.data_dir).as_posix() not in recorded
    ]


def _missing(workspace: Workspace, folder: str) -> list[str]:
    return [
        path for path in sorted(_recorded(workspace, folder))
        if not (workspace.data_dir / path).is_file()
    ]  # fmt: skip


def _leftovers(
    subject: str, paths: list[Path], workspace: Workspace, fix: bool, stale_s: float
) -> Iterator[Finding]:
    old = [path for path in paths if _age_s(path) >= stale_s]
    if not old:
        yield Finding(subject, Level.FINE, "none" if not paths else f"{len(paths)}, all young")
        return
    size = sum(folder_bytes(item) if item.is_dir() else item.stat().st_size for item in old)
    text = f"{len(old)} that nothing refers to ({size / 1e6:.1f} MB), such as {old[0]}"
    if not fix:
        yield Finding(subject, Level.LOOK, f"{text}: `engine doctor --fix` removes them")
        return
    for path in old:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    yield Finding(subject, Level.LOOK, f"{text}: removed", fixed=True)


def _age_s(path: Path) -> float:
    """Return how long ago a file or folder was changed; a clock set back makes nothing young."""
    try:
        return abs(time.time() - path.stat().st_mtime)
    except OSError:
        return 0.0
