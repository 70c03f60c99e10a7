"""Curves in the database: values with their definitions, read anew, taken back, copied, checked."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensile_files import FORMATS, Made

from db.copying import copy
from db.records import CurveRecord, Status
from db.session import Database
from engine.campaign import Campaign
from engine.campaign.curves import CurveSettings
from engine.curves.arrays import pack, unpack
from engine.curves.fit import fit, remove
from engine.curves.kept import evaluation_of, raw_curve
from engine.curves.reading.read import read_curves
from engine.curves.tested import HowTested
from engine.doctor import Level, examine
from engine.errors import (
    CampaignError,
    DataError,
    NotFoundError,
    SpinneretError,
    StateError,
    UsageError,
)
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.experiments.undo import undo
from engine.workspace import Workspace
from engine.workspace.revisions import revise

SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 18.0, "collector_speed": 400.0}
FORMS = {form.file: form for form in FORMATS}
ONE, TWO, THREE = (
    Made(n_points=200),
    Made(n_points=200, tangent_mpa=60),
    Made(n_points=200, modulus_mpa=800),
)
SIZED = HowTested("10 mm", "500 µm", "2 cm", direction=("longitudinal",))
STRENGTHS = [made.strength_mpa for made in (ONE, TWO, THREE)]
STRENGTH, YIELD, MODULUS, ELONGATION = (
    f"{name}.longitudinal"
    for name in ("fracture_strength", "yield_strength", "elastic_modulus", "elongation")
)


def write(folder: Path, name: str, *made: Made) -> Path:
    path = folder / name
    path.write_bytes(FORMS[name].write(made))
    return path


def new_run(workspace: Workspace) -> int:
    entry = Entry(conditions=SETTINGS, running=True)
    return record(workspace, entry).experiment.id


def add(workspace: Workspace, id_: int, *paths: Path, tested: HowTested = SIZED, **more: Any):
    return record(workspace, Entry(experiment=str(id_), curves=paths, tested=tested, **more))


def curves_of(workspace: Workspace, id_: int = 1) -> list[CurveRecord]:
    with workspace.database.read() as tx:
        return tx.curves.all_of(id_)


def values(workspace: Workspace, id_: int = 1) -> dict[str, tuple[float, ...]]:
    with workspace.database.read() as tx:
        run = tx.experiments.get(id_)
    assert run is not None
    return run.replicates()


def configure(workspace: Workspace, **settings: Any) -> Campaign:
    with workspace.database.read() as tx:
        _, campaign = workspace.active_campaign(tx)
    edited = campaign.model_copy(update={"curves": CurveSettings.model_validate(settings)})
    revise(workspace, edited)
    return edited


@pytest.fixture
def run_with_three(workspace: Workspace, folder: Path) -> Workspace:
    """Return a workspace whose run 1 has three specimens of one file."""
    add(workspace, new_run(workspace), write(folder, "emperor.csv", ONE, TWO, THREE))
    return workspace


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.file)
def test_samples_come_back_as_they_were(form: Any) -> None:
    for raw in read_curves(form.file, form.write((ONE,) * form.n_specimens)).curves:
        array = pack(raw)
        again = unpack(array, raw.name, raw.specimen, raw.notes)
        for channel in again.channels:
            first = raw.channel(channel.quantity)
            assert first is not None
            np.testing.assert_array_equal(channel.values, first.values)
        assert len(array.data) < 8 * array.n_points * len(array.channels)
        assert pack(again).sha256 == array.sha256


def test_specimens_are_replicates_and_values_tell_their_definition(
    run_with_three: Workspace,
) -> None:
    measured = values(run_with_three)
    assert measured[STRENGTH] == pytest.approx(STRENGTHS, rel=0.01)
    # The template's moduli are in MPa/%.
    assert measured[MODULUS] == pytest.approx([10, 10, 8], rel=0.01)
    assert measured[ELONGATION] == pytest.approx([50, 50, 50], rel=0.01)
    with run_with_three.database.read() as tx:
        (first, *_) = [m for m in tx.measurements.all_of(1) if m.outcome == YIELD]
        trail = [entry for entry in tx.experiments.trail(1) if entry.kind == "curve"]
        run = tx.experiments.get(1)
    assert run is not None
    assert run.status is Status.COMPLETED
    assert first.note is not None
    assert "offset 2 %" in first.note
    assert len(trail) == 3
    assert "yield_strength: usual" in str(trail[0].note)
    curve = curves_of(run_with_three)[0]
    assert curve.fit.definitions["toe_compensation"] == "yes"
    assert curve.fit.sources == dict.fromkeys(("width_mm", "thickness_mm", "gauge_mm"), "stated")
    assert (run_with_three.data_dir / curve.path).is_file()
    assert "Mecmesin" in curve.reading["description"]


def test_what_was_found_is_found_again_from_the_samples(run_with_three: Workspace) -> None:
    with run_with_three.database.read() as tx:
        for curve in tx.curves.all_of(1):
            evaluation = evaluation_of(tx, curve)
            recorded = {v["property"]: v["value"] for v in curve.fit.results["values"]}
            assert {v.name: v.value for v in evaluation.values} == recorded


def test_a_lab_that_changes_its_mind_corrects_all(run_with_three: Workspace) -> None:
    before = values(run_with_three)
    assert fit(run_with_three, []).n_unchanged == 3
    configure(run_with_three, **{"yield": "offset 1 %", "elastic_modulus": "steepest"})
    dry = fit(run_with_three, [], is_dry_run=True)
    assert len(dry.values) >= 3
    assert values(run_with_three) == before
    refitted = fit(run_with_three, [])
    assert refitted.values == dry.values
    assert values(run_with_three)[YIELD] == pytest.approx(
        [m.offset_yield(0.01) for m in (ONE, TWO, THREE)], rel=0.01
    )
    with run_with_three.database.read() as tx:
        rows = [m for m in tx.measurements.all_of(1) if m.outcome == YIELD and m.replicate == 1]
        fits = tx.curves.fits(1)
    assert [row.revision for row in rows] == [1, 2]
    assert "offset 1 %" in str(rows[1].note)
    assert [f.definitions["yield_strength"] for f in fits] == ["usual", "offset 1 %"]


def test_what_a_definition_no_longer_gives_is_taken_back(run_with_three: Workspace) -> None:
    configure(run_with_three, **{"yield": "none"})
    fit(run_with_three, [])
    assert YIELD not in values(run_with_three)
    configure(run_with_three)
    fit(run_with_three, [])
    assert len(values(run_with_three)[YIELD]) == 3


def test_a_persons_word_stays(run_with_three: Workspace) -> None:
    entry = Entry(experiment="1", results={YIELD: 19.0}, correct=True, which=2)
    record(run_with_three, entry)
    record(run_with_three, Entry(experiment="1", retract=(ELONGATION,), which=3))
    configure(run_with_three, **{"yield": "offset 1 %", "toe_compensation": False})
    refitted = fit(run_with_three, [])
    assert values(run_with_three)[YIELD][1] == 19.0
    assert len(values(run_with_three)[ELONGATION]) == 2
    assert any("corrected by hand" in note for note in refitted.notes)
    assert any("taken back by hand" in note for note in refitted.notes)


def test_another_thickness_of_one_specimen(run_with_three: Workspace) -> None:
    before = values(run_with_three)
    fit(run_with_three, [2], HowTested(thickness="1 mm"))
    after = values(run_with_three)
    assert after[STRENGTH][1] == pytest.approx(before[STRENGTH][1] / 2)
    assert after[STRENGTH][::2] == before[STRENGTH][::2]
    with pytest.raises(UsageError, match="single curves"):
        fit(run_with_three, [], HowTested(thickness="1 mm"))


def test_the_campaigns_usual_specimen(workspace: Workspace, folder: Path) -> None:
    configure(workspace, width="10 mm", thickness="500 µm", gauge_length="2 cm")
    path = write(folder, "emperor.csv", ONE, TWO, THREE)
    add(workspace, new_run(workspace), path, tested=HowTested(direction=("longitudinal",)))
    assert values(workspace)[STRENGTH][0] == pytest.approx(ONE.strength_mpa, rel=0.01)
    assert curves_of(workspace)[0].fit.sources["width_mm"] == "the campaign"
    configure(workspace, width="10 mm", thickness="1 mm", gauge_length="2 cm")
    fit(workspace, [])
    assert values(workspace)[STRENGTH][0] == pytest.approx(ONE.strength_mpa / 2, rel=0.01)


def test_the_same_curve_is_recorded_once(run_with_three: Workspace, folder: Path) -> None:
    other = new_run(run_with_three)
    path = folder / "emperor.csv"
    with pytest.raises(StateError, match="experiment 1 has this curve already"):
        add(run_with_three, 1, path)
    with pytest.raises(StateError, match="belongs to experiment 1"):
        add(run_with_three, other, path)
    # Encoded anew it is another file, and the same curve.
    path.write_text(path.read_text(), encoding="utf-16")
    with pytest.raises(StateError, match="belongs to experiment 1"):
        add(run_with_three, other, path)
    assert curves_of(run_with_three, other) == []


def test_taken_back_and_added_again(run_with_three: Workspace, folder: Path) -> None:
    before = values(run_with_three)
    remove(run_with_three, [1, 2, 3])
    assert values(run_with_three) == {}
    with pytest.raises(StateError, match="was taken back"):
        fit(run_with_three, [1])
    assert fit(run_with_three, []).n_unchanged == 0
    other = new_run(run_with_three)
    add(run_with_three, other, folder / "emperor.csv")
    remove(run_with_three, [4, 5, 6])
    add(run_with_three, 1, folder / "emperor.csv")
    assert values(run_with_three) == before
    assert [c.id for c in curves_of(run_with_three)] == [1, 2, 3]


def test_undo_takes_curves_back_and_restores_readings(
    run_with_three: Workspace, folder: Path
) -> None:
    with run_with_three.database.read() as tx:
        actor = tx.changes(limit=1)[0].actor
    before = values(run_with_three)
    configure(run_with_three, **{"yield": "offset 1 %"})
    fit(run_with_three, [])
    undone = undo(run_with_three, actor)
    assert any("as it was read before" in text for text in undone.restored)
    assert values(run_with_three) == before
    assert curves_of(run_with_three)[0].fit.definitions["yield_strength"] == "usual"
    undo(run_with_three, actor)
    assert values(run_with_three) == {}
    assert all(curve.is_withdrawn for curve in curves_of(run_with_three))
    add(run_with_three, 1, folder / "emperor.csv")
    assert values(run_with_three)[STRENGTH] == before[STRENGTH]


def test_results_that_were_typed_in_are_not_doubled(workspace: Workspace, folder: Path) -> None:
    id_ = new_run(workspace)
    record(workspace, Entry(experiment=str(id_), results={STRENGTH: 40.0}))
    path = write(folder, "essai.TRA", ONE)
    with pytest.raises(StateError, match="no curve gave"):
        add(workspace, id_, path)
    add(workspace, id_, path, replicate=True)
    assert values(workspace)[STRENGTH] == pytest.approx((40.0, ONE.strength_mpa), rel=0.01)


def test_a_curve_that_did_not_break_has_no_strength(workspace: Workspace, folder: Path) -> None:
    whole, unbroken = ONE, Made(n_points=200, is_broken=False)
    add(workspace, new_run(workspace), write(folder, "emperor.csv", whole, unbroken, THREE))
    assert len(values(workspace)[STRENGTH]) == 2
    assert len(values(workspace)[MODULUS]) == 3
    missing = curves_of(workspace)[1].fit.results["values"][0]
    assert missing["value"] is None
    assert "not broken" in missing["missing"]


@pytest.mark.parametrize(
    ("tested", "message"),
    [
        (HowTested(), "say in which direction"),
        (HowTested(direction=("up",)), "expected longitudinal or transverse, got 'up'"),
        (HowTested(direction=("longitudinal", "transverse")), "one direction for all"),
        (HowTested(direction=("nobody=longitudinal",)), "'nobody' is no specimen"),
        (HowTested(width="5", direction=("longitudinal",)), "length with its unit"),
        (HowTested(thickness="0 mm", direction=("longitudinal",)), "above 0"),
        (HowTested(units=("strain",), direction=("longitudinal",)), "a pair such as strain=%"),
        (HowTested(units=("force=mm",), direction=("longitudinal",)), "expected a unit of force"),
    ],
)
def test_what_is_said_wrongly_leaves_no_trace(
    workspace: Workspace, folder: Path, tested: HowTested, message: str
) -> None:
    id_ = new_run(workspace)
    path = write(folder, "emperor.csv", ONE, TWO, THREE)
    with pytest.raises((UsageError, DataError), match=message):
        add(workspace, id_, path, tested=tested)
    assert curves_of(workspace, id_) == []
    assert not (workspace.data_dir / "curves").exists()


def test_the_direction_may_stand_in_a_name(workspace: Workspace, folder: Path) -> None:
    path = write(folder, "essai.TRA", ONE)
    path = path.rename(folder / "mat_7_Transverse-1.TRA")
    add(workspace, new_run(workspace), path, tested=HowTested())
    assert curves_of(workspace)[0].direction == "transverse"


def test_each_specimen_its_own_direction(workspace: Workspace, folder: Path) -> None:
    tested = HowTested(
        thickness="500 µm", direction=("x=longitudinal", "y=transverse"), width="10 mm",
        gauge_length="20 mm",
    )  # fmt: skip
    add(workspace, new_run(workspace), write(folder, "hcellData.csv", ONE, TWO), tested=tested)
    assert [(c.specimen, c.direction, c.replicate) for c in curves_of(workspace)] == [
        ("x", "longitudinal", 1),
        ("y", "transverse", 1),
    ]


def test_a_value_that_cannot_be_is_refused_whole(workspace: Workspace, folder: Path) -> None:
    path = write(folder, "emperor.csv", ONE, TWO, THREE)
    tiny = HowTested("1 µm", "1 µm", "2 cm", direction=("longitudinal",))
    id_ = new_run(workspace)
    with pytest.raises(DataError, match="are geometry and units right"):
        add(workspace, id_, path, tested=tiny)
    assert curves_of(workspace, id_) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"elastic_modulus": "steep"}, "expected usual, iso, steepest"),
        ({"yield": "knee", "yield_strength": "knee"}, "one definition"),
        ({"thickness": "80"}, "with its unit"),
        ({"properties": {"strength": "fracture"}}, "fracture_strength"),
    ],
)
def test_settings_that_mean_nothing(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CurveSettings.model_validate(settings)


def test_a_property_of_another_name(nanofibre: Campaign) -> None:
    definition = nanofibre.definition()
    definition["properties"] = [{"name": "toughness", "unit": "MPa"}]
    definition["objectives"] = [{"outcome": "toughness", "threshold": 1}]
    definition.pop("constraints", None)
    from engine.curves.outcomes import curve_outcomes

    with pytest.raises(CampaignError, match="nothing that a tensile curve gives"):
        curve_outcomes(Campaign(**definition))
    definition["curves"] = {"properties": {"toughness": "fracture_strength"}}
    (outcome,) = curve_outcomes(Campaign(**definition))
    assert (outcome.prop.name, outcome.name) == ("toughness", "fracture_strength")
    definition["curves"] = {"properties": {"strength": "fracture_strength"}}
    with pytest.raises(ValueError, match="unknown property 'strength'"):
        Campaign(**definition)
    definition["curves"] = {"properties": {"toughness": "elongation"}}
    with pytest.raises(CampaignError, match="in MPa in this campaign"):
        curve_outcomes(Campaign(**definition))


def test_a_copy_holds_the_curves(run_with_three: Workspace, tmp_path: Path) -> None:
    for campaign in (None, "nanofibre"):
        target = f"sqlite:///{tmp_path / f'{campaign}.db'}"
        copy(run_with_three.database.url, target, campaign=campaign)
        with Database.open(target) as database, database.read() as tx:
            for curve in tx.curves.all_of(1):
                assert raw_curve(tx, curve).channel("force") is not None


def test_doctor_looks_at_samples_and_files(run_with_three: Workspace) -> None:
    def findings(subject: str) -> list[Any]:
        return [f for f in examine().findings if f.subject == subject]

    assert [f.level for f in findings("curves")] == [Level.FINE]
    (run_with_three.data_dir / curves_of(run_with_three)[0].path).unlink()
    with closing(sqlite3.connect("spinneret.db")) as connection:
        connection.execute("UPDATE curve_arrays SET data = zeroblob(80)")
        connection.commit()
    levels = [f.level for f in findings("curves")]
    assert levels == [Level.WRONG, Level.WRONG]
    with run_with_three.database.read() as tx, pytest.raises(DataError, match="curve"):
        raw_curve(tx, tx.curves.all_of(1)[0])


class TestCommands:
    def test_log_list_show_fit_remove(self, engine: Callable[..., Any], folder: Path) -> None:
        path = write(folder, "essai.TRA", ONE)
        engine("log", "--new", "--label", "m1", *(f"{k}={v}" for k, v in SETTINGS.items()))
        refused = engine("log", "m1", "--curve", path)
        assert refused.exit_code == 2
        assert "--direction longitudinal" in refused.err
        logged = engine("log", "m1", "--curve", path, "--direction", "longitudinal")
        assert logged.exit_code == 0, logged.err
        assert "French" in logged.out
        assert "Zwick testXpert" in logged.out
        assert "fracture_strength.longitudinal" in logged.out
        listed = engine("curve", "list", "--json").json["items"]
        assert listed[0]["specimen"]
        assert {v["property"] for v in listed[0]["values"]} >= {"elongation"}
        answer = engine("curve", "show", 1, "--png", "one.png")
        assert answer.exit_code == 0, answer.err
        assert (folder / "one.png").read_bytes().startswith(b"\x89PNG")
        over = engine("curve", "show", "--experiment", "m1", "--png", "all.png")
        assert over.exit_code == 0, over.err
        assert engine("curve", "fit", "--all", "--json").json["unchanged"] == 1
        assert engine("curve", "fit").exit_code == 2
        exported = json.loads(engine("export", "--format", "json").out)
        assert exported["experiments"][0]["curves"][0]["samples"]
        assert engine("curve", "remove", 1).exit_code == 0
        assert "taken back" in engine("curve", "list").out

    def test_add_is_log(self, engine: Callable[..., Any], folder: Path) -> None:
        path = write(folder, "emperor.csv", ONE, TWO, THREE)
        engine("log", "--new", *(f"{k}={v}" for k, v in SETTINGS.items()))
        added = engine(
            "curve", "add", path, "--experiment", 1, "--direction", "longitudinal", "--width",
            "10 mm", "--thickness", "500 µm", "--gauge-length", "2 cm", "--json",
        )  # fmt: skip
        assert added.exit_code == 0, added.err
        assert [curve["replicate"] for curve in added.json["items"]] == [1, 2, 3]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["log", "1", "--width", "5 mm"], "--width is for --curve"),
            (["log", "1", "--curve", "x.csv", "--failed", "beads"], "a curve is results"),
            (["log", "1", "--curve", "missing.csv", "--direction", "transverse"], "no such file"),
            (["curve", "show", "7"], "there is no curve 7"),
            (["curve", "show"], "--experiment"),
            (["curve", "fit", "7"], "there is no curve 7"),
        ],
    )
    def test_errors_say_what_mends_them(
        self, engine: Callable[..., Any], words: list[str], message: str
    ) -> None:
        engine("log", "--new", *(f"{k}={v}" for k, v in SETTINGS.items()))
        answer = engine(*words)
        assert answer.exit_code in (1, 2)
        assert message in answer.err


def test_no_such_curve(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError):
        remove(workspace, [1])


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    share=st.floats(0, 1),
    encoding=st.sampled_from(["latin-1", "utf-8", "utf-16"]),
    seed=st.none() | st.integers(0, 10**6),
)
def test_a_damaged_file_is_refused_or_gives_right_values(
    workspace: Workspace, folder: Path, share: float, encoding: str, seed: int | None
) -> None:
    lines = FORMS["essai.TRA"].write((ONE,)).decode("latin-1").splitlines(keepends=True)
    if seed is not None:
        random.Random(seed).shuffle(lines)  # noqa: S311 -- shuffles a file
    content = "".join(lines).encode(encoding)
    path = folder / "damaged.TRA"
    path.write_bytes(content[: int((1 - share**4) * len(content))])
    id_ = new_run(workspace)
    tested = HowTested(direction=("longitudinal",))
    try:
        add(workspace, id_, path, tested=tested)
    except SpinneretError:
        assert values(workspace, id_) == {}
        return
    truth = {
        STRENGTH: ONE.strength_mpa, YIELD: ONE.offset_yield(0.02), MODULUS: 10, ELONGATION: 50
    }  # fmt: skip
    for outcome, (value,) in values(workspace, id_).items():
        assert value == pytest.approx(truth.get(outcome, value), rel=0.03)
