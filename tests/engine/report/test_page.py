import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from engine.campaign import Campaign
from engine.errors import field
from engine.predictions.sensitivity import Sensitivity
from engine.report.page import render_page
from engine.report.png import write_pictures
from engine.results.material import Material

MakeMaterial = Callable[..., Material]
NASTY = "</script><script>alert('spun')</script><b>$bold$</b> & co"


class Reader(HTMLParser):
    """Collects what a browser would load or show."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] += data
        elif self._open and self._open[-1] != "style":
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.fixture
def indices(nanofibre: Campaign) -> Sensitivity:
    parameters = tuple(p.name for p in nanofibre.parameters)
    outcomes = nanofibre.outcomes[:2]
    shares = tuple(tuple(0.1 * i for i in range(len(parameters))) for _ in outcomes)
    headings = tuple(map(nanofibre.heading, outcomes))
    return Sensitivity(outcomes, headings, parameters, shares, shares, (1.5, 2.5))


def test_the_page_holds_everything_and_asks_for_nothing(
    make_material: MakeMaterial, indices: Sensitivity
) -> None:
    page = render_page(make_material(), sensitivity=indices)
    reader = read(page)
    loads = [a for _, a in reader.tags if a.get("src") or (a.get("href") or "data:,") != "data:,"]
    assert loads == []
    styles = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in styles
    assert "@import" not in styles
    assert sum(len(script) > 1_000_000 for script in reader.scripts) == 1
    names = [a["data-figure"] for _, a in reader.tags if "data-figure" in a]
    assert names == ["front-0", "progress", "parallel", "calibration-0", "calibration-1"]
    assert set(names) | {"themes"} == {
        a["id"] for t, a in reader.tags if t == "script" and "id" in a
    }


def test_stored_text_is_shown_never_run(make_material: MakeMaterial, nanofibre: Campaign) -> None:
    campaign = nanofibre.model_copy(update={"description": NASTY})
    page = render_page(
        make_material(label=NASTY, note=NASTY, campaign=campaign), remark=f"Could not: {NASTY}"
    )
    reader = read(page)
    clean = read(render_page(make_material()))
    assert [t for t, _ in reader.tags].count("script") == [t for t, _ in clean.tags].count("script")
    assert not any(tag == "b" for tag, _ in reader.tags)
    assert NASTY in " ".join(reader.text)
    figures = [s for s in reader.scripts if s.startswith('{"data"')]
    assert len(figures) == 5
    assert all("<" not in figure for figure in figures)
    hover = json.loads(figures[0])["data"][1]["text"][0]
    assert "<script" not in hover
    assert "&lt;script&gt;" in hover


def test_a_remark_is_in_the_pages_words(make_material: MakeMaterial) -> None:
    page = render_page(make_material(), remark=f"log more, or use {field('max_distinct')}.")
    assert "use max distinct." in page
    assert "⟦" not in page


def test_an_empty_campaign_has_a_page(nanofibre: Campaign) -> None:
    page = render_page(Material(nanofibre, 1, 0, ()), remark="0 finished runs are too few to tell.")
    words = " ".join(read(page).text)
    assert "No run has been finished yet." in words
    assert "No batch has been proposed yet." in words
    assert "too few to tell" in words


def test_every_table_heading_has_its_unit(make_material: MakeMaterial) -> None:
    page = render_page(make_material(), written=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert "2026-03-01 12:00 UTC" in page
    headings = re.sub("<wbr>", "", page)
    for heading in ("voltage [kV]", "humidity [%]", "fracture_strength.longitudinal [MPa]"):
        assert f">{heading}</th>" in headings
    assert "failed: no jet" in page
    assert "× 2" in page


def test_pictures_are_written_for_what_there_is(
    make_material: MakeMaterial, indices: Sensitivity, nanofibre: Campaign, tmp_path: Path
) -> None:
    files = write_pictures(make_material(label="$x$"), tmp_path / "new" / "folder", indices)
    assert [f.stem for f in files] == [
        "front",
        "progress",
        "parallel",
        "calibration",
        "sensitivity",
    ]
    assert all(f.read_bytes().startswith(b"\x89PNG") for f in files)
    empty = write_pictures(Material(nanofibre, 1, 0, ()), tmp_path)
    assert [f.stem for f in empty] == ["front"]
