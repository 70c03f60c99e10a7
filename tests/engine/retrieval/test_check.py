"""``engine micrograph check``: planted swaps and drifts are found, sound runs are left in peace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelError, UsageError
from engine.lab.physics import Drive, structure
from engine.lab.virtual import VirtualLab, nanofibre_campaign
from engine.retrieval.expected import MeasuredRun, StatisticsModel
from engine.retrieval.misfits import check_runs, separation

N = 64
NOISE = (0.04, 0.03, 0.12)


def virtual_runs(seed: int, n: int = N) -> tuple[list[dict[str, float]], np.ndarray]:
    """Return conditions and Y (n, 3) with the noise of a good picture of the mean lot."""
    lab, rng = VirtualLab(), np.random.default_rng(seed)
    conditions, Y = [], []
    for _ in range(n):
        row = {p.name: float(rng.choice(p.levels or ())) for p in lab.campaign.controlled}
        row |= lab.room(rng)
        mat = structure(Drive.of(row), lab.constants)
        porosity = np.exp(-9.0 * (1.0 - float(mat.porosity)))
        y = [np.log(mat.diameter_nm), float(mat.order), np.log(porosity / (1 - porosity))]
        conditions.append(row)
        Y.append(np.array(y, dtype=float) + rng.standard_normal(3) * NOISE)
    return conditions, np.stack(Y)


def measured(conditions, Y) -> list[MeasuredRun]:
    return [
        MeasuredRun(i, None, row, y, 1)
        for i, (row, y) in enumerate(zip(conditions, Y, strict=True))
    ]


def checked(conditions, Y, **more):
    runs = measured(conditions, Y)
    return check_runs(runs, StatisticsModel.fit(nanofibre_campaign(), runs), None, **more)


def far_pairs(Y: np.ndarray, rng: np.random.Generator, n_pairs: int) -> list[tuple[int, int]]:
    """Return disjoint pairs whose mats differ clearly: by 50 % in diameter, or 0.4 in order."""
    order = rng.permutation(len(Y))
    pairs, taken = [], set()
    for a in order:
        for b in order:
            is_far = abs(Y[a, 0] - Y[b, 0]) > np.log(1.5) or abs(Y[a, 1] - Y[b, 1]) > 0.4
            if a != b and is_far and not {a, b} & taken and len(pairs) < n_pairs:
                pairs.append((int(a), int(b)))
                taken |= {a, b}
    return pairs


def test_planted_swaps_are_found_and_named_with_few_false_alarms() -> None:
    hits = named = planted = false = 0
    for seed in range(100, 105):
        conditions, Y = virtual_runs(seed)
        pairs = far_pairs(Y, np.random.default_rng(seed), 2)
        for a, b in pairs:
            Y[[a, b]] = Y[[b, a]]
        found = checked(conditions, Y)
        swapped = {i for pair in pairs for i in pair}
        planted += len(swapped)
        for misfit in found.flagged:
            me, finding = misfit.run.experiment_id, misfit.finding
            hits += me in swapped
            false += me not in swapped
            named += (
                me in swapped
                and finding is not None
                and finding.partner is not None
                and {me, finding.partner.experiment_id} in [set(pair) for pair in pairs]
            )
        assert found.expected_false == pytest.approx(0.1 * len(found.flagged))
    assert planted == 20
    assert hits >= 16, f"{hits} of {planted} found"
    assert named >= 12, f"{named} of {planted} with their partner"
    assert false <= 4, f"{false} false alarms in {5 * N - planted} sound runs"


def test_sound_runs_raise_hardly_any_alarm() -> None:
    flags = [len(checked(*virtual_runs(seed)).flagged) for seed in range(110, 116)]
    assert sum(flags) <= 4, f"{flags} flags in {len(flags)} sound campaigns of {N} runs"


def test_a_drift_is_told_from_a_slip() -> None:
    conditions, Y = virtual_runs(120)
    Y[30:34, 0] += np.log(1.6)  # four runs in a row, all thicker than they should be
    found = checked(conditions, Y)
    drifted = [m for m in found.flagged if 30 <= m.run.experiment_id < 34]
    assert len(drifted) >= 3
    assert all(m.finding is not None for m in drifted)
    verdicts = [m.finding.along for m in drifted if m.finding and m.finding.verdict == "drift"]
    assert verdicts.count("diameter up") >= 2


def test_one_strange_run_is_unexplained() -> None:
    conditions, Y = virtual_runs(121)
    Y[20] += [np.log(4.0), 0.6, 2.5]  # like no mat of the lab
    worst = checked(conditions, Y).runs[0]
    assert (worst.run.experiment_id, worst.is_flagged) == (20, True)
    assert worst.finding is not None
    assert worst.finding.verdict == "unexplained"


def test_a_latent_that_knows_nothing_has_no_say_and_a_good_one_finds_the_swap() -> None:
    conditions, Y = virtual_runs(122, 40)
    runs = measured(conditions, Y)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((40, 40)) * 0.1
    found = check_runs(runs, fitted(runs), noise, model="noise")
    assert all(misfit.p_latent is None for misfit in found.runs)
    assert any("no say" in note for note in found.notes)
    place = rng.standard_normal((40, 6))
    place /= np.linalg.norm(place, axis=1, keepdims=True)
    place[9] = -place[3]
    shown = place.copy()
    shown[[3, 9]] = shown[[9, 3]]
    similarity = shown @ place.T + 0.02 * rng.standard_normal((40, 40))
    similarity[5] = np.nan
    similarity[:, 5] = np.nan
    found = check_runs(runs, None, similarity, model="good")
    assert {m.run.experiment_id for m in found.flagged} == {3, 9}
    assert found.latent_area is not None
    assert found.latent_area > 0.9


def fitted(runs):
    return StatisticsModel.fit(nanofibre_campaign(), runs)


def test_the_tools() -> None:
    assert separation(np.eye(5)) == 1.0
    assert separation(np.zeros((5, 5))) == 0.5
    with pytest.raises(UsageError):
        check_runs([], None, None, false_share=1.5)
    with pytest.raises(ModelError):
        check_runs([], None, None)


def test_a_swapped_label_at_the_bench(folder: Path, champion, mats, record_mats, engine) -> None:
    diameters = [s["diameter"]["mean"] for s in mats.statistics]
    thin, thick = int(np.argmin(diameters)), int(np.argmax(diameters))
    shown = list(range(len(mats.pictures)))
    shown[thin], shown[thick] = thick, thin
    record_mats(folder, mats, shown)
    answer = engine("micrograph", "check", "--json")
    assert answer.exit_code == 0, answer.err
    document = answer.json
    assert document["runs"] == 40
    suspects = [m["label"] for m in document["misfits"][:3]]
    assert {f"M{thin}", f"M{thick}"} <= set(suspects)
    table = engine("micrograph", "check")
    assert table.exit_code == 0
    assert "[nm]" in table.out
    assert f"M{thin}" in table.out


def test_nothing_to_check(engine) -> None:
    answer = engine("micrograph", "check")
    assert answer.exit_code == 1
    assert "engine micrograph add" in answer.err
    assert engine("micrograph", "check", "--false-share", "2").exit_code in (1, 2)
