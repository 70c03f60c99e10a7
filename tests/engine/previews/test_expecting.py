"""What previews lead one to expect, and where they are kept."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

from engine.cli.preview_view import _expected
from engine.errors import DataError, StateError
from engine.lab.render import render_known
from engine.lab.virtual import VirtualLab
from engine.previews.contact_sheet import _expectation
from engine.previews.expected_statistics import (
    Interval,
    expected_of,
    intervals,
    shown_of,
    statistics_document,
    window_variance,
    worded,
    worded_range,
)
from engine.previews.lessons import row_of
from engine.previews.on_demand import _sentence
from engine.previews.store import keep_pictures, read_pictures


def rows(*diameters: float | None) -> list[dict[str, float | None]]:
    return [{"diameter": d, "order": 0.1, "porosity": None} for d in diameters]


FIELD_NM = 7680.0
MAT = {"diameter": 600.0, "order": 0.0, "porosity": 0.2}


class TestIntervals:
    def test_one_preview(self) -> None:
        # Without porosity nobody knows how few fibres are shown: all of the spread is the lots'.
        (found,) = intervals([rows(500.0, 520.0, 540.0)], 0.9, FIELD_NM)
        reach = t.ppf(0.95, 2) * 20.0 * math.sqrt(1 + 1 / 3)
        assert found["diameter"].mean == pytest.approx(520.0)
        assert found["diameter"].lower == pytest.approx(520.0 - reach)
        assert found["diameter"].upper == pytest.approx(520.0 + reach)
        assert "porosity" not in found

    def test_spreads_are_pooled(self) -> None:
        one, other = intervals([rows(500.0, 520.0), rows(800.0, 860.0)], 0.9, FIELD_NM)
        widths = [e["diameter"].upper - e["diameter"].lower for e in (one, other)]
        assert widths[0] == pytest.approx(widths[1])

    def test_a_single_picture_tells_no_spread(self) -> None:
        (found,) = intervals([rows(500.0)], 0.9, FIELD_NM)
        assert found["diameter"] == Interval(500.0, None, None)
        assert found["diameter"].holds(500.0) is None

    def test_nothing_found(self) -> None:
        (found,) = intervals([rows(None, None)], 0.9, FIELD_NM)
        assert "diameter" not in found

    def test_within_what_can_be(self) -> None:
        (found,) = intervals([[{"order": 0.9}, {"order": -0.9}]], 0.9, FIELD_NM)
        assert (found["order"].lower, found["order"].upper) == (-1.0, 1.0)

    def test_covers_as_often_as_it_says(self) -> None:
        rng = np.random.default_rng(0)
        held = []
        for _ in range(400):
            x = rng.normal(600.0, 50.0, 5)
            (found,) = intervals([rows(*map(float, x[:4]))], 0.8, FIELD_NM)
            held.append(found["diameter"].holds(float(x[4])))
        assert 0.75 < np.mean(held) < 0.85

    def test_what_places_of_a_mat_do_is_taken_away(self) -> None:
        # Pictures of one mat of many lots, d = 600 nm, p = 0.2: w of the diameter is 32.1 nm.
        places = math.sqrt(window_variance("diameter", MAT, FIELD_NM))
        assert places == pytest.approx(math.sqrt(0.57 * 120.0**2 * 600.0 / (FIELD_NM * 0.8)))
        rng = np.random.default_rng(1)
        widths, held = [], []
        for _ in range(300):
            lots = 600.0 + 25.0 * rng.standard_normal(33)
            shown = lots[:32] + places * rng.standard_normal(32)
            previews = [
                [{"diameter": float(d), "order": 0.0, "porosity": 0.2} for d in shown[i : i + 4]]
                for i in range(0, 32, 4)
            ]
            expected = intervals(previews, 0.9, FIELD_NM)[0]["diameter"]
            held.append(expected.holds(float(lots[32])))
            widths.append(expected.upper - expected.lower)
        assert 0.85 < np.mean(held) < 0.95
        # 25 nm of lots, and the mean of four pictures; of one further picture it were 10 % wider.
        ideal = 2.0 * t.ppf(0.95, 6) * math.sqrt(25.0**2 + (25.0**2 + places**2) / 4.0)
        assert np.mean(widths) == pytest.approx(ideal, rel=0.08)

    def test_places_differ_as_the_formula_says(self) -> None:
        lab, rng = VirtualLab(), np.random.default_rng([7002, 1])
        row = {p.name: np.array([0.5 * sum(p.bounds)]) for p in lab.campaign.parameters}
        mat = row_of(lab.microstructure_columns(row), 0)
        side = 40
        truths = [
            render_known(mat, rng, shape=(side, side), nm_per_pixel=120.0)[1] for _ in range(80)
        ]
        columns = {
            "diameter": [one.diameter_nm for one in truths],
            "order": [one.order for one in truths],
            "porosity": [one.porosity for one in truths],
        }
        shown = {name: float(np.mean(values)) for name, values in columns.items()}
        for name, values in columns.items():
            told = math.sqrt(window_variance(name, shown, side * 120.0))
            assert np.std(values) == pytest.approx(told, rel=0.35), name

    def test_a_measurement_is_off_by_its_own_error(self) -> None:
        interval = Interval(500.0, 480.0, 520.0)
        assert interval.holds(524.0) is False
        # √(20² + 15²) = 25
        assert interval.holds(524.0, 15.0) is True
        assert interval.holds(526.0, 15.0) is False

    def test_through_json(self) -> None:
        (found,) = intervals([rows(500.0, 520.0)], 0.9, FIELD_NM)
        assert expected_of(statistics_document(rows(500.0, 520.0), found, 60.0)) == found


def test_porosity_is_in_percent_wherever_it_is_read() -> None:
    expected = {
        "order": Interval(-0.001, -0.1, 0.1),
        "porosity": Interval(0.124, 0.08, 0.163),
    }
    assert worded("porosity", 0.124) == "12 %"
    assert worded_range("porosity", 0.08, 0.163) == "8 … 16 %"
    assert _expectation("porosity", expected["porosity"]) == "12 %  (8 … 16 %)"
    assert _expected("porosity", expected["porosity"]) == "12 (8–16)"
    documents = {name: asdict(interval) for name, interval in expected.items()}
    assert _sentence(documents) == "order S 0.00 (-0.10 … 0.10), porosity 12 % (8 … 16)"


def test_a_diameter_in_pixels_is_not_compared() -> None:
    statistics = {"unit": "px", "diameter": {"mean": 8.0}, "order": 0.2, "porosity": 0.1}
    assert shown_of(statistics) == {"order": 0.2, "porosity": 0.1}
    assert shown_of({**statistics, "unit": "nm"})["diameter"] == 8.0
    assert shown_of(None) == {}


class TestKeeping:
    pictures = np.random.default_rng(1).integers(0, 256, (3, 16, 16), dtype=np.uint8)

    def test_comes_back(self, tmp_path: Path) -> None:
        where = keep_pictures(tmp_path, self.pictures)
        assert where.path == f"previews/{where.sha256[:2]}/{where.sha256}.png"
        assert (read_pictures(tmp_path / where.path, 3) == self.pictures).all()
        assert keep_pictures(tmp_path, self.pictures) == where
        assert len(list(tmp_path.rglob("*.png"))) == 1

    def test_a_full_disk_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("surrogate.files.os.fsync", full)
        with pytest.raises((DataError, StateError), match="No space left"):
            keep_pictures(tmp_path, self.pictures)
        assert [one for one in tmp_path.rglob("*") if one.is_file()] == []

    def test_another_file(self, tmp_path: Path) -> None:
        where = keep_pictures(tmp_path, self.pictures)
        with pytest.raises(DataError, match="expected 2 square pictures"):
            read_pictures(tmp_path / where.path, 2)
        (tmp_path / where.path).write_bytes(b"no picture")
        with pytest.raises(DataError, match="cannot be read"):
            read_pictures(tmp_path / where.path, 3)
