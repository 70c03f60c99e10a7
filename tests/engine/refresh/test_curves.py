"""Curves of runs come into a training with a refresh, as they stood when it began."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.curves.fit import remove
from engine.curves.prepare import prepare_content
from engine.curves.properties.evaluate import evaluate
from engine.curves.tested import HowTested
from engine.curves.values import register
from engine.lab.tensile import StressStrain, draw_curve
from engine.refresh.gate import Verdict
from engine.refresh.plan import material_of
from engine.refresh.rebuild import rebuild
from engine.refresh.request import RefreshRequest
from engine.refresh.run import refresh
from engine.refresh.snapshot import take_snapshot
from engine.refresh.suspicion import Suspicion
from engine.registry.versions import list_models
from engine.sources.curves import (
    RunCurve,
    curve_tensors,
    curves_of_runs,
    direction_places,
    learnable_curve,
)
from engine.sources.knowledge import knowledge_of
from engine.workspace import Workspace
from surrogate.matmcl.checkpoint import load_checkpoint, read_card
from surrogate.matmcl.curves import CURVE_POINTS
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary
from surrogate.progress import silent

QUICK = RefreshRequest(steps=4)
MAT = {
    "fracture_strength": 10.0,
    "yield_strength": 4.0,
    "elastic_modulus": 35.0,
    "tangent_modulus": 9.0,
    "elongation": 85.0,
}


def drawn(seed: int) -> StressStrain:
    curve = draw_curve(MAT | {"yield_strength": 4.0 + 0.01 * seed}, np.random.default_rng(seed))
    assert curve is not None
    return curve


def add(workspace: Workspace, id_: int, content: str, direction: str = "longitudinal") -> None:
    """Record one more specimen of a run by its curve."""
    with workspace.database.read() as tx:
        campaign = workspace.active_campaign(tx)[1]
    tested = HowTested(direction=(direction,))
    (new,) = prepare_content(workspace, f"{id_}.csv", content.encode(), tested, campaign)
    with workspace.database.write("test") as tx:
        run = tx.experiments.get(id_)
        assert run is not None
        register(tx, campaign, run, new, beside_typed=True)


def read(workspace: Workspace, **options) -> dict[int, tuple[RunCurve, ...]]:
    with workspace.database.read() as tx:
        record = workspace.active_campaign(tx)[0]
        ids = {run.id for run in tx.experiments.find(record.id)}
        return curves_of_runs(tx, record.id, ids, **options)


def test_curves_are_read_as_they_stood_and_unsound_ones_are_missing(
    workspace: Workspace, record, lab_runs
) -> None:
    one, two, three = record(workspace, lab_runs(3))
    add(workspace, one, drawn(0).as_table())
    with workspace.database.read() as tx:
        watermark = tx.watermark()
    add(workspace, one, drawn(1).as_table(), "transverse")
    # The machine stopped before the specimen broke.
    add(workspace, two, "\n".join(drawn(2).as_table().splitlines()[:-8]))
    curves = read(workspace)
    assert {id_: [c.direction for c in of_run] for id_, of_run in curves.items()} == {
        one: ["longitudinal", "transverse"]
    }
    assert three not in curves
    expected = learnable_curve(evaluate(drawn(0).as_curve()))
    torch.testing.assert_close(curves[one][0].samples, expected, atol=1e-5, rtol=1e-5)
    form, scales = expected[:CURVE_POINTS], expected[CURVE_POINTS:]
    assert form[0] < 0.03  # the toe
    assert form[-1] == pytest.approx(1.0, abs=0.01)
    assert scales.tolist() == pytest.approx([np.log(0.85), np.log(10 / 10)], abs=0.02)
    assert [len(of_run) for of_run in read(workspace, watermark=watermark).values()] == [1]
    remove(workspace, [1])
    assert [c.direction for c in read(workspace)[one]] == ["transverse"]
    assert len(read(workspace, watermark=watermark)[one]) == 1
    assert read(workspace, n_points=16)[one][0].samples.shape == (18,)


def test_directions_find_their_place_among_a_models(nanofibre) -> None:
    words = Vocabulary(
        (ParameterSpec("voltage", "kV", False, 18.0, 4.0),),
        ("thickness", "strength.across", "strength.along"),
    )
    places = {"fracture_strength.longitudinal": 2, "elongation.transverse": 1}
    places = direction_places(nanofibre, places, words)
    assert places == {"longitudinal": 2, "transverse": 1}
    curve = RunCurve("longitudinal", torch.zeros(18))
    tensors = curve_tensors([(), (curve, RunCurve("oblique", curve.samples), curve)], places)
    assert tensors.owner.tolist() == [1, 1]
    assert tensors.direction.tolist() == [2, 2]
    assert curve_tensors([(), ()], places) is None


def test_a_refresh_learns_curves_and_its_version_can_be_made_again(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is judged and doubted is other tests' matter, and takes most of a refresh's time.
    monkeypatch.setattr("engine.refresh.training.labs_of", lambda *_: [0, 1, 2, 3])
    monkeypatch.setattr("engine.refresh.run.doubts", lambda *_: Suspicion())
    monkeypatch.setattr(
        "engine.refresh.run._Work._judge", lambda *_: Verdict(False, "not judged", {})
    )
    with filled.database.read() as tx:
        ids = [run.id for run in tx.experiments.find(1)]
    for id_ in ids[:18]:
        add(filled, id_, drawn(id_).as_table())
    with filled.database.read() as tx:
        snapshot = take_snapshot(filled, tx, QUICK)
    assert len(material_of(filled, snapshot, silent, set()).curves) == 18
    done = refresh(filled, QUICK)
    assert done.artifact is not None
    assert done.model_id is not None
    (entry, *_) = list_models(filled)
    assert 8 <= entry.version.metrics["own_curves"] <= 18  # those that judge are not learnt from
    assert "curves" in entry.version.metrics["losses"]
    folder = filled.data_dir / done.artifact
    assert read_card(folder).config.curve_points == CURVE_POINTS
    model = load_checkpoint(folder)
    assert model.curve is not None
    with filled.database.read() as tx:
        campaign = filled.active_campaign(tx)[1]
    knowledge = knowledge_of(campaign, folder)  # of its table alone
    assert knowledge is not None
    assert knowledge.sha256 == read_card(folder).sha256
    add(filled, ids[30], drawn(99).as_table())  # was not there then
    assert rebuild(filled, done.model_id).is_same
