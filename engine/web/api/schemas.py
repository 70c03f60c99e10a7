"""The bodies of the API: what may be sent, and what comes back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Text = Annotated[str, Field(max_length=10_000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Number = Annotated[FiniteFloat, Field(ge=-1e300, le=1e300)]
Value = Number | Annotated[str, Field(max_length=200)]
Conditions = Annotated[dict[Name, Value], Field(max_length=200)]
Replicates = Value | Annotated[list[Value], Field(min_length=1, max_length=100)]
RunId = Annotated[int, Field(ge=1, le=2**53)]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class NewRun(_Sent):
    """A run that nobody proposed: a value of every controlled parameter, and what is known more."""

    conditions: Conditions
    label: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    note: Text | None = None


class Results(_Sent):
    """What was measured: a value, or several replicates, of each outcome.

    `mode`: `add` refuses an outcome that has values, `replicate` adds to them, `correct` replaces
    one (`which`: the replicate). `actual`: conditions as really run.
    """

    results: Annotated[dict[Name, Replicates], Field(min_length=1, max_length=200)]
    mode: Literal["add", "replicate", "correct"] = "add"
    which: Annotated[int, Field(ge=1, le=10_000)] | None = None
    actual: Conditions = Field(default_factory=dict)
    note: Text | None = None


class RunEdit(_Sent):
    """What became of a run: its status, how it was really run, words."""

    status: Literal["running", "failed", "abandoned"] | None = None
    failure: Literal["beads", "drips", "no_jet", "other"] | None = None
    actual: Conditions = Field(default_factory=dict)
    note: Text | None = None


class NewProposal(_Sent):
    """What to propose: `at` is today's room, `fixed` holds settings."""

    n: Annotated[int, Field(ge=1, le=100)] | None = None
    at: Conditions = Field(default_factory=dict)
    fixed: Conditions = Field(default_factory=dict)
    max_distinct: Conditions = Field(default_factory=dict)
    robust: bool = False
    explore: bool = False
    replicates: bool = False
    preview: bool | None = None
    strategy: Literal["matmcl", "gp", "sobol", "ax", "ax-matmcl", "nsga2"] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class Ask(_Sent):
    """Rows of conditions, each with every controlled parameter."""

    conditions: Annotated[list[Conditions], Field(min_length=1, max_length=1000)]
    level: Annotated[float, Field(gt=0, lt=1)] | None = None
    drives: bool = False


class AskSlices(_Sent):
    """Conditions through which to cut, and the outcome."""

    conditions: Conditions
    outcome: Name


class AskMap(AskSlices):
    """The same, and the two parameters to vary."""

    x: Name
    y: Name


class AskPreview(_Sent):
    """Conditions whose mats are to be drawn, and how many pictures."""

    conditions: Annotated[dict[Name, Value], Field(min_length=1, max_length=200)]
    n: Annotated[int, Field(ge=1, le=8)] = 3
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class NewRefresh(_Sent):
    """How to train: from the champion on, or `full`: from the starter on, on everything."""

    full: bool = False
    accept_suspicious: bool = False
    steps: Annotated[int, Field(ge=1, le=100_000)] | None = None


class Promotion(_Sent):
    """Why, for the record."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)] = "by hand"


class Look(_Sent):
    """Conditions whose mats are looked for; those that are not named are left open."""

    conditions: Annotated[dict[Name, Value], Field(min_length=1, max_length=200)]
    k: Annotated[int, Field(ge=1, le=100)] = 6
    gallery: Literal["campaign", "sources", "all"] = "campaign"


# -- answers --------------------------------------------------------------------------------------


class Measurement(BaseModel):
    """One value of one outcome and replicate, in the outcome's unit."""

    outcome: str
    replicate: int
    value: float
    revision: int
    recorded_at: datetime
    recorded_by: str
    note: str | None


class Micrograph(BaseModel):
    """A picture of the mat and what it shows."""

    id: int
    experiment: int
    sha256: str
    original_name: str
    width_px: int
    height_px: int
    nm_per_pixel: float | None
    nm_per_pixel_source: str | None
    rotation_axis: str | None
    statistics: dict[str, Any] | None


