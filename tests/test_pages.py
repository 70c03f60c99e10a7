"""The pages of the documentation: every block of code runs, or is what it says it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import page_blocks
import pandas as pd
import pytest
from page_blocks import Block, Reader, blocks, check, check_words, compare
from PIL import Image
from virtual_runs import TWO, draw

from engine.lab import VirtualLab

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# Written from the code, which test_docs.py compares.
GENERATED = {"cli.md", "modules.md", "configuration.md", "routes.md"}
PAGES = sorted(path for path in DOCS.rglob("*.md") if path.name not in GENERATED)
FOLDERS = ("quickstart", "concepts", "howto")
READ_WHOLE = [page for page in PAGES if page.parent.name in FOLDERS]
# Commands that other pages run as well, or that have tests of their own; all of it: --every-case.
LONG = {
    f"howto/{name}.md" for name in ("composites", "previews", "ray", "scheduler", "sources")
} | {f"concepts/{page.name}" for page in (DOCS / "concepts").glob("*.md")}
# test_docs.py runs them.
RUN_ELSEWHERE = {"python.md", "labs.md", "api.md"}
# A document shows how it goes, not how well.
TOY = {
    "SPINNERET_PROPOSE__MC_SAMPLES": "8",
    "SPINNERET_PROPOSE__RAW_SAMPLES": "16",
    "SPINNERET_PROPOSE__RESTARTS": "1",
    "SPINNERET_GENERATOR__PICTURES": "1",
    "SPINNERET_GENERATOR__PRETRAINED": "none",
}


def forty_runs() -> None:
    headings = {
        "flow_rate": "Flow rate (mL/h)",
        "concentration": "Conc. (wt%)",
        "voltage": "Voltage (kV)",
        "collector_speed": "Drum speed (rpm)",
        "temperature": "Temp (°C)",
        "humidity": "RH (%)",
        "fracture_strength.longitudinal": "Strength (MPa)",
        "elongation.longitudinal": "Elongation (%)",
    }
    rows = [
        {**run.conditions, **{name: values[0] for name, values in run.outcomes.items()}}
        for run in draw(40, 7, TWO)
    ]
    frame = pd.DataFrame(rows)[list(headings)].rename(columns=headings).round(2)
    frame.insert(0, "Sample", [f"M{number:02d}" for number in range(1, 41)])
    frame.assign(Remarks="").to_excel("runs.xlsx", index=False)


def two_pictures() -> None:
    lab, rng = VirtualLab(), np.random.default_rng(5)
    conditions = {p.name: float(p.levels[4]) for p in lab.campaign.controlled}
    picture = lab.run(conditions, lab.room(rng), rng).micrograph
    Path("pictures").mkdir()
    for place in ("M41_1.png", "pictures/M41_2.png"):
        Image.fromarray(picture((192, 192))).save(place)


BRING: dict[str, Callable[[], None]] = {
    "howto/table.md": forty_runs,
    "howto/micrographs.md": two_pictures,
}
"""What a reader of a page has before the first block."""


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_of_a_kind_that_is_tested(page: Path) -> None:
    for block in blocks(page):
        is_run = page in READ_WHOLE or page.name in RUN_ELSEWHERE
        known = page_blocks.CHECKED | (page_blocks.RUN if is_run else {"text"})
        assert block.language in known, f"{block}: {block.language or 'no language'}"
        # Whoever reads a page whole lays its fragments over the campaign that the page begins.
        if not (page in READ_WHOLE and block.language == "toml"):
            check(block)


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.deep] * (name_of(page) in LONG)) for page in READ_WHOLE],
    ids=name_of,
)
def test_what_a_page_says_can_be_done(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("SPINNERET_")]:
        monkeypatch.delenv(name)
    for name, value in {**TOY, "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    if page.name == "previews.md":
        monkeypatch.delenv("SPINNERET_GENERATOR__PRETRAINED")
    monkeypatch.chdir(tmp_path)
    BRING.get(name_of(page), lambda: None)()
    reader = Reader()
    for block in blocks(page):
        reader.do(block)


def refuses(line: str) -> bool:
    try:
        check(Block(DOCS / "index.md", 1, "console", None, line))
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize(
    "line",
    [
        "engine propoze",
        "engine propose --atx humidity=55",
        "engine schedule start",
        "engine import",
        "engine status more words",
        "python -m engine.bench.growth fill --measurement 3",
        "python tests/load/writers.py --writer 3",
        "make bread",
        "pip install 'spinneret[rays]'",
    ],
)
def test_a_line_that_does_not_work_is_seen(line: str) -> None:
    assert refuses(line)


@pytest.mark.parametrize(
    "line",
    [
        "engine propose --n 8 --at humidity=55 # today",
        "engine log 41 --curve mats.csv \\\n  --thickness '80 µm'",
        "python -m engine.bench.growth fill --measurements 3",
        "accelerate launch --num_processes 4 -m engine.cli.app pretrain",
        "make docs",
        "pip install 'spinneret[ray]'",
    ],
)
def test_a_line_that_works_is_let_through(line: str) -> None:
    assert not refuses(line)


def test_output_is_compared_in_its_order() -> None:
    compare("2 runs\nbest … MPa", "campaign\n  2   runs\nbest: 14.2 MPa\n")
    with pytest.raises(AssertionError):
        compare("best\n2 runs", "2 runs\nbest")


def test_words_of_a_page_are_those_of_its_command() -> None:
    check_words(["engine", "status", "--json"])
    with pytest.raises(AssertionError):
        check_words(["engine", "status", "--jsn"])
