"""The gallery: finished runs with micrographs, of the campaign and of its sources, embedded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from db.errors import DatabaseError
from db.records import ExperimentRecord, SourceKind, SourceRecord, Status
from db.transaction import Transaction
from engine.campaign import Campaign, Value
from engine.errors import DataError, NotFoundError, SpinneretError, by_voice, marked
from engine.retrieval.encoder import Encoder, read_picture
from engine.retrieval.index import Index, Store, key_of
from engine.sources.axes import Axis, axes_of
from engine.sources.reading import SourceData, read_source
from engine.sources.runs import Picture
from engine.workspace import Workspace
from surrogate.progress import Progress, silent

Array = NDArray[np.float64]
Scope = Literal["campaign", "sources", "all"]

# 48 bits: torch takes seeds below 2⁶³.
_SEED_DIGITS = 12
_AT_ONCE = 32  # new embeddings that are kept together


@dataclass(frozen=True)
class Statistics:
    """What a picture shows, as compared here.

    Mean diameter [nm], order S, areal porosity, the diameters' coefficient of variation, the share
    of the covered area that lies in beads. ``is_corrected``: by hand, by a person.
    """

    diameter_nm: float | None = None
    order: float | None = None
    porosity: float | None = None
    spread: float | None = None
    bead_fraction: float | None = None
    is_corrected: bool = field(default=False, kw_only=True)

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> Statistics:
        """Read a micrograph row's statistics; a diameter in pixels is left out.

        Those of another version of the method are not to be compared: nothing is known then.
        """
        from generator.statistics import VERSION

        if not document or document.get("version", VERSION) != VERSION:
            return cls()
        diameter = document.get("diameter") or {}
        mean, sd = diameter.get("mean"), diameter.get("sd")
        return cls(
            diameter_nm=mean if document.get("unit") == "nm" else None,
            order=document.get("order"),
            porosity=document.get("porosity"),
            spread=sd / mean if mean and sd is not None else None,
            bead_fraction=document.get("bead_fraction") if mean else None,
            is_corrected=bool(document.get("corrections")),
        )

    def minus(self, subtrahend: Statistics) -> Statistics:
        """Return the differences, ``None`` where either side is not known."""
        pairs = zip(self.values, subtrahend.values, strict=True)
        return Statistics(*(a - b if a is not None and b is not None else None for a, b in pairs))

    @property
    def in_words(self) -> str:
        """What is known of diameter, order and porosity, for a line of text.

        >>> Statistics(diameter_nm=412.3, porosity=0.81).in_words
        'diameter 412 nm, porosity 0.81'
        """
        statistics = (
            ("diameter", self.diameter_nm, ".0f", " nm"),
            ("order", self.order, ".2f", ""),
            ("porosity", self.porosity, ".2f", ""),
        )
        phrases = [
            f"{name} {value:{form}}{unit}"
            for name, value, form, unit in statistics
            if value is not None
        ]
        return ", ".join([*phrases, "corrected by hand"] if self.is_corrected else phrases)

    @property
    def values(self) -> tuple[float | None, ...]:
        """Diameter, order, porosity, spread, bead fraction."""
        return self.diameter_nm, self.order, self.porosity, self.spread, self.bead_fraction


@dataclass(frozen=True)
class Item:
    """One micrograph of a finished run.

    ``source``: whose gallery it is from, ``None`` for the campaign itself. ``name``: how its run is
    called. ``conditions`` are by the names and in the units of ``axes``, which are the source's
    own. ``experiment_id`` and ``micrograph_id`` are those of the campaign's own database rows.
    """

    source: str | None
    axes: tuple[Axis, ...]
    name: str
    conditions: Mapping[str, Value]
    picture: Picture
    statistics: Statistics = Statistics()
    label: str | None = None
    experiment_id: int | None = None
    micrograph_id: int | None = None

    @property
    def run(self) -> str:
        """How its run is called, and where it is not the campaign's, whose it is."""
        return self.name if self.source is None else f"{self.source}: {self.name}"

    def unit_of(self, name: str) -> str:
        """Return the unit of one of its conditions."""
        return next((axis.unit for axis in self.axes if axis.name == name), "")


@dataclass(frozen=True)
class Gallery:
    """Items with their embeddings; ``notes`` tell what was left out and why."""

    items: tuple[Item, ...]
    index: Index
    notes: tuple[str, ...] = ()


def collect(workspace: Workspace, scope: Scope) -> tuple[list[Item], list[str]]:
    """Return the micrographs of finished runs: of the active campaign, its sources, or all.

    Sources are those that `engine source add` named; one that cannot be read is left out, with a
    note.
    """
    items: list[Item] = []
    notes: list[str] = []
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        sources = tx.sources.find(record.id) if scope != "campaign" else []
        if scope != "sources":
            finished = tx.experiments.find(record.id, status=[Status.COMPLETED], pictured=True)
            items += _of_campaign(workspace, finished, campaign)
            notes += _not_measured(items)
        measured = _measured(tx, sources)
    for source in sources:
        try:
            items += _of_source(read_source(workspace, source), measured)
        except (SpinneretError, DatabaseError) as error:
            notes.append(f"source '{source.name}' is left out: {marked(error)}")
    return items, notes


def _not_measured(items: Sequence[Item]) -> list[str]:
    n = sum(item.statistics == Statistics() for item in items)
    if not n:
        return []
    verb = "micrograph is" if n == 1 else "micrographs are"
    return [
        f"{n} {verb} not measured, or by an older version: "
        + by_voice("`engine micrograph measure --missing`", "measure them on the runs' pages")
    ]


