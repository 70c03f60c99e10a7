"""A folder of pictures read without a campaign: tables, resume, what cannot be read."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import engine as spinneret
from engine.bulk import pool
from engine.bulk.files import find_pictures, sample_names
from engine.bulk.journal import Journal
from engine.bulk.picture import PictureReading, PictureTask, read_picture
from engine.bulk.read import read_folder
from engine.bulk.request import ReadRequest
from engine.bulk.samples import summarise
from engine.cli.app import app
from engine.errors import DataError, NotFoundError, StateError, UsageError
from engine.lab.physics import Microstructure
from engine.lab.render import render_known
from engine.micrographs.scale import HowTaken
from generator.fibres import find_fibres
from generator.statistics import measure

SHAPE = (112, 144)
NM = 50.0


def drawn(seed: int) -> tuple[Any, Any]:
    mat = Microstructure(*(np.asarray(v) for v in (600.0, 0.15, 0.3, 0.8, 0.0, 0.2)))
    return render_known(mat, np.random.default_rng(seed), shape=SHAPE, nm_per_pixel=NM)


def save(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(drawn(seed)[0]).save(path)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of two samples, one cut short, one that is none, one that is no picture's."""
    folder = tmp_path_factory.mktemp("bulk") / "pictures"
    save(folder / "S1" / "a_2.tif", 1)
    save(folder / "S1" / "a_10.tif", 2)
    save(folder / "=S2" / "+b.png", 3)
    whole = save(folder / "S1" / "cut.tif", 4).read_bytes()
    (folder / "S1" / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "=S2" / "foreign.jpg").write_text("no picture")
    (folder / "=S2" / "movie.gif").write_text("neither")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "a.tif").write_text("hidden")
    return folder


