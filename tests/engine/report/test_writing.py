import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.bench.search.growth import fill
from engine.cli.app import app
from engine.demo import DemoConfig, play
from engine.experiments.record import Entry, record
from engine.report.write import default_page, model_sensitivity, write_report
from engine.results.material import gather
from engine.workspace import Workspace
from engine.workspace.init import initialise


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Return the configuration of a campaign without a run."""
    config = tmp_path / "config.toml"
    initialise(config, template="nanofibre")
    return config


def test_a_new_campaign_has_a_report_that_says_so(new: Path) -> None:
    answer = CliRunner().invoke(app, ["report", "--config", str(new)])
    assert answer.exit_code == 0, answer.output
    (line,) = answer.stdout.splitlines()
    assert line.endswith("nanofibre.html")
    assert "No run has been finished yet." in Path(line).read_text(encoding="utf-8")


def test_out_png_and_json(new: Path, tmp_path: Path) -> None:
    page, folder = tmp_path / "deep" / "page.html", tmp_path / "pictures"
    words = ["report", "--config", str(new), "--out", str(page), "--png", str(folder), "--json"]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    assert document["page"] == str(page)
    assert document["pictures"] == [str(folder / "front.png")]
    assert "too few" in document["remark"]
    assert not list(page.parent.glob(".*"))


def test_a_place_that_cannot_be_written_is_told(new: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ["report", "--config", str(new), "--out", str(tmp_path / "file" / "page.html")]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 1
    assert "cannot be written" in answer.output
    assert "Traceback" not in answer.output


def test_no_database_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["report", "--config", str(tmp_path / "config.toml")])
    assert answer.exit_code == 2
    assert "engine init" in answer.output


def test_stored_markup_stays_text(new: Path) -> None:
    nasty = "<script>alert(1)</script>"
    with Workspace.open(new) as workspace:
        settings = {
            "flow_rate": 0.4,
            "concentration": 18.0,
            "voltage": 18.0,
            "collector_speed": 0.0,
        }
        record(
            workspace,
            Entry(conditions=settings, failure="drips", note=nasty, label="a-1"),
        )
        page = write_report(workspace).page.read_text(encoding="utf-8")
        assert default_page(workspace, "a b/..").name == "a-b-...html"
    assert nasty not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_model_learns_from_a_part_of_a_large_campaign(
    new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPINNERET_PROPOSE__MOST_RUNS", "50")
    with Workspace.open(new) as workspace:
        fill(workspace, 600)
        found, remark = model_sensitivity(gather(workspace), workspace)
    assert found is not None
    assert remark is not None
    assert remark.startswith("The model is learning from 5")


def test_the_model_tells_what_moves_what_once_there_are_runs_enough(tmp_path: Path) -> None:
    play(tmp_path / "new", DemoConfig(rounds=1, n=1, history=24))
    with Workspace.open(tmp_path / "new" / "config.toml") as workspace:
        found, remark = model_sensitivity(gather(workspace), workspace)
    assert remark is None
    assert found is not None
    assert found.outcomes == gather_outcomes()
    strength = dict(zip(found.parameters, found.total[0], strict=True))
    # The collector's speed aligns the fibres: it moves longitudinal strength more than the room's.
    assert strength["collector_speed"] > strength["temperature"]


def gather_outcomes() -> tuple[str, ...]:
    from engine.lab import VirtualLab

    return VirtualLab().campaign.outcomes
