"""Plain frozen records: what the repositories take and give. No SQLAlchemy object leaves ``db``.

Every write belongs to a *change*: who did what, when. Rows carry the id of their change, so that
``watermark`` (the highest change id) names a state of the whole database: what a proposal knew can
be read back later by asking for the rows up to its watermark.
"""

from __future__ import annotations

from db.records.campaigns import AuditQuery, CampaignRecord, ChangeRecord
from db.records.conditions import Stage, Value
from db.records.corrections import CorrectionKind, CorrectionRecord
from db.records.curves import CurveArrayRecord, CurveFitRecord, CurveRecord
from db.records.experiments import (
    ExperimentRecord,
    MeasurementRecord,
    MicrographRecord,
    NewExperiment,
    Origin,
    Status,
    TouchedRecord,
    TrailRecord,
)
from db.records.models import (
    ModelKind,
    ModelStatus,
    ModelVersionRecord,
    PromotionRecord,
    RefreshOutcome,
    RefreshRunRecord,
    SourceKind,
    SourceRecord,
)
from db.records.operations import (
    AnswerRecord,
    JobOutcome,
    JobRecord,
    JobRunRecord,
    LeaseRecord,
    TaskRecord,
    TaskStatus,
)
from db.records.overview import (
    DesignRecord,
    ExperimentBrief,
    Goal,
    Limit,
    MeanRecord,
    Overview,
    ScoredRecord,
)
from db.records.proposals import (
    BatchRecord,
    NewPreview,
    NewProposal,
    PredictionRecord,
    PreviewRecord,
    ProposalRecord,
)
from db.records.readings import Bound, Reading, details, is_censored, reading
from db.records.users import Role, SessionRecord, TokenRecord, UserRecord

__all__ = [
    "AnswerRecord",
    "AuditQuery",
    "BatchRecord",
    "Bound",
    "CampaignRecord",
    "ChangeRecord",
    "CorrectionKind",
    "CorrectionRecord",
    "CurveArrayRecord",
    "CurveFitRecord",
    "CurveRecord",
    "DesignRecord",
    "ExperimentBrief",
    "ExperimentRecord",
    "Goal",
    "JobOutcome",
    "JobRecord",
    "JobRunRecord",
    "LeaseRecord",
    "Limit",
    "MeanRecord",
    "MeasurementRecord",
    "MicrographRecord",
    "ModelKind",
    "ModelStatus",
    "ModelVersionRecord",
    "NewExperiment",
    "NewPreview",
    "NewProposal",
    "Origin",
    "Overview",
    "PredictionRecord",
    "PreviewRecord",
    "PromotionRecord",
    "ProposalRecord",
    "Reading",
    "RefreshOutcome",
    "RefreshRunRecord",
    "Role",
    "ScoredRecord",
    "SessionRecord",
    "SourceKind",
    "SourceRecord",
    "Stage",
    "Status",
    "TaskRecord",
    "TaskStatus",
    "TokenRecord",
    "TouchedRecord",
    "TrailRecord",
    "UserRecord",
    "Value",
    "details",
    "is_censored",
    "reading",
]
