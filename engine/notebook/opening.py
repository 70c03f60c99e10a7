"""A lab for a folder: opened, or begun from a template or a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from engine.errors import NotFoundError, StateError, UsageError, nearest_name, place
from engine.notebook.arguments import Folder
from engine.notebook.frames import as_file
from engine.notebook.lab import Lab
from engine.workspace import Workspace
from engine.workspace.settings import CONFIG_NAME


def open(folder: Folder = ".", *, campaign: str | None = None) -> Lab:
    """Open a campaign's folder: the one that holds config.toml (a file's path will do, too).

    The lab stays in its campaign, whichever others switch to.

    Args:
        folder: of the campaign.
        campaign: its name; the command line's (`engine campaign use`) if left out.

    Raises:
        ConfigError: no configuration, or one that cannot be used.
        DatabaseError: no database, or not this version's.
        NotFoundError: no such campaign, or none at all.
    """
    config = _config_path(folder)
    with Workspace.open(config.absolute()) as workspace, workspace.database.read() as tx:
        if campaign is None:
            record, _ = workspace.active_campaign(tx)
            return Lab(config, record.id)
        names = {record.name: record.id for record in tx.campaigns.all()}
    if campaign not in names:
        raise NotFoundError(
            f"there is no campaign '{campaign}'.{nearest_name(campaign, names)} "
            f"Recorded: {', '.join(names) or 'none'}"
        )
    return Lab(config, names[campaign])


def create(
    folder: Folder,
    *,
    template: str | None = None,
    name: str | None = None,
    table: pd.DataFrame | Folder | None = None,
    objectives: Sequence[str] | Mapping[str, str] = (),
    ambient: Sequence[str] = (),
    controlled: Sequence[str] = (),
    leave_out: Sequence[str] = (),
) -> Lab:
    """Begin a campaign in a folder, as `engine init` does; the folder is made if need be.

    Args:
        folder: where config.toml and the database go.
        template: nanofibre (unless said otherwise), blank or mixture.
        name: the campaign's name; the template's if left out.
        table: results that you have (a frame or a file), from which the campaign is drafted and
            with which it is filled, in place of a template.
        objectives: what is wanted of the table's results: ``["strength:max:5", "cost:min"]`` or
            ``{"strength": "max:5", "cost": "min"}``; guessed if left out.
        ambient: columns of the table that the room gives.
        controlled: columns that are set.
        leave_out: columns that are neither.

    Raises:
        UsageError: no such template or column, or both a template and a table.
        DataError: the table cannot be read, or rows of it cannot be taken.
        StateError: something is there already.
    """
    from engine.workspace.init import initialise

    beside_table = objectives or ambient or controlled or leave_out
    if table is not None and template is not None:
        raise UsageError("expected a template or a table, got both; keep one", field="template")
    if table is None and beside_table:
        raise UsageError(
            "objectives, ambient, controlled and leave_out say what a table's columns are; give "
            "the table, or change config.toml"
        )
    config = _config_path(folder)
    is_new_folder = not config.parent.exists()
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"{place(config.parent)} cannot be made: {error.strerror}") from error
    try:
        if table is None:
            return Lab(config, initialise(config, template=template, name=name).campaign.id)
        columns = {"ambient": ambient, "controlled": controlled, "leave_out": leave_out}
        return _create_from_table(config, table, name, objectives, columns)
    except BaseException:
        if is_new_folder:
            config.parent.rmdir()
        raise


def _create_from_table(
    config: Path,
    table: pd.DataFrame | Folder,
    name: str | None,
    objectives: Sequence[str] | Mapping[str, str],
    columns: Mapping[str, Sequence[str]],
) -> Lab:
    from engine.drafts.create import create_from_table
    from engine.drafts.wishes import Wishes, read_wish

    texts = (
        [f"{outcome}:{aim}" for outcome, aim in objectives.items()]
        if isinstance(objectives, Mapping)
        else objectives
    )
    wishes = Wishes(
        objectives=tuple(map(read_wish, texts)),
        ambient=tuple(columns["ambient"]),
        controlled=tuple(columns["controlled"]),
        leave_out=tuple(columns["leave_out"]),
        name=name,
    )
    if isinstance(table, str | Path):
        create_from_table(config, Path(table), wishes)
    else:
        with as_file(table) as path:
            create_from_table(config, path, replace(wishes, name=name or "campaign"))
    return open(config)


def _config_path(folder: Folder) -> Path:
    path = Path(folder).expanduser()
    return path if path.suffix == ".toml" else path / CONFIG_NAME
