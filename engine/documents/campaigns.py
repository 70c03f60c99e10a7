"""Campaigns: their definitions, and how far they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import AliasPath, Field

from db.records import Status
from engine.documents import Document, Moment, Value
from engine.documents.experiments import PredictionOut, Replicates

if TYPE_CHECKING:
    from engine.results.overview import Overview


class CampaignOut(Document):
    """A search: its newest definition. Addresses have its ``number``."""

    number: int = Field(validation_alias="id")
    campaign: str = Field(validation_alias="name")
    revision: int
    active: bool = Field(validation_alias="is_active")
    definition: dict[str, Any]


class DefinitionOut(Document):
    """One revision of a campaign's definition: who recorded it, when, and why."""

    revision: int
    recorded_at: Moment = Field(validation_alias="created_at")
    recorded_by: str = Field(validation_alias="actor")
    note: str | None
    definition: dict[str, Any]


class RevisionsOut(Document):
    """Every revision of a campaign, the newest first."""

    items: tuple[DefinitionOut, ...]


class RevisedOut(Document):
    """What a revision changed (or would: `is_dry_run`), and what to look at.

    `definition` is the new one. Without `differences` nothing was recorded.
    """

    campaign: str
    revision: int
    is_dry_run: bool
    differences: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    definition: dict[str, Any]


class DraftOut(Document):
    """A campaign as a table suggests it, or as it was made of it: then with its number.

    `aside`: columns that are left aside, and why; `guesses`: what to look at.
    """

    number: int | None
    definition: dict[str, Any]
    aside: dict[str, str]
    guesses: tuple[str, ...]
    runs: int
    results: int
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


class CampaignsOut(Document):
    """Every campaign."""

    items: tuple[CampaignOut, ...]


class RevisionOut(Document):
    """A revision as ``engine campaign`` tells it.

    ``definition``, ``differences`` and ``experiments`` (how many) follow where they are asked for.
    """

    campaign: str = Field(validation_alias="name")
    revision: int
    active: bool = Field(validation_alias="is_active")
    recorded_at: Moment = Field(validation_alias="created_at")
    note: str | None


class _Pending(Document):
    experiment: int = Field(validation_alias="id")
    label: str | None
    status: Status
    batch: int | None = Field(default=None, validation_alias=AliasPath("proposal", "batch_id"))
    conditions: dict[str, Value]


class _Finished(_Pending):
    outcomes: Replicates = Field(validation_alias="replicates")


class _Expected(Document):
    mean: float
    lower: float
    upper: float
    level: float
    batch: int


class _Best(Document):
    outcome: str = Field(validation_alias=AliasPath("objective", "outcome"))
    goal: str = Field(validation_alias=AliasPath("objective", "goal"))
    threshold: float | None = Field(validation_alias=AliasPath("objective", "threshold"))
    target: float | None = Field(validation_alias=AliasPath("objective", "target"))
    tolerance: float | None = Field(validation_alias=AliasPath("objective", "tolerance"))
    value: float | None
    specimens: int | None = Field(default=None, validation_alias=AliasPath("measured", "n"))
    lowest: float | None = Field(default=None, validation_alias=AliasPath("measured", "lowest"))
    highest: float | None = Field(default=None, validation_alias=AliasPath("measured", "highest"))
    experiment: int | None
    experiments: tuple[int, ...] = Field(default=(), validation_alias=AliasPath("design", "runs"))
    conditions: dict[str, Value] = Field(
        default={}, validation_alias=AliasPath("design", "conditions")
    )
    expected: _Expected | None
    beyond_threshold: int = Field(validation_alias="n_beyond")


class StatusOut(Document):
    """How far a campaign is, as ``engine status`` tells it."""

    campaign: str = Field(validation_alias=AliasPath("record", "name"))
    revision: int = Field(validation_alias=AliasPath("record", "revision"))
    counts: dict[Status, int]
    pending: tuple[_Pending, ...]
    latest: tuple[_Finished, ...]
    best: tuple[_Best, ...]
    beyond_all_thresholds: int = Field(validation_alias="n_beyond_all")
    breaking_constraints: int = Field(validation_alias="n_breaking")


class FrontPointOut(Document):
    """A run on the Pareto front, with the mean of each objective."""

    experiment: int
    name: str
    outcomes: dict[str, float]


class AwaitedOut(Document):
    """A run whose results are awaited, and what was predicted of it."""

    experiment: int
    status: Status
    conditions: dict[str, Value]
    predictions: tuple[PredictionOut, ...]


class DueOut(Document):
    """What is to be done: runs under way, pictures not measured, results not yet learnt from."""

    running: int = Field(validation_alias="n_running")
    unmeasured_pictures: int = Field(validation_alias="n_unmeasured")
    results_since_training: int | None = Field(validation_alias="n_unlearnt")


class AdviceOut(Document):
    """Whether a further batch is worth it: the hypervolume it may add, beside the noise's."""

    expected_gain: float = Field(validation_alias="gain")
    noise: float
    is_near_the_end: bool


class OverviewOut(Document):
    """How far the active campaign is: front, hypervolume, what is awaited and due."""

    campaign: str
    revision: int
    watermark: int
    counts: dict[Status, int]
    hypervolume: float
    hypervolume_unit: str
    front: tuple[FrontPointOut, ...]
    pending: tuple[AwaitedOut, ...]
    due: DueOut
    advice: AdviceOut | None

    @classmethod
    def build(cls, overview: Overview) -> Self:
        """Return the overview's document."""
        names = [objective.outcome for objective in overview.campaign.objectives]
        front = [
            FrontPointOut(
                experiment=point.id,
                name=point.name,
                outcomes={n: m.mean for n, m in zip(names, point.means, strict=True)},
            )
            for point in overview.front
        ]
        pending = [
            AwaitedOut(
                experiment=run.experiment.id,
                status=run.experiment.status,
                conditions=dict(run.experiment.conditions),
                predictions=tuple(map(PredictionOut.model_validate, run.predictions.values())),
            )
            for run in overview.awaited
        ]
        advice = overview.advice
        return cls(
            campaign=overview.record.name,
            revision=overview.record.revision,
            watermark=overview.watermark,
            counts=dict(overview.counts),
            hypervolume=overview.volume,
            hypervolume_unit=overview.unit,
            front=tuple(front),
            pending=tuple(pending),
            due=DueOut.model_validate(overview.due),
            advice=None if advice is None else AdviceOut.model_validate(advice),
        )
