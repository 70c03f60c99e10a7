from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from db.records import ExperimentRecord, MeasurementRecord, Origin, Status
from engine.errors import NotFoundError
from engine.experiments.learning_set import history_from_records

NOW = datetime(2025, 5, 1, tzinfo=UTC)


def experiment(id_: int, status: Status, *values: tuple[str, float], **fields) -> ExperimentRecord:
    measurements = tuple(
        MeasurementRecord(i, id_, name, i, 1, value, None, NOW, "ann")
        for i, (name, value) in enumerate(values, 1)
    )
    return ExperimentRecord(
        id=id_,
        campaign_id=1,
        revision_id=1,
        label=f"L{id_}",
        origin=Origin.IMPORT,
        status=status,
        failure="beads" if status is Status.FAILED else None,
        note=None,
        created_at=NOW,
        created_by="ann",
        measurements=measurements,
        **fields,
    )


def test_each_run_goes_where_it_belongs(nanofibre) -> None:
    along = "elongation.longitudinal"
    history = history_from_records(
        nanofibre,
        [
            experiment(1, Status.COMPLETED, (along, 80.0), (along, 84.0)),
            experiment(2, Status.RUNNING),
            experiment(3, Status.PROPOSED),
            experiment(4, Status.FAILED),
            experiment(5, Status.ABANDONED, (along, 1.0)),
            experiment(6, Status.COMPLETED, ("gone", 1.0)),
        ],
    )
    assert [run.id for run in history.finished] == [1]
    assert [run.id for run in history.pending] == [2, 3]
    assert [run.id for run in history.failed] == [4]
    assert history.finished[0].outcomes == {along: (80.0, 84.0)}
    assert history.finished[0].label == "L1"


def test_conditions_are_as_run_and_of_the_campaign(nanofibre) -> None:
    record = experiment(
        1, Status.RUNNING, proposed={"voltage": 18.0, "gone": 1.0}, actual={"voltage": 17.8}
    )
    (run,) = history_from_records(nanofibre, [record]).pending
    assert run.conditions == {"voltage": 17.8}


def test_a_workspace_knows_its_campaign(workspace, nanofibre) -> None:
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
    assert campaign == nanofibre
    assert workspace.drift(record) is None
    other = record.definition | {"description": "other"}
    assert "engine campaign sync" in str(workspace.drift(replace(record, definition=other)))
    assert workspace.drift(replace(record, name="other")) is None
    assert workspace.data_dir == workspace.root / "spinneret-data"


def test_no_active_campaign_is_told(folder, tmp_path) -> None:
    from db.schema import create
    from engine.workspace import Workspace

    (folder / "spinneret.db").unlink()
    create(f"sqlite:///{folder / 'spinneret.db'}")
    with (
        Workspace.open(folder / "config.toml") as workspace,
        workspace.database.read() as tx,
        pytest.raises(NotFoundError, match="no campaign is recorded") as caught,
    ):
        workspace.active_campaign(tx)
    assert "engine init" in caught.value.worded("cli")
