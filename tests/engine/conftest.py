"""A fresh workspace for each test, and the command line called in this process."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from shared_fits import share_fits
from typer.testing import CliRunner

from db import schema
from db.urls import sqlite_path
from engine.campaign import Campaign
from engine.cli.app import app
from engine.workspace import Workspace
from engine.workspace.init import initialise
from engine.workspace.settings import read_campaign_file

_EMPTY_BYTES = 4096  # a page: of a file that only had its journal's mode set

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "engine" / "templates"
RESULTS = (
    "fracture_strength.longitudinal",
    "elongation.longitudinal",
)


@dataclass(frozen=True)
class Answer:
    """What a command did: exit code, standard output, standard error."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Engine = Callable[..., Answer]


def call(words: Sequence[object], *, stdin: str | None = None) -> Answer:
    """Run ``engine`` with these words; anything but a clean exit fails the test."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.stderr
    return Answer(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(autouse=True)
def shared_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit the same data twice in a process, not in each test."""
    share_fits(monkeypatch)


_migrated: list[bytes] = []
"""A SQLite file with all tables, once a test of this process has had one made."""


@pytest.fixture(autouse=True)
def migrated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy the tables of a new SQLite file from the first: tests/db is where migrations run."""
    migrate = schema.migrate

    def copied(url: str) -> str:
        path = sqlite_path(url)
        is_new = path is not None and path.stat().st_size <= _EMPTY_BYTES
        if is_new and _migrated:
            path.write_bytes(_migrated[0])
            return "none"
        former = migrate(url)
        if is_new:
            _migrated.append(path.read_bytes())
        return former

    monkeypatch.setattr(schema, "migrate", copied)


@pytest.fixture(scope="session")
def nanofibre() -> Campaign:
    """Return the template's campaign."""
    return read_campaign_file(TEMPLATES / "nanofibre.toml")


@pytest.fixture(scope="session")
def mixture() -> Campaign:
    """Return a campaign with a categorical choice."""
    return read_campaign_file(TEMPLATES / "mixture.toml")


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder where `engine init` ran once: copying it is quicker."""
    folder = tmp_path_factory.mktemp("initialised")
    initialise(folder / "config.toml", template="nanofibre")
    return folder


@pytest.fixture
def folder(initialised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a fresh workspace's folder, the working directory of the test."""
    made = tmp_path / "work"
    shutil.copytree(initialised, made)
    monkeypatch.chdir(made)
    for name in [name for name in os.environ if name.startswith("SPINNERET_")]:
        monkeypatch.delenv(name)
    return made


Prepare = Callable[[Path, Callable[[], None]], None]


@pytest.fixture(scope="module")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Return a function that fills a folder by some work; in later tests of the file by a copy."""
    home = tmp_path_factory.mktemp("prepared")

    def fill(folder: Path, work: Callable[[], None]) -> None:
        if (copy := home / folder.name).exists():
            shutil.copytree(copy, folder, dirs_exist_ok=True)
        else:
            work()
            shutil.copytree(folder, copy)

    return fill


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    """Return a fresh, open workspace."""
    with Workspace.open(folder / "config.toml") as opened:
        yield opened


@pytest.fixture
def engine(folder: Path) -> Engine:
    """Return a function that runs ``engine WORDS…`` in a fresh workspace."""
    assert folder.is_dir()

    def run(*words: object, stdin: str | None = None) -> Answer:
        return call(words, stdin=stdin)

    return run


@pytest.fixture
def bare_engine() -> Engine:
    """Return the command line, in a folder where nothing is yet."""
    return lambda *words, stdin=None: call(words, stdin=stdin)


@pytest.fixture
def state(folder: Path) -> Callable[[], Any]:
    """Return a function that tells everything recorded, to compare before and after."""

    def read() -> Any:
        with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
            records = tx.campaigns.all()
            return [
                (record.revision, tx.experiments.find(record.id)) for record in records
            ], tx.watermark()

    return read


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of real data, or skip."""
    path = ROOT / os.environ.get("SPINNERET_DATA", "../shared/data")
    if not path.is_dir():
        pytest.skip(f"no real data at {path} (SPINNERET_DATA)")
    return path


SETTINGS = "flow_rate=0.4 concentration=18 voltage=18 collector_speed=400"
"""The controlled settings of a run, as words of the command line."""


@pytest.fixture
def fill() -> Callable[[Workspace, int], None]:
    """Return a function that records finished runs of the virtual lab in a workspace."""

    def fill_with(workspace: Workspace, n: int) -> None:
        from virtual_runs import draw, record

        record(workspace, draw(n, seed=n))

    return fill_with


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of files whose pixels are unpacked from now on, each as often as it is."""
    from PIL import ImageFile

    names: list[str] = []
    load = ImageFile.ImageFile.load

    def counted(image: Any) -> Any:
        if image.tile:  # empty once all of it is unpacked
            names.append(Path(str(image.filename)).name)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counted)
    return names
