"""The documentation's site: built strictly, fetched from nowhere, searched in a browser."""

from __future__ import annotations

import functools
import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from browser_page import Page

ROOT = Path(__file__).resolve().parents[1]
# What a browser fetches by itself; a link that somebody may click is none of it.
FETCHED = re.compile(
    r"<(?:script|img|source|iframe)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\"'\s>]*"
    r"|<link\b(?![^>]*rel=[\"']?(?:canonical|prev|next))[^>]*\bhref=[\"']?(?:https?:)?//[^\"'\s>]*"
    r"|(?:@import|url\()\s*[\"']?(?:https?:)?//[^\"')\s]*",
    re.IGNORECASE,
)


PAGES = sorted(path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md"))
OVERFLOWING = """
const within = node => node && (/auto|scroll|hidden/.test(getComputedStyle(node).overflowX)
  || within(node.parentElement));
return [...document.querySelectorAll('.md-content *')]
  .filter(node => node.getBoundingClientRect().right > innerWidth + 1)
  .filter(node => !within(node.parentElement))
  .map(node => node.outerHTML.slice(0, 120));
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site; there is no warning, or the tests that ask for it fail."""
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def test_every_document_has_its_page(site: Path) -> None:
    documents = {
        path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")
    }
    pages = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    indexes = {path.with_name("index") if path.name == "README" else path for path in documents}
    assert indexes == pages - {Path("404")}


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    assert FETCHED.search('<script src="https://cdn.example/x.js"></script>')
    for path in (*site.rglob("*.html"), *site.rglob("*.css")):
        fetched = FETCHED.search(path.read_text(encoding="utf-8"))
        assert fetched is None, f"{path.relative_to(site)}: {fetched and fetched.group()}"


def test_every_concept_has_its_picture_and_every_picture_its_command() -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "draw_concepts.py"))
    pictures = {f"{name}.svg" for name in drawn["FIGURES"]} | {
        f"{name}.png" for name in drawn["SHEETS"]
    }
    folder = ROOT / "docs" / "pictures" / "concepts"
    assert pictures == {path.name for path in folder.iterdir()}
    for page in (ROOT / "docs" / "concepts").glob("*.md"):
        shown = re.findall(
            r"\]\(\.\./pictures/concepts/([\w.]+)\)", page.read_text(encoding="utf-8")
        )
        assert [Path(name).stem for name in shown] == [page.stem]


@pytest.mark.deep
def test_the_pictures_can_be_drawn_anew(tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "docs" / "draw_concepts.py"))["draw"](tmp_path)
    names = {path.name for path in (ROOT / "docs" / "pictures" / "concepts").iterdir()}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize("name", ["configuration", "routes"])
def test_what_is_written_of_the_code_is_current(name: str) -> None:
    script = {"configuration": "list_settings.py", "routes": "list_routes.py"}[name]
    written = runpy.run_path(str(ROOT / "docs" / script))["page"]()
    stored = (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
    assert stored == written, f"docs/reference/{name}.md is not current: run `make docs`"


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def browser(site: Path) -> Iterator[Page]:
    from browser_page import Page  # skips where there is no Chromium

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = Page(f"http://127.0.0.1:{server.server_address[1]}")
    yield page
    page.driver.quit()
    server.shutdown()
    server.server_close()


def test_a_question_finds_its_page_first(browser: Page) -> None:
    questions = {
        "my humidity cannot be set": "howto/ambient.html",
        "I have 40 runs in Excel": "howto/table.html",
    }
    for question, page in questions.items():
        browser.driver.get(f"{browser.address}/index.html")
        browser.watch()
        browser.type("input.md-search__input", question)
        links = ".md-search-result__item > a.md-search-result__link"
        hits = browser.wait(functools.partial(browser.all, links))
        assert hits[0].get_attribute("href").partition("?")[0] == f"{browser.address}/{page}"
    assert all(url.startswith((browser.address, "data:", "blob:")) for url in browser.asked)


def address(document: Path) -> str:
    name = "index" if document.name == "README.md" else document.stem
    return document.with_name(f"{name}.html").as_posix()


@pytest.mark.matrix(4)
@pytest.mark.parametrize("document", PAGES, ids=Path.as_posix)
def test_no_page_is_wider_than_the_screen(browser: Page, document: Path) -> None:
    for width in (390, 1440):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.driver.get(f"{browser.address}/{address(document)}")
        wide = browser.driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px at {width}"
        assert browser.driver.execute_script(OVERFLOWING) == []
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
