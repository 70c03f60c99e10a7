"""Documents are read from records by name: no record may lose an attribute that one reads."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic import AliasPath
from pydantic_core import PydanticUndefined

from db import records
from engine.curves.fit import Refitted
from engine.curves.values import ValueChange
from engine.documents import (
    Document,
    campaigns,
    curves,
    experiments,
    jobs,
    models,
    plain,
    predictions,
    proposals,
    retrieval,
)
from engine.experiments.bring_in import FileReport
from engine.experiments.recorded import Recorded, RecordedValue
from engine.experiments.undo import Undone
from engine.jobs.schedule import Scheduled
from engine.micrographs.add import AddReport
from engine.predictions.predict import Drive
from engine.predictions.sensitivity import Sensitivity
from engine.predictions.slices import Map, MeasuredRun, Slice
from engine.previews.expected_statistics import Interval
from engine.propose.request import Forecast, SourceShare, Suggestion, SuggestionBatch
from engine.refresh.request import Refreshed
from engine.registry.versions import Promoted, Pruned
from engine.results import overview, status
from engine.results.advice import Advice
from engine.results.designs import Design
from engine.results.ledger import OutcomeScore
from engine.retrieval.gallery import Statistics
from engine.sources.store_champion import Pretrained

READ_FROM: list[tuple[type[Document], type[Any]]] = [
    (experiments.MeasurementOut, records.MeasurementRecord),
    (experiments.MicrographOut, records.MicrographRecord),
    (experiments.MicrographFileOut, records.MicrographRecord),
    (experiments.ExportedMicrographOut, records.MicrographRecord),
    (experiments.AddedMicrographsOut, AddReport),
    (experiments.PredictionOut, records.PredictionRecord),
    (experiments._Run, records.ExperimentRecord),
    (experiments.ExperimentOut, records.ExperimentRecord),
    (experiments.ShownExperimentOut, records.ExperimentRecord),
    (experiments.ReasonOut, records.ProposalRecord),
    (experiments.RecordedValueOut, RecordedValue),
    (experiments.LoggedOut, Recorded),
    (experiments.UndoneOut, Undone),
    (experiments.FileReportOut, FileReport),
    (experiments.DesignOut, Design),
    (curves.CurveOut, records.CurveRecord),
    (curves.CurveValueOut, ValueChange),
    (curves.RefittedOut, Refitted),
    (experiments.TrailOut, records.TrailRecord),
    (campaigns.CampaignOut, records.CampaignRecord),
    (campaigns.RevisionOut, records.CampaignRecord),
    (campaigns.DefinitionOut, records.CampaignRecord),
    (campaigns.StatusOut, status.CampaignStatus),
    (campaigns._Pending, records.ExperimentRecord),
    (campaigns._Finished, records.ExperimentRecord),
    (campaigns._Best, status.Best),
    (campaigns.DueOut, overview.Due),
    (campaigns.AdviceOut, Advice),
    (jobs.JobOut, records.TaskRecord),
    (jobs.ChangeOut, records.ChangeRecord),
    (jobs.JobRunOut, records.JobRunRecord),
    (jobs.ScheduledJobOut, Scheduled),
    (models.ModelOut, records.ModelVersionRecord),
    (models._Version, records.ModelVersionRecord),
    (models.ServedOut, Promoted),
    (models.PromotionOut, records.PromotionRecord),
    (models.PrunedOut, Pruned),
    (models.PretrainedOut, Pretrained),
    (models.RefreshedOut, Refreshed),
    (predictions.ForecastOut, Forecast),
    (predictions.DriveOut, Drive),
    (predictions.SliceOut, Slice),
    (predictions.MapOut, Map),
    (predictions.SensitivitiesOut, Sensitivity),
    (predictions.MeasuredRunOut, MeasuredRun),
    (predictions.ScoreOut, OutcomeScore),
    (proposals.BatchBriefOut, records.BatchRecord),
    (proposals.SuggestionOut, Suggestion),
    (proposals.SourceShareOut, SourceShare),
    (proposals._Learnt, SuggestionBatch),
    (retrieval.StatisticsOut, Statistics),
    (retrieval.ExpectedOut, Interval),
]


@pytest.mark.parametrize(("document", "record"), READ_FROM, ids=lambda c: c.__name__)
def test_a_record_has_what_its_document_reads(document, record) -> None:
    attributes = {field.name for field in dataclasses.fields(record)} | set(dir(record))
    for name, field in document.model_fields.items():
        alias = field.validation_alias
        path = alias.path if isinstance(alias, AliasPath) else [alias or name]
        # What has a default and no other name to be read by is filled in by ``build``.
        if alias is not None or (field.default is PydanticUndefined and not field.default_factory):
            assert path[0] in attributes, f"{record.__name__} has no {path[0]}"


def test_every_document_that_is_read_from_a_record_stands_in_the_table() -> None:
    modules = (campaigns, curves, experiments, jobs, models, predictions, proposals, retrieval)
    aliased = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Document)
        and any(
            f.validation_alias for n, f in value.model_fields.items() if n in value.__annotations__
        )
    }
    assert aliased - {document for document, _ in READ_FROM} == set()


def test_documents_within_dictionaries_and_lists() -> None:
    forecast = predictions.ForecastOut(mean=1.0, lower=float("-inf"), upper=2.0)
    assert plain({"rows": [forecast, (1.0, float("nan"))]}) == {
        "rows": [{"mean": 1.0, "lower": None, "upper": 2.0}, [1.0, None]]
    }
