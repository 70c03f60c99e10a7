"""The documents tell the truth: their commands run, their lists are whole."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from installed_plugins import install_plugins
from PIL import Image
from typer.cli import get_docs_for_click
from typer.testing import CliRunner

from engine.cli.app import app
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.workspace.settings import read_campaign_file
from generator.scenes import draw_scene

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED_BLOCK = re.compile(r"`([\w.-]+\.(?:csv|py))`:?\n\n```(?:csv|python)\n(.*?)^```$", re.M | re.S)

# Toy sizes: a document shows how it goes, not how fast or how well.
TOY = {
    "SPINNERET_PROPOSE__MC_SAMPLES": "8",
    "SPINNERET_PROPOSE__RAW_SAMPLES": "16",
    "SPINNERET_PROPOSE__RESTARTS": "1",
    "OMP_NUM_THREADS": "1",
}


def run_shell_blocks(document: Path, folder: Path) -> str:
    """Write the files that ``document`` shows, then run its shell blocks one after the other."""
    text = document.read_text(encoding="utf-8")
    for name, content in NAMED_BLOCK.findall(text):
        (folder / name).write_text(content, encoding="utf-8")
    script = "\n".join(body for language, body in BLOCK.findall(text) if language == "sh")
    assert script, f"{document.name} has no sh block"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SPINNERET_")}
    beside_python = os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"]))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**environment, **TOY, "PATH": beside_python, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{document.name}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_campaigns_that_the_readme_shows_can_be_searched(tmp_path: Path) -> None:
    bodies = [
        body for language, body in BLOCK.findall(README.read_text("utf-8")) if language == "toml"
    ]
    assert bodies
    for body in bodies:
        (tmp_path / "shown.toml").write_text(body, encoding="utf-8")
        campaign = read_campaign_file(tmp_path / "shown.toml")
        settings = Sampler(Space(campaign)).sample(20, seed=0)
        assert len(settings) == 20
        assert Space(campaign).is_searched(settings).all()


def test_a_day_at_the_bench_goes_as_the_readme_says(tmp_path: Path) -> None:
    run_shell_blocks(README, tmp_path)
    assert (tmp_path / "config.toml").is_file()
    assert (tmp_path / "pictures" / "front.png").is_file()
    assert list(tmp_path.glob("spinneret-data/reports/*.html"))


def install_from_documents(document: Path, folder: Path) -> None:
    """Install what a document shows of a distribution: its modules and its entry points."""
    text = document.read_text(encoding="utf-8")
    for name, content in NAMED_BLOCK.findall(text):
        (folder / name).write_text(content, encoding="utf-8")
    tables = [tomllib.loads(body) for language, body in BLOCK.findall(text) if language == "toml"]
    groups = {g: e for t in tables for g, e in t["project"]["entry-points"].items()}
    install_plugins(folder, "our-search", "1.0", groups)


def test_what_is_said_of_python_runs_as_it_stands(tmp_path: Path) -> None:
    bodies = BLOCK.findall((DOCS / "python.md").read_text(encoding="utf-8"))
    script = "\n".join(body for language, body in bodies if language == "python")
    install_from_documents(DOCS / "python.md", tmp_path)
    (tmp_path / "pictures").mkdir()
    scene = draw_scene(np.random.default_rng(1), side=96).grey
    Image.fromarray(np.clip(200 * scene, 0, 255).astype(np.uint8)).save(
        tmp_path / "pictures" / "a.png"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SPINNERET_")}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:engine", "-c", script],
        cwd=tmp_path,
        env={**environment, **TOY, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").is_file()


def test_the_lab_in_the_documents_runs(tmp_path: Path) -> None:
    assert "hypervolume" in run_shell_blocks(DOCS / "labs.md", tmp_path)


def test_the_reference_of_the_commands_is_current() -> None:
    command = typer.main.get_command(app)
    written = get_docs_for_click(
        obj=command, ctx=typer.Context(command), name="engine", title="The command line"
    )
    stored = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert stored.strip() == written.strip(), "docs/cli.md is not current: run `make docs`"


def command_names() -> list[str]:
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    return sorted(command.commands)


@pytest.mark.parametrize("name", command_names())
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert f"| `engine {name}` |" in README.read_text(encoding="utf-8")


def test_the_readme_names_no_command_that_is_not_there() -> None:
    named = re.findall(r"^\| `engine ([\w-]+)` \|", README.read_text(encoding="utf-8"), re.M)
    assert sorted(named) == command_names()


def test_the_list_of_modules_is_current() -> None:
    script = DOCS / "list_modules.py"
    code = "import runpy, sys; sys.stdout.write(runpy.run_path(sys.argv[1])['page']())"
    written = subprocess.run(
        [sys.executable, "-c", code, script],
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    stored = (DOCS / "modules.md").read_text(encoding="utf-8")
    assert stored == written, "docs/modules.md is not current: run `make docs`"


def test_the_architecture_fits_into_one_sitting() -> None:
    assert len((DOCS / "architecture.md").read_text(encoding="utf-8").splitlines()) <= 350


def test_every_dependency_is_explained() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    extras = [name for extra in PROJECT["optional-dependencies"].values() for name in extra]
    for requirement in (*PROJECT["dependencies"], *extras):
        name = re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]
        assert f"`{name}`" in text, f"docs/architecture.md does not say why {name} is there"


def test_every_table_stands_in_the_data_model() -> None:
    from db.tables import metadata

    text = (DOCS / "data-model.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    assert named == set(metadata.tables)


@pytest.mark.parametrize("document", [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))])
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), f"{document.name}: {target} is not there"


def test_templates_are_named_where_they_are_chosen() -> None:
    names = {
        path.name.removesuffix(".toml")
        for path in resources.files("engine").joinpath("templates").iterdir()
        if path.name.endswith(".toml") and not path.name.startswith("_")
    }
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert all(name in text for name in names)


def test_what_a_repository_has_agrees_with_the_project() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    workflows = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
    }
    commands = {
        step["run"].split()[1]
        for workflow in workflows.values()
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if step.get("run", "").startswith("make ")
    }
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert commands == {"check", "docs", "test"} <= targets
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert workflows["tests"]["jobs"]["linux"]["strategy"]["matrix"]["python"][0] == lowest
    for form in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        assert yaml.safe_load(form.read_text(encoding="utf-8"))["body"]


def test_the_version_names_the_libraries_that_compute() -> None:
    done = CliRunner().invoke(app, ["--version"])
    lines = dict(line.split(" ", 1) for line in done.output.splitlines())
    assert done.exit_code == 0
    assert lines["spinneret"] == PROJECT["version"]
    assert {"python", "torch", "botorch", "gpytorch", "numpy"} <= lines.keys()
