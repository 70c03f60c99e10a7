"""`engine export --to electrospinning-data`: a record for review, as the real client reads it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from db.records import NewExperiment, Origin, Status
from engine.workspace import Workspace

Engine = Callable[..., Any]
TO = ("export", "--to", "electrospinning-data")
SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 17.8, "collector_speed": 300.0}
RUNS = [
    NewExperiment(
        Origin.IMPORT, Status.COMPLETED, actual={**SETTINGS, "humidity": 41.0},
        outcomes={
            "fracture_strength.longitudinal": (4.0, 6.0),
            "fracture_strength.transverse": (1.0,),
            "elastic_modulus.longitudinal": (0.5,),
        },
    ),
    NewExperiment(Origin.MANUAL, Status.COMPLETED, actual=SETTINGS),
    NewExperiment(Origin.MANUAL, Status.FAILED, failure="no_jet", actual=SETTINGS),
]  # fmt: skip


@pytest.fixture
def recorded(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with workspace.database.write("import") as tx:
        tx.experiments.add(tx.campaigns.active(), RUNS)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("nothing is sent")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("recorded")
def test_the_client_reads_back_what_was_measured(engine: Engine, folder: Path) -> None:
    client = pytest.importorskip("electrospinning_data_client", reason="needs the extra `data`")
    answer = engine(*TO, "--out", "record.json", "--polymer", "PAN", "--direction", "longitudinal")
    assert answer.exit_code == 0, answer.err
    assert "nothing was sent" in answer.err
    assert "1 failed runs: left out" in answer.err
    document = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert document["userMetadata"]["consentTerms"] is False
    entries = document["experimentData"]
    assert len(entries) == 2
    record = client.ExperimentRecord.from_dict({"recordId": 1, **entries[0]})
    row = client.DataFrameMapper.to_row(record)
    for name, unit, value in (
        ("solution_concentration", "wt%", 18.0),
        ("voltage", "kV", 17.8),
        ("flow_rate", "mL/h", 0.4),
        ("humidity", "%", 41.0),
        ("tensile_strength", "MPa", 5.0),
        ("modulus", "MPa", 50.0),
    ):
        assert (row[name], row[f"{name}_unit"]) == (pytest.approx(value), unit)
    assert row["polymer(s)"] == "PAN"
    speed = {"rotationSpeed": 300.0, "rotationSpeedUnit": "rpm"}
    assert json.loads(row["collector_definition"]) == speed
    assert row["temperature"] is None


@pytest.mark.usefixtures("recorded")
def test_what_is_missing_is_told(engine: Engine) -> None:
    answer = engine(*TO)
    assert answer.exit_code == 0, answer.err
    assert "mechanicalProperty" not in json.loads(answer.out)["experimentData"][0]
    for note in (
        "choose it with --direction",
        "2 runs state no polymer",
        "has no field for: yield",
    ):
        assert note in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "--to", "zenodo"], "expected electrospinning-data"),
        ([*TO, "--format", "csv"], "is json"),
        ([*TO, "--direction", "up"], "expected one of longitudinal, transverse"),
        ([*TO], "no completed run"),
        (["export", "--polymer", "PAN"], "is for --to"),
    ],
)
def test_what_cannot_be_is_refused(engine: Engine, words: list[str], message: str) -> None:
    answer = engine(*words)
    assert (answer.exit_code, message in answer.err) == (2, True), answer.err
