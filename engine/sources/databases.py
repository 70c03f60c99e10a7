"""Databases that sources lie in: where they are, with which data folder and active campaign."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from db.session import Database
from db.urls import resolve_url, sqlite_path, sqlite_url
from engine.errors import DataError, NotFoundError, StateError, field, place
from engine.sources.definition import SourceDefinition
from engine.workspace import Workspace
from engine.workspace.settings import CONFIG_NAME


def other_database(workspace: Workspace, address: str) -> tuple[str, Path | None]:
    """Return the URL of another database, and its data folder where its config.toml tells.

    ``address``: a workspace's folder, its config.toml, a SQLite file or an SQLAlchemy URL.

    Raises:
        NotFoundError: no such file.
        DataError: it is no configuration, or a password stands in the URL.
    """
    if "://" in address:
        from urllib.parse import urlsplit

        # A definition is recorded, shown and copied.
        if urlsplit(address).password:
            raise DataError(
                "a password in the URL would be recorded; leave it out and put it in ~/.pgpass",
                field="database",
            )
        url = resolve_url(address, workspace.root)
        path = sqlite_path(url)
        return url, _data_dir_beside(path) if path else None
    path = workspace.root / Path(address).expanduser()
    if not path.exists():
        raise NotFoundError(f"{place(path)}: no such database or folder")
    config = path / CONFIG_NAME if path.is_dir() else path
    if config.suffix == ".toml" or path.is_dir():
        content = _toml(config)
        url = str(content.get("database", {}).get("url", "sqlite:///spinneret.db"))
        return resolve_url(url, config.parent), _data_dir(config, content)
    return sqlite_url(path.resolve()), _data_dir_beside(path.resolve())


def active_campaign_of(workspace: Workspace, address: str) -> str:
    """Return the name of the active campaign of another database.

    Raises:
        NotFoundError, DatabaseError: no such database, or no active campaign in it.
    """
    url, _ = other_database(workspace, address)
    with Database.open(url) as database, database.read() as tx:
        record = tx.campaigns.active()
        if record is None:
            names = ", ".join(campaign.name for campaign in tx.campaigns.all()) or "none"
            raise StateError(
                f"{place(database.name)} has no active campaign; name one with "
                f"{field('campaign')} ({names})"
            )
        return record.name


def require_source(workspace: Workspace, definition: SourceDefinition) -> None:
    """See that what a definition names is there; its runs are not read.

    Raises:
        NotFoundError, DataError, DatabaseError: it is not, or is something else.
    """
    if definition.path is not None:
        path = workspace.root / Path(definition.path).expanduser()
        if not path.exists():
            raise NotFoundError(f"{place(path)}: no such file or folder")
    if definition.campaign is None:
        return
    if definition.database is None:
        with workspace.database.read() as tx:
            is_there = tx.campaigns.get(definition.campaign) is not None
    else:
        url, _ = other_database(workspace, definition.database)
        with Database.open(url) as database, database.read() as tx:
            is_there = tx.campaigns.get(definition.campaign) is not None
    if not is_there:
        raise NotFoundError(f"there is no campaign '{definition.campaign}' there any more")


def same_database(url: str, other_url: str) -> bool:
    """Whether two URLs mean one database."""
    paths = sqlite_path(url), sqlite_path(other_url)
    if paths[0] is not None and paths[1] is not None:
        return paths[0].resolve() == paths[1].resolve()
    return url == other_url


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"{place(path)}: no such configuration") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{place(path)} cannot be read: {error}") from error


def _data_dir(config: Path, content: Mapping[str, Any]) -> Path:
    folder = str(content.get("storage", {}).get("data_dir", "spinneret-data"))
    return config.parent / Path(folder).expanduser()


def _data_dir_beside(database: Path) -> Path | None:
    config = database.parent / CONFIG_NAME
    if not config.is_file():
        return None
    content = _toml(config)
    url = str(content.get("database", {}).get("url", "sqlite:///spinneret.db"))
    theirs = sqlite_path(resolve_url(url, config.parent))
    # A config.toml beside it may be another database's; its data folder would hold other pictures.
    is_that_database = theirs is not None and theirs.resolve() == database.resolve()
    return _data_dir(config, content) if is_that_database else None
