"""What is laid is moved so that drawn pictures measure as true ones do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.previews import calibration
from engine.previews.calibration import Move, calibrate, move_between
from generator.checkpoint import make_pipeline
from generator.config import GeneratorConfig
from generator.data import GeneratorData

SHAPE = GeneratorConfig(
    side_px=16, nm_per_pixel=120.0, fold=2, channels=(8, 16), attention=(False, True),
    condition_dim=8, embedding_dim=8, prior_width=16, prior_depth=1, is_laid=True,
)  # fmt: skip
N = 80


def rows(diameters: np.ndarray, order: float, porosity: float) -> list[dict[str, float | None]]:
    return [{"diameter": float(value), "order": order, "porosity": porosity} for value in diameters]


@pytest.fixture
def data() -> GeneratorData:
    luck = torch.Generator().manual_seed(0)
    return GeneratorData(
        torch.randint(256, (N, 16, 16), generator=luck, dtype=torch.uint8),
        torch.randn((N, 4, 8), generator=luck),
        torch.randn((N, 4, 8), generator=luck),
        None,
        torch.randn((N, 6), generator=luck),
    )


def toy_pipeline(shape: GeneratorConfig) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        pipeline = make_pipeline(shape)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


class TestMove:
    def test_slope_and_shift_are_made_good(self) -> None:
        x = np.linspace(5.0, 7.0, 90)
        # Drawn ones come out thicker, the thick ones less so; one was taken for something else.
        drawn = 0.1 + 6.0 + 0.9 * (x - 6.0)
        drawn[3] = 2.0
        move = move_between(x, x, drawn)
        asked_in_future = move.middle + move.shift + move.slope * (x - move.middle)
        assert 0.1 + 6.0 + 0.9 * (asked_in_future - 6.0) == pytest.approx(x, abs=0.01)

    def test_few_pictures_tell_no_slope(self) -> None:
        x = np.linspace(5.0, 7.0, 30)
        move = move_between(x, x, 0.9 * x)
        assert (move.slope, move.shift) == (1.0, pytest.approx(0.6))

    def test_fewer_tell_nothing(self) -> None:
        x = np.linspace(5.0, 7.0, 40)
        unseen = np.where(np.arange(40) < 19, x, np.nan)
        assert move_between(x, x + 1.0, unseen) == Move(0.0, 0.0, 1.0)

    def test_a_wild_slope_is_bounded(self) -> None:
        x = np.linspace(0.0, 1.0, 90)
        assert move_between(x, x, 0.1 * x).slope == pytest.approx(1.25)


class TestCalibrate:
    def test_it_moves_what_is_laid_by_what_was_measured(
        self, data: GeneratorData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pipeline = toy_pipeline(SHAPE)
        e = pipeline.prior.embedding(data.embeddings[:, 0])
        with torch.no_grad():
            before = pipeline.prior.statistics(e).double().numpy()
        true = np.exp(before[:, 0])
        answers = iter([rows(1.1 * true**0.95, 0.3, 0.25), rows(true, 0.1, 0.20)])
        monkeypatch.setattr(calibration, "measured", lambda *_, **__: next(answers))
        moves = calibrate(pipeline, data)
        with torch.no_grad():
            after = pipeline.prior.statistics(e).double().numpy()
        # Asked for this, a drawn picture measures as the true one does.
        assert np.log(1.1) + 0.95 * after[:, 0] == pytest.approx(before[:, 0], abs=1e-4)
        assert set(moves) == {"diameter", "order", "porosity"}
        # What is not measured stays: spread, beads and grain.
        assert after[:, [1, 4, 5]] == pytest.approx(before[:, [1, 4, 5]], abs=1e-6)

    def test_one_that_lays_nothing_stays(self, data: GeneratorData) -> None:
        assert calibrate(toy_pipeline(replace(SHAPE, is_laid=False)), data) == {}
