"""Labs by name, their runs, and what can be known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.bench.harness.labs import (
    changes_with_seed,
    finished_runs,
    lab_of,
    lots_dominate,
    older_labs,
    source_runs,
    truths,
)
from engine.bench.models import knowledge, sources
from engine.bench.models.knowledge import ignorance
from engine.bench.search.strategies import check_names, sourced, strategy
from engine.errors import UsageError
from engine.lab import VirtualLab
from engine.lab.constants import LabConstants


@pytest.mark.parametrize("name", ["standard", "virtual", "older", "unlike", "lots", "family"])
def test_labs_by_name(name):
    lab = lab_of(name, 3)
    assert len(lab.campaign.outcomes) == 10
    assert lab_of(name, 3) is lab
    run, _ = finished_runs(lab, 2, 0)[0]
    assert set(run.outcomes) == set(lab.campaign.outcomes)


def test_only_a_family_changes_with_the_seed():
    assert changes_with_seed("family")
    assert not changes_with_seed("unlike")
    runs = [finished_runs(lab_of("family", seed), 1, 0)[0][0] for seed in (0, 1)]
    assert runs[0].outcomes != runs[1].outcomes


def test_where_lots_dominate_specimens_hardly_differ():
    plain, lots = LabConstants(), lots_dominate(LabConstants())
    assert lots.diameter.lot == pytest.approx(2.5 * plain.diameter.lot)
    assert lots.diameter.concentration == plain.diameter.concentration
    strength, before = (c.properties["fracture_strength"] for c in (lots, plain))
    assert strength.specimen == pytest.approx(tuple(0.3 * v for v in before.specimen))
    assert strength.lot == pytest.approx(2.5 * before.lot)
    assert strength.alignment == before.alignment


def test_constants_of_ones_own(tmp_path):
    path = tmp_path / "wet.toml"
    path.write_text(
        "[diameter]\nlot = 0.5\n[properties.elongation]\nat_reference = 50\nspecimen = [0, 0.1]\n"
    )
    constants = lab_of(str(path)).constants
    assert constants.diameter.lot == 0.5
    assert constants.properties["elongation"].specimen == (0.0, 0.1)
    assert constants.properties["yield_strength"] == LabConstants().properties["yield_strength"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[diameter]\nlots = 1", "expected one of at_reference_nm"),
        ("[diameter]\nlot = 'much'", "expected one of"),
        ("[diametre]\nlot = 1", r"got \[diametre\]"),
        ("[properties.elongation]\nspecimen = 1", "as many numbers"),
        ("lot = 1", r"got \[lot\]"),
        ("[diameter", "expected a TOML file"),
    ],
)
def test_constants_that_are_none_are_refused(tmp_path, text, told):
    path = tmp_path / "lab.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        lab_of(str(path))


def test_an_unknown_truth_is_told():
    with pytest.raises(UsageError, match="Did you mean 'unlike'"):
        lab_of("unlik")


def test_more_runs_begin_with_the_same_ones_and_truth_is_their_middle():
    lab = VirtualLab()
    few, many = finished_runs(lab, 5, 1), finished_runs(lab, 80, 1)
    assert [run for run, _ in few] == [run for run, _ in many[:5]]
    conditions = [run.conditions for run, _ in many]
    true = truths(lab, conditions)["elongation.longitudinal"]
    ambient = {name: conditions[0][name] for name in ("temperature", "humidity")}
    assert true[0] == pytest.approx(lab.truth(conditions[0], ambient)["elongation.longitudinal"])
    seen = np.array([run.outcomes["elongation.longitudinal"][0] for run, _ in many])
    assert abs(np.log(seen / true).mean()) < 0.15


def test_a_source_has_pictures_on_request():
    lab = VirtualLab()
    assert source_runs(lab, "a", 2, 0).pictures == ()
    found = source_runs(lab, "a", 2, 0, picture_px=48)
    assert [p.shape for p in found.pictures] == [(48, 48)] * 2
    assert found.nm_per_pixel == 60.0


def test_older_labs_are_related_and_differ():
    for truth in ("standard", "family"):
        one, other = older_labs(truth, 1, 2)
        settings = [run.conditions for run, _ in finished_runs(lab_of(truth, 1), 3, 0)]
        a, b, t = (truths(lab, settings) for lab in (one, other, lab_of(truth, 1)))
        name = "elongation.longitudinal"
        assert not np.allclose(a[name], b[name])
        assert not np.allclose(a[name], t[name])


# -- knowledge -------------------------------------------------------------------------------------


@pytest.fixture
def listed(monkeypatch, tmp_path):
    """Pretraining whose checkpoint is a list of names; its knowledge is the list."""
    log = []

    def pretrain(found, folder, seed):
        log.append((tuple(source.name for source in found), [len(s.pictures) for s in found]))
        (folder / "names.txt").write_text(",".join(source.name for source in found))

    def load(campaign, folder, outcomes):
        found = (folder / "names.txt").read_text().split(",")
        return [*found, *outcomes.values()][:2]

    starter = tmp_path / "packaged"
    starter.mkdir()
    (starter / "names.txt").write_text("starter")
    monkeypatch.setattr(sources, "STARTER", starter)
    monkeypatch.setattr(knowledge, "load", load)
    monkeypatch.setattr(knowledge, "pretrain", pretrain)
    monkeypatch.setattr(sources, "N_RUNS", 3)
    monkeypatch.setattr(sources, "PICTURE_PX", 16)
    return log


def test_sources_are_pretrained_once_for_each_seed(listed, tmp_path):
    def known(name, seed):
        found = sources.provider(name, truth="standard", seed=seed, folder=tmp_path / "kept")
        return found(VirtualLab().campaign)

    assert known("matmcl", 0) == known("matmcl:starter", 0) == ["starter"]
    assert known("matmcl:none", 0) is None
    assert known("matmcl:older", 0) == known("matmcl:older", 0) == ["older 1"]
    known("matmcl:older-blind", 1)
    assert known("matmcl:bad", 0) == ["bad 1"]
    assert listed == [(("older 1",), [3]), (("older 1",), [0]), (("bad 1",), [3])]
    assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == [
        "bad-standard-0", "older-blind-standard-1", "older-standard-0",
    ]  # fmt: skip
    assert known(f"matmcl:{tmp_path / 'kept' / 'bad-standard-0'}", 5) == ["bad 1"]


def test_eight_campaigns_are_eight_sources(listed, tmp_path):
    sources.provider("matmcl:eight-blind", truth="unlike", seed=2, folder=tmp_path)
    assert listed[0][0] == tuple(f"eight {k}" for k in range(1, 9))


def test_names_of_knowledge_are_checked(listed, tmp_path):
    names = ("matmcl", "matmcl:eight-blind", f"matmcl:{tmp_path}", "ax-matmcl", "ax-matmcl:bad")
    assert check_names([*names, "gp"]) == (*names, "gp")
    with pytest.raises(UsageError, match="Did you mean 'matmcl:older'"):
        check_names(["matmcl:oldr"])
    with pytest.raises(UsageError, match="Did you mean 'matmcl:older'"):
        check_names(["ax-matmcl:oldr"])
    assert (sourced("ax-matmcl:bad"), sourced("ax-matmcl")) == ("matmcl:bad", "matmcl")
    assert sourced("ax") is None
    assert sources.is_trained("matmcl:older-blind")
    assert not sources.is_trained("matmcl:starter")


def test_a_strategy_is_told_what_is_known(monkeypatch):
    told = {}

    def suggest(history, request, settings, **more):
        told.update(more, strategy=request.strategy)
        return type("Batch", (), {"suggestions": (), "strategy": "matmcl", "seconds": {}})

    monkeypatch.setattr("engine.propose.suggestion.suggest", suggest)
    history = type("History", (), {"campaign": VirtualLab().campaign})
    strategy("matmcl:older", lambda campaign: "much")(history, 2, 0, {})
    assert told == {"knowledge": "much", "strategy": "matmcl"}
    strategy("ax-matmcl:older", lambda campaign: "much")(history, 2, 0, {})
    assert told == {"knowledge": "much", "strategy": "ax-matmcl"}
    assert ignorance(VirtualLab().campaign) is None


def test_of_a_composite_the_mats_outcomes_speak(listed, tmp_path):
    found = sources.provider("matmcl", truth="composite", seed=0, folder=tmp_path)
    campaign = lab_of("composite").campaign
    assert found(campaign) == ["starter", "fracture_strength.longitudinal"]
