"""Making a generator end to end: lessons, encoders, prior, UNet, one folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.bench.pictures.blind_look import blind_look
from engine.errors import DataError, ModelError, UsageError
from engine.lab.virtual import nanofibre_campaign
from engine.previews.encoders import encoder_vocabulary
from engine.previews.lessons import SEEN_NM, draw_lessons
from engine.previews.make_starter import make_starter
from engine.previews.painter import open_painter
from engine.previews.serving_generator import ENCODERS, Serving
from engine.previews.training import Recipe, generator_data, hidden_variants, size_of
from generator.checkpoint import read_card
from surrogate.matmcl.checkpoint import read_card as read_encoders


class TestLessons:
    def test_the_same_seed_draws_the_same(self) -> None:
        words = {"standard": 3, "wide": 2, "side_px": 16, "nm_per_pixel": 60.0}
        one = draw_lessons(encoder_vocabulary(), seed=1, **words)
        same = draw_lessons(encoder_vocabulary(), seed=1, **words)
        other = draw_lessons(encoder_vocabulary(), seed=2, **words)
        assert (one.tiles == same.tiles).all()
        assert (one.table == same.table).all()
        assert (one.tiles != other.tiles).any()
        assert one.tiles.shape == (5, 16, 16)
        assert one.table.shape == (3, 7, 3)
        assert one.promised.shape == (3, 5)
        assert np.isfinite(one.promised).all()
        assert (one.promised[:, 0] < np.log(SEEN_NM[1])).all()

    def test_parameters_that_the_lab_lacks_are_masked(self) -> None:
        drawn = draw_lessons(
            encoder_vocabulary(), standard=4, wide=0, side_px=16, nm_per_pixel=60.0
        )
        distance = encoder_vocabulary().names.index("distance")
        assert (drawn.table[:, distance] == 0).all()
        assert (np.delete(drawn.table, distance, axis=1)[..., 2] == 1).all()

    def test_variants_hide_more_and_more(self) -> None:
        variants = hidden_variants(np.ones((200, 7, 3)), seed=0)
        shares = [float(one[..., 2].mean()) for one in variants]
        assert shares[0] == 1.0
        assert shares == sorted(shares, reverse=True)


class TestFolder:
    def test_parts_carry_each_others_hash(self, toy: Path) -> None:
        card, encoders = read_card(toy), read_encoders(toy / ENCODERS)
        assert card.encoders_sha256 == encoders.sha256
        assert encoders.extra["generator_sha256"] == card.sha256
        assert (toy / "README.md").read_text().startswith("# Starter generator")
        assert size_of(toy) < 2**20

    def test_interrupted_it_goes_on_to_the_same(
        self, made_toy: Path, tmp_path: Path, make_toy: Callable[..., str]
    ) -> None:
        from engine.previews import training

        sha256 = read_card(made_toy).sha256
        calls = []
        whole = training.write_samples

        def stop(*words: object) -> None:
            calls.append(words)
            if len(calls) == 1:
                raise KeyboardInterrupt
            whole(*words)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "write_samples", stop)
            with pytest.raises(KeyboardInterrupt):
                make_toy(tmp_path / "out", tmp_path / "work")
            assert not (tmp_path / "out").exists()
            assert make_toy(tmp_path / "out", tmp_path / "work") == sha256
        assert (tmp_path / "work" / "samples.png").is_file()

    def test_strangers_are_refused(
        self, toy: Path, tmp_path: Path, make_toy: Callable[..., str]
    ) -> None:
        make_toy(tmp_path / "other", tmp_path / "work", seed=9)
        shutil.rmtree(toy / ENCODERS)
        shutil.copytree(tmp_path / "other" / ENCODERS, toy / ENCODERS)
        with pytest.raises(ModelError, match="do not belong together"):
            open_painter(Serving(toy, "the toy"))

    def test_without_encoders(self, toy: Path) -> None:
        (toy / ENCODERS / "matmcl.json").unlink()
        with pytest.raises(ModelError, match=r"cannot draw previews: .*expected a checkpoint"):
            open_painter(Serving(toy, "the toy"))


class TestPainter:
    def test_each_row_follows_from_itself_and_the_seed(self, toy: Path) -> None:
        painter = open_painter(Serving(toy, "the toy"))
        campaign = nanofibre_campaign()
        rows = [{"voltage": 18.0, "concentration": 19.0}, {"voltage": 21.0}]
        both = painter.of_conditions(campaign, rows, 2, 5)
        alone = painter.of_conditions(campaign, rows[1:], 2, 5)
        assert both.shape == (2, 2, 16, 16)
        assert (both[1] == alone[0]).all()
        assert (both != painter.of_conditions(campaign, rows, 2, 6)).any()

    def test_rows_share_no_noise(self, toy: Path) -> None:
        # Even of two rows that promise all but the same.
        painter = open_painter(Serving(toy, "the toy"))
        rows = [{"voltage": 18.0}, {"voltage": 18.0001}]
        one, other = painter.of_conditions(nanofibre_campaign(), rows, 2, 5).astype(float)
        assert np.abs(one - other).mean() > 10.0

    @pytest.mark.parametrize("n", [0, -1, 65])
    def test_a_number_of_pictures_that_cannot_be(self, toy: Path, n: int) -> None:
        painter = open_painter(Serving(toy, "the toy"))
        with pytest.raises(UsageError, match=f"1 to 64 pictures, got {n}"):
            painter.of_conditions(nanofibre_campaign(), [{"voltage": 18.0}], n, 0)

    def test_conditions_that_it_does_not_know(self, toy: Path) -> None:
        painter = open_painter(Serving(toy, "the toy"))
        with pytest.raises(ModelError, match="knows none of the conditions; it knows flow_rate"):
            painter.of_conditions(nanofibre_campaign(), [{}], 1, 0)

    def test_like_a_picture(self, toy: Path) -> None:
        painter = open_painter(Serving(toy, "the toy"))
        grey = np.random.default_rng(0).uniform(0, 255, (40, 40)).astype(np.float32)
        drawn = painter.like(grey, 60.0, 3, 1)
        assert drawn.shape == (3, 16, 16)
        assert (drawn == painter.like(grey, 60.0, 3, 1)).all()
        with pytest.raises(DataError, match="too small"):
            painter.like(grey[:5, :5], 60.0, 1, 1)


def test_trained_on_from_another_it_lays_mats(
    toy: Path, tmp_path: Path, toy_recipe: Recipe
) -> None:
    words = {"standard": 8, "wide": 3, "encoder_steps": 2, "seed": 2, "start": toy}
    shape = replace(toy_recipe.config, is_laid=True)
    recipe = replace(toy_recipe, config=shape)
    made = tmp_path / "laid"
    sha256 = make_starter(made, tmp_path / "work", recipe=recipe, **words)
    card = read_card(made)
    assert card.config.is_laid
    assert card.extra["parent"] == read_card(toy).sha256 != sha256
    # The encoders are those it was trained on from.
    weights = ENCODERS + "/model.safetensors"
    assert (made / weights).read_bytes() == (toy / weights).read_bytes()
    drawn = open_painter(Serving(made, "laid")).of_conditions(
        nanofibre_campaign(), [{"voltage": 18.0}], 2, 1
    )
    assert drawn.shape == (1, 2, 16, 16)
    assert not [path for path in made.rglob("*.json") if str(tmp_path) in path.read_text()]
    # Taken up again there is nothing left to do.
    assert make_starter(tmp_path / "same", tmp_path / "work", recipe=recipe, **words) == sha256


class TestBlindLook:
    def test_tells_what_differs_and_guesses_what_does_not(self) -> None:
        rng = np.random.default_rng(0)

        def noise(n: int, sd: float) -> np.ndarray:
            return np.clip(rng.normal(120.0, sd, (n, 16, 16)), 0, 255).astype(np.uint8)

        different = blind_look((noise(40, 10), noise(40, 40)), (noise(20, 10), noise(20, 40)), 1,
                               steps=60)  # fmt: skip
        assert different.accuracy > 0.95
        assert different.n == 40
        alike = blind_look((noise(40, 20), noise(40, 20)), (noise(40, 20), noise(40, 20)), 1,
                           steps=60)  # fmt: skip
        assert alike.lower < 0.5 < alike.upper

    def test_without_pictures(self) -> None:
        nothing, one = np.empty((0, 8, 8), np.uint8), np.zeros((1, 8, 8), np.uint8)
        with pytest.raises(ValueError, match="expected drawn and true pictures"):
            blind_look((nothing, one), (one, one))


def test_data_for_the_generator_fit_together(toy: Path) -> None:
    painter = open_painter(Serving(toy, "the toy"))
    lessons = draw_lessons(encoder_vocabulary(), standard=3, wide=1, side_px=32, nm_per_pixel=60.0)
    data = generator_data(painter.encoders, lessons, 16)
    data.check(read_card(toy).config)
    assert data.conditions.shape == (3, 4, 8)
    assert data.pictures.shape == (4, 16, 16)
    blocks = lessons.tiles.reshape(4, 16, 2, 16, 2).mean(axis=(2, 4))
    assert np.abs(data.pictures.numpy() - blocks).max() <= 0.5


def test_the_benchmark_of_a_toy(toy: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from engine.bench.generator import app

    words = ["--n", "3", "--pictures", "2", "--slow", "0", "--judged", "3", "--model", str(toy)]
    answer = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "b.json"), "--json"])
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    assert document["generator"] == read_card(toy).sha256
    assert set(document["methods"]["true"]["distance"]) == {"diameter", "orientation", "porosity"}
    assert document["methods"]["true"]["distance"]["porosity"]["ratio"] == 1.0
    assert (tmp_path / "b.json").is_file()
    plain = CliRunner().invoke(app, words)
    assert plain.exit_code == 0, plain.output
    assert "KID" in plain.output
    assert "a judge taught on other conditions" in plain.output
    assert document["blind_look"]["n"] == 6


def test_the_benchmark_samples_by_ddpm_too(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.bench.pictures import generator as bench

    class Short:
        def __init__(self, prediction: str) -> None:
            from generator.noise import training_scheduler

            self._whole = training_scheduler(prediction)
            self._whole.set_timesteps(2)
            self.timesteps, self.step = self._whole.timesteps, self._whole.step

    monkeypatch.setattr(bench, "training_scheduler", Short)
    document = bench.bench_generator(bench.GeneratorBenchConfig(3, 2, 1, judged=0), folder=toy)
    assert document["ddpm"]["conditions"] == 1
    assert document["ddpm"]["times_slower"]["cpu"] > 0
