"""Plain frozen records: what the repositories take and give. No SQLAlchemy object leaves ``db``.

Every write belongs to a *change*: who did what, when. Rows carry the id of their change, so that
``watermark`` (the highest change id) names a state of the whole database: what a proposal knew can
be read back later by asking for the rows up to its watermark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Value = float | str


class Origin(StrEnum):
    """Where an experiment came from."""

    PROPOSAL = "proposal"
    MANUAL = "manual"
    IMPORT = "import"


class Status(StrEnum):
    """Where an experiment stands: ``proposed → running → completed | failed | abandoned``."""

    PROPOSED = "proposed"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    ABANDONED = "abandoned"

    @property
    def is_pending(self) -> bool:
        """Whether a result is still awaited."""
        return self in (Status.PROPOSED, Status.RUNNING)


class FailureKind(StrEnum):
    """Why a run gave no mat."""

    BEADS = "beads"
    DRIPS = "drips"
    NO_JET = "no_jet"
    OTHER = "other"


class Stage(StrEnum):
    """Whether conditions are as proposed or as really run; both are kept."""

    PROPOSED = "proposed"
    ACTUAL = "actual"


@dataclass(frozen=True)
class CampaignRecord:
    """A campaign in its newest (or an asked-for) revision."""

    id: int
    name: str
    revision_id: int
    revision: int
    definition: Mapping[str, Any]
    is_active: bool
    created_at: datetime
    note: str | None = None


@dataclass(frozen=True)
class MeasurementRecord:
    """One value of one outcome; ``revision`` > 1 is a correction of an earlier row."""

    id: int
    experiment_id: int
    outcome: str
    replicate: int
    revision: int
    value: float
    supersedes_id: int | None
    recorded_at: datetime
    recorded_by: str
    note: str | None = None


@dataclass(frozen=True)
class MicrographRecord:
    """One picture, kept by content hash under the data folder."""

    id: int
    experiment_id: int
    sha256: str
    path: str
    original_name: str
    width_px: int
    height_px: int
    n_bytes: int
    nm_per_pixel: float | None = None
    nm_per_pixel_source: str | None = None
    rotation_axis: str | None = None
    crop: tuple[int, int, int, int] | None = None
    statistics: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class PredictionRecord:
    """What was said of an experiment before it was run. Kept for ever."""

    experiment_id: int
    outcome: str
    mean: float
    lower: float
    upper: float
    level: float
    batch_id: int | None = None
    model_version_id: int | None = None


@dataclass(frozen=True)
class ProposalRecord:
    """Why an experiment was proposed, and its place in its batch."""

    experiment_id: int
    batch_id: int
    order: int
    p_success: float
    reason_kind: str
    reason: str
    nearest_experiment_id: int | None
    acquisition_value: float | None = None


@dataclass(frozen=True)
class BatchRecord:
    """One call of ``engine propose``: everything needed to replay it to the same result."""

    id: int
    campaign_id: int
    revision_id: int
    strategy: str
    seed: int
    request: Mapping[str, Any]
    watermark: int
    versions: Mapping[str, str]
    created_at: datetime
    created_by: str
    model_version_id: int | None = None


@dataclass(frozen=True)
class ExperimentRecord:
    """One spun (or still to be spun) sample with everything known of it."""

    id: int
    campaign_id: int
    revision_id: int
    label: str | None
    origin: Origin
    status: Status
    failure: FailureKind | None
    note: str | None
    created_at: datetime
    created_by: str
    proposed: Mapping[str, Value] = field(default_factory=dict)
    actual: Mapping[str, Value] = field(default_factory=dict)
    measurements: tuple[MeasurementRecord, ...] = ()
    micrographs: tuple[MicrographRecord, ...] = ()
    proposal: ProposalRecord | None = None

    @property
    def conditions(self) -> dict[str, Value]:
        """Conditions as really run where known, as proposed otherwise."""
        return {**self.proposed, **self.actual}

    def replicates(self) -> dict[str, tuple[float, ...]]:
        """Current values by outcome, replicates in order (``measurements`` holds current rows)."""
        values: dict[str, list[float]] = {}
        for measurement in sorted(self.measurements, key=lambda m: (m.outcome, m.replicate)):
            values.setdefault(measurement.outcome, []).append(measurement.value)
        return {outcome: tuple(found) for outcome, found in values.items()}


@dataclass(frozen=True)
class NewExperiment:
    """What is needed to create an experiment; ids and times are given by the database."""

    origin: Origin
    status: Status
    label: str | None = None
    failure: FailureKind | None = None
    note: str | None = None
    proposed: Mapping[str, Value] = field(default_factory=dict)
    actual: Mapping[str, Value] = field(default_factory=dict)
    outcomes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class NewPreview:
    """Pictures of the mat to expect, in one file below the data folder.

    ``generator``: SHA-256 of what drew them; ``request``: what of, plain JSON types;
    ``statistics``: what each shows and what to expect of a real one, at ``level``; ``sha256``: of
    the file.
    """

    generator: str
    seed: int
    n_pictures: int
    request: Mapping[str, Any]
    level: float
    statistics: Mapping[str, Any]
    sha256: str
    path: str
    model_version_id: int | None = None


@dataclass(frozen=True)
class PreviewRecord:
    """Pictures that were drawn before a run was made (or of no run). Kept for ever."""

    id: int
    campaign_id: int
    experiment_id: int | None
    batch_id: int | None
    preview: NewPreview
    created_at: datetime
    created_by: str


@dataclass(frozen=True)
class NewProposal:
    """One proposed experiment with its reasons and predictions."""

    conditions: Mapping[str, Value]
    order: int
    p_success: float
    reason_kind: str
    reason: str
    nearest_experiment_id: int | None
    acquisition_value: float | None
    predictions: Mapping[str, tuple[float, float, float]]
    level: float
    preview: NewPreview | None = None


@dataclass(frozen=True)
class ChangeRecord:
    """One line of the audit trail."""

    id: int
    at: datetime
    actor: str
    action: str
    detail: str | None = None


class ModelKind(StrEnum):
    """What a model is for."""

    SURROGATE = "surrogate"
    GENERATOR = "generator"


class ModelStatus(StrEnum):
    """Where a model version stands: ``candidate → champion → retired``, or ``rejected``."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    RETIRED = "retired"
    REJECTED = "rejected"


