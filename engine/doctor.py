"""``engine doctor``: is everything as it should be? For people, and for monitoring.

Each thing that is looked at is a finding: fine, worth a look, or wrong. ``fix`` mends what can be
mended without a decision: leftovers of killed processes, and leases and records of processes that
are gone. Loads no numerical library.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from db import schema
from db.errors import DatabaseError, SchemaMismatchError
from db.files import log_bytes
from db.records import JobOutcome, Status
from db.urls import display_name, resolve_url, sqlite_path
from engine.compute import versions
from engine.curves.samples import expand
from engine.curves.store import FOLDER as CURVES
from engine.errors import DataError, PluginError, SpinneretError, spell
from engine.experiments.awaited import excluded_proposals
from engine.micrographs.store import FOLDER as PICTURES
from engine.registry.files import problems
from engine.registry.versions import folder_bytes, orphans
from engine.sources.databases import require_source
from engine.sources.definition import definition_from
from engine.sources.serving_surrogate import starter_sha256
from engine.workspace import Workspace, definition_of
from engine.workspace.leases import SCHEDULER, TRAINING, is_gone, now
from engine.workspace.plugins import PLUGIN_KINDS, list_plugins
from engine.workspace.settings import find_config, load_settings
from surrogate.private_files import file_mode, folder_mode

LITTLE_SPACE = 1 << 30
_NOUNS = {PICTURES: "pictures", CURVES: "curves"}
STALE_S = 600.0
"""Leftovers younger than this may belong to a command that is just running."""


class Level(StrEnum):
    """How bad a finding is."""

    FINE = "fine"
    LOOK = "look"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``fixed``: it was mended just now."""

    subject: str
    level: Level
    text: str
    fixed: bool = False


@dataclass(frozen=True)
class Examination:
    """Everything that was looked at."""

    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong (any more)."""
        return all(item.level is not Level.WRONG or item.fixed for item in self.findings)


def examine(
    config: Path | None = None, *, fix: bool = False, quick: bool = False, stale_s: float = STALE_S
) -> Examination:
    """Look at everything.

    Args:
        config: the configuration file; else as every command finds it.
        fix: mend what can be mended without a decision.
        quick: leave out what reads every page and file.
        stale_s: leftovers younger than this are left alone.

    Raises:
        ConfigError: no configuration, or one that cannot be used.
    """
    path = find_config(config)
    settings = load_settings(path)
    url = resolve_url(settings.database.url, path.parent)
    findings = [Finding("configuration", Level.FINE, str(path)), *_log_beside(url)]
    try:
        with Workspace.open(path) as workspace:
            findings.append(
                Finding("database", Level.FINE, f"{workspace.database.name}, {schema.HEAD}")
            )
            if not quick:
                findings += _pages(url)
            looks = (
                _data_folder, _disk, _champions, _files, _curves, _readers, _leases, _dead_runs,
                _schedule, _embeddings, _sources, _proposals,
            )  # fmt: skip
            for look in looks if not quick else (*looks[:3], *looks[5:]):
                findings += _findings_of(look, workspace, fix, stale_s)
    except SchemaMismatchError as error:
        findings.append(Finding("revision", Level.WRONG, error.worded("cli")))
    except DatabaseError as error:
        findings.append(Finding("database", Level.WRONG, error.worded("cli")))
    findings.append(_libraries())
    findings += _plugins(quick)
    if not quick:
        findings.append(_device())
    return Examination(tuple(findings))


def _log_beside(url: str) -> Iterator[Finding]:
    """Look for rows that SQLite keeps beside the file. Before it is opened: closing moves them."""
    path = sqlite_path(url)
    n_bytes = 0 if path is None else log_bytes(path)
    if path is not None and n_bytes:
        yield Finding(
            "log", Level.LOOK,
            f"{n_bytes / 1e3:.0f} kB of the database lie in {path.name}-wal: a process has it "
            "open, or was killed. Copy it with `engine db backup`: the file alone lacks them",
        )  # fmt: skip


Look = Callable[[Workspace, bool, float], Iterator[Finding]]


def _findings_of(look: Look, workspace: Workspace, fix: bool, stale_s: float) -> list[Finding]:
    try:
        return list(look(workspace, fix, stale_s))
    except (SpinneretError, DatabaseError, OSError) as error:
        text = str(error) if isinstance(error, OSError) else error.worded("cli")
        return [Finding(look.__name__.strip("_").replace("_", " "), Level.WRONG, text)]


def _pages(url: str) -> list[Finding]:
    faults = schema.check(url)
    if not faults:
        return [Finding("soundness", Level.FINE, "pages, indexes and rows agree")]
    return [Finding("soundness", Level.WRONG, f"{display_name(url)}: {item}") for item in faults]


def _data_folder(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    folder = workspace.data_dir
    place = folder
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK) or not _can_write(place):
        yield Finding(
            "data folder", Level.WRONG,
            f"{folder} cannot be written: make it writable (`chmod u+w`), or set data_dir in "
            "[storage] of config.toml",
        )  # fmt: skip
        return
    yield Finding("data folder", Level.FINE, str(folder))


def _readers(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look who may read what is kept: files of earlier versions, or of before the setting."""
    if os.name == "nt":
        return
    is_shared = workspace.settings.storage.group_readable
    allowed = folder_mode(file_mode(group_readable=is_shared))
    places = [workspace.config_path, workspace.data_dir, sqlite_path(workspace.database.url)]
    present = [place for place in places if place is not None and place.exists()]
    if open_places := [str(place) for place in present if place.stat().st_mode & 0o077 & ~allowed]:
        yield Finding(
            "readers", Level.LOOK,
            f"others on this machine may read {', '.join(open_places)}: "
            f"`chmod -R {'g-w,o=' if is_shared else 'go='}` closes them",
        )  # fmt: skip


