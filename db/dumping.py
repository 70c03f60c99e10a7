"""Backups of a PostgreSQL database, by the server's own ``pg_dump``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from db.errors import DatabaseError
from db.urls import display_name, parse_url


def dump(url: str, draft: Path) -> None:
    """Dump a PostgreSQL database in ``pg_dump``'s custom format.

    Args:
        url: SQLAlchemy URL of the database.
        draft: the file to make, which the caller puts in its place.

    Raises:
        DatabaseError: no ``pg_dump`` here, or it failed.
    """
    program = shutil.which("pg_dump")
    if program is None:
        raise DatabaseError(
            f"expected `pg_dump` on this machine to back up {display_name(url)}, found none",
            mend="install PostgreSQL's client programs (of the server's version or newer), leave "
            "backups to the server's administrator, or copy the database into a file: "
            "`engine db copy --to sqlite:///backup.db`.",
            place=display_name(url),
        )
    parsed = parse_url(url)
    environment = dict(os.environ)
    if parsed.password is not None:  # never among the words, which every user of a machine sees
        environment["PGPASSWORD"] = str(parsed.password)
    # `pg_dump` knows nothing of SQLAlchemy's drivers.
    place = parsed.set(drivername="postgresql", password=None)
    answer = subprocess.run(  # noqa: S603 -- the words are ours
        [
            program,
            "--format=custom",
            # Else it would ask at the terminal, and hang where there is none.
            "--no-password",
            f"--file={draft}",
            # Nothing to hide: the password was taken out, and *** in its place would be taken for
            # one.
            place.render_as_string(hide_password=False),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        reason = "; ".join(line.strip() for line in answer.stderr.splitlines() if line.strip())
        raise DatabaseError(
            f"back up: `pg_dump` refused {display_name(url)}: {reason}. No file was kept.",
            mend="(It must be of the server's version or newer.)",
            place=(display_name(url), draft),
        )
