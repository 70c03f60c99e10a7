"""What pages say: a lab that does not spin reads nothing of mats, spinning or rooms."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rows import add_batch
from rows import proposal as new_proposal
from starlette.testclient import TestClient

from engine.campaign import Campaign
from engine.campaign.nouns import GENERAL, SPINNING
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.jobs.queue import submit
from engine.sources.spinning import nouns_of
from engine.web import users
from engine.web.app import create_app
from engine.workspace import Workspace
from engine.workspace.init import initialise

PAGES = (
    "", "/runs", "/runs/1", "/runs/2", "/runs/new", "/runs/best", "/runs/file",
    "/runs/compare?id=1&id=2", "/propose", "/batches/1", "/batches/1/worksheet", "/explore",
    "/retrieve", "/models", "/jobs", "/jobs/1", "/definition", "/definition/edit",
)  # fmt: skip
BESIDE = ("/account", "/people", "/changes", "/campaigns")
SPINS = re.compile(r"\b(mats?|spin|spins|spinning|spun|rooms?|fibres?|needles?|drums?)\b", re.I)
ODD = re.compile(
    r"\b(stands|awaited|it gave no|let somebody in|who did what|what moves what|bring a)\b", re.I
)
KEYS = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b|\[(?:propose|campaign|web|generator|refresh)\]")
BLEND = {"polymer": 0.8, "plasticiser": 0.1, "filler": 0.1, "solvent": "water"}


def said(page: str) -> str:
    """Return what a page shows or reads out, but for the text of a definition."""
    page = re.sub(r"<(script|style|textarea)\b.*?</\1>", " ", page, flags=re.S)
    labels = re.findall(r'(?:alt|title|placeholder|aria-label)="([^"]*)"', page)
    return html.unescape(" ".join([re.sub(r"<[^>]*>", " ", page), *labels]))


@pytest.fixture
def blends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Return a browser in a campaign of blends, with a batch, a finished run and a job."""
    monkeypatch.chdir(tmp_path)
    initialise(tmp_path / "config.toml", template="mixture")
    with Workspace.open(tmp_path / "config.toml") as workspace:
        with workspace.database.write("test") as tx:
            campaign = workspace.active_campaign(tx)[0]
            predictions = {"toughness": (20.0, 10.0, 30.0), "cost": (3.0, 2.0, 4.0)}
            settings = [BLEND, {**BLEND, "solvent": "ethanol"}, {**BLEND, "solvent": "acetone"}]
            add_batch(tx, campaign, *(
                new_proposal(n + 1, conditions=c, predictions=predictions, reason="r")
                for n, c in enumerate(settings)
            ))  # fmt: skip
        record(workspace, Entry(experiment="id:1", results={"toughness": 25.0, "cost": 3.1}))
        submit(workspace, "propose", {"n": 2}, actor="anna")
        users.add_user(workspace, "anna", "admin", "correct horse")
        app = create_app(workspace)
        client = TestClient(app)
        client.post("/login", data={"name": "anna", "password": "correct horse"})
        yield client
        app.state.site.stop()
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_a_lab_of_blends_reads_nothing_of_spinning(blends: TestClient) -> None:
    addresses = [*(f"/campaigns/1{page}" for page in PAGES), *BESIDE]
    strangers = []
    for address in addresses:
        answer = blends.get(address, headers={"accept": "text/html"})
        assert answer.status_code == 200, address
        text = said(answer.text)
        for words in (SPINS, ODD, KEYS):
            strangers += [
                f"{address}: {text[max(0, word.start() - 40) :][:80]}"
                for word in words.finditer(text)
            ]
    assert strangers == []
    propose = blends.get("/campaigns/1/propose", headers={"accept": "text/html"}).text
    assert "What do we mix next?" in propose
    login = said(blends.get("/login", headers={"accept": "text/html"}).text)
    assert SPINS.search(login) is None


def test_nouns_of_a_campaign(nanofibre: Campaign, mixture: Campaign) -> None:
    assert (nouns_of(nanofibre).sample, nouns_of(mixture).make) == ("mat", "mix")
    unsaid = {"nouns": None}
    assert nouns_of(nanofibre.model_copy(update=unsaid)) == SPINNING
    assert nouns_of(mixture.model_copy(update=unsaid)) == GENERAL


def test_figures_of_pictures_have_one_unit_and_are_explained() -> None:
    from engine.previews.on_demand import _sentence
    from engine.web.rendering import environment

    expected = {
        "order": {"mean": 0.31, "lower": 0.2, "upper": 0.4},
        "porosity": {"mean": 0.62, "lower": 0.55, "upper": None},
    }
    assert _sentence(expected) == "order S 0.31 (0.20 … 0.40), porosity 62 % (55 … –)"
    macros = environment().get_template("macros.html").module
    assert "0 random, 1 along the rotation" in str(macros.order(0.314))
