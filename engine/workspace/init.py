"""``engine init``: a commented config.toml, the database, the campaign; whole or not at all."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from db.records import CampaignRecord
from db.schema import exists
from db.session import Database
from db.urls import display_name, resolve_url
from engine.campaign import Campaign
from engine.errors import ConfigError, StateError, UsageError, by_voice, field, place
from engine.workspace.databases import create_database
from engine.workspace.files import write_aside
from engine.workspace.settings import Settings, load_settings, parse_campaign
from surrogate.private_files import file_mode, protect

TEMPLATES = ("nanofibre", "blank", "mixture")


@dataclass(frozen=True)
class Initialised:
    """What ``engine init`` made: ``is_new_config`` and ``is_new_database`` tell what was there."""

    config_path: Path
    database: str
    campaign: CampaignRecord
    is_new_config: bool
    is_new_database: bool
    kept_config: Path | None = None


def template_text(template: str, name: str | None = None) -> str:
    """Return the whole config.toml of a template, its campaign called ``name`` if given.

    Raises:
        UsageError: no such template, or a name that a campaign cannot have.
    """
    if template not in TEMPLATES:
        raise UsageError(
            f"expected one of {', '.join(TEMPLATES)}, got '{template}'", field="template"
        )
    folder = resources.files("engine") / "templates"
    settings = (folder / "_settings.toml").read_text(encoding="utf-8")
    campaign = (folder / f"{template}.toml").read_text(encoding="utf-8")
    if name is not None:
        # As a basic string of TOML; a backslash first, or those of the quotes were doubled.
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        line = f'name = "{quoted}"'
        # A function, as a replacement string would read backslashes in the name. The first `name`
        # of the file is the campaign's. Text and not TOML is edited, to keep the comments.
        campaign = re.sub(r'^name = ".*"$', lambda _: line, campaign, count=1, flags=re.MULTILINE)
        try:
            parse_campaign(tomllib.loads(campaign)["campaign"], field("name"))
        except (ConfigError, tomllib.TOMLDecodeError) as error:
            raise UsageError(
                f"expected letters, digits, blanks, '_', '.', '-', got '{name}'", field="name"
            ) from error
    return f"{settings.rstrip()}\n\n{campaign.rstrip()}\n"


def initialise(
    config_path: Path,
    *,
    template: str | None = None,
    name: str | None = None,
    text: str | None = None,
    force: bool = False,
) -> Initialised:
    """Make what a new campaign needs, in the folder of ``config_path``.

    A config.toml that is there already is used as it is (edit first, then init), unless a template
    or name is asked for, or its ``text`` is given: that is refused, or with ``force`` the old file
    is kept beside the new one. A database is never overwritten: with ``force`` the campaign is
    added to the one there. A step that fails, or a killed process, leaves nothing half-written;
    run it again.

    Raises:
        UsageError, ConfigError: no such template, or the configuration cannot be used.
        StateError: something is there already; the message tells how to go on.
        DatabaseError: the database cannot be made.
    """
    config_path = config_path.absolute()
    if not config_path.parent.is_dir():
        raise UsageError(f"{place(config_path.parent)}: no such folder; make it first")
    is_there = config_path.exists()
    wants_template = template is not None or name is not None or text is not None
    if is_there and wants_template and not force:
        raise StateError(
            f"{place(config_path)} exists: without {field('template')} and {field('name')}, its "
            f"campaign is recorded; with {field('force')} a new one takes its place (the old one "
            "is kept)"
        )
    is_new = wants_template or not is_there
    former = None
    if is_new:
        text = text or template_text(template or "nanofibre", name)
        former = keep_beside(config_path) if is_there else None
        # A URL of [database] may hold a password. The settings may let the group read it; they are
        # known once it is there.
        write_aside(config_path, text, mode=file_mode(group_readable=False))
    try:
        settings = load_settings(config_path)
        if is_new:
            protect(config_path, file_mode(group_readable=settings.storage.group_readable))
        campaign = _campaign(settings, config_path)
        url = resolve_url(settings.database.url, config_path.parent)
        record, is_new_database = _record(url, settings, campaign, force=force)
    except BaseException:
        if former is not None:
            former.replace(config_path)
        elif is_new:
            config_path.unlink(missing_ok=True)
        raise
    return Initialised(config_path, display_name(url), record, is_new, is_new_database, former)


def _campaign(settings: Settings, config_path: Path) -> Campaign:
    if settings.campaign is None:
        raise ConfigError(
            f"{place(config_path)}: expected a [campaign] table, found none; add one, or start "
            f"from a template{by_voice(': `engine init --template blank --force`', '')}"
        )
    return settings.campaign


def _record(
    url: str, settings: Settings, campaign: Campaign, *, force: bool
) -> tuple[CampaignRecord, bool]:
    """Record the campaign: in a new database, or in one that lacks it."""
    if not exists(url):

        def fill(database: Database) -> None:
            _create_campaign(database, campaign)

        create_database(url, fill=fill, group_readable=settings.storage.group_readable)
        with Database.open(url) as database, database.read() as tx:
            record = tx.campaigns.get(campaign.name)
        assert record is not None  # noqa: S101 -- written above
        return record, True
    with Database.open(
        url,
        busy_timeout_s=settings.database.busy_timeout_s,
        wait_s=settings.database.wait_s,
    ) as database:
        with database.read() as tx:
            names = [record.name for record in tx.campaigns.all()]
        # Told before `force` is asked for, which would not help here.
        if campaign.name in names:
            raise StateError(
                f"{place(database.name)} holds the campaign '{campaign.name}' already: go on with "
                f"it{by_voice(' (`engine status`)', '')}, record an edit of it"
                f"{by_voice(' with `engine campaign revise`', '')}, or choose another "
                f"{field('name')}"
            )
        if names and not force:
            raise StateError(
                f"{place(database.name)} exists and holds {', '.join(names)}; {field('force')} "
                f"adds the campaign '{campaign.name}' to it and makes it the active one"
            )
        return _create_campaign(database, campaign), False


def _create_campaign(database: Database, campaign: Campaign) -> CampaignRecord:
    with database.write("init", detail=f"campaign {campaign.name}") as tx:
        return tx.campaigns.create(campaign.name, campaign.definition())


def keep_beside(path: Path) -> Path:
    """Copy the file beside itself under the first free name ``config.toml.1``, ``.2``, …"""
    n = 1
    while (former := path.with_name(f"{path.name}.{n}")).exists():
        n += 1
    write_aside(former, path.read_text(encoding="utf-8"), mode=file_mode(group_readable=False))
    return former
