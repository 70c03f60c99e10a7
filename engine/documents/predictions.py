"""What the model expects: forecasts, what drives them, how predictions held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from engine.documents import Document, Value

if TYPE_CHECKING:
    from engine.campaign import Campaign
    from engine.predictions.predict import Predictions
    from engine.results.ledger import OutcomeScore


class ForecastOut(Document):
    """A new measurement's mean and interval, in the outcome's unit."""

    mean: float
    lower: float
    upper: float


class OutcomeForecastOut(ForecastOut):
    """The same, with its unit."""

    unit: str


class DriveOut(Document):
    """How an outcome's mean changes over a parameter's range, the others held as asked."""

    parameter: str
    change: float | None
    span: float
    highest_at: Value = Field(validation_alias="best")
    monotone: bool = Field(validation_alias="is_monotone")


class PredictedRowOut(Document):
    """What to expect of one row of conditions; ``assumed``: those that were not stated."""

    conditions: dict[str, Value]
    assumed: tuple[str, ...]
    outcomes: dict[str, OutcomeForecastOut]
    p_success: float
    remoteness: float
    warnings: tuple[str, ...]
    drives: dict[str, tuple[DriveOut, ...]]


class AnswerOut(Document):
    """What the model answers; ``is_newest`` is false while it learns from newer results."""

    fitting: bool
    finished_runs: int
    is_newest: bool


class FittingOut(Document):
    """The model is learning for the first time: there is no answer yet."""

    fitting: bool


class PredictionsOut(Document):
    """Predictions of rows of conditions."""

    campaign: str
    level: float
    finished_runs: int
    units: dict[str, str]
    notes: tuple[str, ...]
    items: tuple[PredictedRowOut, ...]

    @classmethod
    def build(cls, predictions: Predictions) -> Self:
        """Return the document of predictions."""
        from engine.experiments.export import units_of

        campaign = predictions.campaign
        return cls(
            campaign=campaign.name,
            level=predictions.level,
            finished_runs=predictions.n_finished,
            units=units_of(campaign),
            notes=predictions.notes,
            items=tuple(
                PredictedRowOut(
                    conditions=dict(row.conditions),
                    assumed=row.assumed,
                    outcomes={
                        name: OutcomeForecastOut(
                            mean=forecast.mean,
                            lower=forecast.lower,
                            upper=forecast.upper,
                            unit=campaign.unit_of(name),
                        )
                        for name, forecast in row.outcomes.items()
                    },
                    p_success=row.p_success,
                    remoteness=row.remoteness,
                    warnings=row.warnings,
                    drives={
                        name: tuple(map(DriveOut.model_validate, drives))
                        for name, drives in row.drives.items()
                    },
                )
                for row in predictions.rows
            ),
        )


class PredictionsAnswerOut(PredictionsOut, AnswerOut):
    """Predictions, and what they were learnt from."""


class SliceOut(Document):
    """One outcome along one parameter's range, with the interval of a new measurement."""

    parameter: str
    grid: tuple[Value, ...]
    mean: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    excluded: tuple[bool, ...] = ()


class MeasuredRunOut(Document):
    """A finished run beside the model's line: where it was made, the outcome's mean."""

    experiment: int = Field(validation_alias="id")
    name: str
    conditions: dict[str, Value]
    value: float


class SlicesOut(Document):
    """One outcome along every parameter's range, and the newest finished runs."""

    level: float
    slices: tuple[SliceOut, ...]
    measured: tuple[MeasuredRunOut, ...] = ()


class SlicesAnswerOut(SlicesOut, AnswerOut):
    """The same, and what it was learnt from."""


class MapOut(Document):
    """One outcome over two parameters: mean and standard deviation of a new measurement."""

    x: str
    y: str
    x_grid: tuple[Value, ...]
    y_grid: tuple[Value, ...]
    mean: tuple[tuple[float, ...], ...]
    sd: tuple[tuple[float, ...], ...]
    excluded: tuple[tuple[bool, ...], ...] = ()
    measured: tuple[MeasuredRunOut, ...] = ()


class MapAnswerOut(MapOut, AnswerOut):
    """The same, and what it was learnt from."""


class SensitivitiesOut(Document):
    """Sobol indices of each outcome (rows) to each parameter (columns), 0 … 1.

    ``spread``: standard deviation of the expected outcome over the design space, in its unit.
    """

    outcomes: tuple[str, ...]
    outcome_headings: tuple[str, ...]
    parameters: tuple[str, ...]
    first: tuple[tuple[float, ...], ...]
    total: tuple[tuple[float, ...], ...]
    spread: tuple[float, ...]


class SensitivitiesAnswerOut(SensitivitiesOut, AnswerOut):
    """The same, and what they were learnt from."""


class CandidateOut(Document):
    """A candidate: what to expect of it, and its place among all."""

    conditions: dict[str, Value]
    outcomes: dict[str, ForecastOut]
    rank: int


class CandidatesOut(Document):
    """Candidates as they were scored, in the file's order."""

    campaign: str
    items: tuple[CandidateOut, ...]
    notes: tuple[str, ...] = ()


class ScoreOut(Document):
    """How predictions held: coverage of intervals meant to hold ``level``, errors in ``unit``."""

    outcome: str
    unit: str = ""
    level: float
    n: int = 0
    coverage: float
    bias: float
    error: float
    r2: float | None

    @classmethod
    def build(cls, score: OutcomeScore, campaign: Campaign) -> Self:
        """Return how the predictions of one outcome held."""
        unit = campaign.unit_of(score.outcome)
        return cls.model_validate(score).model_copy(update={"unit": unit, "n": len(score.points)})


class LedgerOut(Document):
    """The verdict on all predictions made before the runs."""

    items: tuple[ScoreOut, ...]
