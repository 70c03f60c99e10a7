"""What the schedule clears away, and what a database without a campaign makes of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from db import schema
from db.records import JobOutcome
from engine.jobs.queue import submit_scheduled
from engine.jobs.schedule import sync
from engine.jobs.upkeep import KEPT_ANSWERS, prune
from engine.workspace import Workspace
from engine.workspace.init import template_text
from engine.workspace.leases import now
from surrogate.progress import silent


def test_keys_of_old_requests_are_forgotten_and_young_ones_kept(workspace: Workspace) -> None:
    ages = {"old": KEPT_ANSWERS + timedelta(hours=1), "young": KEPT_ANSWERS - timedelta(hours=1)}
    with workspace.database.write("test") as tx:
        for key, age in ages.items():
            tx.answers.begin("anna", key, "f", now() - age)
            tx.answers.finish("anna", key, 200, {"a": 1})
        before = tx.watermark()
    summary = prune(workspace, {}, silent, lambda: False)["summary"]
    assert "1 of answered requests" in summary
    with workspace.database.read() as tx:
        assert tx.answers.find("anna", "old") is None
        assert tx.answers.find("anna", "young") is not None
        assert tx.watermark() == before
    assert "0 of answered requests" in prune(workspace, {}, silent, lambda: False)["summary"]


def test_a_database_without_a_campaign_is_no_failed_backup(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(template_text("nanofibre"), encoding="utf-8")
    schema.create(f"sqlite:///{tmp_path / 'spinneret.db'}")
    with Workspace.open(config) as workspace:
        sync(workspace)
        with workspace.database.write("schedule") as tx:
            assert submit_scheduled(tx, "backup", now(), owner="test") is None
            (run,) = tx.schedule.runs("backup")
    assert (run.outcome, "no campaign" in (run.detail or "")) == (JobOutcome.DONE, True)
