"""Schemathesis asks the API whatever its OpenAPI allows, and a good deal that it does not.

A short run here; `API_EXAMPLES=300` makes it ask more than ten thousand times.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from engine.web import users

pytest.importorskip("schemathesis")
pytestmark = pytest.mark.timeout(3600)

EXAMPLES = os.environ.get("API_EXAMPLES", "5")
PHASES = "coverage,fuzzing" if int(EXAMPLES) > 5 else "fuzzing"

# What the campaign makes of a value (an unknown name, a voltage between steps) no schema tells.
LEFT_OUT = "positive_data_acceptance"


def test_no_answer_is_a_fault_or_undocumented(serve, workspace) -> None:
    users.add_user(workspace, "anna", "admin", "correct horse")
    secret, _ = users.make_token(workspace, "anna", "asks", "admin")
    with serve() as (address, _process):
        command = [
            sys.executable, "-c", "from schemathesis.cli import schemathesis as s; s()", "run",
            f"{address}api/v1/openapi.json", "-H", f"Authorization: Bearer {secret}",
            "--checks", "all", "--exclude-checks", LEFT_OUT, "--phases", PHASES,
            "--max-examples", EXAMPLES, "--request-timeout", "120", "--max-response-time", "120",
            "--seed", "7", "--no-color",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        told = done.stdout[-6000:]
        assert done.returncode == 0, told
        found = re.search(r"(\d+) generated", done.stdout)
        assert found is not None, told
        print(found[0])
        assert int(found[1]) > 250, told
