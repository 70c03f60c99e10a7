from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.records import NewExperiment, Origin, Status
from engine.experiments.export import export_document, render, rendered_parts, write_export
from engine.experiments.importers.importing import import_file
from engine.experiments.importers.words import CellError, clean_label
from engine.workspace import Workspace
from engine.workspace.init import initialise

SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 17.8, "collector_speed": 0.0}
ALONG, ACROSS = "elongation.longitudinal", "fracture_strength.transverse"
EXPERIMENTS = [
    NewExperiment(
        Origin.IMPORT,
        Status.COMPLETED,
        label="=A1",
        note='two\nlines, "quoted"; and µ',
        actual={**SETTINGS, "humidity": 1 / 3},
        outcomes={ALONG: (80.1, 84.0, 1e-7), ACROSS: (4.000000000000001,)},
    ),
    NewExperiment(Origin.MANUAL, Status.COMPLETED, actual=SETTINGS, outcomes={ALONG: (80.0,)}),
    NewExperiment(Origin.MANUAL, Status.COMPLETED, actual=SETTINGS, outcomes={ALONG: (80.0,)}),
    NewExperiment(Origin.MANUAL, Status.FAILED, label="007", failure="no_jet", actual=SETTINGS),
    NewExperiment(Origin.PROPOSAL, Status.PROPOSED, proposed={**SETTINGS, "temperature": 22.0}),
    NewExperiment(
        Origin.PROPOSAL,
        Status.ABANDONED,
        note="spilt",
        proposed=SETTINGS,
        actual={"voltage": 18.0},
        outcomes={ACROSS: (3.0, 4.0)},
    ),
    NewExperiment(Origin.PROPOSAL, Status.RUNNING, label="nan", proposed=SETTINGS),
]


def essence(workspace: Workspace):
    """Everything that a table carries, in its order."""
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        return [
            (e.label, e.status, e.failure, e.note, e.conditions, e.replicates())
            for e in tx.experiments.find(record.id)
        ]


def exported(workspace: Workspace, file_format: str) -> bytes:
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        return render(file_format, record, campaign, tx.experiments.find(record.id))


def fill(workspace: Workspace, experiments) -> None:
    with workspace.database.write("fill") as tx:
        record, _ = workspace.active_campaign(tx)
        tx.experiments.add(record, experiments)


@pytest.mark.parametrize("file_format", ["csv", "xlsx", "json"])
def test_what_is_exported_imports_the_same(workspace, tmp_path, file_format) -> None:
    fill(workspace, EXPERIMENTS)
    path = tmp_path / f"out.{file_format}"
    path.write_bytes(exported(workspace, file_format))
    again = import_file(workspace, path)
    assert (again.n_added, again.n_unchanged) == (0, len(EXPERIMENTS))
    initialise(tmp_path / "fresh.toml", template="nanofibre")
    with Workspace.open(tmp_path / "fresh.toml") as fresh:
        assert import_file(fresh, path).n_added == len(EXPERIMENTS)
        assert essence(fresh) == essence(workspace)
        if file_format == "json":
            with fresh.database.read() as tx:
                abandoned = tx.experiments.find(1)[5]
            assert (abandoned.proposed, abandoned.actual) == (SETTINGS, {"voltage": 18.0})


def test_gaps_between_replicates_are_kept(engine, folder) -> None:
    text = "label,replicate,flow_rate,concentration,voltage,collector_speed," + ALONG
    path = folder / "t.csv"
    path.write_text(f"{text}\nA,2,0.4,18,18,0,80\nA,5,0.4,18,18,0,81\n")
    engine("import", path)
    rows = engine("show", "A", "--json").json["measurements"]
    assert [(row["replicate"], row["value"]) for row in rows] == [(2, 80.0), (5, 81.0)]
    assert engine("import", path, "--json").json["unchanged"] == 1


def test_the_command_writes_or_prints(engine, folder) -> None:
    engine("log", "--new", *(f"{name}={value}" for name, value in SETTINGS.items()))
    printed = engine("export").out
    assert printed.splitlines()[0].startswith("experiment,label,replicate,flow_rate [mL/h]")
    assert engine("export", "a.csv").exit_code == 0
    assert (folder / "a.csv").read_text(encoding="utf-8") == printed
    assert engine("export", "--out", "old.csv").exit_code == 0  # as earlier versions spelt it
    assert (folder / "old.csv").read_text(encoding="utf-8") == printed
    assert json.loads(engine("export", "--format", "json").out)["campaign"] == "nanofibre"
    engine("export", "b.json")
    assert engine("import", "b.json", "--json").json["unchanged"] == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--format", "xlsx"], 2, "needs a FILE"),
        (["--format", "pdf"], 2, "csv, xlsx, json"),
        (["a.pdf"], 2, ".csv, .xlsx or .json"),
        (["none/a.csv"], 1, "no such folder"),
        (["a.csv", "--out", "b.csv"], 2, "--out: contradicts FILE"),
        (["folder.csv"], 1, "is a folder"),
    ],
)
def test_what_cannot_be_written(engine, folder, words, code, told) -> None:
    (folder / "folder.csv").mkdir()
    answer = engine("export", *words)
    assert (answer.exit_code, told in answer.err) == (code, True)


