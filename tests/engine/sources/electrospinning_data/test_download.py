"""`engine source add electrospinning-data`: the real client against a server of this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from public_database import PublicDatabase, record

from engine.sources.electrospinning_data import connection

Engine = Callable[..., Any]
NAME = "electrospinning-data"

pytest.importorskip("electrospinning_data_client", reason="needs the extra `data`")


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator[PublicDatabase]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with PublicDatabase().serving() as database:
        monkeypatch.setattr(connection, "ADDRESS", database.address)
        yield database


def tables(folder: Path) -> list[Path]:
    return sorted((folder / "spinneret-data").glob("sources/*"))


def test_records_become_a_source_with_version_and_citation(
    engine: Engine, folder: Path, public: PublicDatabase
) -> None:
    public.records += [
        record(20, "PANI"),
        record(21, "PAN-PVP"),
        record(22, processParameter={"voltage": 18000, "voltageUnit": "V"}),
        record(23, solutionProperty={"concentration": 90, "concentrationUnit": "mg/mL"}),
        record(24, solutionProperty={"concentration": "8-10"}),
        {"recordId": None},
    ]
    answer = engine("source", "add", NAME, "--polymer", "pan", "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["n_runs"] == 9
    means = {p["name"]: p["means"] for p in answer.json["parameters"]}
    assert means == {
        "concentration": "concentration", "voltage": "voltage", "flow_rate": "flow_rate",
        "distance": "distance", "humidity": "humidity",
    }  # fmt: skip
    assert answer.json["outcomes"] == {"fibre_diameter": "fibre_diameter"}
    for note in (
        "1 records cannot be read",
        "another polymer left out: PANI (1), PAN-PVP (1)",
        "9 values of temperature state no unit",
        "1 values of concentration in mg/mL, which cannot become %",
        "1 values of concentration are no numbers (8-10)",
    ):
        assert note in answer.err
    origin = answer.json["definition"]["origin"]
    assert (origin["version"], origin["doi"]) == ("v1.1.0", "10.5281/zenodo.1")
    assert origin["works"] == ["10.1000/pan"]
    (table,) = tables(folder)
    assert "18.0" in next(
        row for row in table.read_text().splitlines() if row.startswith("record 22")
    )
    asked = [
        path for _, path, query in public.requests if query.get("filter") == ['{"polymer": "pan"}']
    ]
    assert asked == ["/public/dataset/v1.1.0/export"]

    listing = engine("source", "list").out
    assert "Electrospinning-Data.org" in listing
    assert "version v1.1.0" in listing
    assert "CC BY 4.0" in listing
    public.failure = (500, b"")  # read anew without the network
    answer = engine("source", "show", NAME)
    assert "to cite: Electrospinning-Data.org, version v1.1.0" in answer.out
    assert "records of 10.1000/pan" in answer.out
    assert "reads otherwise" not in answer.err
    assert {method for method, _, _ in public.requests} == {"GET"}


def test_ranges_stated_units_and_an_older_version(engine: Engine, public: PublicDatabase) -> None:
    answer = engine(
        "source", "add", "pan", "--electrospinning-data", "--range", "voltage=17:19.5",
        "--unit", "temperature=°C", "--version", "v1.0.0", "--json",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.err
    assert answer.json["n_runs"] == 3
    assert "temperature" in {p["name"] for p in answer.json["parameters"]}
    assert answer.json["definition"]["origin"]["filters"] == {"voltage": "17:19.5"}
    assert "announces 2 records, 6 came" in answer.err
    assert public.requests[-1][1] == "/public/dataset/v1.0.0/export"


def test_strengths_without_a_direction_are_mapped_by_hand(
    engine: Engine, public: PublicDatabase
) -> None:
    strength = {"tensile_strength": 4000.0, "tensileStrengthUnit": "kPa"}
    public.records = [record(n, mechanicalProperty=strength) for n in range(1, 5)]
    answer = engine(
        "source", "add", NAME, "--map", "fracture_strength.longitudinal=fracture_strength", "--json"
    )
    assert answer.exit_code == 0, answer.err
    assert answer.json["outcomes"]["fracture_strength"] == "fracture_strength.longitudinal"


def test_needle_and_collector_are_read_from_their_definitions(
    engine: Engine, folder: Path, public: PublicDatabase
) -> None:
    public.records = [
        record(
            number,
            needleProperty={
                "needleType": "Single Needle", "needleDefinition": {"size": 22, "unit": "G"},
            },
            collectorProperty={
                "collectorDefinition": {"rotationSpeed": 5.0, "rotationSpeedUnit": "rps"},
            },
        )
        for number in range(3)
    ]  # fmt: skip
    assert engine("source", "add", NAME).exit_code == 0
    heading, row = tables(folder)[0].read_text().splitlines()[:2]
    values = dict(zip(heading.split(","), row.split(","), strict=True))
    assert (values["collector_speed [rpm]"], values["needle_gauge [gauge]"]) == ("300.0", "22.0")


@pytest.mark.parametrize(
    ("change", "words", "code", "message"),
    [
        ({"is_cut": True}, [], 1, "broke off"),
        ({"failure": (503, b"busy")}, [], 1, "does not serve now"),
        ({"failure": (200, b"<html>")}, [], 1, "something else than its records"),
        ({"failure": (404, b"gone")}, [], 1, "no such dataset"),
        ({"failure": (403, b"no")}, [], 1, "refuses"),
        ({"records": {"error": 1}}, [], 1, "without a list of records"),
        ({"records": []}, ["--polymer", "PVA"], 1, "no record of polymer PVA"),
        ({"records": [{"polymerProperty": 3}]}, [], 1, "no record that can be read"),
        ({"versions": 3}, [], 1, "something else than its records"),
        ({}, ["--polymer", "PA"], 1, "another polymer left out: PAN (6)"),
        ({}, ["--range", "voltage=90:99"], 1, "outside the range"),
        ({}, ["--range", "voltage=9"], 2, "LOW:HIGH"),
        ({}, ["--range", "volts=1:9"], 2, "Did you mean 'voltage'"),
        ({}, ["--unit", "temperature=kV"], 2, "can become °C"),
        ({}, ["--version", "v1.2.0"], 2, "It has: v1.0.0, v1.1.0"),
        ({}, ["--electrospinning-data", "--labs", "3"], 2, "is not for --electrospinning-data"),
        ({}, ["--table", "t.csv", "--polymer", "PAN"], 2, "is for --electrospinning-data"),
        ({}, ["--map", "voltage=volts"], 2, "no column 'volts'"),
    ],
)  # fmt: skip
def test_whole_or_not_at_all(
    engine: Engine, folder: Path, public: PublicDatabase, state: Callable[[], Any],
    change: dict[str, Any], words: list[str], code: int, message: str,
) -> None:  # fmt: skip
    for name, value in change.items():
        setattr(public, name, value)
    before = state()
    answer = engine("source", "add", NAME, *words)
    assert (answer.exit_code, message in answer.err) == (code, True), answer.err
    assert state() == before
    assert not tables(folder)


def test_a_machine_without_network(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(connection, "ADDRESS", "http://127.0.0.1:9/public/dataset")
    answer = engine("source", "add", NAME)
    assert (answer.exit_code, "cannot be reached" in answer.err) == (1, True), answer.err


def test_without_the_extra(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "electrospinning_data_client", None)
    answer = engine("source", "add", NAME)
    assert (answer.exit_code, "spinneret[data]" in answer.err) == (2, True), answer.err


def test_nothing_but_reading_passes(public: PublicDatabase) -> None:
    from electrospinning_data_client import Client

    transport = connection._ReadOnlyTransport(lambda *_: None)
    client = Client(public.address, transport=transport, token="a token")  # noqa: S106
    with pytest.raises(ValueError, match="nothing is ever sent"):
        client.submit(json.loads("{}"))
    client.close()
    assert not public.requests
