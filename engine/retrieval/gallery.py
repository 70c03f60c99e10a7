"""The gallery: finished runs with micrographs, of the campaign and of its sources, embedded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from db.records import ExperimentRecord, MicrographRecord, SourceKind, Status
from db.session import Transaction
from engine.campaign import Campaign, Value
from engine.errors import DataError, NotFoundError, SpinneretError
from engine.retrieval.cache import EmbeddingCache, key_of
from engine.retrieval.encoder import Encoder, read_picture
from engine.workspace import Workspace, definition_of

Array = NDArray[np.float64]
Which = Literal["campaign", "sources", "all"]
WHICH: tuple[Which, ...] = ("campaign", "sources", "all")
Progress = Callable[[int, int], None]

_SEED_DIGITS = 12


@dataclass(frozen=True)
class Statistics:
    """What a picture shows, as compared here: diameter [nm], order S, areal porosity."""

    diameter_nm: float | None = None
    order: float | None = None
    porosity: float | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> Statistics:
        """Read a micrograph row's statistics; a diameter in pixels is left out."""
        if not document:
            return cls()
        mean = (document.get("diameter") or {}).get("mean")
        return cls(
            diameter_nm=mean if document.get("unit") == "nm" else None,
            order=document.get("order"),
            porosity=document.get("porosity"),
        )

    def minus(self, other: Statistics) -> Statistics:
        """Return the differences, ``None`` where either side is not known."""
        pairs = zip(self.values, other.values, strict=True)
        return Statistics(*(a - b if a is not None and b is not None else None for a, b in pairs))

    @property
    def values(self) -> tuple[float | None, float | None, float | None]:
        """Diameter, order, porosity."""
        return self.diameter_nm, self.order, self.porosity


@dataclass(frozen=True)
class Item:
    """One micrograph of a finished run.

    ``source``: whose gallery it is from, ``None`` for the campaign itself. ``conditions`` are in
    the units of ``campaign``, which is the source's own.
    """

    campaign: Campaign
    source: str | None
    experiment_id: int
    label: str | None
    conditions: Mapping[str, Value]
    micrograph: MicrographRecord
    path: Path
    statistics: Statistics

    @property
    def run(self) -> str:
        """How its run is called: label or number, and where it is not the campaign's, whose."""
        name = self.label or str(self.experiment_id)
        return name if self.source is None else f"{self.source}: {name}"


@dataclass(frozen=True)
class Gallery:
    """Items with their embeddings v (n, r); ``notes`` tell what was left out and why."""

    items: tuple[Item, ...]
    v: Array
    notes: tuple[str, ...] = ()


def collect(workspace: Workspace, tx: Transaction, which: Which) -> list[Item]:
    """Return the micrographs of finished runs: of the active campaign, its sources, or all.

    Sources are those campaigns of this database that `engine source add` named.
    """
    record, campaign = workspace.active_campaign(tx)
    items: list[Item] = []
    if which in ("campaign", "all"):
        items += _items(workspace, tx.experiments.list(record.id), campaign, None)
    if which in ("sources", "all"):
        for source in tx.sources.list(record.id):
            name = source.definition.get("campaign")
            other = tx.campaigns.get(name) if isinstance(name, str) else None
            if source.kind is SourceKind.CAMPAIGN and other and other.id != record.id:
                runs = tx.experiments.list(other.id)
                items += _items(workspace, runs, definition_of(other), source.name)
    return items


def _items(
    workspace: Workspace,
    experiments: Sequence[ExperimentRecord],
    campaign: Campaign,
    source: str | None,
) -> Iterator[Item]:
    names = {parameter.name for parameter in campaign.parameters}
    for experiment in experiments:
        if experiment.status is not Status.COMPLETED:
            continue
        conditions = {k: v for k, v in experiment.conditions.items() if k in names}
        for picture in experiment.micrographs:
            yield Item(
                campaign=campaign,
                source=source,
                experiment_id=experiment.id,
                label=experiment.label,
                conditions=conditions,
                micrograph=picture,
                path=workspace.data_dir / picture.path,
                statistics=Statistics.of(picture.statistics),
            )


def embed(
    workspace: Workspace,
    encoder: Encoder,
    items: Sequence[Item],
    progress: Progress | None = None,
) -> Gallery:
    """Embed the items' pictures; what a cache holds already is not read again.

    A picture without a scale, or too small for a tile, is left out with a note.

    Raises:
        NotFoundError: no picture can be used.
    """
    cache = EmbeddingCache.open(workspace.data_dir, encoder.id, encoder.model.config.projection_dim)
    kept: list[Item] = []
    vectors: list[Array] = []
    left_out: dict[str, int] = {}
    limit = workspace.settings.storage.max_image_megapixels
    for n, item in enumerate(items, 1):
        key = key_of(item.micrograph, encoder.n_tiles)
        if key not in cache.known:
            try:
                cache.put(key, _vector(encoder, item, limit))
            except SpinneretError as error:
                why = str(error)
                left_out[why] = left_out.get(why, 0) + 1
        if key in cache.known:
            kept.append(item)
            vectors.append(cache.known[key])
        if progress is not None:
            progress(n, len(items))
    cache.save()
    if not kept:
        reasons = "; ".join(left_out) or "no finished run has one"
        raise NotFoundError(
            f"expected micrographs of finished runs with a known scale, found none: {reasons}. "
            "Add them with `engine micrograph add FILE --experiment ID --nm-per-pixel …`"
        )
    notes = tuple(f"left out: {why}" + (f" ({n} times)" if n > 1 else "")
                  for why, n in left_out.items())  # fmt: skip
    return Gallery(tuple(kept), np.stack(vectors), notes)


def _vector(encoder: Encoder, item: Item, max_megapixels: float) -> Array:
    picture = item.micrograph
    if picture.nm_per_pixel is None:
        raise DataError("a picture whose scale nobody stated (`engine micrograph measure ID "
                        "--nm-per-pixel …`)")  # fmt: skip
    grey = read_picture(
        item.path,
        max_megapixels=max_megapixels,
        crop=picture.crop,
        rotation_axis=picture.rotation_axis,
        name=picture.original_name,
    )
    return embed_picture(encoder, grey, picture.nm_per_pixel, picture.sha256)


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
