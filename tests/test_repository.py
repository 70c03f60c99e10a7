"""The repository keeps its promises: pins, targets, licence, changelog, no stranger's paths."""

import os
import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from engine import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.partition("==") for line in lines if line and not line.startswith("#")]
    assert all(version for _, _, version in rows), "constraints.txt: only name==version"
    return {canonicalize_name(name): version for name, _, version in rows}


def closure() -> dict[str, str]:
    """Return name and version of everything that the project needs on this machine."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    wanted = [*PROJECT["dependencies"]]
    wanted += [one for extra in PROJECT["optional-dependencies"].values() for one in extra]
    queue = [Requirement(text) for text in wanted]
    while queue:
        requirement = queue.pop()
        try:
            installed = distribution(requirement.name)
        except PackageNotFoundError:
            continue
        name = canonicalize_name(requirement.name)
        found[name] = Version(installed.version).public
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in installed.requires or []:
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    queue.append(needed)
    return found


def test_everything_installed_is_pinned() -> None:
    assert set(closure()) - set(pins()) == set(), "add these to constraints.txt"


def test_pins_satisfy_the_project() -> None:
    known = pins()
    for text in PROJECT["dependencies"]:
        requirement = Requirement(text)
        version = known[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{text} against {version}"


def test_one_version_everywhere() -> None:
    assert PROJECT["version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in changelog or f"## [{__version__}]" in changelog


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"


@pytest.mark.parametrize(
    "target", ["install", "demo", "test", "check", "format", "docs", "pictures", "help"]
)
def test_make_knows_its_targets(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_continuous_integration_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert re.findall(r"^make (\w+)(?: &)?$", text, re.M) == ["install", "check", "test"]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    # Written in pieces, or this file would be found.
    wrong = re.compile("|".join(("/ho" + "me/", "/Us" + "ers/", "index-" + "url", "py" + r"pi\.")))
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".png", ".xlsx", ".db", ".tif"} or not path.is_file():
            continue
        hit = wrong.search(path.read_text(encoding="utf-8", errors="replace"))
        assert hit is None, f"{name}: {hit.group() if hit else ''}"
