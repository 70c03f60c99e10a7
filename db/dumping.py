"""Backups of a PostgreSQL database, by the server's own ``pg_dump``."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from db.errors import DatabaseError
from db.files import require_place, written_aside
from db.urls import display_name, parse_url


def dump(url: str, target: Path | None = None) -> Path:
    """Dump a PostgreSQL database in ``pg_dump``'s custom format; return the file's path.

    Args:
        url: SQLAlchemy URL of the database.
        target: the file to make, or a folder to make it in; the working directory where not given.

    Raises:
        DatabaseError: no ``pg_dump`` here, it failed, or there is a file of that name already.
    """
    program = shutil.which("pg_dump")
    if program is None:
        raise DatabaseError(
            f"expected `pg_dump` on this machine to back up {display_name(url)}, found none: "
            "install PostgreSQL's client programs (of the server's version or newer), leave "
            "backups to the server's administrator, or copy the database into a file: "
            "`engine db copy --to sqlite:///backup.db`."
        )
    parsed = parse_url(url)
    if target is None or target.is_dir():
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        target = (target or Path.cwd()) / f"{parsed.database or 'spinneret'}-{moment}.dump"
    require_place(target, "engine db backup")
    environment = dict(os.environ)
    if parsed.password is not None:  # never among the words, which every user of a machine sees
        environment["PGPASSWORD"] = str(parsed.password)
    place = parsed.set(drivername="postgresql", password=None)
    with written_aside(target) as draft:
        done = subprocess.run(  # noqa: S603 -- the words are ours
            [
                program,
                "--format=custom",
                "--no-password",
                f"--file={draft}",
                place.render_as_string(hide_password=False),
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = "; ".join(line.strip() for line in done.stderr.splitlines() if line.strip())
            raise DatabaseError(
                f"back up: `pg_dump` refused {display_name(url)}: {said}. No file was kept. (It "
                "must be of the server's version or newer.)"
            )
    return target
