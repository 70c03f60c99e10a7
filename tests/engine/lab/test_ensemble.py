"""The ensemble keeps the rules of its domain in every lab that it draws."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from engine.campaign import Campaign, Objective, Parameter, Property
from engine.errors import UsageError
from engine.lab import KnownLab
from engine.lab.ensemble import (
    HELD_OUT_SEEDS,
    PRETRAINING_SEEDS,
    bad_lab,
    draw_lab,
    family_lab,
    related,
)
from engine.lab.ensemble.alignment import RPM_TO_RAD_S
from engine.lab.virtual import nanofibre_campaign

MAKERS = {"drawn": draw_lab, "family": family_lab, "bad": bad_lab}
seeds = st.integers(min_value=0, max_value=PRETRAINING_SEEDS[-1])
makers = st.sampled_from(list(MAKERS))


def middle(lab):
    return {p.name: p.snap(sum(p.bounds) / 2) for p in lab.campaign.controlled}


@given(makers, seeds)
@settings(max_examples=40, deadline=None)
def test_every_lab_gives_possible_mats_and_outcomes(maker, seed):
    lab = MAKERS[maker](seed)
    assert isinstance(lab, KnownLab)
    rng = np.random.default_rng(seed)
    columns = lab.design(64, seed) | lab.rooms(rng, 64)
    outcomes, mat = lab.observe_columns(columns, rng)
    for name, values in {**outcomes, **lab.truth_columns(columns)}.items():
        assert values.shape == (64,)
        assert np.isfinite(values).all(), name
        assert (values > 0).all(), name
    assert (mat.diameter_nm > 0).all()
    assert (np.abs(mat.order) < 1).all()
    for share in (mat.porosity, mat.bead_fraction, mat.fusion, mat.diameter_cv):
        assert ((share >= 0) & (share < 1.0 + 1e-9)).all()
    for odds in lab.failure_columns(columns).values():
        assert ((odds >= 0) & (odds <= 1)).all()


@given(makers, seeds)
@settings(max_examples=20, deadline=None)
def test_columns_give_what_single_settings_give(maker, seed):
    lab = MAKERS[maker](seed)
    columns = lab.design(4, seed) | lab.reference_ambient
    many, mats = lab.truth_columns(columns), lab.microstructure_columns(columns)
    for i in range(4):
        where = {p.name: float(columns[p.name][i]) for p in lab.campaign.controlled}
        assert lab.truth(where, lab.reference_ambient) == pytest.approx(
            {name: values[i] for name, values in many.items()}
        )
        mat = lab.microstructure_columns(where | lab.reference_ambient)
        assert float(mat.order) == pytest.approx(mats.order[i])


@given(st.sampled_from(["drawn", "family"]), seeds)
@settings(max_examples=30, deadline=None)
def test_a_faster_collector_never_disorders_below_its_onset(maker, seed):
    lab = MAKERS[maker](seed)
    if "collector_speed" not in lab.ranges.turned:
        return
    law = lab.laws.alignment
    onset_rpm = law.onset * law.jet_m_s / (law.radius_m * RPM_TO_RAD_S)
    top = min(lab.ranges.span("collector_speed")[1], onset_rpm)
    speeds = np.linspace(0.0, top, 20)
    order = lab.microstructure_columns({**middle(lab), "collector_speed": speeds}).order
    assert (np.diff(order) >= -1e-12).all()


@given(st.sampled_from(["drawn", "family"]), seeds)
@settings(max_examples=30, deadline=None)
def test_thicker_solutions_spin_thicker_fibres_with_fewer_beads(maker, seed):
    lab = MAKERS[maker](seed)
    concentrations = np.linspace(*lab.ranges.span("concentration"), 12)
    mat = lab.microstructure_columns({**middle(lab), "concentration": concentrations})
    assert (np.diff(mat.diameter_nm) > 0).all()
    assert (np.diff(mat.bead_fraction) <= 0).all()


@given(makers, seeds)
@settings(max_examples=15, deadline=None)
def test_equal_seeds_and_generators_give_equal_runs(maker, seed):
    def once():
        lab, rng = MAKERS[maker](seed), np.random.default_rng(3)
        return lab.campaign, lab.run(middle(lab), lab.room(rng), rng)

    (campaign, first), (again, second) = once(), once()
    assert campaign == again
    assert (first.outcomes, first.failure) == (second.outcomes, second.failure)
    if first.micrograph is not None:
        assert np.array_equal(first.micrograph((16, 16)), second.micrograph((16, 16)))


def test_runs_scatter_about_the_truth():
    lab = family_lab(2)
    columns = {name: np.full(2000, v) for name, v in (middle(lab) | lab.reference_ambient).items()}
    measured, _ = lab.observe_columns(columns, np.random.default_rng(0))
    for name, value in lab.truth(middle(lab), lab.reference_ambient).items():
        assert np.median(measured[name]) == pytest.approx(value, rel=0.08)
        assert 0.05 < np.log(measured[name]).std() < 0.6


def test_labs_differ_in_form_campaign_and_room():
    labs = [draw_lab(seed) for seed in range(60)]
    assert len({lab.laws.diameter.form for lab in labs}) == 4
    assert len({lab.laws.mechanics.network_form for lab in labs}) == 3
    assert len({lab.laws.alignment.form for lab in labs}) == 3
    knobs = {tuple(p.name for p in lab.campaign.parameters) for lab in labs}
    assert len(knobs) > 5


def test_strong_mats_mostly_stretch_less_and_no_knob_always_leads():
    slopes, leaders = [], set()
    for seed in range(60):
        lab = draw_lab(seed)
        columns = lab.design(128)
        truth = lab.truth_columns(columns)
        strength = truth["fracture_strength.longitudinal"]
        slopes.append(spearmanr(strength, truth["elongation.longitudinal"])[0])
        leaders.add(max(lab.ranges.turned, key=lambda k: abs(spearmanr(columns[k], strength)[0])))
    assert np.mean(np.array(slopes) < 0) > 0.7
    assert len(leaders) >= 3


def test_a_family_lab_serves_the_template_as_it_stands():
    lab = family_lab(HELD_OUT_SEEDS[0])
    assert lab.campaign == nanofibre_campaign()
    truth = lab.truth_columns(lab.design(256))
    for objective in lab.campaign.objectives:
        share = np.mean(truth[objective.outcome] < objective.threshold)
        assert share == pytest.approx(0.05, abs=0.02)
    rng = np.random.default_rng(0)
    assert list(lab.room(rng)) == ["temperature", "humidity"]


def test_a_related_lab_has_the_same_forms_and_other_constants():
    lab = family_lab(5)
    kin, again = related(lab, 1), related(lab, 1)
    assert kin.laws == again.laws
    assert kin.laws.diameter.form == lab.laws.diameter.form
    assert kin.laws.mechanics.network_form == lab.laws.mechanics.network_form
    columns = lab.design(128)
    theirs, ours = kin.truth_columns(columns), lab.truth_columns(columns)
    name = "fracture_strength.longitudinal"
    assert not np.allclose(theirs[name], ours[name])
    scores = [
        spearmanr(related(lab, s).truth_columns(columns)[name], ours[name])[0] for s in range(8)
    ]
    assert np.median(scores) > 0.6


@pytest.mark.parametrize("kind", ["flipped", "crossed"])
def test_a_bad_lab_misleads(kind):
    lab, bad = family_lab(4), bad_lab(4, kind=kind)
    columns = lab.design(256)
    mat, misled = lab.microstructure_columns(columns), bad.microstructure_columns(columns)
    agreement = spearmanr(mat.diameter_nm, misled.diameter_nm)[0]
    assert agreement < (-0.9 if kind == "flipped" else 0.8)
    assert bad.campaign == lab.campaign


def test_four_hundred_labs_take_seconds():
    start = time.process_time()
    for seed in range(400):
        lab = draw_lab(seed)
        lab.observe_columns(lab.design(64), np.random.default_rng(seed))
    assert time.process_time() - start < 20


def test_refuses_a_campaign_of_other_knobs():
    campaign = Campaign(
        name="other",
        parameters=(Parameter(name="pressure", low=0.0, high=1.0),),
        properties=(Property(name="y"),),
        objectives=(Objective(outcome="y", threshold=0.0),),
    )
    with pytest.raises(UsageError, match=r"also has pressure\. Leave them out"):
        family_lab(0, campaign)


def test_hidden_knobs_stay_where_they_are():
    lab = next(lab for lab in map(draw_lab, range(50)) if "distance" in lab.ranges.fixed)
    moved = replace(lab.ranges, fixed={**lab.ranges.fixed, "distance": 99.0})
    assert moved != lab.ranges
    assert "distance" not in [p.name for p in lab.campaign.parameters]
    assert lab.truth(middle(lab), lab.reference_ambient)
