"""A wheel holds everything: it works from a folder of its own, with the checkout out of reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 60e6

RUN = """
import engine, sys
from engine.cli.app import app

assert engine.__file__.startswith(sys.argv[1]), engine.__file__

def run(*words):
    try:
        app(list(words))
    except SystemExit as ended:
        assert not ended.code, words

run("--version")
run("init", "--template", "nanofibre")
run("propose", "--strategy", "sobol", "--n", "2", "--json")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel, built beside the checkout: building leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    forget = shutil.ignore_patterns("__pycache__")
    for name in ("engine", "generator", "surrogate", "db", "alembic"):
        shutil.copytree(ROOT / name, source / name, ignore=forget)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source,
        ],
        check=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def test_a_wheel_holds_what_is_no_module_too(wheel) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        size = sum(entry.file_size for entry in archive.infolist())
    kept = {
        path.relative_to(ROOT).as_posix()
        for package in ("engine", "generator", "surrogate", "db")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert kept - names == set()
    revisions = {f"db/migrations/versions/{p.name}" for p in (ROOT / "alembic").rglob("0*.py")}
    assert revisions <= names
    assert size < MOST_BYTES, f"{size / 1e6:.1f} MB"


def test_a_wheel_works_away_from_the_checkout(wheel, tmp_path) -> None:
    target, lab = tmp_path / "installed", tmp_path / "lab"
    lab.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN, target],
        cwd=lab,
        env={
            **{name: value for name, value in os.environ.items() if name[:9] != "SPINNERET"},
            "PYTHONPATH": str(target),
            "SPINNERET_GENERATOR__PRETRAINED": "none",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "spinneret " in done.stdout
    assert '"experiment": 2' in done.stdout