def _can_write(folder: Path) -> bool:
    probe = folder / f".spinneret-doctor-{os.getpid()}"
    try:
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError:
        return False
    return True


def _disk(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    place = workspace.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free at {place}"
    if free < LITTLE_SPACE:
        yield Finding("disk", Level.LOOK, f"{text}: little; `engine models prune` frees some")
    else:
        yield Finding("disk", Level.FINE, text)


def _champions(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
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


def _files(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
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


def _curves(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
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


def _embeddings(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
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


def _sources(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look whether what the sources refer to is there; none of their runs are read."""
    with workspace.database.read() as tx:
        records = {
            source.id: source
            for campaign in tx.campaigns.all()
            for source in tx.sources.find(campaign.id)
        }
    bad = 0
    for source in records.values():
        try:
            require_source(workspace, definition_from(source.definition, source.name))
        except (SpinneretError, DatabaseError) as error:
            bad += 1
            yield Finding(
                "sources", Level.WRONG,
                f"'{source.name}': {error.worded('cli')}: put it back in its place, or "
                f"`engine source remove {source.name}` and add it from where it is now",
            )  # fmt: skip
    if records and not bad:
        n = len(records)
        yield Finding("sources", Level.FINE, f"{n}, all where they were" if n > 1 else "1, there")


def _proposals(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    with workspace.database.read() as tx:
        record = tx.campaigns.active()
        if record is None:
            return
        campaign = definition_of(record)
        proposed = tx.experiments.find(record.id, status=[Status.PROPOSED])
    for text in excluded_proposals(campaign, proposed):
        yield Finding("proposals", Level.LOOK, text)


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


def _leases(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    with workspace.database.read() as tx:
        leases = tx.leases.all()
    if not leases:
        yield Finding("leases", Level.FINE, "nobody trains, no scheduler is at work")
    for lease in leases:
        age = (now() - lease.heartbeat_at).total_seconds()
        subject = {TRAINING: "training", SCHEDULER: "scheduler"}.get(lease.name, lease.name)
        text = f"held by {lease.owner}, last heard of {age:.0f} s ago"
        if not is_gone(lease.owner) and -lease.ttl_s <= age <= lease.ttl_s:
            yield Finding(subject, Level.FINE, text)
        elif age < -lease.ttl_s and not is_gone(lease.owner):
            yield Finding(subject, Level.LOOK, f"{text}: a clock was set back")
        elif not fix:
            yield Finding(subject, Level.LOOK, f"{text}: gone; whoever comes next takes over")
        else:
            with workspace.database.write("lease") as tx:
                tx.leases.release(lease.name, lease.holder)
            yield Finding(subject, Level.LOOK, f"{text}: gone, released", fixed=True)


def _dead_runs(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    from engine.refresh.run import close_dead_runs
    from engine.workspace.leases import try_acquire

    with workspace.database.read() as tx:
        n = len(tx.refreshes.running())
        lease = tx.leases.get(TRAINING)
    if not n:
        return
    if lease is not None and not is_gone(lease.owner):
        yield Finding("refresh", Level.FINE, f"{n} under way")
        return
    if fix:
        own_lease = try_acquire(workspace.database, TRAINING)
        if own_lease is not None:
            try:
                close_dead_runs(workspace, own_lease)
            finally:
                own_lease.release()
            yield Finding("refresh", Level.LOOK, f"{n} had died: closed", fixed=True)
            return
    yield Finding(
        "refresh", Level.LOOK, f"{n} died before the end; the next one goes on from there"
    )


def _schedule(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    with workspace.database.read() as tx:
        jobs = tx.schedule.jobs()
        lease = tx.leases.get(SCHEDULER)
        last = [next(iter(tx.schedule.runs(item.id, limit=1)), None) for item in jobs]
    if not jobs:
        return
    for run in last:
        if run is not None and run.outcome is JobOutcome.FAILED:
            yield Finding("schedule", Level.WRONG, f"'{run.job_id}' failed: {run.detail}")
    moment = now()
    late = [
        item for item in jobs
        if item.next_run_at is not None and (moment - item.next_run_at).total_seconds() > 3600
    ]  # fmt: skip
    if late and lease is None:
        names = ", ".join(item.id for item in late)
        yield Finding(
            "schedule", Level.WRONG,
            f"{names} should have run more than an hour ago, and no scheduler is at work: start "
            "`engine schedule run`",
        )  # fmt: skip
    elif not any(run is not None and run.outcome is JobOutcome.FAILED for run in last):
        n = sum(item.next_run_at is None for item in jobs)
        yield Finding("schedule", Level.FINE, f"{len(jobs)} jobs, {n} paused")


def _libraries() -> Finding:
    return Finding(
        "versions", Level.FINE, ", ".join(f"{name} {word}" for name, word in versions().items())
    )


def _plugins(quick: bool) -> Iterator[Finding]:
    """Look at the strategies and labs of other distributions; ``quick`` imports none of them."""
    for plugin in (p for kind in PLUGIN_KINDS for p in list_plugins(kind)):
        try:
            if plugin.problem is not None or not quick:
                plugin.load()
        except PluginError as error:
            yield Finding("plug-ins", Level.LOOK, error.worded("cli"))
        else:
            yield Finding("plug-ins", Level.FINE, plugin.label)


def _device() -> Finding:
    """Ask the driver, not torch: that would take seconds."""
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*")) if os.name == "posix" else []
    cores = os.cpu_count() or 1
    text = f"{len(cards)} GPU, " if cards else "no GPU seen, "
    return Finding("device", Level.FINE, f"{text}{cores} cores")
