"""The documentation site: built whole and strictly, fetched from nowhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# What a browser fetches by itself; a link that somebody may click is none of it.
FETCHED = re.compile(
    r"<(?:script|img|source|iframe)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\"'\s>]*"
    r"|<link\b(?![^>]*rel=[\"']?(?:canonical|prev|next))[^>]*\bhref=[\"']?(?:https?:)?//[^\"'\s>]*"
    r"|(?:@import|url\()\s*[\"']?(?:https?:)?//[^\"')\s]*",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
