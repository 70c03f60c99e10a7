"""A campaign's folder from Python: frames in and out, the same database and messages as the CLI."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import engine
from engine.cli.app import main
from engine.workspace.revisions import create, use


def test_begin_in_a_new_folder_and_open_it_again(tmp_path: Path) -> None:
    lab = engine.create(tmp_path / "a" / "b", template="mixture", name="paste")
    assert engine.open(tmp_path / "a" / "b").campaign == lab.campaign
    assert engine.open(str(tmp_path / "a" / "b" / "config.toml")).campaign.name == "paste"
    with pytest.raises(engine.StateError, match="exists"):
        engine.create(tmp_path / "a" / "b", template="blank")


def test_a_lab_stays_in_its_campaign_whichever_others_use(
    lab: engine.Lab, runs: pd.DataFrame
) -> None:
    with lab.workspace() as workspace:
        other = lab.campaign.model_copy(update={"name": "other"})
        create(workspace, other)
        use(workspace, "other")
    lab.add(runs)
    assert len(lab.runs()) == 8
    assert lab.campaign.name == "glue"
    assert engine.open(lab.config).campaign.name == "other"
    assert engine.open(lab.config, campaign="other").runs().empty
    assert len(engine.open(lab.config, campaign="glue").runs()) == 8
    with pytest.raises(engine.NotFoundError, match="Did you mean 'glue'"):
        engine.open(lab.config, campaign="glu")


def test_what_cannot_begin_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(engine.UsageError, match="template"):
        engine.create(tmp_path / "new", template="wool")
    assert not (tmp_path / "new").exists()
    with pytest.raises(engine.ConfigError):
        engine.open(tmp_path)


@pytest.mark.parametrize("is_file", [True, False])
def test_a_campaign_of_ones_own_table(tmp_path: Path, runs: pd.DataFrame, is_file: bool) -> None:
    table: pd.DataFrame | Path = runs
    if is_file:
        table = tmp_path / "glue 2.csv"
        runs.to_csv(table, index=False)
    wanted = {"strength": "max:3", "stretch": "min:9"}
    lab = engine.create(tmp_path / "new", table=table, objectives=wanted, ambient=["humidity"])
    campaign = lab.campaign
    assert campaign.name == ("glue 2" if is_file else "campaign")
    assert [p.name for p in campaign.controlled] == ["heat", "resin"]
    assert [p.name for p in campaign.ambient] == ["humidity"]
    assert [(o.outcome, o.goal, o.threshold) for o in campaign.objectives] == [
        ("strength", "maximize", 3), ("stretch", "minimize", 9)
    ]  # fmt: skip
    assert lab.runs()["heat"].tolist() == runs["heat"].tolist()


def test_a_table_that_cannot_be_drafted_leaves_no_folder(
    tmp_path: Path, runs: pd.DataFrame
) -> None:
    with pytest.raises(engine.UsageError, match="no column 'colour'"):
        engine.create(tmp_path / "new", table=runs, objectives=["colour:max"])
    with pytest.raises(engine.UsageError, match="keep one"):
        engine.create(tmp_path / "new", table=runs, template="blank")
    with pytest.raises(engine.UsageError, match="give the table"):
        engine.create(tmp_path / "new", objectives=["strength:max"])
    assert not (tmp_path / "new").exists()


def test_a_frame_comes_in_as_a_file_would(lab: engine.Lab, runs: pd.DataFrame) -> None:
    report = lab.add(runs)
    assert (report.n_added, report.n_measurements) == (8, 16)
    assert lab.add(runs).n_unchanged == 8
    frame = lab.runs()
    assert frame["heat"].tolist() == runs["heat"].tolist()
    assert frame["strength"].tolist() == pytest.approx(runs["strength [MPa]"].tolist())
    assert frame["humidity"].isna().tolist() == runs["humidity"].isna().tolist()
    assert frame["label"].tolist() == runs["label"].tolist()
    assert frame.attrs["units"] == {
        "heat": "°C", "humidity": "%", "strength": "MPa", "stretch": "%"
    }  # fmt: skip
    assert frame.index.name == "experiment"


def test_a_named_index_is_a_column_and_a_dry_run_writes_nothing(
    lab: engine.Lab, runs: pd.DataFrame
) -> None:
    assert lab.add(runs.set_index("label"), dry_run=True).n_added == 8
    assert lab.runs().empty
    lab.add(runs.set_index("label"))
    assert lab.runs()["label"].tolist() == runs["label"].tolist()


def test_every_problem_is_told_with_the_frames_own_row(lab: engine.Lab, runs: pd.DataFrame) -> None:
    runs = runs.astype({"heat": object})
    runs.loc[2, "heat"] = "hot"
    runs.loc[5, "resin"] = "C"
    with pytest.raises(engine.DataError) as caught:
        lab.add(runs)
    assert isinstance(caught.value, engine.ImportRefusedError)
    assert [problem.row for problem in caught.value.problems] == [2, 5]
    assert "spinneret-" not in str(caught.value)
    assert lab.runs().empty


@pytest.mark.parametrize("table", [[{"heat": 1}], {"heat": [1]}, None, 3])
def test_what_is_no_frame_is_refused(lab: engine.Lab, table: object) -> None:
    with pytest.raises(engine.UsageError, match="expected a pandas DataFrame"):
        lab.add(table)  # type: ignore[arg-type]


def test_headings_of_two_levels_are_refused(lab: engine.Lab) -> None:
    with pytest.raises(engine.UsageError, match="join them first"):
        lab.add(pd.DataFrame([[1.0]], columns=pd.MultiIndex.from_tuples([("strength", "mean")])))


def test_a_batch_is_recorded_and_told_as_a_frame(lab: engine.Lab, runs: pd.DataFrame) -> None:
    lab.add(runs)
    batch = lab.propose(n=2, at={"humidity": 50}, seed=1)
    frame = batch.to_frame()
    assert frame.index.tolist() == list(batch.experiments)
    assert len(frame) == len(batch) == 2
    assert (frame["strength.lower"] <= frame["strength.mean"]).all()
    assert (frame["strength.mean"] <= frame["strength.upper"]).all()
    assert frame["humidity"].tolist() == [50, 50]
    assert frame["reason"].str.len().min() > 0
    assert frame.attrs["units"]["strength.upper"] == "MPa"
    pending = lab.runs("proposed")
    assert pending["heat"].tolist() == frame["heat"].tolist()
    assert batch.settings().columns.tolist() == ["heat", "resin", "humidity"]
    assert "heat [°C]" in batch._repr_html_()
    assert repr(batch) == f"<batch {batch.id}: 2 runs of 'glue', gp>"


def test_a_dry_run_has_no_ids_and_leaves_nothing(lab: engine.Lab) -> None:
    batch = lab.propose(n=3, seed=1, record=False)
    assert (batch.id, batch.experiments) == (None, ())
    assert batch.to_frame().index.name == "order"
    assert lab.runs().empty
    with pytest.raises(engine.ModelError, match="fill the space"):
        batch.plot()


def test_results_are_logged_corrected_and_taken_back(lab: engine.Lab, tmp_path: Path) -> None:
    batch = lab.propose(n=2, seed=1)
    first, second = batch.experiments
    Image.new("L", (64, 64), 90).save(tmp_path / "a.png")
    recorded = lab.log(
        first, {"strength": 5.0}, actual={"humidity": 61}, micrograph=tmp_path / "a.png"
    )
    assert (recorded.experiment.status.value, recorded.n_micrographs) == ("completed", 1)
    lab.log(second, failed="beads", note="dripped")
    lab.log(first, {"strength": 6.0}, correct=True)
    new = lab.log(None, {"stretch": 4}, conditions={"heat": 25, "resin": "A"}, label="mine")
    frame = lab.runs()
    assert frame.loc[first, "strength"] == 6.0
    assert frame.loc[second, "failed"] == "beads"
    assert frame.loc[new.experiment.id, "label"] == "mine"
    assert lab.undo(dry_run=True).experiments == (new.experiment.id,)
    lab.undo()
    lab.undo()
    assert lab.runs().loc[first, "strength"] == 5.0
    with pytest.raises(engine.UsageError, match="conditions of a new run"):
        lab.log(None, {"strength": 1.0})
    with pytest.raises(engine.UsageError, match="beads"):
        lab.log(first, failed="rain")
    with pytest.raises(engine.UsageError, match="completed"):
        lab.runs("done")


def test_predictions_come_back_with_the_frames_own_index(
    lab: engine.Lab, runs: pd.DataFrame
) -> None:
    lab.add(runs)
    asked = pd.DataFrame({"heat": [25, 65], "resin": ["A", "B"]}, index=["cool", "warm"])
    frame = lab.predict(asked)
    assert frame.index.tolist() == ["cool", "warm"]
    assert frame.loc["warm", "strength.mean"] > frame.loc["cool", "strength.mean"]
    assert any("humidity" in note for note in frame.attrs["notes"])
    assert frame.attrs["units"]["stretch.mean"] == "%"
    assert list(lab.predict(frame).columns) == list(frame.columns)


def test_the_front_by_means(lab: engine.Lab, runs: pd.DataFrame) -> None:
    worse = runs.iloc[[3]].assign(label="worse", stretch=0.0, heat=55)
    lab.add(pd.concat([runs, worse]))
    front = lab.front()
    assert front["label"].tolist() == runs["label"].tolist()[::-1]
    assert front["strength"].is_monotonic_decreasing


def test_figures_hold_what_they_show(lab: engine.Lab, runs: pd.DataFrame) -> None:
    lab.add(runs)
    batch = lab.propose(n=2, seed=1)
    drawn = [trace for trace in batch.plot().data if trace.x is not None]
    assert sum(len(trace.x) for trace in drawn if trace.mode == "markers") == 8 + 2
    front = lab.plot_front()
    assert front.layout.xaxis.title.text == "strength [MPa]"
    slices = lab.plot_slices("heat")
    assert len(slices.data) == 2 * 3
    assert slices.layout.yaxis.title.text == "strength [MPa]"
    assert len(lab.plot_slices(outcomes=["strength"], at="m3").data) == 3 * 3
    assert len(lab.plot_progress().data[0].x) == 1 + 8
    with pytest.raises(engine.UsageError, match="expected one of heat, resin"):
        lab.plot_slices("pressure")


def test_a_campaign_is_shown_with_its_newest_runs_and_nothing_is_markup(
    lab: engine.Lab, runs: pd.DataFrame
) -> None:
    assert "no runs yet" in lab._repr_html_()
    lab.add(runs.assign(note="<b>bold</b>"))
    html = lab._repr_html_()
    assert "8 completed" in html
    assert "&lt;b&gt;bold" in html
    assert "<b>bold" not in html


def test_the_report_and_what_the_command_line_sees(
    lab: engine.Lab, runs: pd.DataFrame, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    lab.add(runs)
    assert lab.report(tmp_path / "page.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["engine", "status"])
    with pytest.raises(SystemExit):
        main()
    assert "8 completed" in capsys.readouterr().out
