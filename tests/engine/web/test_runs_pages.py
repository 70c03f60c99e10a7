"""Runs searched, filtered, sorted, compared; taken away as a table, brought as one."""

from __future__ import annotations

import html
import io
import re

import openpyxl
import pytest
from lucky_specimen import record_lucky

from engine.experiments.entries import Entry
from engine.experiments.record import record

STRENGTH, ELONGATION = "fracture_strength.longitudinal", "elongation.longitudinal"


@pytest.fixture
def browser(login):
    return login("anna")


@pytest.fixture
def filled(people):
    """Record six runs: label, voltage, strength, elongation."""
    rows = [
        ("9", 12, 10, 80), ("10", 14, 30, 40), ("mat A", 16, 20, 60),
        ("mat B", 18, 5, 20), ("mat C", 18, 25, 50), ("x", 20, None, None),
    ]  # fmt: skip
    for label, voltage, strength, elongation in rows:
        conditions = {
            "flow_rate": 0.4,
            "concentration": 18,
            "voltage": voltage,
            "collector_speed": 400,
        }
        results = {} if strength is None else {STRENGTH: strength, ELONGATION: elongation}
        record(people, Entry(label=label, conditions=conditions, results=results))
    return people


def listed(answer) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [
        int(id_) for id_ in re.findall(r'class="row" href="/campaigns/1/runs/(\d+)"', answer.text)
    ]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [6, 5, 4, 3, 2, 1]),
        ("?sort=id", [1, 2, 3, 4, 5, 6]),
        ("?sort=label", [1, 2, 3, 4, 5, 6]),
        (f"?sort=-{STRENGTH}", [2, 5, 3, 1, 4, 6]),
        (f"?sort={STRENGTH}", [4, 1, 3, 5, 2, 6]),
        ("?q=mat&sort=id", [3, 4, 5]),
        ("?q=MAT+b", [4]),
        ("?q=2", [2]),
        ("?min:voltage=16&max:voltage=18&sort=id", [3, 4, 5]),
        (f"?min:{STRENGTH}=20&sort=id", [2, 3, 5]),
        ("?where=voltage%3D18&sort=id", [4, 5]),
        ("?status=running", [6]),
        ("?status=running&status=completed&sort=id", [1, 2, 3, 4, 5, 6]),
        ("?front=yes&sort=id", [1, 2, 3, 5]),
        ("?since=2999-01-01", []),
        ("?until=1999-01-01", []),
        ("?q=&min:voltage=&since=&sort=id&page=2", []),
    ],
)  # fmt: skip
def test_the_address_says_which_runs(browser, filled, query, ids) -> None:
    assert listed(browser.get(f"/runs{query}")) == ids


@pytest.mark.parametrize(
    "query",
    ["?sort=volts", "?min:volts=3", "?min:voltage=hot", "?where=voltage", "?status=done",
     "?since=soon", "?page=0", "?column=volts"],
)  # fmt: skip
def test_an_address_that_cannot_be_is_told(browser, filled, query) -> None:
    answer = browser.get(f"/runs{query}")
    assert answer.status_code == 422
    assert "</html>" in answer.text


def test_columns_are_chosen_and_links_keep_the_filter(browser, filled) -> None:
    page = browser.get(f"/runs?min:voltage=16&column={ELONGATION}&column=voltage").text
    head = re.search(r"<thead>(.*?)</thead>", page, re.S)[1]
    assert head.count('class="number"') == 2
    links = [html.unescape(link) for link in re.findall(r'class="sort" href="([^"]*)"', head)]
    assert all("min%3Avoltage=16" in link and "column=voltage" in link for link in links)


def test_two_to_four_runs_side_by_side(browser, filled) -> None:
    page = browser.get("/runs/compare?id=1&id=2&id=3").text
    assert "3 runs side by side" in page
    differing = re.findall(r'<tr class="differs"><th scope="row">(\w+)', page)
    assert differing == ["Voltage"]
    assert browser.get("/runs/compare?id=1").status_code == 422
    many = "&".join(f"id={n}" for n in range(1, 6))
    assert browser.get(f"/runs/compare?{many}").status_code == 422
    assert browser.get("/runs/compare?id=1&id=99").status_code == 404


