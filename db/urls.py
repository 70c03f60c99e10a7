"""Where a database is: SQLAlchemy URLs, and the file behind a SQLite one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from db.errors import DatabaseError


def parse_url(url: str) -> URL:
    """Read ``url``.

    Raises:
        DatabaseError: not an SQLAlchemy URL, another database than SQLite and PostgreSQL, or
            SQLite without a file.
    """
    try:
        parsed = make_url(url)
    # `make_url` lets a port that is no number through as a ValueError.
    except (ArgumentError, ValueError):
        raise DatabaseError(
            f"expected a database URL such as sqlite:///spinneret.db, got '{_hidden(url)}'",
            mend="set url in [database] of config.toml",
        ) from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise DatabaseError(
            f"expected a sqlite:/// or postgresql+psycopg:// URL, got '{backend}'",
            mend="set url in [database] of config.toml",
        )
    # A database in memory belongs to one connection; ours are several, of several processes.
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise DatabaseError(
            f"expected a file in the database URL, such as sqlite:///spinneret.db, got '{url}'",
            mend="set url in [database] of config.toml",
        )
    if backend == "sqlite":
        _refuse_pasted(url, parsed)
    if backend == "postgresql":
        if parsed.drivername not in ("postgresql", "postgresql+psycopg"):
            raise DatabaseError(
                f"expected a postgresql+psycopg:// URL, got '{parsed.drivername}'",
                mend="set url in [database] of config.toml",
            )
        # SQLAlchemy takes a plain postgresql:// for psycopg2.
        # https://docs.sqlalchemy.org/en/20/core/engines.html#postgresql
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _refuse_pasted(url: str, parsed: URL) -> None:
    """Refuse a URL that a path was pasted into: what it would mean is another file."""
    # After a `?` a URL has options; of SQLite's none is of use here, and `?` may be a folder's.
    # An escape that is no UTF-8 (`PA6_20%FA`) is none that anybody wrote on purpose.
    if "?" not in url and ("\ufffd" not in (parsed.database or "") or "\ufffd" in url):
        return
    path = url.partition("://")[2].lstrip("/")
    better = url[: len(url) - len(path)] + path.replace("%", "%25").replace("?", "%3F")
    raise DatabaseError(
        f"'{url}' is no URL of a file: in a URL % is written %25, and ? %3F",
        mend=f'set url = "{better}" in [database] of config.toml',
    )


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file, whatever its folders are called.

    >>> sqlite_url(Path("PA6_20%FA/a?b/mats.db"))
    'sqlite:///PA6_20%25FA/a%3Fb/mats.db'
    """
    return URL.create("sqlite", database=str(path)).render_as_string()


def sqlite_uri(path: Path, mode: str) -> str:
    """Return what SQLite itself takes for a file that is opened in a mode (``rw``, ``rwc``).

    >>> sqlite_uri(Path("/lab/a#b?/mats.db"), "rw")
    'file:/lab/a%23b%3F/mats.db?mode=rw'
    """
    # https://www.sqlite.org/uri.html
    return f"file:{quote(os.fspath(path.absolute()))}?mode={mode}"


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite database as the URL has it, or ``None`` for another database.

    Raises:
        DatabaseError: the URL cannot be used.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database is None:
        return None
    return Path(parsed.database)


def resolve_url(url: str, root: Path) -> str:
    """Return ``url`` with a relative SQLite path counted from ``root``; others unchanged.

    Raises:
        DatabaseError: the URL cannot be used.
    """
    path = sqlite_path(url)
    if path is None:
        return url
    # Fixed at opening: a worker that changes its directory must not find another file.
    resolved = parse_url(url).set(database=str(root.resolve() / path.expanduser()))
    return resolved.render_as_string(hide_password=False)


def display_name(url: str) -> str:
    """Return how messages call the database: its file, or its URL without the password."""
    path = sqlite_path(url)
    if path is not None:
        return str(path)
    parsed = parse_url(url)
    # libpq takes a password among the options too.
    public = parsed.difference_update_query([key for key in parsed.query if "pass" in key.lower()])
    return public.render_as_string(hide_password=True)


def _hidden(url: str) -> str:
    """Return what may be a URL without what may be a password."""
    return re.sub(r"(://[^:@/]*:)[^@]*@", r"\1***@", url)
