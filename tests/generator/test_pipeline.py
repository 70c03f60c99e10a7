"""What the pipeline draws: shapes, seeds, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from generator.config import GeneratorConfig, TrainingSettings
from generator.errors import InputError
from generator.folding import fold, labels_of, unfold
from generator.pipeline import MicrostructurePipeline


def luck(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


CONDITIONS = torch.tensor([[0.1, 0.2, 0.3, 0.4], [1.0, -1.0, 0.5, 0.0]])


class TestCall:
    def test_draws_n_pictures_a_row(self, pipeline: MicrostructurePipeline) -> None:
        drawn = pipeline(CONDITIONS, 3, luck(), num_inference_steps=2)
        assert drawn.pictures.shape == (6, 16, 16)
        assert drawn.pictures.dtype == np.uint8
        assert drawn.embeddings.shape == (6, 4)

    def test_the_same_seed_gives_the_same_pictures(self, pipeline: MicrostructurePipeline) -> None:
        one = pipeline(CONDITIONS, 2, luck(), num_inference_steps=2).pictures
        same = pipeline(CONDITIONS, 2, luck(), num_inference_steps=2).pictures
        other = pipeline(CONDITIONS, 2, luck(2), num_inference_steps=2).pictures
        assert (one == same).all()
        assert (one != other).any()

    def test_however_many_are_drawn_at_a_time(self, pipeline: MicrostructurePipeline) -> None:
        at_once = pipeline(CONDITIONS, 4, luck(), num_inference_steps=2, batch=8).pictures
        apart = pipeline(CONDITIONS, 4, luck(), num_inference_steps=2, batch=3).pictures
        difference = np.abs(at_once.astype(int) - apart.astype(int))
        assert difference.max() <= 1  # kernels may sum in another order

    def test_pictures_of_a_row_differ(self, pipeline: MicrostructurePipeline) -> None:
        drawn = pipeline(CONDITIONS[:1], 2, luck(), num_inference_steps=2)
        assert (drawn.pictures[0] != drawn.pictures[1]).any()
        assert (drawn.embeddings[0] != drawn.embeddings[1]).any()

    def test_from_an_image_embedding(self, pipeline: MicrostructurePipeline) -> None:
        drawn = pipeline(None, 2, luck(), image_embedding=CONDITIONS, num_inference_steps=2)
        assert torch.allclose(drawn.embeddings[:2], CONDITIONS[:1].expand(2, -1), atol=1e-5)

    def test_with_guidance(self, pipeline: MicrostructurePipeline) -> None:
        plain = pipeline(CONDITIONS, 1, luck(), num_inference_steps=2).pictures
        guided = pipeline(CONDITIONS, 1, luck(), num_inference_steps=2, guidance_scale=2.0).pictures
        assert (plain != guided).any()

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ({"condition_embedding": CONDITIONS, "n": 0}, "expected 1 to 4096 pictures"),
            ({"condition_embedding": CONDITIONS[:, :3]}, r"expected embeddings of shape \(m, 4\)"),
            ({"condition_embedding": CONDITIONS[:0]}, "m of at least 1"),
            ({"condition_embedding": CONDITIONS / 0.0}, "finite"),
            ({}, "expected condition_embedding or image_embedding"),
            ({"condition_embedding": CONDITIONS, "image_embedding": CONDITIONS}, "not both"),
            ({"condition_embedding": CONDITIONS, "num_inference_steps": 0}, "1 to 1000 steps"),
            ({"condition_embedding": CONDITIONS, "guidance_scale": -1.0}, "guidance of 0 to 100"),
        ],
    )
    def test_refuses(self, pipeline: MicrostructurePipeline, words: dict, message: str) -> None:
        with pytest.raises(InputError, match=message):
            pipeline(**words)


def test_folding_loses_nothing() -> None:
    pictures = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8, generator=luck())
    assert fold(pictures, 4).shape == (3, 16, 4, 4)
    assert (unfold(fold(pictures, 4), 4) == pictures).all()


def test_labels_hide_what_is_not_told() -> None:
    labels = labels_of(CONDITIONS, torch.tensor([1.0, 0.0]))
    assert labels[0].tolist() == [*CONDITIONS[0].tolist(), 1.0]
    assert labels[1].tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"side_px": 30}, "multiple of 8"),
        ({"channels": (64,)}, "one number of channels and one attention flag"),
        ({"channels": (64, 100)}, "multiples of 8"),
        ({"prediction": "x0"}, "v_prediction or epsilon"),
        ({"nm_per_pixel": 0.0}, "above 0"),
        ({"fold": 0}, "at least 1"),
    ],
)
def test_a_shape_that_cannot_be(words: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        GeneratorConfig(**words)


def test_settings_travel_through_json() -> None:
    config, settings = GeneratorConfig(), TrainingSettings()
    assert GeneratorConfig.from_dict(config.to_dict()) == config
    assert TrainingSettings.from_dict(settings.to_dict()) == settings
    with pytest.raises(InputError, match="unknown stepz"):
        TrainingSettings.from_dict({"stepz": 1})
    with pytest.raises(InputError, match="ema"):
        TrainingSettings(ema=1.0)
