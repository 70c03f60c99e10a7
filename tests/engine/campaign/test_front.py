import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.campaign import Objective
from engine.campaign.front import LARGEST, front_mask, hypervolume, hypervolume_so_far

STRONG_AND_CHEAP = (
    Objective(outcome="strength", threshold=0.0),
    Objective(outcome="cost", goal="minimize", threshold=10.0),
)


def test_front_and_volume_of_a_case_done_by_hand() -> None:
    values = [[1, 9], [2, 9.5], [3, 8], [np.nan, 1], [-1, 0], [3, 8]]
    assert front_mask(values, STRONG_AND_CHEAP).tolist() == [False, False, True, False, True, True]
    assert hypervolume(values, STRONG_AND_CHEAP) == pytest.approx(6.0)
    so_far = hypervolume_so_far(values, STRONG_AND_CHEAP)
    assert so_far == pytest.approx([1.0, 1.5, 6.0, 6.0, 6.0, 6.0])


def test_one_objective_wins_its_distance_from_the_threshold() -> None:
    objective = (Objective(outcome="strength", threshold=1.0),)
    assert hypervolume_so_far([[0.0], [2.0], [5.0], [3.0]], objective) == pytest.approx(
        [0, 1, 4, 4]
    )
    assert front_mask([[0.0], [5.0]], objective).tolist() == [False, True]


def test_no_runs_win_nothing() -> None:
    assert hypervolume(np.empty((0, 2)), STRONG_AND_CHEAP) == 0.0
    assert hypervolume_so_far(np.empty((0, 2)), STRONG_AND_CHEAP).shape == (0,)
    assert front_mask(np.empty((0, 2)), STRONG_AND_CHEAP).shape == (0,)


coordinate = st.integers(0, 20).map(float)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=12))
def test_the_front_alone_wins_the_whole_volume_which_never_shrinks(
    values: list[tuple[float, float]],
) -> None:
    points = np.array(values)
    mask = front_mask(points, STRONG_AND_CHEAP)
    whole = hypervolume(points, STRONG_AND_CHEAP)
    so_far = hypervolume_so_far(points, STRONG_AND_CHEAP)
    assert mask.any()
    assert hypervolume(points[mask], STRONG_AND_CHEAP) == pytest.approx(whole)
    assert so_far[-1] == pytest.approx(whole)
    assert (np.diff(so_far) >= -1e-9).all()


some = st.one_of(st.integers(-2, 2).map(float), st.floats(allow_infinity=True), st.just(np.nan))


@given(st.integers(1, 4).flatmap(lambda k: st.lists(st.tuples(*[some] * k), max_size=14)))
def test_the_front_is_what_no_row_dominates(values: list[tuple[float, ...]]) -> None:
    k = len(values[0]) if values else 2
    kinds = (
        {"threshold": 0},
        {"goal": "minimize", "threshold": 0},
        {"goal": "target", "target": 1, "tolerance": 2},
    )
    objectives = tuple(Objective(outcome=f"y{i}", **kinds[i % 3]) for i in range(k))
    better = (lambda y: y, lambda y: -y, lambda y: -abs(y - 1))
    gains = [[better[i % 3](y) for i, y in enumerate(row)] for row in values]
    finite = [bool(np.isfinite(row).all()) for row in gains]

    def dominates(a: list[float], b: list[float]) -> bool:
        pairs = list(zip(a, b, strict=True))
        return all(x >= y for x, y in pairs) and any(x > y for x, y in pairs)

    expected = [
        is_finite
        and not any(ok and dominates(row, mine) for row, ok in zip(gains, finite, strict=True))
        for mine, is_finite in zip(gains, finite, strict=True)
    ]
    assert front_mask(np.array(values).reshape(-1, k), objectives).tolist() == expected


def test_a_target_wins_within_its_tolerance() -> None:
    diameter = Objective(outcome="d", goal="target", target=300, tolerance=20)
    strength = Objective(outcome="q", threshold=1)
    assert hypervolume([[285.0], [330.0], [310.0]], [diameter]) == 10.0
    assert hypervolume([[315.0, 3.0], [285.0, 2.0]], [diameter, strength]) == 10.0
    assert hypervolume([[321.0, 30.0]], [diameter, strength]) == 0.0
    assert hypervolume_so_far([[330.0], [315.0], [288.0]], [diameter]).tolist() == [0.0, 5.0, 8.0]
    mask = front_mask([[290, 2], [310, 2], [305, 1], [311, 1.9]], [diameter, strength])
    assert mask.tolist() == [True, True, True, False]


@pytest.mark.parametrize("power", [664, 1000])
def test_volumes_beyond_all_numbers_are_the_largest(power: int) -> None:
    """JSON has no infinity."""
    objectives = [Objective(outcome=name, threshold=0) for name in ("a", "b")]
    values = np.array([[1.0, 2.0], [2.0, 1.0]]) * 2.0**power
    assert hypervolume(values, objectives) == LARGEST
    assert np.isfinite(hypervolume_so_far(values, objectives)).all()
    assert front_mask(values, objectives).all()
