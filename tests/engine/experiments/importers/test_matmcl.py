from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from engine.campaign import Campaign
from engine.errors import CampaignError, DataError, ImportRefusedError, NotFoundError
from engine.experiments.importers.matmcl import CONDITIONS, RESULTS, read_runs

HEADINGS = ["ID", *CONDITIONS, "dir", *RESULTS]


def row(id_="2", direction="1", **changes) -> list[str]:
    cells = dict(
        zip(
            HEADINGS,
            [
                id_,
                "0.2",
                "16",
                "18",
                "400",
                "20",
                "48",
                direction,
                "9.5",
                "49.8",
                "0.37",
                "0.17",
                "4.3",
            ],
            strict=True,
        )
    )
    cells.update({name.replace("_", " "): value for name, value in changes.items()})
    return list(cells.values())


def write(path: Path, *rows, headings=HEADINGS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([headings, *rows])
    return path


def problems_of(path: Path, campaign: Campaign):
    with pytest.raises(ImportRefusedError) as caught:
        read_runs(path, campaign, max_rows=1000)
    return caught.value.problems


def test_both_directions_make_one_run(tmp_path, nanofibre) -> None:
    path = write(tmp_path / "t.csv", row(), row(direction="0", elongation="33"), row("7"))
    first, second = read_runs(path, nanofibre, max_rows=10).runs
    assert first.label == "2"
    assert first.conditions == {
        "flow_rate": 0.2,
        "concentration": 16.0,
        "voltage": 18.0,
        "collector_speed": 400.0,
        "temperature": 20.0,
        "humidity": 48.0,
    }
    assert first.outcomes["elongation.longitudinal"] == {1: 49.8}
    assert first.outcomes["elongation.transverse"] == {1: 33.0}
    assert first.outcomes["tangent_modulus.longitudinal"] == {1: 0.17}
    assert (first.n_values, second.n_values) == (10, 5)


def test_words_for_nothing_are_told(tmp_path, nanofibre) -> None:
    table = read_runs(write(tmp_path / "t.csv", row(elongation="nan")), nanofibre, max_rows=10)
    assert "elongation.longitudinal" not in table.runs[0].outcomes
    assert "column 'elongation': 'nan' in 1 cell is taken for not known" in table.warnings


@pytest.mark.parametrize(
    ("rows", "place", "told"),
    [
        ([row(v="-1")], (2, "v"), "at least 0"),
        ([row(v="")], (2, "v"), "the cell is empty"),
        ([row(), row(direction="2")], (3, "dir"), "expected 1 (longitudinal) or 0 (transverse)"),
        ([row(), row(direction="0", v="20")], (3, "v"), "expected 18.0, as in row 2 of ID 2"),
        ([row(), row(fracture="7")], (3, "ID"), "stands in row 2 with other values"),
        ([row(id_="")], (2, "ID"), "expected a membrane's ID"),
        ([row(elastic_modulus="stiff")], (2, "elastic modulus"), "to be a finite number"),
    ],
)
def test_a_bad_row_is_told_with_its_place(tmp_path, nanofibre, rows, place, told) -> None:
    (problem,) = problems_of(write(tmp_path / "t.csv", *rows), nanofibre)
    assert (problem.row, problem.column) == place
    assert told in problem.expected


def test_every_published_column_must_be_there(tmp_path, nanofibre) -> None:
    path = write(tmp_path / "t.csv", row()[:-2], headings=HEADINGS[:-2])
    assert [p.column for p in problems_of(path, nanofibre)] == ["tangent modulus", "yield"]


def test_what_the_campaign_does_not_measure_is_left_aside(tmp_path, nanofibre) -> None:
    kept = tuple(p for p in nanofibre.properties if p.name != "tangent_modulus")
    fewer = nanofibre.model_copy(update={"properties": kept})
    fewer = Campaign(**fewer.definition())
    table = read_runs(write(tmp_path / "t.csv", row()), fewer, max_rows=10)
    assert table.runs[0].n_values == 4
    assert "columns left aside: tangent modulus" in table.warnings


def test_another_campaign_is_told_what_it_lacks(tmp_path, mixture) -> None:
    with pytest.raises(CampaignError, match="aliases"):
        read_runs(write(tmp_path / "t.csv", row()), mixture, max_rows=10)


@pytest.fixture
def published(tmp_path) -> Path:
    """Return the published folder's layout, with four pictures for two of three IDs."""
    folder = tmp_path / "published"
    write(folder / "table" / "train.csv", row("2"), row("2", "0"), row("7"))
    write(folder / "table" / "test.csv", row("11"))
    for id_, n in (("2", 3), ("11", 1), ("99", 1)):
        images = folder / "images" / "preprocessed" / id_
        images.mkdir(parents=True)
        for k in range(n):
            Image.new("L", (32, 32), color=40 * k + int(id_)).save(images / f"{id_}_{k + 8}.jpg")
    return folder


def test_the_folder_brings_its_pictures(published, nanofibre) -> None:
    table = read_runs(published, nanofibre, max_rows=10)
    pictures = {run.label: [path.name for path in run.micrographs] for run in table.runs}
    assert pictures == {"2": ["2_8.jpg", "2_9.jpg", "2_10.jpg"], "7": [], "11": ["11_8.jpg"]}
    assert any("belong to no ID of the table: 99" in warning for warning in table.warnings)
    assert any("1 of 3 IDs have no images" in warning for warning in table.warnings)


def test_an_id_of_two_tables_must_agree(published, nanofibre) -> None:
    write(published / "table" / "more.csv", row("2", fracture="1"))
    (problem,) = problems_of(published, nanofibre)
    assert "another table has other values" in problem.expected


def test_what_is_not_the_layout_is_refused(tmp_path, nanofibre) -> None:
    with pytest.raises(DataError, match=r"table/\*\.csv"):
        read_runs(tmp_path, nanofibre, max_rows=10)
    with pytest.raises(NotFoundError):
        read_runs(tmp_path / "none", nanofibre, max_rows=10)


def test_importing_the_folder_keeps_the_pictures_once(engine, folder, published) -> None:
    done = engine("import", published, "--format", "matmcl", "--json")
    assert (done.json["added"], done.json["micrographs"]) == (3, 4)
    kept = list((folder / "spinneret-data" / "micrographs").rglob("*.jpg"))
    assert len(kept) == 4
    again = engine("import", published, "--format", "matmcl", "--json").json
    assert (again["added"], again["unchanged"], again["micrographs"]) == (0, 3, 0)
    shown = engine("show", 2, "--json").json["micrographs"]
    assert [picture["original_name"] for picture in shown] == ["2_8.jpg", "2_9.jpg", "2_10.jpg"]


def test_a_dry_run_looks_at_the_pictures(engine, published) -> None:
    tell = ("import", published, "--format", "matmcl", "--dry-run", "--json")
    assert engine(*tell).json["micrographs"] == 4
    engine("import", published, "--format", "matmcl")
    assert engine(*tell).json["micrographs"] == 0
    (published / "images" / "preprocessed" / "2" / "2_9.jpg").write_bytes(b"\xff\xd8\xff no")
    answer = engine(*tell)
    assert answer.exit_code == 1
    assert "2_9.jpg" in answer.json["problems"][0]["expected"]


def test_the_tables_may_lie_in_the_folder_itself(published, nanofibre) -> None:
    for path in (published / "table").iterdir():
        path.rename(published / path.name)
    table = read_runs(published, nanofibre, max_rows=100)
    assert [run.label for run in table.runs] == ["11", "2", "7"]
    assert sum(len(run.micrographs) for run in table.runs) == 4


def test_a_damaged_picture_refuses_the_folder(engine, state, published) -> None:
    (published / "images" / "preprocessed" / "2" / "2_9.jpg").write_bytes(b"\xff\xd8\xff no")
    before = state()
    answer = engine("import", published, "--format", "matmcl")
    assert answer.exit_code == 1
    assert "2_9.jpg" in answer.err
    assert state() == before