class RefreshOutcome(StrEnum):
    """What came of a training."""

    RUNNING = "running"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_verdict(self) -> bool:
        """Whether the training came to an end and was judged."""
        return self in (RefreshOutcome.PROMOTED, RefreshOutcome.REJECTED)


class JobOutcome(StrEnum):
    """What came of a job's run."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class ModelVersionRecord:
    """A trained model: its file, what it was trained on, how well it does.

    ``config``, ``seed`` and ``versions`` are what it can be rebuilt from (versions recorded before
    there were such columns have none); ``is_pruned``: its files were removed on purpose.
    """

    id: int
    campaign_id: int
    kind: ModelKind
    status: ModelStatus
    parent_id: int | None
    artifact_path: str
    sha256: str
    watermark: int
    metrics: Mapping[str, Any]
    created_at: datetime
    created_by: str
    config: Mapping[str, Any] | None = None
    seed: int | None = None
    versions: Mapping[str, str] | None = None
    is_pruned: bool = False


@dataclass(frozen=True)
class PromotionRecord:
    """A version that began to serve; ``model_version_id`` is ``None`` for the starter."""

    id: int
    campaign_id: int
    kind: ModelKind
    model_version_id: int | None
    reason: str | None
    at: datetime
    by: str


@dataclass(frozen=True)
class RefreshRunRecord:
    """One training: why it began, when, and what came of it.

    ``watermark``: the change up to which results were known to it; ``report``: plain JSON.
    """

    id: int
    campaign_id: int
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    outcome: RefreshOutcome
    log: str | None
    model_version_id: int | None
    kind: ModelKind = ModelKind.SURROGATE
    watermark: int | None = None
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class LeaseRecord:
    """Who does what only one may do at a time. ``holder`` is the owner's proof."""

    name: str
    holder: str
    owner: str
    beats: int
    acquired_at: datetime
    heartbeat_at: datetime
    ttl_s: float


@dataclass(frozen=True)
class JobRecord:
    """A scheduled job: plain JSON; without ``next_run_at`` it is paused."""

    id: str
    next_run_at: datetime | None
    definition: Mapping[str, Any]


@dataclass(frozen=True)
class JobRunRecord:
    """One run of a job."""

    id: int
    job_id: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime | None
    outcome: JobOutcome
    owner: str
    detail: str | None


