"""The commands on a PostgreSQL server: the same answers, and a campaign that moves there."""

from __future__ import annotations

import json

import pytest

from engine.workspace import Workspace

SETTINGS = ("flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400")


def use(folder, url: str) -> None:
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("sqlite:///spinneret.db", url), encoding="utf-8")


@pytest.fixture
def on_a_server(folder, empty_postgres_url: str) -> str:
    use(folder, empty_postgres_url)
    return empty_postgres_url


def test_a_day_at_the_bench(engine, on_a_server) -> None:
    made = engine("init")
    assert made.exit_code == 0, made.err
    assert engine("init").exit_code == 1
    logged = engine("log", "--new", *SETTINGS, "elongation.longitudinal=88", "--json")
    assert logged.exit_code == 0, logged.err
    proposed = engine("propose", "--n", "2", "--strategy", "sobol", "--seed", "3", "--json")
    assert proposed.exit_code == 0, proposed.err
    status = engine("status", "--json").json
    assert status["counts"]["completed"] == 1
    assert [one["status"] for one in status["pending"]] == ["proposed", "proposed"]
    assert engine("replay", proposed.json["batch"], "--json").json["same"]
    assert engine("db", "check").exit_code == 0
    assert engine("db", "upgrade").exit_code == 0


def test_a_campaign_moves_to_a_server(engine, folder, empty_postgres_url, fill) -> None:
    with Workspace.open(folder / "config.toml") as workspace:
        fill(workspace, 12)
    batch = engine("propose", "--n", "2", "--strategy", "sobol", "--seed", "3", "--json").json
    before = engine("status", "--json").json
    exported = engine("export", "--out", folder / "before.json")
    assert exported.exit_code == 0, exported.err
    copied = engine("db", "copy", "--to", empty_postgres_url, "--json")
    assert copied.exit_code == 0, copied.err
    assert copied.json["rows"]["experiments"] == 14
    assert copied.json["files"] == 0
    again = engine("db", "copy", "--to", empty_postgres_url)
    assert again.exit_code == 1
    assert "expected an empty database" in again.err
    use(folder, empty_postgres_url)
    assert engine("status", "--json").json == before
    assert engine("replay", batch["batch"], "--json").json["same"]
    engine("export", "--out", folder / "after.json")
    told = [json.loads((folder / name).read_text()) for name in ("before.json", "after.json")]
    assert told[0]["experiments"] == told[1]["experiments"]


def test_a_server_that_is_away(engine, folder, monkeypatch) -> None:
    monkeypatch.setenv("SPINNERET_DATABASE__WAIT_S", "0.1")
    use(folder, "postgresql+psycopg://lab:s3cret@127.0.0.1:1/mats")
    for words in (["status"], ["db", "check"], ["log", "1", "x=1"]):
        answer = engine(*words)
        assert answer.exit_code == 1
        assert "Is it running" in answer.err
        assert "s3cret" not in answer.err
