"""Everything looked at in its order; what cannot be looked at is a finding, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from db import schema
from db.errors import DatabaseError, SchemaMismatchError
from db.urls import resolve_url
from engine.doctor.campaigns import proposals, sources
from engine.doctor.database import log_beside, pages
from engine.doctor.files import champions, curves, embeddings, files
from engine.doctor.findings import Examination, Finding, Level
from engine.doctor.folders import data_folder, disk, readers
from engine.doctor.machine import device, libraries, plugins
from engine.doctor.processes import dead_runs, leases, schedule
from engine.errors import SpinneretError
from engine.workspace import Workspace
from engine.workspace.settings import find_config, load_settings

STALE_S = 600.0
"""Leftovers younger than this may belong to a command that is just running."""


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
    findings = [Finding("configuration", Level.FINE, str(path)), *log_beside(url)]
    try:
        with Workspace.open(path) as workspace:
            findings.append(
                Finding("database", Level.FINE, f"{workspace.database.name}, {schema.HEAD}")
            )
            if not quick:
                findings += pages(url)
            looks = (
                data_folder, disk, champions, files, curves, readers, leases, dead_runs,
                schedule, embeddings, sources, proposals,
            )  # fmt: skip
            for look in looks if not quick else (*looks[:3], *looks[5:]):
                findings += _findings_of(look, workspace, fix, stale_s)
    except SchemaMismatchError as error:
        findings.append(Finding("revision", Level.WRONG, error.worded("cli")))
    except DatabaseError as error:
        findings.append(Finding("database", Level.WRONG, error.worded("cli")))
    findings.append(libraries())
    findings += plugins(quick)
    if not quick:
        findings.append(device())
    return Examination(tuple(findings))


Look = Callable[[Workspace, bool, float], Iterator[Finding]]


def _findings_of(look: Look, workspace: Workspace, fix: bool, stale_s: float) -> list[Finding]:
    try:
        return list(look(workspace, fix, stale_s))
    except (SpinneretError, DatabaseError, OSError) as error:
        text = str(error) if isinstance(error, OSError) else error.worded("cli")
        return [Finding(look.__name__.replace("_", " "), Level.WRONG, text)]
