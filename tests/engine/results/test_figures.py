import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records import Status
from engine.campaign import Campaign, LinearConstraint, Objective
from engine.campaign.front import hypervolume
from engine.results.figures import (
    calibration,
    hypervolume_growth,
    parallel,
    wilson,
)
from engine.results.fronts import (
    Aim,
    FinishedPoint,
    Front,
    fronts,
    on_front_ids,
)
from engine.results.material import Material, rounded, setting

MakeMaterial = Callable[..., Material]


def test_a_front_shows_finished_and_awaited_runs(make_material: MakeMaterial) -> None:
    material = make_material(n_imported=6, n_proposed=8, n_pending=4)
    (front,) = fronts(material)
    assert len(front.finished) == 9  # one of the ten failed
    assert len(front.pending) == 4
    assert front.level == 0.9
    assert all(p.x.lower < p.x.mean < p.x.upper for p in front.pending)
    assert front.x.heading == "fracture_strength.longitudinal [MPa]"
    assert any("kV" in line for line in front.finished[0].conditions)


def test_a_run_that_breaks_a_constraint_is_shown_but_never_on_the_front(
    make_material: MakeMaterial, nanofibre: Campaign
) -> None:
    free = make_material()
    best = max(on_front_ids(free))
    limit = free.means(free.experiments[best - 1])["elongation.longitudinal"] - 1e-6
    rule = LinearConstraint(
        terms={"elongation.longitudinal": 1.0}, operator="<=", bound=math.floor(limit * 1000) / 1000
    )
    bound = make_material(campaign=nanofibre.model_copy(update={"constraints": (rule,)}))
    assert best not in on_front_ids(bound)
    assert len(fronts(bound)[0].finished) == len(fronts(free)[0].finished)


coordinate = st.integers(0, 12).map(float)


@given(
    st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=10),
    st.sampled_from(["maximize", "minimize"]),
    st.sampled_from(["maximize", "minimize"]),
)
def test_every_run_lies_on_or_inside_the_staircase(
    points: list[tuple[float, float]], goal_x: str, goal_y: str
) -> None:
    aims = [
        Aim(Objective(outcome=name, goal=goal, threshold=0.0), name)  # type: ignore[arg-type]
        for name, goal in (("x", goal_x), ("y", goal_y))
    ]
    finished = tuple(FinishedPoint(str(i), x, y, True, ()) for i, (x, y) in enumerate(points))
    corners = Front(aims[0], aims[1], finished, (), None).staircase()
    objectives = tuple(
        aim.objective.model_copy(update={"threshold": -float(aim.objective.gains(1000.0))})
        for aim in aims
    )
    # Corners are attained by some run, so they win nothing that the runs have not won.
    assert hypervolume(corners, objectives) == pytest.approx(hypervolume(points, objectives))
    for (x0, y0), (x1, y1) in pairwise(corners):
        assert x0 == x1 or y0 == y1


def test_a_far_threshold_does_not_squeeze_the_points(
    make_material: MakeMaterial, nanofibre: Campaign
) -> None:
    near, far = (
        nanofibre.model_copy(
            update={"objectives": (Objective(outcome=first, threshold=t), nanofibre.objectives[1])}
        )
        for first in (nanofibre.objectives[0].outcome,)
        for t in (4.0, -1e6)
    )
    assert fronts(make_material(campaign=near))[0].extent()[0][0] < 4.0
    assert fronts(make_material(campaign=far))[0].extent()[0][0] > -100.0
    low, high = fronts(Material(near, 1, 0, ()))[0].extent()[0]
    assert low < 4.0 < high


def test_both_ends_of_a_tolerance_are_in_sight_or_neither(
    make_material: MakeMaterial, nanofibre: Campaign
) -> None:
    other = nanofibre.objectives[1]
    extents = []
    for target in (14.0, 1e6):
        aim = Objective(
            outcome=nanofibre.objectives[0].outcome, goal="target", target=target, tolerance=10.0
        )
        campaign = nanofibre.model_copy(update={"objectives": (aim, other)})
        extents.append(fronts(make_material(campaign=campaign))[0].extent()[0])
    assert extents[0][0] < 4.0
    assert extents[0][1] > 24.0
    assert extents[1][1] < 100.0


def test_progress_counts_failed_runs_and_marks_batches(make_material: MakeMaterial) -> None:
    growth = hypervolume_growth(make_material())
    assert len(growth.runs) == 10
    assert sum(growth.failed) == 1
    assert growth.batches == ((7, "batch 1"),)
    assert list(growth.volumes) == sorted(growth.volumes)
    assert growth.unit == "MPa · %"


def test_parallel_leaves_out_runs_that_lack_a_value(make_material: MakeMaterial) -> None:
    material = make_material()
    whole = parallel(material)
    first = replace(material.experiments[0], actual={"voltage": 18.0})
    lacking = parallel(replace(material, experiments=(first, *material.experiments[1:])))
    assert whole is not None
    assert lacking is not None
    assert len(lacking.runs) == len(whole.runs) - 1
    assert all(c.low <= min(c.values) and max(c.values) <= c.high for c in whole.columns)


def test_choices_become_places_with_names(make_material: MakeMaterial, nanofibre: Campaign) -> None:
    definition = nanofibre.definition()
    definition["parameters"].append({"name": "needle", "choices": ["thin", "thick"]})
    found = parallel(make_material(campaign=Campaign(**definition)))
    assert found is not None
    column = next(c for c in found.columns if c.heading == "needle")
    assert column.choices == ("thin", "thick")
    assert set(column.values) == {0.0}


def test_calibration_uses_what_was_said_first_and_every_replicate(
    make_material: MakeMaterial,
) -> None:
    material = make_material(n_imported=2, n_proposed=8, n_pending=4)
    again = tuple(replace(p, lower=1e9, upper=1e9 + 1) for p in material.predictions)
    later = replace(material, predictions=material.predictions + again)
    scored = calibration(later)
    assert [c.outcome for c in scored] == [
        "fracture_strength.longitudinal",
        "elongation.longitudinal",
    ]
    assert all(len(c.points) == 2 * 3 for c in scored)  # the third run failed
    assert all(c.coverage > 0.5 for c in scored)
    assert all(c.error >= abs(c.bias) for c in scored)


def test_nothing_known_gives_empty_figures(nanofibre: Campaign) -> None:
    material = Material(nanofibre, 1, 0, ())
    assert fronts(material)[0].staircase() == []
    assert hypervolume_growth(material).volumes == ()
    assert parallel(material) is None
    assert calibration(material) == ()
    assert material.with_status(Status.COMPLETED) == ()


def test_one_objective_has_no_front_but_hypervolume_growth(
    make_material: MakeMaterial, nanofibre: Campaign
) -> None:
    single = nanofibre.model_copy(update={"objectives": nanofibre.objectives[:1]})
    material = make_material(campaign=single)
    assert fronts(material) == ()
    assert hypervolume_growth(material).unit == "MPa"


@given(st.integers(1, 400), st.data())
def test_wilson_holds_the_share_and_stays_a_share(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    low, high = wilson(hits, n)
    assert 0.0 <= low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= high <= 1.0


def test_numbers_are_written_without_powers_of_ten() -> None:
    assert rounded(12345.6) == "12350"
    assert rounded(0.0123) == "0.0123"
    assert rounded(math.nan) == rounded(None) == "–"
    assert setting(1600.0) == "1600"
    assert setting("thin") == "thin"
