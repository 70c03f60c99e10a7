"""``make install``: which build of PyTorch a machine gets. Nothing is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
INDEX = "https://index.invalid/cpu"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def pinned(name: str) -> str:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix(f"{name}==") for line in lines if line.startswith(f"{name}=="))


def commands(
    tmp_path: Path, *words: str, driver: bool = False, runs: bool = False
) -> subprocess.CompletedProcess[str]:
    programs = tmp_path / "programs"
    programs.mkdir()
    if driver:
        program = programs / "nvidia-smi"
        program.write_text("#!/bin/sh\n", encoding="utf-8")
        program.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TORCH", "MAKE"))}
    return subprocess.run(
        ["make", *([] if runs else ["--dry-run"]), "install", f"VENV={tmp_path / 'none'}", *words],
        cwd=ROOT,
        env={**environment, "PATH": f"{programs}:{environment['PATH']}"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_cpu_build_comes_first_from_the_index_that_is_named(tmp_path: Path) -> None:
    printed = commands(tmp_path, "TORCH=cpu", f"TORCH_INDEX={INDEX}").stdout
    assert f"--constraint constraints.txt -i '{INDEX}' torch" in printed
    assert printed.index(INDEX) < printed.index("--editable")


def test_a_driver_asks_for_cuda(tmp_path: Path) -> None:
    printed = commands(tmp_path, f"TORCH_INDEX={INDEX}", driver=True).stdout
    assert INDEX not in printed
    assert "--editable" in printed


def test_who_names_the_build_decides(tmp_path: Path) -> None:
    printed = commands(tmp_path, "TORCH=cpu", f"TORCH_INDEX={INDEX}", driver=True).stdout
    assert INDEX in printed


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere PyTorch's own wheels are for the CPU"
)
def test_without_an_index_the_cpu_build_is_what_pip_has_or_uv_knows(tmp_path: Path) -> None:
    printed = commands(tmp_path, "TORCH=cpu").stdout
    assert " -i " not in printed
    pip_has_it, by_uv = (
        printed.index(f"'{pinned('torch')}+cpu'"),
        printed.index("--torch-backend cpu"),
    )
    assert pip_has_it < by_uv < printed.index("--editable")


@pytest.mark.parametrize(
    ("listed", "asks_uv"), [("2.99.0, {pin}+cpu, {pin}", False), ("{pin}", True)]
)
def test_uv_is_asked_only_where_pip_has_no_cpu_build(
    tmp_path: Path, listed: str, *, asks_uv: bool
) -> None:
    """The commands themselves, with a pip and a uv that write down what they are asked for."""
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    journal = tmp_path / "journal"
    versions = listed.format(pin=pinned("torch"))
    for name in ("python", "uv", "pip"):
        program = programs / name
        program.write_text(
            f'#!/bin/sh\necho {name} "$@" >> {journal}\necho "Available versions: {versions}"\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
    commands(tmp_path, "TORCH=cpu", f"VENV={tmp_path / 'venv'}", runs=True)
    asked = journal.read_text(encoding="utf-8")
    assert ("uv pip install" in asked) == asks_uv
    assert "--editable" in asked.splitlines()[-2]


def test_another_word_is_refused(tmp_path: Path) -> None:
    refused = commands(tmp_path, "TORCH=gpu")
    assert refused.returncode != 0
    assert "TORCH: expected cpu or cuda, got 'gpu'" in refused.stderr