def _of_campaign(
    workspace: Workspace, experiments: Sequence[ExperimentRecord], campaign: Campaign
) -> Iterator[Item]:
    names, axes = {parameter.name for parameter in campaign.parameters}, axes_of(campaign)
    for experiment in experiments:
        conditions = {k: v for k, v in experiment.conditions.items() if k in names}
        for row in experiment.micrographs:
            yield Item(
                source=None,
                axes=axes,
                name=experiment.name,
                label=experiment.label,
                conditions=conditions,
                picture=Picture(
                    workspace.data_dir / row.path,
                    row.nm_per_pixel,
                    row.crop,
                    row.rotation_axis,
                    row.sha256,
                ),
                statistics=Statistics.from_document(row.statistics),
                experiment_id=experiment.id,
                micrograph_id=row.id,
            )


def _measured(tx: Transaction, sources: Sequence[SourceRecord]) -> dict[str, Statistics]:
    """Return what is measured of the pictures of source campaigns in this database, by content."""
    measured: dict[str, Statistics] = {}
    for source in sources:
        name = source.definition.get("campaign")
        if source.kind is not SourceKind.CAMPAIGN or not isinstance(name, str):
            continue
        campaign = tx.campaigns.get(name)
        for experiment in tx.experiments.find(campaign.id, pictured=True) if campaign else []:
            measured |= {
                row.sha256: Statistics.from_document(row.statistics)
                for row in experiment.micrographs
            }
    return measured


def _of_source(data: SourceData, measured: Mapping[str, Statistics]) -> Iterator[Item]:
    for run in data.runs:
        for picture in run.pictures:
            yield Item(
                source=data.name,
                axes=data.axes,
                name=run.name,
                label=run.label,
                conditions=run.conditions,
                picture=picture,
                statistics=measured.get(picture.sha256 or "", Statistics()),
            )


def embed(
    workspace: Workspace,
    encoder: Encoder,
    items: Sequence[Item],
    progress: Progress = silent,
) -> Gallery:
    """Embed the items' pictures; what the database holds already is not read again.

    A picture without a scale, or too small for a tile, is left out with a note. What is new is kept
    every few pictures, so that nothing is lost where this is stopped.

    Raises:
        NotFoundError: no picture can be used.
    """
    store = Store(workspace.database, encoder.id, encoder.model.config.projection_dim)
    left_out: dict[str, int] = {}
    keys = [_key(encoder, item, left_out) for item in items]
    missing = store.missing([key for key, _ in keys if key])
    limit = workspace.settings.storage.max_image_megapixels
    new: dict[str, Array] = {}
    unusable: set[str] = set()
    for n, (item, (key, digest)) in enumerate(zip(items, keys, strict=True), 1):
        if key in missing and key not in new:
            try:
                new[key] = _vector(encoder, item.picture, digest, limit)
            except SpinneretError as error:
                left_out[marked(error)] = left_out.get(marked(error), 0) + 1
                unusable.add(key)
        if len(new) >= _AT_ONCE:
            missing -= new.keys()
            store.put(new)
            new = {}
        progress("embedding micrographs", n, len(items))
    store.put(new)
    usable = [place for place, (key, _) in enumerate(keys) if key and key not in unusable]
    if not usable:
        reasons = "; ".join(left_out) or "no finished run has one"
        raise NotFoundError(
            f"expected micrographs of finished runs with a known scale, found none: {reasons}. "
            "Add them"
            + by_voice(" with `engine micrograph add FILE --experiment ID --nm-per-pixel …`", "")
        )
    notes = tuple(f"left out: {reason}" + (f" ({n} times)" if n > 1 else "")
                  for reason, n in left_out.items())  # fmt: skip
    index = Index(store, tuple(keys[place][0] for place in usable))
    return Gallery(tuple(items[place] for place in usable), index, notes)


def _key(encoder: Encoder, item: Item, left_out: dict[str, int]) -> tuple[str, str]:
    """Return the key of an item's embedding and its picture's SHA-256, empty if it is gone."""
    try:
        digest = item.picture.sha256 or digest_of(item.picture.path)
    except SpinneretError as error:
        left_out[marked(error)] = left_out.get(marked(error), 0) + 1
        return "", ""
    return key_of(item.picture, digest, encoder.n_tiles), digest


def _vector(encoder: Encoder, picture: Picture, digest: str, max_megapixels: float) -> Array:
    if picture.nm_per_pixel is None:
        command = by_voice(" (`engine micrograph measure ID --nm-per-pixel …`)", "")
        raise DataError(f"a picture whose scale nobody stated{command}")
    grey = read_picture(
        picture.path,
        max_megapixels=max_megapixels,
        crop=picture.crop,
        rotation_axis=picture.rotation_axis,
    )
    return embed_picture(encoder, grey, picture.nm_per_pixel, digest)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a picture's bytes.

    Raises:
        NotFoundError: it is gone.
        DataError: it cannot be read.
    """
    if not path.is_file():
        raise NotFoundError(f"{path.name}: the file is not there")
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}") from error


def embed_picture(
    encoder: Encoder, grey: NDArray[np.float32], nm_per_pixel: float, sha256: str
) -> Array:
    """Return v (r,) of a picture; its content decides where tiles are cut.

    Raises:
        DataError: it is too small or too coarse for one tile.
    """
    from surrogate.errors import SurrogateError

    try:
        return encoder.of_picture(grey, nm_per_pixel, int(sha256[:_SEED_DIGITS], 16))
    except SurrogateError as error:
        raise DataError(str(error)) from error