def test_an_export_takes_the_place_of_an_older_one(tmp_path) -> None:
    path = tmp_path / "a.csv"
    write_export(path, [b"old"])
    write_export(path, [b"new"])
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"actual": {"voltge": 3}}, "Did you mean 'voltage'?"),
        ({"actual": {"voltage": "x"}}, "to be a number"),
        ({"actual": {"voltage": -3}}, "at least 0"),
        ({"actual": {"voltage": True}}, "to be a number"),
        ({"actual": {"voltage": 10**400}}, "to be a number"),
        ({"actual": []}, "expected a value of flow_rate"),
        ({"actual": 3}, "an object"),
        ({"measurements": [{"outcome": "y", "replicate": 1, "value": 3}]}, "no outcome"),
        ({"measurements": [{"outcome": ALONG, "replicate": 0, "value": 3}]}, "a replicate"),
        ({"measurements": [{"outcome": ALONG, "replicate": 2**70, "value": 3}]}, "a replicate"),
        ({"measurements": [{"outcome": ALONG, "replicate": 1, "value": None}]}, "to be a number"),
        ({"measurements": [{"outcome": ALONG, "replicate": 1, "value": -3}]}, "at least 0"),
        ({"measurements": [{"outcome": ALONG, "replicate": 1, "value": 3}] * 2}, "here twice"),
        ({"measurements": {}}, "at least one result"),
        ({"status": "gone"}, "expected one of proposed"),
        ({"label": "a\nb"}, "one line"),
        ({"label": "twin"}, "each label once"),
    ],
)
def test_an_edited_document_is_refused_in_its_place(engine, folder, state, change, told) -> None:
    good = {
        "label": "twin",
        "status": "completed",
        "actual": SETTINGS,
        "measurements": [{"outcome": ALONG, "replicate": 1, "value": 80}],
    }
    bad = {**good, "label": "other", **change}
    (folder / "a.json").write_text(json.dumps({"experiments": [good, bad]}))
    before = state()
    answer = engine("import", "a.json")
    assert answer.exit_code == 1
    assert "row 2" in answer.err
    assert told in answer.err
    assert state() == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"experiments": 3}', "[" * 100_000, "1" * 5000])
def test_what_is_no_export_is_refused(engine, folder, text) -> None:
    (folder / "a.json").write_text(text)
    assert engine("import", "a.json").exit_code == 1


def test_units_of_a_document_must_agree(engine, folder) -> None:
    (folder / "a.json").write_text(json.dumps({"units": {"voltage": "V"}, "experiments": []}))
    assert "expected the unit kV" in engine("import", "a.json").err


_numbers = st.floats(1e-6, 4000, allow_subnormal=False)


def _is_label(text: str) -> bool:
    """Whether a run may be called so: no marks that nobody sees."""
    try:
        clean_label(text)
    except CellError:
        return False
    return True


_words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=20
).map(str.strip)


@given(
    runs=st.lists(
        st.tuples(
            st.lists(_numbers, max_size=3),
            st.lists(_numbers, max_size=2),
            _words.filter(_is_label),
            _words,
        ),
        max_size=5,
        unique_by=lambda run: run[2],
    ),
    file_format=st.sampled_from(["csv", "xlsx", "json"]),
)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_campaign_comes_back(tmp_path_factory, initialised, runs, file_format) -> None:
    import shutil

    folder = tmp_path_factory.mktemp("round")
    for name in ("one", "two"):
        shutil.copytree(initialised, folder / name)
    path = folder / f"out.{file_format}"
    with (
        Workspace.open(folder / "one" / "config.toml") as one,
        Workspace.open(folder / "two" / "config.toml") as two,
    ):
        fill(
            one,
            [
                NewExperiment(
                    Origin.MANUAL,
                    Status.COMPLETED if along or across else Status.RUNNING,
                    label=label or None,
                    note=note or None,
                    actual=SETTINGS,
                    outcomes={ALONG: tuple(along), ACROSS: tuple(across)},
                )
                for along, across, label, note in runs
            ],
        )
        path.write_bytes(exported(one, file_format))
        if runs:
            import_file(two, path)
        assert essence(two) == essence(one)


@pytest.mark.parametrize("file_format", ["csv", "json"])
def test_parts_are_the_whole_and_few_runs_are_read_at_a_time(workspace, file_format) -> None:
    with workspace.database.write("test") as tx:
        tx.experiments.add(workspace.active_campaign(tx)[0], EXPERIMENTS)
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        runs = tx.experiments.find(record.id)
        assert list(tx.experiments.each(record.id, chunk=2)) == runs
        parts = list(rendered_parts(file_format, record, campaign, iter(runs)))
    assert len(parts) > len(runs)
    if file_format == "json":
        text = json.dumps(export_document(record, campaign, runs), ensure_ascii=False, indent=1)
        assert b"".join(parts).decode() == text + "\n"


def test_files_that_a_document_only_names_are_told(engine, folder) -> None:
    engine("log", "--new", *(f"{k}={v}" for k, v in SETTINGS.items()), "elongation.longitudinal=8")
    document = json.loads(engine("export", "--format", "json").out)
    document["experiments"][0] |= {"micrographs": [{}, {}], "curves": [{}]}
    (folder / "again.json").write_text(json.dumps(document), encoding="utf-8")
    warnings = engine("import", "again.json", "--json").json["warnings"]
    assert any("names 2 micrographs and 1 curves, whose files" in line for line in warnings)
