"""``engine serve`` in a process of its own: start, jobs, restart, stop."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from db.records import Status, TaskStatus
from engine.jobs import queue as tasks
from engine.web import users
from engine.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "correct horse"  # noqa: S105 -- of a test


@pytest.fixture
def lab(tmp_path):
    """Return the client that the documents show."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    code = re.search(r"`lab\.py`\n\n```python\n(.*?)^```$", text, re.M | re.S)
    assert code is not None
    path = tmp_path / "lab.py"
    path.write_text(code[1], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("lab", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)

    sys.modules["lab"] = module
    spec.loader.exec_module(module)
    return module.Lab


def test_the_client_of_the_documents_proposes_and_logs(serve, workspace, lab) -> None:
    users.add_user(workspace, "anna", "admin", PASSWORD)
    secret, _ = users.make_token(workspace, "anna", "client", "operator")
    with serve() as (address, _process):
        client = lab(address.rstrip("/"), secret)
        runs = client.propose(2, temperature=22, humidity=50)
        assert len(runs) == 2
        results = {"elongation.longitudinal": 88.0, "fracture_strength.longitudinal": 12.0}
        for _ in range(2):
            assert client.log(runs[0]["experiment"], results, key="once") == []
        run = client.call("GET", f"/experiments/{runs[0]['experiment']}")
        assert len(run["measurements"]) == 2
        assert run["measurements"][0]["recorded_by"] == "anna"


def test_the_printed_address_lets_in_and_ctrl_c_stops(serve, workspace) -> None:
    with serve() as (address, process):
        assert "/login?key=" in address
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(address) as page:
            assert page.url.endswith("/campaigns/1")
            assert b"nanofibre" in page.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) in (0, 130, -signal.SIGINT)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_the_file_alone_holds_everything_after_sigterm(serve, workspace, tmp_path, lab) -> None:
    users.add_user(workspace, "anna", "admin", PASSWORD)
    secret, _ = users.make_token(workspace, "anna", "client", "operator")
    with serve() as (address, process):
        client = lab(address.rstrip("/"), secret)
        runs = client.propose(3, temperature=22, humidity=50)
        for run in runs:
            id_ = run["experiment"]
            assert client.log(id_, {"elongation.longitudinal": 88.0}, key=f"run-{id_}") == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM
    (tmp_path / "copy").mkdir()
    shutil.copy(workspace.root / "spinneret.db", tmp_path / "copy")
    shutil.copy(workspace.config_path, tmp_path / "copy")
    with Workspace.open(tmp_path / "copy" / "config.toml") as moved, moved.database.read() as tx:
        record, _ = moved.active_campaign(tx)
        statuses = [run.status for run in tx.experiments.find(record.id)]
    assert statuses == [Status.COMPLETED] * 3


def test_a_job_cut_off_is_interrupted_and_can_be_run_again(serve, workspace) -> None:
    users.add_user(workspace, "anna", "admin", PASSWORD)
    slow = {"n": 40, "strategy": "sobol", "seed": 3, "preview": False}
    before = workspace.database.read
    with before() as tx:
        n_changes = tx.watermark()
    with serve() as (_, process):
        task = tasks.submit(workspace, "propose", slow, actor="anna")
        deadline = time.monotonic() + 60
        while tasks.get(workspace, task.id).status is TaskStatus.QUEUED:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        found = tasks.get(workspace, task.id)
        process.kill()
        process.wait()
        if found.worker is not None:  # the worker ends with the server
            pid = int(found.worker.rpartition(":")[2])
            while _is_alive(pid):
                assert time.monotonic() < deadline, "the worker outlives the server"
                time.sleep(0.05)
    left = tasks.get(workspace, task.id)
    with serve():
        seen = tasks.get(workspace, task.id)
        with workspace.database.read() as tx:
            record, _campaign = workspace.active_campaign(tx)
            runs = tx.experiments.find(record.id)
            batches = tx.batches.all_of(record.id)
        if left.status is TaskStatus.RUNNING and not batches:
            assert seen.status is TaskStatus.INTERRUPTED
            assert runs == []
            with workspace.database.read() as tx:
                assert tx.watermark() == n_changes, "nothing half-written"
        else:
            assert seen.status is TaskStatus.DONE
            assert len(runs) == 40
        again = tasks.rerun(workspace, task.id, actor="anna")
        deadline = time.monotonic() + 90
        while not tasks.get(workspace, again.id).status.is_over:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert tasks.get(workspace, again.id).status is TaskStatus.DONE


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and ") Z" in stat.read_text())


def test_another_address_needs_users(engine) -> None:
    refused = engine("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 -- refused
    assert refused.exit_code == 2
    assert "run `engine users add NAME --role admin` first" in refused.err


def test_a_taken_port_is_told(serve, workspace, engine) -> None:
    with serve() as (address, _process):
        port = re.search(r":(\d+)/", address)
        assert port is not None
        taken = engine("serve", "--port", port[1])
    assert taken.exit_code == 1
    assert "is another server running?" in taken.err


def test_what_belongs_together_is_asked_for(engine, tmp_path) -> None:
    assert engine("serve", "--key", "x").exit_code == 2
    assert engine("serve", "--key", "x", "--certificate", "y").exit_code == 2


def test_a_missing_package_is_told(engine, monkeypatch) -> None:
    monkeypatch.setattr("engine.web.server.NEEDED", ("fastapi", "not_there_at_all"))
    told = engine("serve")
    assert told.exit_code == 2
    assert "pip install 'spinneret[web]'" in told.err


def test_the_server_itself_loads_no_torch(workspace) -> None:
    code = (
        "import sys\nfrom engine.workspace import Workspace\n"
        "from engine.web.app import create_app\n"
        "app = create_app(Workspace.open())\napp.state.site.overview()\n"
        "print([n for n in ('torch', 'plotly', 'pandas', 'matplotlib') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []
