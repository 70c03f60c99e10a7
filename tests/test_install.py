"""``make install``: which build of PyTorch a machine gets. Commands are printed, not run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
INDEX = "https://index.invalid/cpu"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def commands(tmp_path: Path, *words: str, driver: bool = False) -> subprocess.CompletedProcess[str]:
    programs = tmp_path / "programs"
    programs.mkdir()
    if driver:
        program = programs / "nvidia-smi"
        program.write_text("#!/bin/sh\n", encoding="utf-8")
        program.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TORCH", "MAKE"))}
    return subprocess.run(
        ["make", "--dry-run", "install", f"VENV={tmp_path / 'none'}", *words],
        cwd=ROOT,
        env={**environment, "PATH": f"{programs}:{environment['PATH']}"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_cpu_build_comes_first_from_the_index_that_is_named(tmp_path) -> None:
    printed = commands(tmp_path, "TORCH=cpu", f"TORCH_INDEX={INDEX}").stdout
    assert f"--constraint constraints.txt -i '{INDEX}' torch" in printed
    assert printed.index(INDEX) < printed.index("--editable")


def test_a_driver_asks_for_cuda(tmp_path) -> None:
    printed = commands(tmp_path, f"TORCH_INDEX={INDEX}", driver=True).stdout
    assert INDEX not in printed
    assert "--editable" in printed


def test_who_names_the_build_decides(tmp_path) -> None:
    printed = commands(tmp_path, "TORCH=cpu", f"TORCH_INDEX={INDEX}", driver=True).stdout
    assert INDEX in printed


def test_without_an_index_pip_takes_what_it_is_set_up_to_take(tmp_path) -> None:
    printed = commands(tmp_path, "TORCH=cpu").stdout
    assert " -i " not in printed
    assert "--editable" in printed


def test_another_word_is_refused(tmp_path) -> None:
    refused = commands(tmp_path, "TORCH=gpu")
    assert refused.returncode != 0
    assert "TORCH: expected cpu or cuda, got 'gpu'" in refused.stderr
