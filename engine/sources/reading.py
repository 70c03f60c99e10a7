"""A source's runs, read anew each time: conditions and outcomes by its own names, in its own units.

Nothing is copied: what was read is known by its fingerprint, a SHA-256 of every definition, value
and picture that came along.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from db.records import ExperimentRecord, MicrographRecord, SourceKind, SourceRecord, Status
from db.session import Database
from db.transaction import Transaction
from engine.campaign import Campaign
from engine.errors import DataError, NotFoundError, UsageError, place
from engine.errors import field as field_mark
from engine.sources.axes import Axis, axes_of
from engine.sources.databases import other_database, same_database
from engine.sources.definition import SourceDefinition, definition_from
from engine.sources.matching import Outcome, Vocable
from engine.sources.runs import Picture, SourceContent, SourceRun, outcomes_of
from engine.workspace import Workspace, definition_of


@dataclass(frozen=True)
class SourceData:
    """Everything read from one source.

    ``fingerprint``: SHA-256 of what was read. ``notes``: what the user should know of it.
    """

    name: str
    definition: SourceDefinition
    axes: tuple[Axis, ...]
    outcomes: tuple[Outcome, ...]
    runs: tuple[SourceRun, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()
    watermark: int | None = None
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def vocable(self) -> Vocable:
        """What the source says of itself."""
        return Vocable(self.name, self.axes, self.outcomes, self.links)

    @property
    def n_pictures(self) -> int:
        """How many micrographs its runs have."""
        return sum(len(run.pictures) for run in self.runs)

    @property
    def n_scaled(self) -> int:
        """How many of them have a pixel size, without which they cannot be learnt from."""
        return sum(p.nm_per_pixel is not None for run in self.runs for p in run.pictures)


def read_source(workspace: Workspace, record: SourceRecord) -> SourceData:
    """Read a recorded source.

    Raises:
        NotFoundError, DataError, DatabaseError: it is not there any more, or cannot be read.
        UsageError: it is the campaign itself.
    """
    definition = definition_from(record.definition, record.name)
    return read_definition(workspace, record.name, definition)


def read_definition(workspace: Workspace, name: str, definition: SourceDefinition) -> SourceData:
    """Read what a definition names, for the active campaign.

    Raises:
        NotFoundError, DataError, DatabaseError: it is not there, or cannot be read.
        UsageError: it is the active campaign itself, or units of names that it has not.
    """
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        if definition.kind is SourceKind.CAMPAIGN:
            if definition.campaign == record.name:
                raise _itself(record.name)
            content = _campaign(tx, str(definition.campaign), workspace.data_dir)
    if definition.kind is SourceKind.DATABASE:
        content = _database(workspace, definition, record.name)
    elif definition.kind is SourceKind.SIMULATED:
        from engine.sources.simulated import read_simulated

        content = read_simulated(definition)
    elif definition.kind in (SourceKind.TABLE, SourceKind.MATMCL):
        from engine.sources.tables import read_matmcl, read_table_source

        reader = read_table_source if definition.kind is SourceKind.TABLE else read_matmcl
        limit = workspace.settings.imports.max_rows
        content = reader(place_of(workspace, definition), definition, campaign, limit)
    if not content.runs:
        raise DataError(
            f"source '{name}': expected finished runs with results in {definition.place}, found "
            "none; there is nothing to learn from"
        )
    content = _with_units(content, definition, name)
    return SourceData(
        name,
        definition,
        content.axes,
        content.outcomes,
        _with_scale(content.runs, definition.nm_per_pixel),
        _fingerprint(content),
        content.notes,
        content.watermark,
        definition.names if content.links is None else content.links,
    )


def place_of(workspace: Workspace, definition: SourceDefinition) -> Path:
    """Return a source's file or folder; relative paths count from the folder of config.toml."""
    return workspace.root / Path(definition.path or "").expanduser()


def refuse_own_runs(
    workspace: Workspace, data: SourceData, *, most_share: float = 0.5
) -> tuple[SourceData, int]:
    """Leave out runs whose very results the active campaign has recorded; return how many.

    Heads that were fitted on a campaign's own results say of them what they were told, and the
    surrogate's trust in them would be misplaced.

    Raises:
        DataError: more than ``most_share`` of the runs are the campaign's own.
    """
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        own_results = {_signature(e.replicates()) for e in tx.experiments.find(record.id)}
    # Runs without results have nothing in common with one another.
    own_results.discard(())
    foreign_runs = tuple(run for run in data.runs if _signature(run.outcomes) not in own_results)
    n_own = len(data.runs) - len(foreign_runs)
    if n_own > most_share * len(data.runs):
        raise DataError(
            f"source '{data.name}': {n_own} of its {len(data.runs)} runs are recorded in the "
            f"campaign '{record.name}' itself. A model that has learnt a campaign's own results is "
            "sure of them for no good reason; use runs that were made elsewhere."
        )
    if not n_own:
        return data, 0
    note = f"{n_own} runs left out: the campaign '{record.name}' has recorded them itself"
    return replace(data, runs=foreign_runs, notes=(*data.notes, note)), n_own


