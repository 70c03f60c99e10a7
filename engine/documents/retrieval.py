"""Micrographs by conditions, and runs by a micrograph; previews of mats to expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from engine.documents import Document, Value

if TYPE_CHECKING:
    from engine.previews.preview import Preview
    from engine.retrieval.search import Match, Retrieved


class StatisticsOut(Document):
    """What a micrograph shows, as far as it was measured."""

    diameter_nm: float | None
    order: float | None
    porosity: float | None
    spread: float | None
    bead_fraction: float | None
    is_corrected: bool = False


class QueryStatisticsOut(StatisticsOut):
    """The same of what was looked for; ``expected``: of conditions, not measured on a picture."""

    expected: bool = False


class MatchOut(Document):
    """A micrograph that was found: how near it comes, and its run."""

    rank: int
    similarity: float
    fit: float | None
    conditions_similarity: float | None
    source: str | None
    experiment: int | None
    name: str
    label: str | None
    micrograph: int | None
    path: str
    conditions: dict[str, Value]
    units: dict[str, str]
    statistics: StatisticsOut
    difference: StatisticsOut

    @classmethod
    def build(cls, rank: int, match: Match) -> Self:
        """Return a match at its place in the list."""
        item = match.item
        names = [axis.name for axis in item.axes if axis.name in item.conditions]
        return cls(
            rank=rank,
            similarity=match.similarity,
            fit=match.fit,
            conditions_similarity=match.conditions_similarity,
            source=item.source,
            experiment=item.experiment_id,
            name=item.run,
            label=item.label,
            micrograph=item.micrograph_id,
            path=str(item.picture.path),
            conditions={name: item.conditions[name] for name in names},
            units={name: item.unit_of(name) for name in names},
            statistics=StatisticsOut.model_validate(item.statistics),
            difference=StatisticsOut.model_validate(match.difference),
        )


class RetrievedOut(Document):
    """Micrographs, nearest first."""

    campaign: str
    model: str
    model_sha256: str
    gallery: int
    query_statistics: QueryStatisticsOut
    items: tuple[MatchOut, ...]
    notes: tuple[str, ...]

    @classmethod
    def build(cls, retrieved: Retrieved) -> Self:
        """Return the document of a search."""
        query = QueryStatisticsOut.model_validate(retrieved.statistics)
        return cls(
            campaign=retrieved.campaign.name,
            model=retrieved.model,
            model_sha256=retrieved.model_id,
            gallery=retrieved.n_gallery,
            query_statistics=query.model_copy(update={"expected": retrieved.is_expected}),
            items=tuple(MatchOut.build(rank, m) for rank, m in enumerate(retrieved.matches, 1)),
            notes=retrieved.notes,
        )


class ExpectedOut(Document):
    """Mean over a preview's pictures, and the interval in which a real micrograph should lie."""

    mean: float | None
    lower: float | None
    upper: float | None


class NearMicrographOut(Document):
    """A real micrograph of a run under the nearest conditions."""

    experiment: int
    distance: float
    path: str
    statistics: dict[str, float | None]


class PreviewOut(Document):
    """What the pictures of one mat to expect show."""

    pictures: int
    nm_per_pixel: float
    statistics: tuple[dict[str, float | None], ...]
    expected: dict[str, ExpectedOut]
    nearest: tuple[NearMicrographOut, ...]
    warnings: tuple[str, ...]

    @classmethod
    def build(cls, preview: Preview) -> Self:
        """Return the document of one preview."""
        return cls(
            pictures=len(preview.pictures),
            nm_per_pixel=preview.nm_per_pixel,
            statistics=tuple(dict(row) for row in preview.statistics),
            expected={
                name: ExpectedOut.model_validate(interval)
                for name, interval in preview.expected.items()
            },
            nearest=tuple(
                NearMicrographOut(
                    experiment=near.experiment_id,
                    distance=near.distance,
                    path=str(near.path),
                    statistics=dict(near.shown),
                )
                for near in preview.near
            ),
            warnings=preview.warnings,
        )


class DrawnOut(Document):
    """Pictures drawn on request, side by side in one PNG (base64), and what they show."""

    png: str
    generator: str
    expected: dict[str, ExpectedOut]
    words: str
    warnings: tuple[str, ...]
