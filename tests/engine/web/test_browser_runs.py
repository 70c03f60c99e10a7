"""Ten thousand runs in the browser: named, edited in place, filtered, compared, brought back.

One server and one browser for all of it; skipped where no Chromium is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from browser_page import PASSWORD, Page, logged_in
from rows import add_batch, proposal

from db.records import NewExperiment, Origin, Status
from engine.campaign import Campaign
from engine.web import users
from engine.workspace import Workspace
from engine.workspace.revisions import create

pytestmark = pytest.mark.timeout(300)

STRENGTH, ELONGATION = "fracture_strength.longitudinal", "elongation.longitudinal"
N_RUNS = 10_000
SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "collector_speed": 400.0}
ROOM = {"temperature": 22.0, "humidity": 40.0}


def fill(workspace: Workspace, mixture: Campaign) -> None:
    """Record many finished runs in bulk, a batch, a second campaign."""
    new = [
        NewExperiment(
            Origin.IMPORT,
            Status.COMPLETED,
            label=f"{k + 28}" if k < 200 else None,
            actual={**SETTINGS, **ROOM, "voltage": 16.0 + k % 13 / 2},
            outcomes={STRENGTH: (5.0 + k % 997 / 10,), ELONGATION: (20.0 + k % 89,)},
        )
        for k in range(N_RUNS)
    ]
    with workspace.database.write("test") as tx:
        campaign = workspace.active_campaign(tx)[0]
        tx.experiments.add(campaign, new)
        settings = {**SETTINGS, **ROOM, "voltage": 18.0}
        add_batch(tx, campaign, *(proposal(n, conditions=settings) for n in (1, 2)))
    create(workspace, mixture.model_copy(update={"name": "mixture"}), is_active=False)
    users.add_user(workspace, "anna", "admin", PASSWORD)


@pytest.fixture(scope="module")
def place(
    initialised: Path, tmp_path_factory: pytest.TempPathFactory, mixture: Campaign
) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("many") / "work"
    shutil.copytree(initialised, folder)
    with Workspace.open(folder / "config.toml") as workspace:
        fill(workspace, mixture)
        yield workspace


@pytest.fixture(scope="module")
def page(place: Workspace, serve_in: Any) -> Iterator[Page]:
    with serve_in(place.root) as (address, _process), logged_in(address) as page:
        yield page


def listed(page: Page) -> list[str]:
    return [link.text for link in page.all("th a.row")]


def test_a_run_has_one_name(page: Page) -> None:
    page.get("/runs?q=140&sort=id")
    assert "140 · label 167" in listed(page)
    page.get("/runs/140")
    assert page.find("h1").text.startswith("Run 140 · label 167")
    page.get("/runs/compare?id=140&id=113")
    assert [head.text for head in page.all("thead a")] == [
        "Run 140 · label 167", "Run 113 · label 140",
    ]  # fmt: skip


def test_a_result_is_edited_in_place_removed_with_a_reason_and_undone(page: Page) -> None:
    cell = f"[name='value:{STRENGTH}#1']"
    page.get("/runs/7")
    assert page.find(cell).get_attribute("value") == "5.6"
    page.type(cell, "10.5")
    page.type("#why", "read off the wrong line")
    page.click("#results .button.main")
    assert "Fracture strength, longitudinal [MPa] = 10.5, was 5.6" in page.text()
    assert len(page.all(f"[name^='value:{STRENGTH}']")) == 1, "no further replicate"
    page.find(f"tr:has({cell}) [data-empty]").click()
    assert page.driver.switch_to.active_element.get_attribute("id") == "why"
    page.driver.switch_to.active_element.send_keys("another mat's")
    page.click("#results .button.main")
    assert "retracted, was 10.5" in page.text()
    assert not page.all(cell)
    assert "another mat's" in page.find(".trail").text
    page.click("form.undo .button")
    assert page.find(cell).get_attribute("value") == "10.5"


def test_ten_thousand_runs_are_filtered_sorted_and_compared(page: Page) -> None:
    page.get("/runs")
    page.find("details:has([name='min:voltage']) summary").click()
    page.type("[name='min:voltage']", "22")
    page.type(f"[name='min:{STRENGTH}']", "104")
    page.click("#filter .button.main")
    assert "min%3Avoltage=22" in page.driver.current_url
    page.click(f"th a.sort[href*='sort=-{STRENGTH}']")
    head = [th.text for th in page.all("thead th")]
    column = next(k for k, text in enumerate(head) if text.startswith("Fracture strength"))
    strengths = [float(row.find_elements("css selector", "td, th")[column].text)
                 for row in page.all("tbody tr")]  # fmt: skip
    assert strengths == sorted(strengths, reverse=True)
    assert min(strengths) >= 104
    for box in page.all("tbody input[type=checkbox]")[:3]:
        box.click()
    page.click("form[action$='/runs/compare'] .button")
    assert "3 runs side by side" in page.text()
    assert len(page.all("table.compare thead a")) == 3
    page.look("compare")
    page.get("/runs/best")
    page.look("best")
    page.get("/runs")
    assert page.find("#n-chosen").text.startswith(f"{N_RUNS + 2} runs")


def test_a_worksheet_goes_down_is_filled_in_and_comes_back(page: Page, tmp_path: Path) -> None:
    down = tmp_path / "down"
    down.mkdir()
    page.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(down)}
    )
    page.get("/batches/1")
    page.find("a[href$='/worksheet.xlsx']").click()
    page.wait(lambda: [p for p in down.glob("*.xlsx") if p.stat().st_size], 20)
    (path,) = down.glob("*.xlsx")
    book = openpyxl.load_workbook(path)
    columns = {cell.value: cell.column for cell in book.active[1]}
    book.active.cell(2, columns[f"{STRENGTH} [MPa]"], 33.5)
    book.active.cell(2, columns["lot"], "A17")
    book.save(path)
    page.get("/runs/file")
    page.find("#file").send_keys(str(path))
    page.click(".drop .button.main")
    assert "Fracture strength, longitudinal [MPa] = 33.5" in page.find("#dry-run").text
    assert "Solution lot: A17" in page.find("#dry-run").text
    page.look("upload")
    page.click("#dry-run .button.main")
    assert "33.5" in page.find("[role=status]").text
    page.get(f"/runs/{N_RUNS + 1}")
    assert page.find(f"[name='value:{STRENGTH}#1']").get_attribute("value") == "33.5"


def test_explore_keeps_a_mixture_on_its_simplex(page: Page) -> None:
    page.driver.get(f"{page.address}/campaigns/2/explore")

    def parts() -> list[float]:
        names = ("polymer", "plasticiser", "filler")
        return [float(page.find(f"output[for=slide-{name}]").text) for name in names]

    assert sum(parts()) == pytest.approx(1.0, abs=2e-4)
    for value in ("0.95", "0.55"):
        before = parts()
        page.driver.execute_script(
            "const s = document.querySelector('[data-slide=polymer]'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('input', {bubbles: true}))",
            value,
        )
        page.wait(lambda before=before: parts() != before, 10)
        assert parts()[0] == float(value)
        assert sum(parts()) == pytest.approx(1.0, abs=2e-4)
