"""A day in the browser, from logging in to rolling a model back; skipped where no Chromium is.

The page is watched all the while: no request leaves the machine, nothing breaks the page's policy.
``PAGE_SHOTS=folder`` keeps a screenshot of every page at three widths, light and dark.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from db.records import Status
from engine.web import users
from engine.workspace import Workspace

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
if CHROMIUM is None or DRIVER is None:
    pytest.skip("no chromium and chromedriver on this machine", allow_module_level=True)

pytestmark = pytest.mark.timeout(600)

PASSWORD = "correct horse"  # noqa: S105 -- of a test
STRENGTH, ELONGATION = "fracture_strength.longitudinal", "elongation.longitudinal"
AXE = os.environ.get("AXE_CORE")
SHOTS = os.environ.get("PAGE_SHOTS")


class Page:
    """A browser at one address, as a person uses it."""

    def __init__(self, address: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
                     "--disable-background-networking", "--disable-component-update",
                     "--window-size=1280,1000"):  # fmt: skip
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
        self.address = address.rstrip("/")
        self.asked: set[str] = set()

    def get(self, path: str) -> None:
        is_inside = not re.match(r"/(account|people|changes|campaigns|login)\b", path)
        inside = f"/campaigns/1{path}".removesuffix("/")
        self.driver.get(self.address + (inside if is_inside else path))
        self.watch()

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def type(self, selector: str, text: str) -> None:
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    def click(self, selector: str) -> None:
        """Click what leads to another page, and wait for that page."""
        before = self.find("html")
        button = self.find(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        self.wait(lambda: self._is_gone(before))
        self.wait(lambda: self.driver.execute_script("return document.readyState") == "complete")
        self.watch()

    def _is_gone(self, element: Any) -> bool:
        from selenium.common.exceptions import WebDriverException

        try:
            element.is_enabled()
        except WebDriverException:
            return True
        return False

    def wait(self, until: Callable[[], Any], seconds: float = 60.0) -> Any:
        from selenium.common.exceptions import WebDriverException

        deadline = time.monotonic() + seconds
        while True:
            try:
                found = until()
            except WebDriverException:
                found = None
            if found:
                return found
            assert time.monotonic() < deadline, self.text()[:3000]
            time.sleep(0.1)

    def text(self) -> str:
        return str(self.find("body").text)

    def watch(self) -> None:
        """Remember what was asked for; refuse complaints of the page's policy and of scripts."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.asked.add(message["params"]["request"]["url"])
        for entry in self.driver.get_log("browser"):
            is_answer = "Failed to load resource" in entry["message"]
            assert is_answer or entry["level"] != "SEVERE", entry["message"]
            assert "Content Security Policy" not in entry["message"], entry["message"]

    def shoot(self, name: str) -> None:
        """Keep a picture of the whole page at each width and theme, if asked to."""
        if not SHOTS:
            return
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        command = self.driver.execute_cdp_cmd
        for theme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": theme}
            command("Emulation.setEmulatedMedia", {"features": [feature]})
            for width in (360, 768, 1440):
                size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
                command("Emulation.setDeviceMetricsOverride", size)
                time.sleep(0.6)
                whole = command("Page.getLayoutMetrics", {})["cssContentSize"]
                assert whole["width"] <= width, f"{name} is wider than {width} px"
                clip = {"x": 0, "y": 0, "width": width, "height": min(whole["height"], 4000),
                        "scale": 1}  # fmt: skip
                shot = command("Page.captureScreenshot",
                               {"captureBeyondViewport": True, "clip": clip})  # fmt: skip
                path = Path(SHOTS) / f"{name}-{width}-{theme}.png"
                path.write_bytes(base64.b64decode(shot["data"]))
        command("Emulation.clearDeviceMetricsOverride", {})
        command("Emulation.setEmulatedMedia", {"features": []})

    def judge(self, name: str) -> None:
        """Let axe-core look for faults of accessibility, where its script is at hand."""
        if not AXE:
            return
        self.driver.execute_cdp_cmd(
            "Runtime.evaluate", {"expression": Path(AXE).read_text(encoding="utf-8")}
        )
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations.map("
            "v => [v.impact, v.id, v.nodes.map(n => n.html.slice(0, 120))])))"
        )
        serious = [one for one in found if one[0] in ("serious", "critical")]
        assert serious == [], f"{name}: {serious}"

    def look(self, name: str) -> None:
        self.judge(name)
        self.shoot(name)


@pytest.fixture
def page(serve: Any, workspace: Workspace, fill_two: Any) -> Iterator[Page]:
    fill_two(workspace, 48)
    users.add_user(workspace, "anna", "admin", PASSWORD)
    with serve() as (address, _process):
        opened = Page(address)
        try:
            yield opened
        finally:
            opened.driver.quit()


def log_in(page: Page) -> None:
    page.get("/")
    page.look("login")
    page.type("#name", "anna")
    page.type("#password", PASSWORD)
    page.click(".button.main")


def volume(page: Page) -> float:
    page.get("/")
    return float(page.find("#volume").text.replace(",", ""))


