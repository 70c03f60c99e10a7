"""Looks at the database's file and pages."""

from __future__ import annotations

from collections.abc import Iterator

from db import schema
from db.files import log_bytes
from db.urls import display_name, sqlite_path
from engine.doctor.findings import Finding, Level


def log_beside(url: str) -> Iterator[Finding]:
    """Look for rows that SQLite keeps beside the file. Before it is opened: closing moves them."""
    path = sqlite_path(url)
    n_bytes = 0 if path is None else log_bytes(path)
    if path is not None and n_bytes:
        yield Finding(
            "log", Level.LOOK,
            f"{n_bytes / 1e3:.0f} kB of the database lie in {path.name}-wal: a process has it "
            "open, or was killed. Copy it with `engine db backup`: the file alone lacks them",
        )  # fmt: skip


def pages(url: str) -> list[Finding]:
    """Look whether pages, indexes and rows agree; reads all of them."""
    faults = schema.check(url)
    if not faults:
        return [Finding("soundness", Level.FINE, "pages, indexes and rows agree")]
    return [Finding("soundness", Level.WRONG, f"{display_name(url)}: {item}") for item in faults]