def test_the_best_settings_and_the_front_with_what_is_expected(browser, people) -> None:
    record_lucky(people)
    page = browser.get("/runs/best").text
    front = re.search(r"The front: no setting(.*?)</section>", page, re.S)[1]
    assert sorted(int(n) for n in re.findall(r"/runs/(\d+)\"", front)) == [1, 2, 3, 4, 5]
    best = re.search(r"Best fracture strength(.*?)</section>", page, re.S)[1]
    assert re.findall(r"/runs/(\d+)\"", best) == ["3", "4", "1", "2", "5"]
    text = re.sub(r"\s+", " ", re.sub("<[^>]*>", "", best))
    assert "21 ×2: 20 … 22" in text
    assert "19.5 15.2 … 24" in text
    assert "[kV]" in front
    first = re.search(r"<h2>Best so far(.*?)</section>", browser.get("").text, re.S)[1]
    assert "21 ×2: 20 … 22 19.5 15.2 … 24 3, 4" in re.sub(r"\s+", " ", re.sub("<[^>]*>", "", first))


def test_what_is_listed_is_taken_away_as_a_table(browser, filled) -> None:
    text = browser.get("/runs/table.csv?min:voltage=18&sort=id").text
    assert [line.split(",")[1] for line in text.splitlines()[1:]] == ["mat B", "mat C", "x"]
    content = browser.get("/runs/table.xlsx?q=mat").content
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert {row[1].value for row in sheet.iter_rows(min_row=2)} == {"mat A", "mat B", "mat C"}
    assert browser.get("/runs/table.exe").status_code == 404


def send(browser, name: str, content: bytes):
    files = {"file": (name, content, "application/octet-stream")}
    return browser.post("/runs/file", files=files)


def recorded(people, id_):
    with people.database.read() as tx:
        return tx.experiments.get(id_)


def test_a_worksheet_comes_back_filled_in(browser, filled, people) -> None:
    from db.records import Status
    from engine.experiments.bring_in import worksheet

    with people.database.read() as tx:
        record_, campaign = people.active_campaign(tx)
        awaited = tx.experiments.find(record_.id, status=[Status.RUNNING])
    book = openpyxl.load_workbook(io.BytesIO(worksheet("xlsx", campaign, awaited)))
    sheet = book.active
    columns = {cell.value: cell.column for cell in sheet[1]}
    sheet.cell(2, columns[campaign.heading(STRENGTH)], 33)
    out = io.BytesIO()
    book.save(out)
    looked = send(browser, "batch.xlsx", out.getvalue())
    assert looked.status_code == 200
    assert "Fracture strength, longitudinal [MPa] = 33" in html.unescape(looked.text)
    assert recorded(people, 6).measurements == ()  # nothing yet
    held = re.search(r'name="held" value="([\w-]+)"', looked.text)[1]
    assert browser.post("/runs/file/record", {"held": held}).status_code == 303
    assert recorded(people, 6).replicates() == {STRENGTH: (33.0,)}
    assert "Recorded of batch.xlsx" in html.unescape(browser.get("/runs").text)
    again = browser.post("/runs/file/record", {"held": held})
    assert again.status_code == 404


def test_a_table_of_runs_is_brought(browser, filled, people) -> None:
    table = (
        "label,flow rate,concentration,voltage,collector speed,"
        f"{STRENGTH}\nnew 1,0.4,18,15,400,11\n"
    )
    looked = send(browser, "old.csv", table.encode())
    assert "1 run added" in looked.text
    held = re.search(r'name="held" value="([\w-]+)"', looked.text)[1]
    assert recorded(people, 7) is None
    assert browser.post("/runs/file/record", {"held": held}).status_code == 303
    assert recorded(people, 7).label == "new 1"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.csv", b"experiment,voltage\n99,18\n", "Nothing of it can be recorded"),
        ("x.exe", b"MZ", "expected a file ending in"),
        ("x.csv", b"", ""),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_taken_is_told(browser, filled, people, name, content, words) -> None:
    answer = send(browser, name, content)
    assert words in answer.text
    assert "Record it" not in answer.text


@pytest.mark.parametrize("held", ["", "..", "../../x", "table-..", "table-nothing", "/etc"])
def test_only_files_that_were_sent_are_recorded(browser, filled, held) -> None:
    assert browser.post("/runs/file/record", {"held": held}).status_code == 404