def test_a_whole_day(page: Page, workspace: Workspace, tmp_path: Path, png: Any) -> None:
    log_in(page)
    assert "nanofibre" in page.text()
    page.wait(lambda: page.all(".js-plotly-plot .main-svg"))
    before = volume(page)

    page.get("/propose")
    page.look("propose")
    page.type("#n", "8")
    page.type("#at-temperature", "22")
    page.type("#at-humidity", "50")
    page.click("form[action$='/propose'] .button.main")
    page.wait(lambda: "/batches/" in page.driver.current_url, 240)
    batch = page.driver.current_url.removeprefix(page.address)
    assert len(page.all("article")) == 8
    page.look("batch")

    page.click("article .button.main")  # accepts the first
    assert page.driver.current_url.removeprefix(page.address).startswith(batch)
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        runs = tx.experiments.find(record.id, status=(Status.PROPOSED, Status.RUNNING))
        said = {(p.experiment_id, p.outcome): p.mean for p in tx.batches.predictions(record.id)}
    assert [run.status for run in runs].count(Status.RUNNING) == 1

    page.get(f"{batch}/worksheet")
    assert len(page.all(".sheet tbody tr")) == 8
    assert len(page.all(".sheet svg.code")) == 8
    page.look("worksheet")
    printed = page.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert base64.b64decode(printed["data"]).count(b"/Type /Page\n") <= 1, "one page"

    for place, run in enumerate(runs):
        page.get(f"/runs/{run.id}")
        field = f"input[name='result:{STRENGTH}']"
        if place == 0:
            page.type(field, "9999")
            page.wait(lambda: "A slip?" in page.text())
            page.look("run")
        better = 2.0 if place == 0 else 1.02
        page.type(field, f"{better * said[run.id, STRENGTH]:.3f}")
        page.type(f"input[name='result:{ELONGATION}']", f"{better * said[run.id, ELONGATION]:.3f}")
        page.click("#results .button.main")
        assert "2 results recorded" in page.text()
        path = tmp_path / f"mat-{run.id}.png"
        path.write_bytes(png(96, seed=place))
        page.find("#file").send_keys(str(path))
        page.click("form[action$='/micrographs'] .button.main")
        assert "1 picture kept" in page.text()
    page.wait(lambda: page.all("#pictures figcaption") and not page.all("#pictures .spin"), 120)
    page.look("run-done")

    page.get("/runs/new")
    for name, value in (("flow_rate", "0.4"), ("concentration", "18"), ("voltage", "18"),
                        ("collector_speed", "0")):  # fmt: skip
        page.type(f"#condition-{name}", value)
    page.click(".button.main")
    page.find("details:has(#failure) summary").click()
    page.click("form:has(#failure) .button.bad")
    assert "failed (beads)" in page.text()

    assert volume(page) > before, "the front has grown"
    page.wait(lambda: page.all(".js-plotly-plot .main-svg"))
    page.look("campaign")
    for place in ("runs", "retrieve", "account", "people", "changes", "jobs"):
        page.get(f"/{place}")
        page.look(place)

    page.get("/explore")
    page.wait(lambda: "learnt from 56 finished runs" in page.text(), 120)
    page.wait(lambda: len(page.all(".slice .main-svg")) >= 6)
    expected = page.find("#expected").text
    page.driver.execute_script(
        "const s = document.querySelector('[data-slide=voltage]'); s.value = s.max;"
        "s.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    page.wait(lambda: page.find("#expected").text != expected)
    page.wait(lambda: page.all("#map-mean .main-svg"))
    page.watch()
    page.look("explore")

    page.get("/models")
    page.find("details:has(#refresh-how) summary").click()
    page.find("#refresh-how input[name=accept_suspicious]").click()
    page.type("#steps", "2")
    page.click("#refresh-how .button")
    page.look("job")
    page.wait(lambda: page.all(".job .chip.done, .job .chip.failed"), 300)
    assert page.all(".job .chip.done"), page.text()
    page.get("/models")
    assert "Trainings" in page.text()
    page.look("models")
    if not page.all("form[action$='/models/rollback']"):  # judged no better: by hand, then
        page.click("form[action$='/promote'] .button")
        assert "serves now" in page.text()
    page.click("form[action$='/models/rollback'] .button")
    assert "the starter serves now" in page.text()

    page.watch()
    strangers = [url for url in page.asked if not url.startswith((page.address, "data:", "blob:"))]
    assert strangers == [], "no request leaves the machine"


def test_the_first_page_is_there_within_a_second(page: Page) -> None:
    log_in(page)
    page.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    page.get("/")
    timing = page.driver.execute_script(
        "const t = performance.getEntriesByType('navigation')[0];"
        "return [t.responseEnd, t.domContentLoadedEventEnd]"
    )
    assert timing[0] < 1000, f"the document took {timing[0]:.0f} ms"


def test_light_dark_and_the_keyboard(page: Page) -> None:
    log_in(page)
    switch = page.find("[data-theme-switch]")
    switch.click()
    first = page.find("html").get_attribute("data-theme")
    page.get("/runs")
    assert page.find("html").get_attribute("data-theme") == first, "it is remembered"
    page.find("[data-theme-switch]").click()
    assert page.find("html").get_attribute("data-theme") != first
    small = page.driver.execute_script(
        "return [...document.querySelectorAll('a.button, button, .places a, input, select')]"
        ".filter(e => e.offsetParent)"
        ".filter(e => (e.closest('label') || e).getBoundingClientRect().height < 44)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert small == [], "targets of at least 44 px"