def _signature(outcomes: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """Return what tells one run's results from another's; a single value tells nothing."""
    # Nine digits, as a table that was written and read again may differ in the last ones; sorted,
    # as outcomes may be called otherwise elsewhere.
    values = sorted(f"{value:.9g}" for values in outcomes.values() for value in values)
    return tuple(values) if len(values) > 1 else ()


def _itself(name: str) -> UsageError:
    return UsageError(
        f"'{name}' is the active campaign: it cannot be a source of its own model. Its results "
        "are learnt from at each proposal anyway; name another campaign"
    )


def _campaign(tx: Transaction, name: str, data_dir: Path | None) -> SourceContent:
    record = tx.campaigns.get(name)
    if record is None:
        names = ", ".join(campaign.name for campaign in tx.campaigns.all()) or "none"
        raise NotFoundError(f"there is no campaign '{name}'; recorded are: {names}")
    campaign = definition_of(record)
    experiments = tx.experiments.find(record.id, status=[Status.COMPLETED])
    runs = [run_of(run_record, campaign, data_dir) for run_record in experiments]
    notes = []
    if data_dir is None and any(run_record.micrographs for run_record in experiments):
        notes.append("its micrographs are left out: no config.toml says where its data folder is")
    return SourceContent(
        axes_of(campaign, [run.conditions for run in runs]),
        outcomes_of(campaign),
        tuple(run for run in runs if run.outcomes),
        tuple(notes),
        tx.watermark(),
    )


def run_of(experiment: ExperimentRecord, campaign: Campaign, data_dir: Path | None) -> SourceRun:
    """Return an experiment as a source tells it; without a data folder, without its pictures."""
    names, outcomes = {p.name for p in campaign.parameters}, set(campaign.outcomes)
    return SourceRun(
        experiment.label or str(experiment.id),
        {k: v for k, v in experiment.conditions.items() if k in names},
        {k: v for k, v in experiment.replicates().items() if k in outcomes},
        tuple(_picture(micrograph, data_dir) for micrograph in experiment.micrographs)
        if data_dir
        else (),
        number=experiment.id,
    )


def _picture(record: MicrographRecord, data_dir: Path) -> Picture:
    path = (data_dir / record.path).resolve()
    # The row is another database's: "../" in it must not reach files of this machine.
    if not path.is_relative_to(data_dir.resolve()):
        raise DataError(f"micrograph {record.id}: its path '{record.path}' leaves the data folder")
    return Picture(path, record.nm_per_pixel, record.crop, record.rotation_axis, record.sha256)


def _database(
    workspace: Workspace, definition: SourceDefinition, own_campaign: str
) -> SourceContent:
    url, data_dir = other_database(workspace, str(definition.database))
    if same_database(url, workspace.database.url) and definition.campaign == own_campaign:
        raise _itself(own_campaign)
    with Database.open(url) as database, database.read() as tx:
        return _campaign(tx, str(definition.campaign), data_dir)


def _with_units(content: SourceContent, definition: SourceDefinition, name: str) -> SourceContent:
    """Give parameters the units that the user states, by the source's names or by ours."""
    stated = dict(definition.units)
    links = definition.names if content.links is None else content.links
    for ours, theirs in links.items():
        if ours in stated:
            stated[theirs] = stated.pop(ours)
    names = {axis.name for axis in content.axes}
    for word, unit in stated.items():
        if word not in names:
            raise UsageError(
                f"{field_mark('unit')} {word}={unit}: source '{name}' has no parameter "
                f"'{word}'. It has: {', '.join(axis.name for axis in content.axes)}"
            )
    axes = tuple(replace(axis, unit=stated.get(axis.name, axis.unit)) for axis in content.axes)
    return replace(content, axes=axes)


def _with_scale(runs: tuple[SourceRun, ...], nm_per_pixel: float | None) -> tuple[SourceRun, ...]:
    """Give a stated pixel size to the pictures that have none."""
    if nm_per_pixel is None:
        return runs
    return tuple(
        replace(
            run,
            pictures=tuple(
                replace(p, nm_per_pixel=p.nm_per_pixel or nm_per_pixel) for p in run.pictures
            ),
        )
        for run in runs
    )


def _fingerprint(content: SourceContent) -> str:
    document = {
        "axes": [[a.name, a.unit, a.low, a.high] for a in content.axes],
        "outcomes": [[o.name, o.unit, o.is_log] for o in content.outcomes],
        "runs": [
            [
                run.lab,
                run.label,
                sorted(run.conditions.items()),
                sorted((name, list(values)) for name, values in run.outcomes.items()),
                [[_content(p), p.nm_per_pixel, p.crop] for p in run.pictures],
            ]
            for run in content.runs
        ],
    }
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _content(picture: Picture) -> str:
    """Return a picture's content hash: as recorded, or from its file."""
    if picture.sha256 is not None:
        return picture.sha256
    try:
        with picture.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{place(picture.path)} cannot be read: {error.strerror}") from error


__all__ = [
    "SourceData",
    "place_of",
    "read_definition",
    "read_source",
    "refuse_own_runs",
    "run_of",
]
