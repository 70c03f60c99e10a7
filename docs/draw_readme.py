"""Draws the README's picture: the demo is played, served, and its page photographed.

``make pictures``; needs Chromium and chromedriver. With a folder, the demo that is there is taken.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PICTURE = Path(__file__).resolve().parent / "pictures" / "readme.png"
ENGINE = (sys.executable, "-c", "from engine.cli.app import main; main()")
PASSWORD = "of-the-demo-alone"  # noqa: S105 -- its server ends with this script
MOST_BYTES = 400_000
GAP, WIDTH, LEFT = 24, 1680, 1000
"""Of the picture, in pixels: between its parts, whole, and of its left part."""


def engine(folder: Path, *words: str, typed: str = "") -> None:
    """Run a command in a campaign's folder."""
    somebody = {**os.environ, "LOGNAME": "anna"}
    subprocess.run(  # noqa: S603
        [*ENGINE, *words], cwd=folder, env=somebody, input=typed, text=True, check=True
    )


def play(folder: Path) -> None:
    """Play the demo, and ask for one batch more, which nobody has spun yet."""
    engine(folder.parent, "demo", "--folder", str(folder), "--rounds", "2", "--seed", "0")
    engine(folder, "propose", "--n", "6", "--at", "temperature=22", "--seed", "1")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder's page to one user; give its address."""
    process = subprocess.Popen(  # noqa: S603
        [*ENGINE, "serve", "--port", "0"], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None  # noqa: S101 -- a pipe was asked for
        address = re.match(r"serving (\S+)", process.stderr.readline())
        if address is None:
            raise SystemExit(process.stderr.read())
        yield address[1].rstrip("/")
    finally:
        process.terminate()
        process.wait()


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """Start a browser with no window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for word in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(word)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def photograph(driver: webdriver.Chrome, width: int, height: int) -> Image.Image:
    """Return the page's upper part as a window of that size shows it."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    WebDriverWait(driver, 60).until(
        lambda page: not page.find_elements(By.CSS_SELECTOR, ".js-plotly-plot:not(:has(.main-svg))")
    )
    WebDriverWait(driver, 60).until(
        lambda page: page.execute_script(
            "return [...document.images].every(one => one.complete ||"
            " one.getBoundingClientRect().top > innerHeight)"
        )
    )
    return Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")


def shots(folder: Path) -> dict[str, Image.Image]:
    """Return the campaign's page, its front and its newest batch."""
    engine(folder, "users", "add", "demo", "--role", "admin", "--password-stdin", typed=PASSWORD)
    with serving(folder) as address, browser() as driver:
        driver.get(address)
        driver.find_element(By.ID, "name").send_keys("demo")
        driver.find_element(By.ID, "password").send_keys(PASSWORD)
        driver.find_element(By.CSS_SELECTOR, ".button.main").click()
        return {
            "page": photograph(driver, LEFT, 1180),
            "batch": photograph_batch(driver, address),
        }


def photograph_batch(driver: webdriver.Chrome, address: str) -> Image.Image:
    """Return the newest batch as a phone shows it."""
    driver.get(f"{address}/campaigns/1/batches/3")
    return photograph(driver, WIDTH - LEFT - 3 * GAP, 1180)


def compose(parts: dict[str, Image.Image]) -> Image.Image:
    """Return the parts side by side on grey."""
    height = 1180 + 2 * GAP
    picture = Image.new("RGB", (WIDTH, height), "#e7ebee")
    picture.paste(parts["page"], (GAP, GAP))
    picture.paste(parts["batch"], (LEFT + 2 * GAP, GAP))
    return picture


def main() -> None:
    """Draw the picture, and refuse one that is too large."""
    with tempfile.TemporaryDirectory() as scratch:
        if len(sys.argv) > 1:
            folder = Path(sys.argv[1])
        else:
            folder = Path(scratch) / "demo"
            play(folder)
        picture = compose(shots(folder))
    picture.quantize(255, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    if PICTURE.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{PICTURE}: {PICTURE.stat().st_size} bytes, more than {MOST_BYTES}")


if __name__ == "__main__":
    main()
