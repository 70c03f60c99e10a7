"""``engine source add electrospinning-data``: public records as a source, whole or not at all.

What was downloaded becomes a table in the data folder, in the campaign's units, and is read like
any other table; version, citation and what was lost stand with the source.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db.records import SourceKind
from engine.campaign.units import UnitError, check_unit, conversion
from engine.errors import DataError, StateError, UsageError, nearest_name, place
from engine.sources import manage
from engine.sources.definition import Origin, make_definition
from engine.sources.electrospinning_data.connection import connected
from engine.sources.electrospinning_data.fields import NAME, QUANTITIES, TITLE
from engine.sources.electrospinning_data.table import DataRequest, DataTable, table_of, table_units
from engine.workspace import Workspace
from engine.workspace.files import write_aside
from surrogate.private_files import make_folder
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    from electrospinning_data_client import Client, VersionInfo

FOLDER = "sources"
LATEST = "latest"


def read_ranges(ranges: Mapping[str, str]) -> dict[str, tuple[float | None, float | None]]:
    """Return ``voltage: "10:30"`` as numbers; an end left empty is open.

    Raises:
        UsageError: no such quantity, or no range.
    """
    limits: dict[str, tuple[float | None, float | None]] = {}
    for name, text in ranges.items():
        _refuse_unknown(name, "range")
        ends = text.split(":")
        try:
            low, high = (float(end) if end.strip() else None for end in ends)
        except ValueError:
            low = high = math.nan
        if any(end is not None and not math.isfinite(end) for end in (low, high)) or (
            low is not None and high is not None and low > high
        ):
            raise UsageError(
                f"{name}: expected LOW:HIGH, such as 10:30, got '{text}'", field="range"
            )
        limits[name] = (low, high)
    return limits


def add_public(
    workspace: Workspace,
    name: str,
    request: DataRequest,
    *,
    version: str = LATEST,
    mapping: Mapping[str, Any] | None = None,
    of_all: bool = False,
    progress: Progress = silent,
    address: str | None = None,
) -> manage.Described:
    """Download records and record them as a source.

    Args:
        workspace: whose database and active campaign; the table lies in its data folder.
        name: what the source is to be called.
        request: which records.
        version: of the dataset, or its DOI; ``latest``: the newest one, recorded by its name.
        mapping: names and units as of `engine.sources.manage.read_mapping`; units are those of
            values that state none.
        of_all: whether it serves every campaign of the database.
        progress: told of each piece of the download [kB].
        address: of the server, where it is another one.

    Raises:
        UsageError: the client is not installed; a name, unit or range that cannot be.
        StateError: the server cannot be reached; the data folder cannot be written.
        NotFoundError, DataError: no such version, no such record, nothing in common.
        ConflictError: a source of that name exists already.
    """
    _, campaign = manage.refuse_name(workspace, name)
    mapping = dict(mapping or {})
    given_units = _stated_units(mapping.pop("units", {}), table_units(campaign))
    with connected(progress, address=address) as client:
        info = _version(client, version)
        identifier = info.version_identifier if info else LATEST
        documents = _documents(client, identifier, request)
        table = table_of(documents, campaign, request, given_units)
    if info and not request.filters and 0 < info.record_count != len(documents):
        note = f"version {identifier} announces {info.record_count} records, {len(documents)} came"
        table = replace(table, notes=(note, *table.notes))
    path, is_new = _store(workspace, table)
    try:
        definition = make_definition(
            kind=SourceKind.TABLE,
            path=manage.kept_path(workspace, path),
            origin=_origin(identifier, info, request, given_units, table),
            **mapping,
        )
        return manage.add(workspace, name, definition, of_all=of_all)
    except BaseException:
        if is_new:
            path.unlink(missing_ok=True)
        raise


def _stated_units(units: Mapping[str, str], targets: Mapping[str, str]) -> dict[str, str]:
    for name, unit in units.items():
        _refuse_unknown(name, "unit")
        try:
            check_unit(unit)
            conversion(unit, targets[name])
        except UnitError as error:
            raise UsageError(f"{name}={unit}: {error}", field="unit") from error
    return dict(units)


def _refuse_unknown(name: str, option: str) -> None:
    if name not in QUANTITIES:
        raise UsageError(
            f"{TITLE} has no '{name}'.{nearest_name(name, QUANTITIES)} It has: "
            f"{', '.join(QUANTITIES)}",
            field=option,
        )


def _version(client: Client, version: str) -> VersionInfo | None:
    """Return the version asked for; None where the database has not released any."""
    versions: Sequence[VersionInfo] = client.versions()
    if version == LATEST:
        return max(versions, key=lambda info: info.created_at, default=None)
    for info in versions:
        if version in (info.version_identifier, info.doi):
            return info
    names = [info.version_identifier for info in versions]
    raise UsageError(
        f"{TITLE} has no version '{version}'.{nearest_name(version, names)} It has: "
        f"{', '.join(names) or 'none'}",
        field="version",
    )


def _documents(client: Client, version: str, request: DataRequest) -> list[Any]:
    """Return the records as JSON types.

    Raises:
        DataError: the answer is no list of records.
    """
    with tempfile.TemporaryDirectory(prefix="electrospinning-data-") as folder:
        path = Path(folder) / "records.json"
        # Through a file, as the client's frames leave out what it cannot read, and say nothing.
        client.export_file(str(path), "json", version, request.filters)
        answer = json.loads(path.read_bytes())
    if isinstance(answer, dict):
        answer = answer.get("data")
    if not isinstance(answer, list):
        raise DataError(f"{TITLE} answered without a list of records; nothing was recorded")
    if not answer:
        terms = ", ".join(f"{key} {value}" for key, value in request.summary.items())
        raise DataError(f"{TITLE} has no record{f' of {terms}' if terms else ''} in {version}")
    return answer


def _store(workspace: Workspace, table: DataTable) -> tuple[Path, bool]:
    """Write the table into the data folder, by its content; return whether it is new there."""
    content = table.text.encode()
    folder = workspace.data_dir / FOLDER
    path = folder / f"{NAME}-{hashlib.sha256(content).hexdigest()[:16]}.csv"
    if path.is_file() and path.read_bytes() == content:
        return path, False
    try:
        make_folder(folder)
    except OSError as error:
        raise StateError(f"{place(folder)} cannot be made: {error.strerror or error}") from error
    write_aside(path, content)
    return path, True


def _origin(
    version: str,
    info: VersionInfo | None,
    request: DataRequest,
    given_units: Mapping[str, str],
    table: DataTable,
) -> Origin:
    def line(text: object) -> str:
        return re.sub(r"[^\x20-\x7e\xa0-\uffff]+", " ", str(text or ""))[:200].strip()

    return Origin(
        database=TITLE,
        version=line(version),
        released=line(info.created_at if info else ""),
        retrieved=f"{datetime.now(UTC):%Y-%m-%d}",
        filters=request.summary,
        units=dict(given_units),
        doi=line(info.doi if info else ""),
        licence=line(info.license if info else ""),
        works=table.works,
        notes=table.notes,
    )