class SourceKind(StrEnum):
    """What a source is: where its runs are read from."""

    CAMPAIGN = "campaign"
    DATABASE = "database"
    TABLE = "table"
    MATMCL = "matmcl"
    SIMULATED = "simulated"


@dataclass(frozen=True)
class SourceRecord:
    """A reference to runs made elsewhere; ``campaign_id`` is ``None`` where it serves all.

    ``fingerprint`` is the SHA-256 of what was read when the source was added.
    """

    id: int
    campaign_id: int | None
    name: str
    kind: SourceKind
    definition: Mapping[str, Any]
    fingerprint: str
    created_at: datetime
    created_by: str


class Role(StrEnum):
    """What somebody may do: a viewer reads, an operator records, an admin decides and lets in."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0, 1, 2: a higher one may do all that a lower one may."""
        return list(Role).index(self)


@dataclass(frozen=True)
class UserRecord:
    """Somebody who may log in at the web page."""

    id: int
    name: str
    role: Role
    password_hash: str
    is_removed: bool
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True)
class SessionRecord:
    """Somebody logged in. ``user_id`` and ``role`` are ``None`` for who started the server."""

    id: int
    user_id: int | None
    actor: str
    role: Role | None
    expires_at: datetime


@dataclass(frozen=True)
class TokenRecord:
    """A program's key: whose, what it may do at most, until when."""

    id: int
    user_id: int
    user: str
    role: Role
    name: str
    scope: Role
    created_at: datetime
    expires_at: datetime | None
    is_revoked: bool


class TaskStatus(StrEnum):
    """How a task stands: ``queued → running → done | failed | cancelled | interrupted``."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self not in (TaskStatus.QUEUED, TaskStatus.RUNNING)


@dataclass(frozen=True)
class TaskRecord:
    """Something done in the background: what was asked, how far it is, what came of it."""

    id: int
    campaign_id: int
    kind: str
    actor: str
    params: Mapping[str, Any]
    status: TaskStatus
    progress: str | None
    fraction: float | None
    result: Mapping[str, Any] | None
    error: str | None
    worker: str | None
    is_cancelled: bool
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
    rerun_of: int | None


@dataclass(frozen=True)
class AnswerRecord:
    """What was answered to a request with a key; ``status`` is ``None`` until it is known."""

    id: int
    fingerprint: str
    at: datetime
    status: int | None
    body: Any


@dataclass(frozen=True)
class TrailRecord:
    """One thing that was recorded of an experiment: when, by whom, what.

    ``kind``: ``status``, ``condition`` or ``measurement``; ``revision`` > 1 is a correction.
    """

    at: datetime
    actor: str
    change_id: int
    kind: str
    name: str
    value: Value | None
    revision: int
    replicate: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class MeanRecord:
    """The current replicates of one outcome of one experiment; ``square``: mean of the squares."""

    experiment_id: int
    outcome: str
    mean: float
    square: float
    lowest: float
    highest: float
    n: int

    @property
    def variance(self) -> float | None:
        """The replicates' variance about their mean; ``None`` for a single one."""
        if self.n < 2:
            return None
        return max(0.0, self.square - self.mean**2) * self.n / (self.n - 1)


@dataclass(frozen=True)
class ScoredRecord:
    """A prediction made before a run, and one measurement that came after it."""

    experiment_id: int
    outcome: str
    mean: float
    lower: float
    upper: float
    level: float
    measured: float

    @property
    def is_inside(self) -> bool:
        """Whether the measurement fell into the interval."""
        return self.lower <= self.measured <= self.upper


@dataclass(frozen=True)
class Goal:
    """What to compare experiments by: an outcome's mean, the larger (``sign`` +1) the better."""

    outcome: str
    sign: float
    threshold: float


@dataclass(frozen=True)
class Limit:
    """``lower ≤ Σ terms[outcome] · mean ≤ upper``, each bound where given."""

    terms: Mapping[str, float]
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Overview:
    """All completed experiments of a campaign together.

    ``n_beyond`` and ``best`` (an experiment's id) are by goal; those that break a limit count in
    ``n_breaking`` and nowhere else.
    """

    n_breaking: int
    n_beyond_all: int
    n_beyond: tuple[int, ...]
    best: tuple[int | None, ...]


@dataclass(frozen=True)
class ExperimentBrief:
    """What it takes to choose among many experiments: conditions as known, means of outcomes."""

    id: int
    status: Status
    conditions: Mapping[str, Value]
    means: Mapping[str, float]
