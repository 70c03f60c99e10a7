"""``engine db``: where the database is, its revision, its soundness, its copies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import print_json, say

if TYPE_CHECKING:
    from engine.workspace.settings import Settings

_HELP = "The database: its place, revision, soundness and copies."


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None)
    group.command()(path)
    group.command()(upgrade)
    group.command()(check)
    group.command()(backup)
    group.command()(copy)
    app.add_typer(group, name="db")


def path(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print where the database is.

    Its file, or its URL without the password. A file need not exist yet: `engine init` makes it.
    """
    from db.urls import display_name, sqlite_path

    url = _url(config)
    file = sqlite_path(url)
    if as_json:
        exists = None if file is None else file.is_file()
        print_json({"database": display_name(url), "exists": exists})
    else:
        typer.echo(display_name(url))


def upgrade(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Bring the database to this version's revision.

    All in one transaction: if it fails or is killed, the database is as it was. Make a copy with
    `engine db backup` first all the same.
    """
    from db import schema
    from db.urls import display_name

    url = _url(config)
    old_revision, new_revision = schema.upgrade(url)
    if as_json:
        print_json({"database": display_name(url), "from": old_revision, "to": new_revision})
    elif old_revision == new_revision:
        typer.echo(f"{display_name(url)} is at revision {new_revision} already; nothing to do.")
    else:
        typer.echo(f"{display_name(url)}: revision {old_revision} → {new_revision}.")


def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what is wrong with the database, if anything.

    Exits with 1 if something is. Reads every page and index; looks for rows naming others that do
    not exist, for tables that differ from what this version expects, and for statuses and
    corrections that contradict their history. Writes nothing.
    """
    from db import schema
    from db.files import log_bytes
    from db.urls import display_name, sqlite_path

    url = _url(config)
    path = sqlite_path(url)
    # Before it is opened: closing it may bring the log in.
    n_bytes = 0 if path is None else log_bytes(path)
    findings = schema.check(url)
    if n_bytes:
        say(
            f"{n_bytes / 1e3:.0f} kB lay in {display_name(url)}-wal beside the file (a process has "
            "it open, or was killed): copy it with `engine db backup`, never the file alone."
        )
    if as_json:
        document = {"database": display_name(url), "sound": not findings, "findings": findings}
        print_json({**document, "log_bytes": n_bytes})
    elif not findings:
        typer.echo(f"{display_name(url)} is sound (revision {schema.HEAD}).")
    else:
        say(f"{display_name(url)}:\n" + "\n".join(f"  {finding}" for finding in findings))
    if findings:
        raise typer.Exit(1)


def backup(
    target: Annotated[
        Path | None,
        typer.Argument(
            help="File to make, or a folder to make it in.",
            show_default="beside the database, named after it and the time",
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the database, even while others write.

    This is how a database is taken to another machine, with the data folder: while a process has
    it open, or after one was killed, its newest rows lie in the -wal beside the file, and the file
    alone lacks them. Nothing is overwritten. The copy holds everything but the micrographs' files,
    which lie in the data folder. To go back to it, let every command finish, remove the database
    together with the -wal and -shm files beside it, and put the copy in its place (`engine db
    path` tells it).

    A PostgreSQL database is dumped by `pg_dump`, which must be there; `pg_restore --dbname=NAME
    FILE` brings it back into an empty database.
    """
    from db.urls import display_name
    from engine.workspace.databases import back_up

    url, settings = _located(config)
    copy = back_up(url, target, group_readable=settings.storage.group_readable)
    if as_json:
        n_bytes = copy.stat().st_size
        print_json({"database": display_name(url), "backup": str(copy), "n_bytes": n_bytes})
    else:
        typer.echo(f"{display_name(url)} was copied to {copy}.")


def copy(
    target_url: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            help="postgresql+psycopg://… (a database without tables), or sqlite:///FILE (a new "
            "one). A password is better kept in ~/.pgpass or PGPASSWORD.",
        ),
    ],
    campaign: Annotated[
        str | None,
        typer.Option(help="Copy only this campaign.", show_default="the whole database"),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the database, or one campaign, into another: from SQLite to PostgreSQL and back.

    Ids and watermarks stay as they are, so that batches replay. Everything is written in one
    transaction, compared row by row, and only then kept; a target that holds anything is refused.
    With --campaign, users, the schedule and tasks stay behind. Files of the data folder are not
    copied: the answer tells what must be there.
    """
    from db.urls import resolve_url
    from engine.workspace import Workspace
    from engine.workspace.databases import copy_database

    with Workspace.open(config) as workspace:
        data_dir = workspace.data_dir
        target = resolve_url(target_url, Path.cwd())
        copied = copy_database(
            workspace.database.url,
            target,
            campaign=campaign,
            group_readable=workspace.settings.storage.group_readable,
        )
        with workspace.database.read() as tx:
            n_files = tx.overviews.n_files(campaign)
    if as_json:
        print_json(
            {
                "from": copied.source,
                "to": copied.target,
                "campaign": copied.campaign,
                "rows": dict(copied.rows),
                "data_dir": str(data_dir),
                "files": n_files,
            }
        )
        return
    extent = f"campaign '{campaign}'" if campaign else "database"
    typer.echo(
        f"{extent} copied from {copied.source} to {copied.target}: {copied.n_rows:,} rows, each "
        "compared with its original."
    )
    if n_files:
        say(
            f"the rows name {n_files:,} files of {data_dir} (micrographs, models), which were "
            "not copied: let data_dir in the other config.toml name that folder or a copy of it "
            "(rsync -a)."
        )
    say("next: set url in [database] of config.toml, then `engine db check` and `engine status`.")


def _url(config: Path | None) -> str:
    """Return the database's URL without opening it: it may be missing, old or damaged."""
    return _located(config)[0]


def _located(config: Path | None) -> tuple[str, Settings]:
    from db.urls import resolve_url
    from engine.workspace.settings import find_config, load_settings

    config_path = find_config(config)
    settings = load_settings(config_path)
    return resolve_url(settings.database.url, config_path.parent), settings
