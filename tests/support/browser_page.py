"""A browser at one address, as a person uses it: Chromium, driven by selenium.

Whoever imports this is skipped where there is no Chromium.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
if CHROMIUM is None or DRIVER is None:
    pytest.skip("no chromium and chromedriver on this machine", allow_module_level=True)

PASSWORD = "correct horse"  # noqa: S105 -- of a test
AXE = os.environ.get("AXE_CORE")
SHOTS = os.environ.get("PAGE_SHOTS")


class Page:
    """A browser at one address, as a person uses it."""

    def __init__(self, address: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
                     "--disable-background-networking", "--disable-component-update",
                     "--disable-gpu", "--disable-extensions",
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
                result = until()
            except WebDriverException:
                result = None
            if result:
                return result
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
            for width in (390, 820, 1440):
                size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
                command("Emulation.setDeviceMetricsOverride", size)
                time.sleep(0.6)
                size = command("Page.getLayoutMetrics", {})["cssContentSize"]
                assert size["width"] <= width, f"{name} is wider than {width} px"
                clip = {"x": 0, "y": 0, "width": width, "height": min(size["height"], 4000),
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
        violations = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations.map("
            "v => [v.impact, v.id, v.nodes.map(n => n.html.slice(0, 120))])))"
        )
        serious = [one for one in violations if one[0] in ("serious", "critical")]
        assert serious == [], f"{name}: {serious}"

    def look(self, name: str) -> None:
        self.judge(name)
        self.shoot(name)

    def log_in(self, name: str = "anna") -> None:
        self.get("/")
        self.look("login")
        self.type("#name", name)
        self.type("#password", PASSWORD)
        self.click(".button.main")


@contextmanager
def logged_in(address: str) -> Iterator[Page]:
    """Open a browser in which somebody has logged in; close it in the end."""
    page = Page(address)
    try:
        page.log_in()
        yield page
    finally:
        page.driver.quit()
