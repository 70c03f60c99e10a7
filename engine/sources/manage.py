"""``engine source``: what a model is to be pretrained on. References are kept, never copies."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.records import CampaignRecord, SourceKind, SourceRecord
from engine.campaign import Campaign
from engine.errors import (
    ConfigError,
    NotFoundError,
    UsageError,
    by_voice,
    field,
    nearest_name,
    place,
)
from engine.experiments.conditions import map_names
from engine.sources.base import base_words
from engine.sources.databases import active_campaign_of
from engine.sources.definition import SourceDefinition, check_name, definition_from, make_definition
from engine.sources.matching import Language, Understood, common_language, refuse_strangers
from engine.sources.reading import SourceData, read_definition, read_source, refuse_own_runs
from engine.workspace import Workspace

_MAPPING_KEYS = {"names", "units", "nm_per_pixel", "sheet", "encoding", "hidden"}


@dataclass(frozen=True)
class Described:
    """A source with everything that is to be told of it.

    ``data`` and what follows it are missing where the source cannot be read now; ``problem`` says
    why. ``has_changed``: what was read differs from what was read when the source was added.
    """

    record: SourceRecord
    definition: SourceDefinition
    data: SourceData | None = None
    language: Language | None = None
    problem: str | None = None

    @property
    def understood(self) -> Understood | None:
        """What the model understands of it."""
        return self.language.sources[self.record.name] if self.language else None

    @property
    def has_changed(self) -> bool:
        """Whether it reads otherwise than when it was added."""
        return self.data is not None and self.data.fingerprint != self.record.fingerprint


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a mapping file: ``[names]`` ours = theirs, ``[units]`` name = unit, and two settings.

    Raises:
        ConfigError: no such file, not TOML, or a key that is not known.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{place(path)}: no such file", field="mapping") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{place(path)} cannot be read as TOML: {error}", field="mapping"
        ) from error
    for key, value in content.items():
        if key not in _MAPPING_KEYS:
            raise ConfigError(
                f"{place(path)}: unknown key '{key}'.{nearest_name(key, _MAPPING_KEYS)} "
                f"Known: {', '.join(sorted(_MAPPING_KEYS))}",
                field="mapping",
            )
        if key in ("names", "units") and not (
            isinstance(value, dict) and all(isinstance(word, str) for word in value.values())
        ):
            raise ConfigError(
                f'{place(path)}: expected [{key}] to hold name = "text" lines', field="mapping"
            )
    return content


def definition_of(
    workspace: Workspace,
    *,
    campaign: str | None = None,
    database: str | None = None,
    table: Path | None = None,
    matmcl: Path | None = None,
    simulated: bool = False,
    labs: int | None = None,
    seed: int | None = None,
    mapping: Mapping[str, Any] | None = None,
) -> SourceDefinition:
    """Return the definition that the command's words ask for.

    A path that lies in the workspace, or was given as a relative one, is kept relative to the
    workspace, so that folders which move together still find one another; others are absolute.

    Raises:
        UsageError: none or several kinds of source, or options that belong to another kind.
    """
    requested = {
        SourceKind.DATABASE: database is not None,
        SourceKind.TABLE: table is not None,
        SourceKind.MATMCL: matmcl is not None,
        SourceKind.SIMULATED: simulated,
    }
    kinds = [kind for kind, is_requested in requested.items() if is_requested]
    if campaign is not None and not kinds:
        kinds = [SourceKind.CAMPAIGN]
    *options, last = (
        field(name) for name in ("campaign", *(map(str, requested)), "electrospinning_data")
    )
    if len(kinds) != 1:
        raise UsageError(
            f"expected one of {', '.join(options)} or {last}, got {len(kinds) or 'none'} of them"
        )
    (kind,) = kinds
    if campaign is not None and kind not in (SourceKind.CAMPAIGN, SourceKind.DATABASE):
        raise UsageError(
            f"is for campaigns of this or (with {field('database')}) another one", field="campaign"
        )
    if (labs is not None or seed is not None) and kind is not SourceKind.SIMULATED:
        raise UsageError(f"{field('labs')} and {field('seed')}: are for {field('simulated')} labs")
    values: dict[str, Any] = {"kind": kind, **(mapping or {})}
    for name in ("sheet", "encoding", "hidden"):
        if values.get(name) and kind is not SourceKind.TABLE:
            raise UsageError(f"is for {field('table')}", field=name)
    if kind is SourceKind.SIMULATED:
        values |= {"labs": 256 if labs is None else labs, "seed": 0 if seed is None else seed}
    elif kind in (SourceKind.TABLE, SourceKind.MATMCL):
        values["path"] = kept_path(workspace, table or matmcl or Path())
    else:
        values["campaign"] = campaign
    if database is not None:
        values["database"] = database if "://" in database else kept_path(workspace, Path(database))
        # Fixed now: somebody may switch campaigns over there.
        values["campaign"] = campaign or active_campaign_of(workspace, values["database"])
    return make_definition(**values)


def kept_path(workspace: Workspace, path: Path) -> str:
    """Return a path as a definition keeps it: relative to the workspace where that makes sense."""
    resolved, root = path.expanduser().resolve(), workspace.root.resolve()
    if resolved.is_relative_to(root):
        return resolved.relative_to(root).as_posix()
    # `~/runs.csv` names a place of this machine, as an absolute path does. On Windows there is no
    # way from one drive to another.
    if path.expanduser().is_absolute() or resolved.anchor != root.anchor:
        return str(resolved)
    return Path(os.path.relpath(resolved, root)).as_posix()


def add(
    workspace: Workspace, name: str, definition: SourceDefinition, *, of_all: bool = False
) -> Described:
    """Read a source, see that the active campaign understands it, and record it.

    Args:
        workspace: whose database and active campaign.
        name: what it is to be called.
        definition: where it is.
        of_all: whether it serves every campaign of the database, not only the active one.

    Raises:
        UsageError: a name that cannot be, a mapping of what is not there, or the campaign itself.
        NotFoundError, DataError, DatabaseError: it cannot be read, or has nothing in common.
        ConflictError: a source of that name exists already.
    """
    # Before the source is read, which may take minutes; the constraint decides in the end.
    record, campaign = refuse_name(workspace, name)
    names = map_names(campaign, definition.names, "map")
    definition = definition.model_copy(update={"names": names})
    data, _ = refuse_own_runs(workspace, read_definition(workspace, name, definition))
    language = common_language(campaign, base_words(), [data.vocable])
    understood = language.sources[name]
    refuse_strangers(
        campaign, data.vocable, understood, has_pictures=data.n_scaled > 0, notes=data.notes
    )
    with workspace.database.write("source add", detail=f"{name}: {definition.place}") as tx:
        added = tx.sources.add(
            None if of_all else record.id,
            name=name,
            kind=definition.kind,
            definition=definition.as_json(),
            fingerprint=data.fingerprint,
        )
    return Described(added, definition, data, language)


def refuse_name(workspace: Workspace, name: str) -> tuple[CampaignRecord, Campaign]:
    """Refuse a name that cannot be or is taken; return the active campaign.

    Raises:
        UsageError: no name.
        ConflictError: a source of that name exists already.
    """
    from db.errors import ConflictError

    check_name(name)
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        is_taken = any(source.name == name for source in tx.sources.find(record.id))
    if is_taken:
        raise ConflictError(
            f"a source '{name}' exists already",
            mend=f"choose another name, or take that one away first: `engine source remove {name}`",
        )
    return record, campaign


def sources_of(
    workspace: Workspace, names: Sequence[str] = ()
) -> tuple[Campaign, int, list[SourceRecord]]:
    """Return the active campaign, its id, and its sources (those of ``names``, or all).

    Raises:
        NotFoundError: no source of that name.
    """
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        sources = tx.sources.find(record.id)
    recorded = [source.name for source in sources]
    none = f"none; add one{by_voice(' with `engine source add`', '')}"
    for name in names:
        if name not in recorded:
            raise NotFoundError(
                f"there is no source '{name}'.{nearest_name(name, recorded)} "
                f"Recorded: {', '.join(recorded) or none}"
            )
    return campaign, record.id, [s for s in sources if not names or s.name in names]


def describe(workspace: Workspace, name: str) -> Described:
    """Read a source anew and say what the active campaign's model understands of it.

    Raises:
        NotFoundError: no source of that name, or what it refers to is gone.
        DataError, DatabaseError: it cannot be read.
    """
    campaign, _, (record,) = sources_of(workspace, [name])
    # To be described it may be all of them.
    data, _ = refuse_own_runs(workspace, read_source(workspace, record), most_share=1.0)
    language = common_language(campaign, base_words(), [data.vocable])
    return Described(record, data.definition, data, language)


def list_sources(workspace: Workspace) -> list[Described]:
    """Return the active campaign's sources, without reading them."""
    _, _, records = sources_of(workspace)
    return [
        Described(source, definition_from(source.definition, source.name)) for source in records
    ]


def remove(workspace: Workspace, name: str) -> SourceRecord:
    """Take a source out of use. Models that were trained on it stay as they are.

    Raises:
        NotFoundError: no source of that name.
    """
    _, _, (record,) = sources_of(workspace, [name])
    with workspace.database.write("source remove", detail=name) as tx:
        tx.sources.remove(record.id)
    return record
