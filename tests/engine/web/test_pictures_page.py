"""Many pictures without a run: sent, read by a job, shown, downloaded; nothing is recorded."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from mat_pictures import uploads
from PIL import Image

from engine.bulk.dropped import FOLDER, KEPT_DAYS, all_dropped, forget_old
from engine.jobs.kinds import TASK_HANDLERS
from engine.jobs.queue import READING
from engine.jobs.worker import work
from engine.workspace import Workspace

AT = "/campaigns/1/pictures"


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.bulk.request.usable_cores", lambda: 1)


@pytest.fixture(autouse=True)
def no_workers(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no process beside the test take the job."""
    monkeypatch.setattr(app.state.site.crew, "wake", lambda: None)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_pictures_are_sent_read_and_downloaded(login, people: Workspace, state) -> None:
    browser = login("otto")
    with people.database.read() as tx:
        n_runs = sum(tx.experiments.count(1).values())
    sent = [*uploads("a_1.png", "a_2.png", "b.png"), ("file", ("c.png", b"no picture"))]
    answer = browser.post(AT, {"nm_per_pixel": "80"}, files=sent)
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"]
    assert "waiting for its turn" in browser.get(address).text
    work(people, READING, TASK_HANDLERS)
    page = browser.get(address).text
    assert "3 of 4 pictures measured" in browser.get(AT).text
    # As elsewhere on the pages, in per cent: this mat's ground is some 20 to 30 of it.
    assert 'porosity <span class="unit">[%]</span>' in page
    assert re.search(r'<th scope="row">a_1.png</th>.*?<td class="number">2[0-9]</td>', page)
    for words in (
        "table.csv",
        "fibres.csv",
        "What was measured on a_1.png",
        "c.png is not a picture",
    ):
        assert words in page
    table = rows(browser.get(f"{address}/tables/table.csv").text)
    assert [row["sample"] for row in table] == ["a", "a", "b", "c"]
    assert 600 < float(table[0]["mean diameter [nm]"]) < 1300
    fibres = rows(browser.get(f"{address}/tables/fibres.csv").text)
    assert {row["picture"] for row in fibres} == {"a_1.png", "a_2.png", "b.png"}
    samples = rows(browser.get(f"{address}/tables/samples.csv").text)
    assert [(row["sample"], row["pictures"]) for row in samples] == [
        ("a", "2"),
        ("b", "1"),
        ("c", "1"),
    ]
    assert rows(browser.get(f"{address}/tables/diameters.csv").text)
    for part in ("overlays/1", "histograms/2"):
        picture = browser.get(f"{address}/{part}")
        assert Image.open(io.BytesIO(picture.content)).format == "PNG"
    for part in ("overlays/4", "overlays/0", "overlays/9", "histograms/3", "tables/reading.json",
                 "tables/..%2f..%2fconfig.toml"):  # fmt: skip
        assert browser.get(f"{address}/{part}").status_code == 404
    with people.database.read() as tx:
        assert sum(tx.experiments.count(1).values()) == n_runs
        assert tx.micrographs.paths() == set()
    assert browser.post(f"{address}/remove").status_code == 303
    assert browser.get(address).status_code == 404


def test_sent_in_parts_and_read_together(login, people: Workspace) -> None:
    browser = login("otto")
    first = browser.post(f"{AT}/parts", {"pictures": ""}, files=uploads("x_1.png")).json()
    second = browser.post(f"{AT}/parts", {"pictures": first["pictures"]}, files=uploads("x_2.png"))
    assert second.json() == {"pictures": first["pictures"], "n": 2}
    assert "sent in part only" in browser.get(f"{AT}/{first['pictures']}").text
    pattern = {"pictures": first["pictures"], "sample": "pattern", "pattern": "{sample}_*.png"}
    assert browser.post(AT, pattern).status_code == 303
    late = browser.post(f"{AT}/parts", {"pictures": first["pictures"]}, files=uploads("x_3.png"))
    assert (late.status_code, "being read already" in late.json()["detail"]) == (409, True)
    assert browser.post(f"{AT}/{first['pictures']}/remove").status_code == 409


@pytest.mark.parametrize(
    ("names", "fields", "words"),
    [
        ([], {}, "expected pictures, got none"),
        (["a.exe"], {}, "expected pictures (.jpg"),
        (["a.txt"], {}, "beside its text file"),
        (["a.png", "a.png"], {}, "got a.png twice"),
        (
            ["a.png"],
            {"sample": "pattern", "pattern": "x"},
            "Pattern of names: expected {sample} once",
        ),
        (["a.png"], {"sample": "pattern", "pattern": "q{sample}"}, "does not fit a.png"),
        (["a.png"], {"nm_per_pixel": "-3"}, "Pixel size: expected a size above 0"),
        (["a.png"], {"pictures": "0123456789abcdef"}, "kept for 7 days"),
        (["a.png"], {"pictures": "../../../x"}, "kept for 7 days"),
    ],
)
def test_what_cannot_be_is_told(login, people: Workspace, state, names, fields, words) -> None:
    browser, before = login("otto"), state()
    answer = browser.post(AT, fields, files=uploads(*names))
    assert answer.status_code in (404, 409, 422)
    assert words in answer.text.replace("&#39;", "'")
    assert state() == before


def test_what_was_sent_waits_until_the_form_is_right(login, people: Workspace) -> None:
    browser = login("otto")
    wrong = browser.post(AT, {"nm_per_pixel": "-3"}, files=uploads("x/1.png", "y/1.png"))
    assert "2 files are here already" in wrong.text
    (dropped,) = all_dropped(people, 1)
    assert f'name="pictures" value="{dropped.token}"' in wrong.text
    again = {"nm_per_pixel": "80", "pictures": dropped.token}
    address = browser.post(AT, again).headers["location"]
    assert address.endswith(dropped.token)
    work(people, READING, TASK_HANDLERS)
    page = browser.get(address).text
    table = rows(browser.get(f"{address}/tables/table.csv").text)
    assert [(row["picture"], row["sample"]) for row in table] == [
        ("x/1.png", "x"),
        ("y/1.png", "y"),
    ]
    assert "What was measured on y/1.png" in page
    assert browser.get(f"{address}/overlays/2").status_code == 200


def test_too_many_are_refused_and_removed(login, people: Workspace, monkeypatch) -> None:
    monkeypatch.setattr("engine.bulk.dropped.MOST_PICTURES", 2)
    answer = login("otto").post(AT, files=uploads("a.png", "b.png", "c.png"))
    assert "at most 2 files at once" in answer.text
    assert all_dropped(people, 1) == []


def test_a_viewer_looks_and_drops_nothing(login) -> None:
    viewer = login("vera")
    assert "Drop micrographs here" not in viewer.get(AT).text
    assert viewer.post(AT, files=uploads("a.png")).status_code == 403


def test_what_is_old_goes(people: Workspace, login) -> None:
    browser = login("otto")
    for name in ("old.png", "new.png"):
        browser.post(f"{AT}/parts", {"pictures": ""}, files=uploads(name))
    old = next(one for one in all_dropped(people, 1) if one.names == ["old.png"])
    long_ago = old.folder.stat().st_mtime - 86_400 * (KEPT_DAYS + 1)
    os.utime(old.folder, (long_ago, long_ago))
    beside = Path(people.data_dir / FOLDER / "1" / "notes")
    beside.mkdir()
    os.utime(beside, (long_ago, long_ago))
    assert forget_old(people) == 1
    assert [one.names for one in all_dropped(people, 1)] == [["new.png"]]
    assert beside.is_dir()
