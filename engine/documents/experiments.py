"""Runs: their conditions, results, micrographs, and everything ever recorded of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AliasPath, Field

from db.records import Origin, Status
from engine.campaign.applicability import without_surplus
from engine.documents import Called, Document, Moment, Value
from engine.documents.curves import CurveOut

if TYPE_CHECKING:
    from db.records import ExperimentRecord, MeasurementRecord, PredictionRecord
    from db.transaction import Transaction
    from engine.campaign import Campaign

Replicates = Annotated[dict[str, tuple[float, ...]], Called]


class MeasurementOut(Document):
    """One value of one outcome and replicate, in the outcome's unit.

    With ``bound`` the value lies below or above the number; with ``sd`` it is the mean of ``n``
    specimens that scatter by so much.
    """

    outcome: str
    replicate: int
    value: float
    bound: Literal["below", "above"] | None = None
    sd: float | None = None
    n: int | None = None
    revision: int
    recorded_at: Moment
    recorded_by: str
    note: str | None


class RevisedMeasurementOut(MeasurementOut):
    """The same, and whether a later row corrects it; without a value it takes one back."""

    value: float | None  # type: ignore[assignment]
    superseded: bool = False


class MicrographOut(Document):
    """A picture of the mat and what it shows."""

    micrograph: int = Field(validation_alias="id")
    experiment: int = Field(validation_alias="experiment_id")
    sha256: str
    original_name: str
    width_px: int
    height_px: int
    nm_per_pixel: float | None
    nm_per_pixel_source: str | None
    rotation_axis: str | None
    statistics: dict[str, Any] | None


class MicrographFileOut(Document):
    """The same for ``engine micrograph``: with its file, and what of it was measured."""

    micrograph: int = Field(validation_alias="id")
    experiment: int = Field(validation_alias="experiment_id")
    original_name: str
    path: str
    sha256: str
    width_px: int
    height_px: int
    nm_per_pixel: float | None
    nm_per_pixel_source: str | None
    rotation_axis: str | None
    crop: tuple[int, int, int, int] | None
    statistics: dict[str, Any] | None


class AddedMicrographsOut(Document):
    """Micrographs that were kept; ``known``: how many were there already."""

    added: tuple[MicrographFileOut, ...]
    known: int = Field(validation_alias="n_known")
    warnings: tuple[str, ...]


class ExportedMicrographOut(Document):
    """A picture as the export names it."""

    sha256: str
    path: str
    original_name: str
    width_px: int
    height_px: int
    nm_per_pixel: float | None


class PredictionOut(Document):
    """What was said of one outcome before the run was made."""

    outcome: str
    mean: float
    lower: float
    upper: float
    level: float


class _Run(Document):
    experiment: int = Field(validation_alias="id")
    label: str | None
    origin: Origin
    status: Status
    failure: str | None
    note: str | None
    created_at: Moment
    created_by: str
    proposed: dict[str, Value]
    actual: dict[str, Value]
    facts: dict[str, str] = Field(default_factory=dict)


class ExperimentOut(_Run):
    """One spun (or still to be spun) sample."""

    measurements: tuple[MeasurementOut, ...]
    micrographs: tuple[MicrographOut, ...]
    conditions: dict[str, Value]
    batch: int | None = Field(default=None, validation_alias=AliasPath("proposal", "batch_id"))


class ExperimentDetailOut(ExperimentOut):
    """A run with the predictions made of it, and its version, which is its ETag."""

    version: int = 0
    units: dict[str, str] = Field(default_factory=dict)
    predictions: tuple[PredictionOut, ...] = ()

    @classmethod
    def build(cls, tx: Transaction, run: ExperimentRecord, campaign: Campaign) -> Self:
        """Return a run with what the database says of it besides."""
        from engine.experiments.export import units_of

        predictions = map(PredictionOut.model_validate, tx.batches.predictions_of(run.id))
        return cls.model_validate(run).model_copy(
            update={
                "version": tx.experiments.version(run.id),
                "units": units_of(campaign),
                "predictions": tuple(predictions),
            }
        )


class ListedExperimentOut(ExperimentOut):
    """A run of a list: with its value in each of the list's columns, ``null`` where it has none."""

    name: str
    on_front: bool = False
    values: dict[str, Value | None] = Field(default_factory=dict)

    @classmethod
    def build(
        cls,
        run: ExperimentRecord,
        columns: Sequence[str],
        campaign: Campaign,
        front: Collection[int],
    ) -> Self:
        """Return a run; a column is a parameter (as run), a fact or an outcome (a mean)."""
        means = {name: sum(values) / len(values) for name, values in run.replicates().items()}
        row = {**without_surplus(campaign.parameters, run.conditions), **run.facts, **means}
        return cls.model_validate(run).model_copy(
            update={
                "on_front": run.id in front,
                "values": {name: row.get(name) for name in columns},
            }
        )


class ExperimentsOut(Document):
    """A page of runs. ``total``: how many there are on all pages; ``units``: of the columns.

    ``next`` is the ``before`` of the page that follows, where the newest come first.
    """

    items: tuple[ListedExperimentOut, ...]
    columns: tuple[str, ...]
    units: dict[str, str]
    page: int
    pages: int
    next: int | None
    total: int


class ComparedOut(ExperimentOut):
    """A run beside others, with what was predicted of it."""

    predictions: tuple[PredictionOut, ...] = ()


