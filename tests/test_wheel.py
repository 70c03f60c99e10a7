"""A wheel holds everything: it works from a folder of its own, with the checkout out of reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from first_lines import N_RUNS, lines, write_files

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 60e6
"""Of the package alone; what it stands on takes a gigabyte more, without torch."""

BEGIN = """
import engine, sys
from engine.cli.app import app

assert engine.__file__.startswith(sys.argv[1]), engine.__file__

def run(*words):
    try:
        app(list(words))
    except SystemExit as ended:
        assert not ended.code, words
"""
RUN = """
run("--version")
run("init", "--template", "nanofibre")
run("propose", "--strategy", "sobol", "--n", "2", "--json")
"""

DEMO = """
run("demo", "--folder", "played", "--rounds", "1", "--history", "16", "--n", "2")
engine.create("campaign-folder", template="nanofibre")
"""
TOY = {
    "SPINNERET_PROPOSE__MC_SAMPLES": "8",
    "SPINNERET_PROPOSE__RAW_SAMPLES": "16",
    "SPINNERET_PROPOSE__RESTARTS": "1",
    "OMP_NUM_THREADS": "1",
}


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


def run_installed(wheel: Path, tmp_path: Path, code: str, **settings: str) -> str:
    """Run code where the wheel is installed and the checkout is out of reach; return its output."""
    target, lab = tmp_path / "installed", tmp_path / "lab"
    lab.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    done = subprocess.run(
        [sys.executable, "-P", "-c", BEGIN + code, target],
        cwd=lab,
        env={
            **{name: value for name, value in os.environ.items() if name[:9] != "SPINNERET"},
            "PYTHONPATH": str(target),
            **settings,
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_wheel_works_away_from_the_checkout(wheel, tmp_path) -> None:
    printed = run_installed(wheel, tmp_path, RUN, SPINNERET_GENERATOR__PRETRAINED="none")
    assert "spinneret " in printed
    assert '"experiment": 2' in printed


@pytest.mark.deep
def test_the_demo_and_a_notebooks_first_lines_work_from_a_wheel(wheel, tmp_path) -> None:
    (tmp_path / "lab").mkdir()
    write_files(tmp_path / "lab")
    code = "\n".join((DEMO, *lines(), "print(len(lab.runs()))"))
    printed = run_installed(wheel, tmp_path, code, **TOY)
    assert "of the true front in" in printed
    assert printed.splitlines()[-1] == str(N_RUNS + 8)
    assert (tmp_path / "lab" / "report.html").is_file()
