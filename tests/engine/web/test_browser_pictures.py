"""Pictures in the browser: one corrected by mouse and keyboard, many dropped and read at once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_page import PASSWORD, Page, logged_in
from mat_pictures import mat
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.micrographs.correct import corrected_picture
from engine.micrographs.overlay import measure_again
from engine.micrographs.scale import HowTaken
from engine.web import users
from engine.workspace import Workspace

pytestmark = pytest.mark.timeout(300)

SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}


@pytest.fixture(scope="module")
def place(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("pictures") / "work"
    shutil.copytree(initialised, folder)
    with Workspace.open(folder / "config.toml") as workspace:
        users.add_user(workspace, "anna", "admin", PASSWORD)
        mat(5).save(folder / "mat.png")
        record(workspace, Entry(conditions=SETTINGS, micrographs=(folder / "mat.png",)))
        measure_again(workspace, [1], HowTaken(nm_per_pixel=80.0))
        yield workspace


@pytest.fixture(scope="module")
def page(place: Workspace, serve_in: Any) -> Iterator[Page]:
    with serve_in(place.root) as (address, _process), logged_in(address) as page:
        yield page


def test_a_picture_is_corrected_by_mouse_and_keyboard(page: Page, place: Workspace) -> None:
    page.get("/runs/1")
    page.click('a[href$="/micrographs/1/correct"]')
    svg = page.find("#marks")
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'start'})", svg)
    side = svg.size["width"] / 400
    # Dragged over a hundred pixels of the picture each way; offsets count from what is in view.
    at = [(side * (x - 200), side * (y - 150)) for x, y in ((40, 60), (140, 160))]
    # Let go beyond the picture's edge: the box ends there.
    mouse = ActionChains(page.driver).move_to_element_with_offset(svg, *at[0]).click_and_hold()
    mouse.move_to_element_with_offset(svg, -200 * side - 9, at[1][1]).release().perform()
    assert page.find("#x_to").get_property("value") == "0"
    mouse = ActionChains(page.driver).move_to_element_with_offset(svg, *at[0]).click_and_hold()
    mouse.move_to_element_with_offset(svg, *at[1]).release().perform()
    names = ("x", "y", "x_to", "y_to")
    x, y, x_to, y_to = (float(page.find(f"#{name}").get_property("value")) for name in names)
    assert (x, x_to, y_to - y) == (
        pytest.approx(40, abs=1.5), pytest.approx(140, abs=1.5), pytest.approx(100, abs=2)
    )  # fmt: skip
    page.find("#another").click()
    page.find('input[value="scale"]').click()
    svg.send_keys(*[Keys.ARROW_LEFT] * 3, Keys.ENTER, *[Keys.ARROW_RIGHT] * 5, Keys.ENTER)
    assert "50 px apart" in page.find("#marked").text
    page.type("#length", "2 µm")
    page.shoot("correct-marked")
    page.judge("correct")
    page.click("#correction .button.main")
    assert "corrected by hand: 1 area excluded, 1 scale set by hand" in page.text()
    corrected = corrected_picture(place, 1)
    assert corrected.picture.nm_per_pixel == pytest.approx(40.0, rel=0.02)
    assert [str(one.kind) for one in corrected.current] == ["exclude", "scale"]
    page.shoot("corrected")
    page.click('[aria-label="Take correction 1 back"]')
    page.click('[aria-label="Take correction 2 back"]')
    assert corrected_picture(place, 1).picture.nm_per_pixel == 80.0


def test_a_picture_is_corrected_by_a_finger(page: Page, place: Workspace) -> None:
    driver = page.driver
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        page.get("/micrographs/1/correct")
        tap(page, "#marks", 0.25, 0.5)
        assert "the second place is missing" in page.find("#marked").text
        tap(page, "#marks", 0.75, 0.9)
        x, y, x_to, y_to = values(page)
        assert (x, x_to, y_to - y) == (
            pytest.approx(100, abs=3), pytest.approx(300, abs=3), pytest.approx(120, abs=4)
        )  # fmt: skip
        # Enlarged, the picture is moved by a finger; that marks nothing.
        tap(page, '[data-zoom="4"]')
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", page.find("#marks"))
        before, marked = view_of(page), values(page)
        swipe(page, dx=-120)
        page.wait(lambda: view_of(page) != before, 10)
        assert values(page) == marked
        tap(page, "#another")
        page.shoot("correct-finger")
        page.click("#correction .button.main")
        assert [str(one.kind) for one in corrected_picture(place, 1).current] == ["exclude"]
        page.click('[aria-label^="Take correction"]')
        assert corrected_picture(place, 1).current == ()
    finally:
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def touch(page: Page, kind: str, *point: float) -> None:
    points = [dict(zip("xy", point, strict=True))] if point else []
    page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def tap(page: Page, selector: str, across: float = 0.5, down: float = 0.5) -> None:
    """Touch an element at a share of its width and height."""
    script = (
        "arguments[0].scrollIntoView({block: 'center'});"
        "const b = arguments[0].getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
    )
    x, y, width, height = page.driver.execute_script(script, page.find(selector))
    touch(page, "touchStart", x + across * width, y + down * height)
    touch(page, "touchEnd")


def swipe(page: Page, dx: float) -> None:
    """Draw a finger over the middle of the screen."""
    x, y = page.driver.execute_script("return [innerWidth / 2, innerHeight / 2]")
    touch(page, "touchStart", x, y)
    for k in range(1, 9):
        time.sleep(0.03)  # a finger takes its time, else it is no scrolling
        touch(page, "touchMove", x + dx * k / 8, y)
    touch(page, "touchEnd")


def view_of(page: Page) -> list[float]:
    script = "const e = document.querySelector('.marking'); return [e.scrollLeft, e.scrollTop]"
    scrolled: list[float] = page.driver.execute_script(script)
    return scrolled


def values(page: Page) -> tuple[float, ...]:
    fields = ("x", "y", "x_to", "y_to")
    return tuple(float(page.find(f"#{name}").get_property("value")) for name in fields)


def test_pictures_are_dropped_and_read(page: Page, place: Workspace) -> None:
    paths = [place.root / f"{name}.png" for name in ("a_1", "a_2", "b_1")]
    for seed, path in enumerate(paths):
        mat(seed, (96, 128)).save(path)
    page.get("/runs")
    page.click('a[href$="/pictures"]')
    page.shoot("pictures")
    page.judge("pictures")
    page.find("#file").send_keys("\n".join(map(str, paths)))
    page.type("#nm_per_pixel", "80")
    page.click(".drop .button.main")
    page.wait(lambda: "table.csv" in page.text(), 120)
    page.watch()
    assert any(one.endswith("/pictures/parts") for one in page.asked)
    assert page.text().count("a_1.png") == 1
    assert len(page.all('section img[alt^="What was measured"]')) == 3
    assert len(page.all('section img[alt^="Distribution"]')) == 2
    page.shoot("pictures-read")
    page.judge("pictures-read")
    with place.database.read() as tx:
        assert len(tx.micrographs.paths()) == 1  # the run's own


def test_a_folder_is_read_with_its_sub_folders(page: Page, place: Workspace) -> None:
    folder = place.root / "scans"
    for seed, name in enumerate(("PCL/1", "PCL/2", "PVA/1")):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        mat(seed, (96, 128)).save(path)
    (folder / "notes.docx").write_text("no picture")
    page.get("/pictures")
    page.find("#folder").send_keys(str(folder))
    page.wait(lambda: "3 files are chosen" in page.text(), 10)
    page.type("#nm_per_pixel", "80")
    page.click(".drop .button.main")
    page.wait(lambda: "table.csv" in page.text(), 120)
    page.watch()
    assert page.text().count("scans/PCL/1.png") == 1
    samples = [row.text for row in page.all("section:nth-of-type(2) tbody th")]
    assert samples == ["scans/PCL", "scans/PVA"]