@pytest.fixture(scope="module")
def outputs(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one run of the command wrote of them, with the other processes it really has."""
    folder = tmp_path_factory.mktemp("out")
    words = ["micrograph", "read", pictures, "--nm-per-pixel", NM, "--json", "--jobs", 2]
    for name in ("out", "fibres", "summary"):
        words += [f"--{name}", folder / f"{name}.csv"]
    words += ["--histograms", folder / "h", "--overlays", folder / "o"]
    answer = CliRunner().invoke(app, [str(word) for word in words])
    assert answer.exit_code == 1, answer.stderr
    (folder / "answer.json").write_text(answer.stdout, encoding="utf-8")
    (folder / "stderr.txt").write_text(answer.stderr, encoding="utf-8")
    return folder


Begun = list[str]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    """Read pictures in this process, which is quicker, and note the names of those begun."""
    names: Begun = []

    def read(
        tasks: list[PictureTask], n: int, should_stop: Callable[[], bool]
    ) -> Iterator[tuple[PictureTask, PictureReading]]:
        for task in tasks:
            names.append(task.name)
            yield task, read_picture(task)
            if should_stop():
                return

    monkeypatch.setattr("engine.bulk.read.read_pictures", read)
    return names


def test_a_row_a_picture_and_what_cannot_be_read_is_told(outputs: Path) -> None:
    table = rows(outputs / "out.csv")
    names = [row["picture"] for row in table]
    assert names == ["'=S2/+b.png", "'=S2/foreign.jpg", "S1/a_2.tif", "S1/a_10.tif", "S1/cut.tif"]
    by_name = {row["picture"]: row for row in table}
    row = by_name["S1/a_2.tif"]
    truth = drawn(1)[1]
    assert float(row["mean diameter [nm]"]) == pytest.approx(truth.diameter_nm, rel=0.1)
    scaled = float(row["mean diameter [px]"]) * NM
    assert float(row["mean diameter [nm]"]) == pytest.approx(scaled, rel=1e-3)
    assert (row["sample"], row["pixel size [nm]"], row["pixel size from"]) == ("S1", "50", "stated")
    assert 0 < float(row["standard error [nm]"]) < 200
    assert row["problem"] == ""
    assert "not a picture" in by_name["'=S2/foreign.jpg"]["problem"]
    assert "damaged" in by_name["S1/cut.tif"]["problem"]
    told = " ".join((outputs / "stderr.txt").read_text(encoding="utf-8").split())
    assert "3 of 5 pictures measured; 2 could not be measured" in told
    assert "foreign.jpg is not a picture" in told
    assert "left aside: 1 .gif" in told


def test_a_row_a_fibre(outputs: Path) -> None:
    table = rows(outputs / "fibres.csv")
    counts = {row["picture"]: row["fibres"] for row in rows(outputs / "out.csv")}
    of_one = [row for row in table if row["picture"] == "S1/a_2.tif"]
    assert len(of_one) == int(counts["S1/a_2.tif"]) > 5
    for row in of_one:
        assert 0 <= float(row["x [px]"]) < SHAPE[1]
        assert 0 <= float(row["y [px]"]) < SHAPE[0]
        assert 0 <= float(row["angle [°]"]) < 180
        assert float(row["width [nm]"]) == pytest.approx(NM * float(row["width [px]"]), rel=1e-3)
        assert float(row["standard error [nm]"]) > 0


def test_samples_histograms_overlays_and_the_document(outputs: Path) -> None:
    samples = {row["sample"]: row for row in rows(outputs / "summary.csv")}
    assert {name: row["pictures"] for name, row in samples.items()} == {"'=S2": "2", "S1": "3"}
    assert samples["S1"]["failed"] == "1"
    values = [float(row["mean diameter [nm]"]) for row in rows(outputs / "out.csv")
              if row["sample"] == "S1" and not row["problem"]]  # fmt: skip
    assert float(samples["S1"]["mean diameter [nm]"]) == pytest.approx(np.mean(values), rel=1e-4)
    drawings = sorted(path.name for path in (outputs / "h").iterdir())
    assert drawings == ["S1.png", "S2.png", "diameters.csv"]
    shares = [row for row in rows(outputs / "h" / "diameters.csv") if row["picture"] == "all"]
    whole = sum(float(row["share of the length [–]"]) for row in shares)
    assert whole == pytest.approx(len(samples), abs=0.02)
    overlays = sorted(path.name for path in (outputs / "o").rglob("*.png"))
    assert overlays == ["+b.png.png", "a_10.tif.png", "a_2.tif.png"]
    document = json.loads((outputs / "answer.json").read_text(encoding="utf-8"))
    assert document["pictures"][0]["picture"] == "=S2/+b.png"
    assert document["samples"][1]["diameter_nm"]["mean"] == pytest.approx(np.mean(values), rel=1e-4)


def test_a_killed_run_goes_on_and_only_what_changed_is_read_again(
    pictures: Path, tmp_path: Path, begun: Begun
) -> None:
    folder = Path(shutil.copytree(pictures, tmp_path / "pictures"))
    journal = tmp_path / "journal"

    def read(**options: Any) -> Any:
        begun.clear()
        options = {"journal": journal, "stated": HowTaken(NM), **options}
        return read_folder(ReadRequest(folder, **options), should_stop=lambda: stop)

    stop = True
    assert read().is_stopped
    assert begun == ["=S2/+b.png"]
    with (journal / "pictures.jsonl").open("a") as file:
        file.write('\n["cut short by the kill", {"na')
    stop = False
    first = read()
    assert begun == ["=S2/foreign.jpg", "S1/a_2.tif", "S1/a_10.tif", "S1/cut.tif"]
    assert (first.n_resumed, len(first.failures)) == (1, 2)
    # What could not be read is tried again; what was moved or touched is known by its content.
    (folder / "S1" / "a_2.tif").rename(folder / "S1" / "c.tif")
    os.utime(folder / "S1" / "a_10.tif")
    again = read()
    assert begun == ["=S2/foreign.jpg", "S1/cut.tif"]
    sizes = [{p.name: (p.statistics or {}).get("diameter", {}).get("mean") for p in one.pictures}
             for one in (again, first)]  # fmt: skip
    assert sizes[0]["S1/c.tif"] == sizes[1]["S1/a_2.tif"]
    before = (folder / "S1" / "c.tif").stat()
    save(folder / "S1" / "c.tif", 9)
    os.utime(folder / "S1" / "c.tif", ns=(before.st_atime_ns, before.st_mtime_ns))
    read()
    assert "S1/c.tif" in begun
    (folder / "S1" / "a_10.txt").write_text("PixelSize=20")
    read()
    assert begun == ["=S2/foreign.jpg", "S1/a_10.tif", "S1/cut.tif"]
    read(has_fibres=True, overlays=tmp_path / "o")
    assert len(begun) == 5
    read(has_fibres=True, overlays=tmp_path / "o")
    assert begun == ["=S2/foreign.jpg", "S1/cut.tif"]
    read(stated=HowTaken(NM, "y"))
    assert len(begun) == 5
    read(stated=HowTaken(NM, "y"), is_fresh=True)
    assert len(begun) == 5


def test_a_journal_is_one_runs_at_a_time(pictures: Path, tmp_path: Path, begun: Begun) -> None:
    with Journal(tmp_path / "j"), pytest.raises(StateError, match="another run"):
        read_folder(ReadRequest(pictures, journal=tmp_path / "j"))
    assert begun == []


def test_a_process_that_dies_costs_one_picture(tmp_path: Path, monkeypatch: Any) -> None:
    begin = pool._begin
    first = [True]

    def begin_badly() -> Any:
        process = begin()
        if first.pop() if first else False:
            process.kill()
            process.wait()
        return process

    monkeypatch.setattr(pool, "_begin", begin_badly)
    names = [save(tmp_path / f"a_{n}.tif", n).name for n in (1, 2)]
    reading = read_folder(ReadRequest(tmp_path, jobs=1))
    assert [picture.name for picture in reading.failures] == names[:1]
    assert "died" in (reading.failures[0].problem or "")


@pytest.mark.parametrize(
    ("sample", "samples"),
    [
        ("folder", ["A", "A/deep", "–"]),
        ("name", ["m", "m", "x"]),
        ("{sample}_*.tif", ["m", "m", "x"]),
        ("*/m_{sample}.tif", None),
        ("nothing", None),
        ("{sample}{sample}", None),
    ],
)
def test_what_one_sample_is(sample: str, samples: list[str] | None) -> None:
    names = ["A/m_1.tif", "A/deep/m_2.tif", "x_1.tif"]
    if samples is None:
        with pytest.raises(UsageError, match="sample"):
            sample_names(names, sample)
        return
    assert sample_names(names, sample) == samples


def test_samples_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "s.csv"
    table.write_text("File,Sample\nm_1.tif,first\nm_2,second\n", encoding="utf-8")
    assert sample_names(["A/m_1.tif", "m_2.tif"], str(table)) == ["first", "second"]
    with pytest.raises(DataError, match=r"none for m_3\.tif"):
        sample_names(["m_3.tif"], str(table))
    table.write_text("name,mat\na,b\n", encoding="utf-8")
    with pytest.raises(DataError, match="columns file and sample"):
        sample_names(["m_3.tif"], str(table))


def test_two_pictures_that_agree_prove_little() -> None:
    def picture(mean: float) -> PictureReading:
        numbers = dict.fromkeys(("order", "porosity", "bead_fraction"), 0.5)
        errors = {**dict.fromkeys(numbers, 0.1), "diameter": 20.0}
        diameter = {"mean": mean, "sd": 30.0}
        return PictureReading("a", nm_per_pixel=1.0, n_fibres=3,
                              statistics={"diameter": diameter, "standard_errors": errors,
                                          **numbers})  # fmt: skip

    (agreeing,) = summarise([picture(300.0), picture(300.0)])
    assert agreeing.diameter_nm.error == pytest.approx(20.0 / 2**0.5)
    assert agreeing.sd_nm == pytest.approx(30.0)
    (apart,) = summarise([picture(200.0), picture(400.0), PictureReading("b", problem="cut")])
    assert apart.diameter_nm.mean == pytest.approx(300.0)
    assert apart.diameter_nm.error == pytest.approx(100.0)
    assert apart.sd_nm == pytest.approx((30.0**2 + 100.0**2) ** 0.5)
    assert (apart.n_pictures, apart.n_failed, apart.n_fibres) == (3, 1, 6)


def test_what_was_drawn_into_the_folder_is_no_picture_of_it(
    bare_engine: Any, tmp_path: Path, begun: Begun
) -> None:
    save(tmp_path / "a.tif", 1)
    words = ["--nm-per-pixel", NM, "--histograms", tmp_path / "h", "--overlays", tmp_path / "o"]
    for _ in range(2):
        begun.clear()
        assert bare_engine("micrograph", "read", tmp_path, *words).exit_code == 0
        assert begun == ["a.tif"]
    assert len(list(tmp_path.rglob("*.png"))) == 2


def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such folder"):
        ReadRequest(tmp_path / "gone")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match="got a file"):
        ReadRequest(tmp_path / "a.txt")
    with pytest.raises(UsageError, match="jobs"):
        ReadRequest(tmp_path, jobs=-1)
    (tmp_path / "a.dm3").write_text("x")
    with pytest.raises(DataError, match=r"found none; left aside: 1 \.dm3"):
        find_pictures(tmp_path)
    save(tmp_path / "overlays" / "a.png", 1)
    with pytest.raises(DataError, match="found none"):
        find_pictures(tmp_path, [tmp_path / "overlays"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "t.txt"], "--out: expected a name ending in .csv or .xlsx"),
        (["--fibres", "gone/t.csv"], "no such folder"),
        (["--out", "t.csv", "--fibres", "t.csv"], "expected different places"),
        (["--nm-per-pixel", "0"], "--nm-per-pixel: expected a size above 0"),
        (["--jobs", "-1"], "--jobs: expected 0"),
        (["--sample", "sort"], "--sample: expected folder, name"),
    ],
)
def test_bad_words_are_refused_before_anything_is_measured(
    bare_engine: Any, pictures: Path, tmp_path: Path, monkeypatch: Any, begun: Begun,
    words: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    answer = bare_engine("micrograph", "read", pictures, *words)
    assert answer.exit_code == 2 or "no such folder" in message
    assert message in " ".join(answer.err.split())
    assert begun == []
    assert list(tmp_path.iterdir()) == []


def test_from_python(pictures: Path, tmp_path: Path, begun: Begun) -> None:
    table = spinneret.read_micrographs(pictures, nm_per_pixel=NM, fibres=True)
    frame = table.to_frame()
    assert len(table) == len(frame) == 5
    assert set(table.failures) == {"=S2/foreign.jpg", "S1/cut.tif"}
    assert frame["mean diameter [nm]"].dtype == float
    assert frame.loc["=S2/+b.png", "fibres"] == (table.fibres()["picture"] == "=S2/+b.png").sum()
    assert list(table.samples().index) == ["=S2", "S1"]
    table.save(tmp_path / "t.xlsx")
    workbook = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert workbook.sheetnames == ["pictures", "samples"]
    first = workbook["pictures"]["A2"]
    assert (first.value, first.data_type) == ("=S2/+b.png", "s")
    sheet = pd.read_excel(tmp_path / "t.xlsx", index_col="picture")
    assert sheet.loc["S1/a_2.tif", "fibres"] == frame.loc["S1/a_2.tif", "fibres"]
    unscaled = spinneret.read_micrographs(pictures / "=S2").to_frame().loc["+b.png"]
    assert "state nm_per_pixel" in unscaled["warnings"]
    assert np.isnan(unscaled["mean diameter [nm]"])
    assert unscaled["mean diameter [px]"] > 5
    with pytest.raises(UsageError, match="fibres=True"):
        spinneret.read_micrographs(pictures / "=S2").fibres()


def test_fibres_are_counted_and_measured() -> None:
    """The number within half as many again, the mean width within 6 %."""
    ratios = []
    for seed in range(2):
        mat = Microstructure(*(np.asarray(v) for v in (600.0, 0.15, 0.3, 0.85, 0.0, 0.2)))
        rng = np.random.default_rng(seed)
        grey, truth = render_known(mat, rng, shape=(256, 320), nm_per_pixel=NM)
        fibres = find_fibres(measure(grey).reading)
        sure = fibres.n_places > 1
        ratios.append(sure.sum() / truth.n_fibres)
        assert fibres.width[sure].mean() * NM == pytest.approx(truth.diameter_nm, rel=0.06)
    assert 1 / 1.5 < np.exp(np.mean(np.log(ratios))) < 1.5


def test_angles_are_anticlockwise_from_the_width() -> None:
    rows_, columns = np.mgrid[:160, :160]
    # Rising to the right by 30°, as it is seen: rows go down.
    off = (rows_ - 80.0) * np.cos(np.pi / 6) + (columns - 80.0) * np.sin(np.pi / 6)
    grey = np.zeros((160, 160), np.float32)
    for at in (-45, 0, 45):
        grey += np.clip(5.5 - np.abs(off - at), 0, 1)
    grey += 0.03 * np.random.default_rng(0).standard_normal(grey.shape).astype(np.float32)
    fibres = find_fibres(measure(grey).reading)
    assert fibres.angle[fibres.n_places > 5] == pytest.approx(30.0, abs=3.0)


def test_an_export_tells_what_pictures_show(engine: Any, folder: Path) -> None:
    save(folder / "a.tif", 1)
    words = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]
    assert engine("log", "--new", *words, "--label", "@7").exit_code == 0
    assert engine("micrograph", "add", "a.tif", "--experiment", "1", "--nm-per-pixel", NM)
    assert engine("export", "runs.json", "--micrographs", "m.csv").exit_code == 0
    (row,) = rows(folder / "m.csv")
    assert (row["picture"], row["sample"]) == ("a.tif", "1 · label @7")
    (run,) = json.loads((folder / "runs.json").read_text(encoding="utf-8"))["experiments"]
    (picture,) = run["micrographs"]
    mean = picture["statistics"]["diameter"]["mean"]
    assert float(row["mean diameter [nm]"]) == pytest.approx(mean, rel=1e-4)
    assert picture["nm_per_pixel_source"] == "stated"
    again = engine("import", "runs.json", "--dry-run")
    assert again.exit_code == 0, again.err