class ComparisonOut(Document):
    """Two to four runs; ``differing``: the parameters whose values they do not share."""

    items: tuple[ComparedOut, ...]
    differing: tuple[str, ...]
    outcomes: tuple[str, ...]
    units: dict[str, str]


class MeanOut(Document):
    """The mean of all specimens of one setting, the lowest and the highest of ``n``."""

    mean: float
    n: int
    lowest: float
    highest: float


class ExpectedOut(Document):
    """What the model of ``batch`` expects of a further specimen."""

    mean: float
    lower: float
    upper: float
    level: float
    batch: int


class DesignOut(Document):
    """One setting: its runs, oldest first, the means of all its specimens, what is expected."""

    experiments: tuple[int, ...] = Field(validation_alias="runs")
    names: tuple[str, ...]
    conditions: dict[str, Value]
    means: dict[str, MeanOut]
    expected: dict[str, ExpectedOut]


class RankedOut(Document):
    """The best settings of one objective, the best first."""

    outcome: str
    designs: tuple[DesignOut, ...]


class RankingOut(Document):
    """The best settings of each objective, and the front: those that no other beats in all."""

    best: tuple[RankedOut, ...]
    front: tuple[DesignOut, ...]
    units: dict[str, str]


class FileProblemOut(Document):
    """One thing wrong with one cell, row or heading of a file."""

    row: int | None
    column: str | None
    value: str | None
    expected: str


class FileReportOut(Document):
    """What a file did, or with ``dry_run`` would do; with ``problems`` nothing of it is recorded.

    ``worksheet``: its rows tell of recorded runs; else they are runs.
    """

    dry_run: bool = Field(validation_alias="is_dry_run")
    worksheet: bool = Field(validation_alias="is_worksheet")
    does_something: bool
    lines: tuple[str, ...]
    warnings: tuple[str, ...]
    problems: tuple[FileProblemOut, ...]


class ReasonOut(Document):
    """Why a run was proposed."""

    batch: int = Field(validation_alias="batch_id")
    order: int
    p_success: float
    reason: str
    nearest: int | None = Field(validation_alias="nearest_experiment_id")


class ShownExperimentOut(_Run):
    """Everything of one run, as ``engine show`` tells it: with results that were corrected."""

    measurements: tuple[RevisedMeasurementOut, ...]
    micrographs: tuple[ExportedMicrographOut, ...]
    conditions: dict[str, Value]
    outcomes: Replicates = Field(validation_alias="replicates")
    units: dict[str, str] = Field(default_factory=dict)
    proposal: ReasonOut | None
    predictions: tuple[PredictionOut, ...] = ()

    @classmethod
    def build(
        cls,
        run: ExperimentRecord,
        campaign: Campaign,
        measurements: Sequence[MeasurementRecord],
        predictions: Sequence[PredictionRecord],
    ) -> Self:
        """Return a run; ``measurements`` with those that were superseded."""
        from engine.experiments.export import units_of

        superseded = {m.supersedes_id for m in measurements}
        revised = (
            RevisedMeasurementOut.model_validate(m).model_copy(
                update={"superseded": m.id in superseded}
            )
            for m in measurements
        )
        return cls.model_validate(run).model_copy(
            update={
                "measurements": tuple(revised),
                "units": units_of(campaign),
                "predictions": tuple(map(PredictionOut.model_validate, predictions)),
            }
        )


class RecordedValueOut(Document):
    """One value as it was recorded; ``superseded`` is the one it corrects, or takes back."""

    outcome: str
    replicate: int
    value: float | None
    superseded: float | None


class LoggedOut(Document):
    """What ``engine log`` recorded of one run."""

    experiment: int = Field(validation_alias=AliasPath("experiment", "id"))
    label: str | None = Field(validation_alias=AliasPath("experiment", "label"))
    new: bool = Field(validation_alias="is_new")
    status: Status = Field(validation_alias=AliasPath("experiment", "status"))
    failure: str | None = Field(validation_alias=AliasPath("experiment", "failure"))
    conditions: dict[str, Value] = Field(validation_alias=AliasPath("experiment", "conditions"))
    values: tuple[RecordedValueOut, ...]
    micrographs: int = Field(validation_alias="n_micrographs")
    curves: tuple[CurveOut, ...] = ()
    note: str | None = Field(validation_alias=AliasPath("experiment", "note"))
    facts: dict[str, str] = Field(validation_alias=AliasPath("experiment", "facts"))
    warnings: tuple[str, ...]


class RecordedOut(ExperimentDetailOut):
    """A run as it stands now, what the API recorded of it, and what is odd about that."""

    recorded: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class UndoneOut(Document):
    """A change that was taken back, and what that restored."""

    change: int = Field(validation_alias=AliasPath("change", "id"))
    action: str = Field(validation_alias=AliasPath("change", "action"))
    experiments: tuple[int, ...]
    restored: tuple[str, ...]


class TrailOut(Document):
    """One thing recorded of a run."""

    at: Moment
    actor: str
    kind: Literal["status", "condition", "fact", "measurement", "micrograph", "curve"]
    name: str
    value: Value | None
    revision: int
    replicate: int | None
    note: str | None


class TrailsOut(Document):
    """Everything ever recorded of a run, oldest first."""

    items: tuple[TrailOut, ...]
