"""Schemathesis asks the API whatever its OpenAPI allows, and a good deal that it does not.

A short run here; `API_EXAMPLES=300` makes it ask more than ten thousand times.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import httpx2 as httpx
import pytest

from engine.web import users
from engine.workspace import Workspace

pytest.importorskip("schemathesis")
pytestmark = pytest.mark.timeout(3600)

EXAMPLES = os.environ.get("API_EXAMPLES", "5")
PHASES = "coverage,fuzzing" if int(EXAMPLES) > 5 else "fuzzing"

# What the campaign makes of a value (an unknown name, a choice that it lacks) the general document
# cannot tell; the campaign's own can.
ACCEPTANCE = "positive_data_acceptance"
# Where the campaign's own document tells all that decides: bodies of these are taken.
KNOWN = re.compile(r"/(experiments|predictions(/slices|/map)?|retrieval)$")


def test_no_answer_is_a_fault_or_undocumented(serve, workspace) -> None:
    secret = token_of(workspace)
    with serve() as (address, _process):
        n_requests = ask_all(
            f"{address}api/v1/openapi.json", secret,
            "--checks", "all", "--exclude-checks", ACCEPTANCE, "--phases", PHASES,
        )  # fmt: skip
    assert n_requests > 250


def test_what_the_document_of_a_campaign_allows_is_taken(
    serve, workspace, fill_two, tmp_path
) -> None:
    secret = token_of(workspace)
    fill_two(workspace, 8)
    with serve() as (address, _process):
        described = f"{address}api/v1/campaigns/1/openapi.json"
        document = httpx.get(described, headers={"authorization": f"Bearer {secret}"}).json()
        paths = {path: methods for path, methods in document["paths"].items() if KNOWN.search(path)}
        for methods in paths.values():
            # One key for two requests is refused, which no schema tells.
            parameters = methods["post"].pop("parameters")
            assert [p["name"] for p in parameters] in ([], ["Idempotency-Key"])
        document["paths"] = {p: {"post": methods["post"]} for p, methods in paths.items()}
        file = tmp_path / "campaign.json"
        file.write_text(json.dumps(document))
        n_requests = ask_all(
            str(file), secret, "--url", address,
            "--checks", f"not_a_server_error,{ACCEPTANCE},response_schema_conformance",
            "--mode", "positive", "--phases", "fuzzing",
        )  # fmt: skip
    assert n_requests >= len(paths) == 5


def token_of(workspace: Workspace) -> str:
    users.add_user(workspace, "anna", "admin", "correct horse")
    return users.make_token(workspace, "anna", "asks", "admin")[0]


def ask_all(address: str, secret: str, *options: str) -> int:
    """Let schemathesis ask; return how often it did, fail with what it says of a fault."""
    command = [
        sys.executable, "-c", "from schemathesis.cli import schemathesis as s; s()", "run",
        address, "-H", f"Authorization: Bearer {secret}", *options, "--max-examples", EXAMPLES,
        "--request-timeout", "120", "--max-response-time", "120", "--seed", "7", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = done.stdout[-6000:] + done.stderr[-2000:]
    assert done.returncode == 0, report
    counted = re.search(r"(\d+) generated", done.stdout)
    assert counted is not None, report
    print(counted[0])
    return int(counted[1])
