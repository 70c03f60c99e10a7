"""The short form of `tests/chaos/chaos.py`: some seconds; the long form is run by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "chaos.py"


def torment(*words: str, **environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SPINNERET_")}
    done = subprocess.run(
        [sys.executable, SCRIPT, "--kills", "4", *words],
        env={**kept, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_sqlite() -> None:
    assert "none lost, none doubled" in torment()


@pytest.mark.deep
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_postgresql(postgres_server: str) -> None:
    told = torment(
        "--backend", "postgresql", "--seed", "1", SPINNERET_TEST_POSTGRES=postgres_server
    )
    assert "none lost, none doubled" in told