class Said(BaseModel):
    """What was said of a run before it was made."""

    outcome: str
    mean: float
    lower: float
    upper: float
    level: float


class Experiment(BaseModel):
    """One spun (or still to be spun) sample. `version` is its ETag."""

    id: int
    label: str | None
    origin: str
    status: Literal["proposed", "running", "completed", "failed", "abandoned"]
    failure: str | None
    note: str | None
    created_at: datetime
    created_by: str
    proposed: dict[str, float | str]
    actual: dict[str, float | str]
    conditions: dict[str, float | str]
    measurements: list[Measurement]
    micrographs: list[Micrograph]
    batch: int | None


class ExperimentWhole(Experiment):
    """A run with the predictions made of it, and its version."""

    version: int
    units: dict[str, str]
    predictions: list[Said]


class Experiments(BaseModel):
    """A page of runs, newest first."""

    items: list[Experiment]
    next: int | None
    total: int


class Recorded(BaseModel):
    """What was recorded, and what is odd about it."""

    experiment: ExperimentWhole
    warnings: list[str]


class Trail(BaseModel):
    """One thing recorded of a run."""

    at: datetime
    actor: str
    kind: Literal["status", "condition", "measurement"]
    name: str
    value: float | str | None
    revision: int
    replicate: int | None
    note: str | None


class Trails(BaseModel):
    """Everything ever recorded of a run, oldest first."""

    items: list[Trail]


class Campaign(BaseModel):
    """A search: its newest definition."""

    id: int
    name: str
    revision: int
    is_active: bool
    definition: dict[str, Any]


class Campaigns(BaseModel):
    """Every campaign."""

    items: list[Campaign]


class Overview(BaseModel):
    """Where the active campaign stands."""

    campaign: str
    revision: int
    watermark: int
    counts: dict[str, int]
    hypervolume: float
    hypervolume_unit: str
    front: list[dict[str, Any]]
    pending: list[dict[str, Any]]
    due: dict[str, int | None]
    advice: dict[str, Any] | None


class Proposed(BaseModel):
    """One proposed run: why, and what to expect."""

    experiment: int
    order: int
    status: str
    conditions: dict[str, float | str]
    p_success: float
    reason_kind: str
    reason: str
    nearest: int | None
    predictions: list[Said]


class Batch(BaseModel):
    """What one call chose."""

    id: int
    strategy: str
    seed: int
    watermark: int
    created_at: datetime
    created_by: str
    request: dict[str, Any]
    proposals: list[Proposed]


class Batches(BaseModel):
    """A page of batches, newest first, without their runs."""

    items: list[dict[str, Any]]
    next: int | None


class Job(BaseModel):
    """Something done in the background; `result` when it is done."""

    id: int
    kind: str
    status: Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
    progress: str | None
    fraction: float | None
    result: dict[str, Any] | None
    error: str | None
    asked_by: str
    params: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    rerun_of: int | None


class Jobs(BaseModel):
    """A page of jobs, newest first."""

    items: list[Job]
    next: int | None


class Answer(BaseModel):
    """What the model answers; `is_newest` is false while it learns from newer results."""

    model_config = ConfigDict(extra="allow")


class Model(BaseModel):
    """A trained model."""

    id: int
    kind: str
    status: str
    parent: int | None
    watermark: int
    sha256: str
    metrics: dict[str, Any]
    created_at: datetime
    created_by: str


class Models(BaseModel):
    """Every version, newest first."""

    items: list[Model]


class Served(BaseModel):
    """What serves now, and what served before; `null`: what ships with the program."""

    kind: str
    now: int | None
    former: int | None
    notes: list[str]


class Score(BaseModel):
    """How predictions held: coverage of intervals meant to hold `level`, errors in `unit`."""

    outcome: str
    unit: str
    level: float
    n: int
    coverage: float
    bias: float
    error: float
    r2: float | None


class Ledger(BaseModel):
    """The verdict on all predictions made before the runs."""

    items: list[Score]


class Change(BaseModel):
    """Who did what."""

    id: int
    at: datetime
    actor: str
    action: str
    detail: str | None


class Changes(BaseModel):
    """The audit trail, newest first."""

    items: list[Change]
