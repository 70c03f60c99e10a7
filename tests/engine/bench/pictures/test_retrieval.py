"""The retrieval benchmark, at toy sizes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.bench.harness.plots import plot_retrieval
from engine.bench.pictures import retrieval_mats
from engine.bench.pictures.retrieval import WAYS, RetrievalConfig, judged, retrieval, run_seed
from engine.bench.pictures.retrieval_methods import Scores, distance, leading_directions
from engine.errors import UsageError

TOY = RetrievalConfig(
    n=12, runs=30, n_seeds=1, first_seed=100, steps=3, tiles=2, picture_px=64, tile_px=32,
    nm_per_pixel=120.0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _quick_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for the picture's measurement, which is not what is tested here."""

    def measured(picture: np.ndarray) -> tuple[float, ...]:
        grey = picture.astype(float)
        rows, columns = np.gradient(grey)
        along = (columns**2).mean() - (rows**2).mean()
        return tuple(
            float(x) for x in (grey.mean(), grey.std(), along, np.abs(rows).mean(), np.median(grey))
        )

    monkeypatch.setattr(retrieval_mats, "hand_made", measured)


def test_a_seed_gives_the_same_ranks_again_and_every_method_is_there() -> None:
    torch.set_num_threads(1)
    found, seconds = run_seed(TOY, 100)
    again, _ = run_seed(TOY, 100)
    assert found == again
    first = found["methods"]
    assert 0 <= found["own pictures"] <= 1
    assert list(first) == [
        "latent", "expected latent", "statistics", "statistics, latent", "engine retrieve",
        "true mats",
    ]  # fmt: skip
    for method in first.values():
        for way in WAYS:
            assert len(method[way]["ranks"]) == 12
            assert all(1 <= rank <= 12 for rank in method[way]["ranks"])
    assert set(seconds) == {"spin", "train", "score"}
    truth = first["true mats"]
    assert np.mean(truth[WAYS[0]]["ranks"]) < 6.5  # by chance 6.5
    for method in first.values():
        for way in WAYS:
            hit, most = (
                np.mean(np.array(m[way]["diameter"]) & np.array(m[way]["order"]))
                for m in (method, truth)
            )
            assert hit <= most  # the ceiling, by construction


def test_the_document_has_seeds_versions_and_intervals(tmp_path: Path) -> None:
    path = tmp_path / "retrieval.json"
    document = retrieval(TOY, out=path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored["complete"] is True
    assert stored["config"]["first_seed"] == 100
    assert "torch" in stored["environment"]["versions"]
    summary = document["summary"]
    assert summary["chance"] == {
        "recall@1": 1 / 12, "recall@5": 5 / 12, "recall@10": 10 / 12, "median rank": 6.5,
    }  # fmt: skip
    found = summary["methods"]["latent"][WAYS[1]]
    low, high = found["recall@5"]["interval"]
    assert 0 <= low <= found["recall@5"]["value"] <= high <= 1
    assert found["median rank"]["by_seed"] == [found["median rank"]["value"]]
    plot_retrieval(document, tmp_path / "retrieval.png")
    assert (tmp_path / "retrieval.png").stat().st_size > 10_000
    again = retrieval(TOY, out=path, resume=True)
    assert again["summary"]["methods"] == summary["methods"]


def test_held_out_settings_are_none_of_the_gallery() -> None:
    mats = retrieval_mats.spin(40, 101, picture_px=64, n_tiles=1, config=TOY.model)
    names = ("flow_rate", "concentration", "voltage", "collector_speed")
    assert len({tuple(row[name] for name in names) for row in mats.conditions}) == 40
    assert mats.tiles.shape == (40, 1, 32, 32)
    assert np.isfinite(mats.visible[:, 1]).all()


def test_hits_are_judged_by_the_truth() -> None:
    mats = retrieval_mats.spin(42, 102, picture_px=64, n_tiles=1, config=TOY.model)
    gallery, held_out = mats.part(slice(30)), mats.part(slice(30, None))
    nearest = -np.abs(np.log(held_out.visible[:, :1]) - np.log(gallery.visible[:, 0])[None])
    perfect = Scores.even(np.eye(12), nearest, nearest)
    found = judged(perfect, gallery, held_out)
    assert found[WAYS[0]]["ranks"] == [1.0] * 12
    assert sum(found[WAYS[1]]["diameter"]) >= 10
    worst = judged(Scores.even(-np.eye(12), -nearest, -nearest), gallery, held_out)
    assert worst[WAYS[0]]["ranks"] == [12.0] * 12
    assert not any(worst[WAYS[1]]["diameter"])


def test_the_tools() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 3)), rng.standard_normal((5, 3))
    assert distance(a, b, np.eye(3)) == pytest.approx(((a[:, None] - b[None]) ** 2).sum(-1))
    train, other = leading_directions(rng.standard_normal((50, 20)), rng.standard_normal((3, 20)))
    assert train.shape == (50, 8)
    assert other.shape == (3, 8)
    assert train.std(axis=0, ddof=1) == pytest.approx(np.ones(8))


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"n": 5}, "^n: "), ({"runs": 3}, "^runs: "), ({"n_seeds": 0}, "^seeds: "),
     ({"picture_px": 20}, "^px: "), ({"steps": 0}, "^steps: ")],
)  # fmt: skip
def test_sizes_that_cannot_be(changes, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        replace(TOY, **changes)


def test_a_result_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        retrieval(TOY, resume=True)
