"""Drawing without diffusers: the same pictures as diffusers' networks and solver give."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from generator.checkpoint import (
    PRIOR,
    load_drawer,
    load_generator,
    load_grown,
    make_pipeline,
    save_generator,
)
from generator.config import GeneratorConfig
from generator.data import GeneratorData
from generator.drawing import Drawer
from generator.errors import CheckpointError, InputError
from generator.folding import labels_of
from generator.networks import make_unet
from generator.noise import fast_scheduler
from generator.pipeline import MicrostructurePipeline
from generator.solver import solve
from generator.unet import DrawingUNet

ENCODERS = "ab" * 32
ROWS = torch.tensor([[0.1, 0.2, 0.3, 0.4], [1.0, -1.0, 0.5, 0.0], [0.0, 2.0, 0.0, -1.0]])


def luck(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def folder(pipeline: MicrostructurePipeline, config: GeneratorConfig, tmp_path: Path) -> Path:
    with torch.no_grad():
        # An untrained block is the identity, whatever the conditions are.
        for block in pipeline.prior.blocks:
            block.leave.weight.normal_(generator=luck())
    save_generator(tmp_path / "toy", pipeline, config, encoders_sha256=ENCODERS)
    return tmp_path / "toy"


@pytest.fixture
def drawer(folder: Path) -> Drawer:
    return load_drawer(folder, encoders_sha256=ENCODERS)


SHAPES = {
    "two levels": {},
    "one level": {"channels": (16,), "attention": (True,)},
    "attention everywhere": {"channels": (32, 64, 32), "attention": (True, True, True)},
    "two layers": {"layers": 2, "fold": 1},
    "several heads": {"channels": (64, 96), "attention": (True, False)},
    "laid": {"is_laid": True},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_network_is_that_of_diffusers(config: GeneratorConfig, shape: dict) -> None:
    config = replace(config, **shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = make_unet(config).eval()
    ours = DrawingUNet(config)
    ours.load_state_dict(theirs.state_dict())
    side = config.side_px // config.fold
    x = torch.randn(2, config.in_channels, side, side, generator=luck())
    labels, times = labels_of(ROWS[:2]), torch.tensor([999, 40])
    with torch.no_grad():
        expected = theirs(x, times, encoder_hidden_states=None, class_labels=labels).sample
        assert torch.allclose(ours(x, times, labels), expected, atol=1e-5)


@pytest.mark.parametrize("prediction", ["v_prediction", "epsilon"])
@pytest.mark.parametrize("steps", [1, 2, 7, 16, 30])
def test_the_solver_is_that_of_diffusers(prediction: str, steps: int) -> None:
    def told(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x * (1.0 + time[:, None] / 1000.0)) + 0.1

    noise = torch.randn(3, 5, generator=luck()).double()
    scheduler = fast_scheduler(prediction)
    scheduler.set_timesteps(steps)
    expected = noise
    for time in scheduler.timesteps:
        word = told(expected, time.expand(3))
        expected = scheduler.step(word, time, expected).prev_sample
    assert torch.allclose(solve(noise, told, steps, prediction), expected, rtol=1e-4, atol=1e-5)


def test_the_pictures_are_those_of_the_pipeline(
    drawer: Drawer, pipeline: MicrostructurePipeline
) -> None:
    # The pipeline draws the prior's noise of a row first, then its pictures', as the drawer does.
    for row in ROWS.split(1):
        theirs = pipeline(row, 2, luck(5)).pictures.astype(int)
        ours = drawer.of_conditions(row, 2, 5)[0].astype(int)
        assert np.abs(theirs - ours).max() <= 1


@pytest.fixture
def laid_pipeline(data: GeneratorData, config: GeneratorConfig) -> MicrostructurePipeline:
    """Return a toy that is shown mats which were laid."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = make_pipeline(replace(config, is_laid=True))
    made.prior.standardise(data.conditions[:, 0], data.embeddings[:, 0])
    # ln of 500 nm, a fifth, no order, a fifth of air, no beads, 4 grey values.
    made.prior.shown_mean.copy_(torch.tensor([6.2, 0.2, 0.0, 0.2, 0.0, 4.0]))
    made.prior.shown_sd.fill_(0.1)
    made.set_progress_bar_config(disable=True)
    return made


def test_laid_pictures_are_those_of_the_pipeline(
    laid_pipeline: MicrostructurePipeline, config: GeneratorConfig, tmp_path: Path
) -> None:
    shape = replace(config, is_laid=True)
    save_generator(tmp_path / "laid", laid_pipeline, shape, encoders_sha256=ENCODERS)
    drawer = load_drawer(tmp_path / "laid", encoders_sha256=ENCODERS)
    for row in ROWS.split(1):
        theirs = laid_pipeline(row, 2, luck(5)).pictures.astype(int)
        ours = drawer.of_conditions(row, 2, 5)[0].astype(int)
        assert np.abs(theirs - ours).max() <= 1
    together = drawer.of_conditions(ROWS, 2, (4, 5, 6), workers=2)
    alone = np.concatenate(
        [drawer.of_conditions(row, 2, seed) for row, seed in zip(ROWS.split(1), (4, 5, 6),
                                                                 strict=True)]
    )  # fmt: skip
    assert (together == alone).all()
    loaded = load_generator(tmp_path / "laid")
    assert loaded.shape.is_laid


def test_grown_it_begins_as_what_it_was(folder: Path, config: GeneratorConfig) -> None:
    shape = replace(config, is_laid=True)
    start, grown = load_generator(folder), load_grown(folder, shape, encoders_sha256=ENCODERS)
    x = torch.randn(3, config.fold**2, 8, 8, generator=luck())
    sketch = torch.randn(3, config.fold**2, 8, 8, generator=luck(2))
    words = {"encoder_hidden_states": None, "class_labels": labels_of(ROWS)}
    with torch.no_grad():
        expected = start.unet(x, 400, **words).sample
        sample = grown.unet(torch.cat([x, sketch], dim=1), 400, **words).sample
    assert torch.allclose(sample, expected, atol=1e-6)
    assert grown.prior.can_read
    assert not grown.prior.is_taught
    assert not start.prior.can_read
    assert load_grown(folder, config).unet.config.in_channels == config.fold**2
    with pytest.raises(CheckpointError, match="expected a generator of the shape"):
        load_grown(folder, replace(shape, channels=(8, 8)))


def test_like_a_picture(drawer: Drawer, pipeline: MicrostructurePipeline) -> None:
    drawn = drawer.of_picture(ROWS, 3)
    assert drawn.shape == (3, 16, 16)
    assert (drawn[0] != drawn[1]).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_is_drawn_alike_alone_and_beside_others(folder: Path, dtype: torch.dtype) -> None:
    drawer = load_drawer(folder, dtype=dtype)
    together = drawer.of_conditions(ROWS.repeat(3, 1), 2, 4, workers=2)
    alone = np.concatenate([drawer.of_conditions(row, 2, 4) for row in ROWS.split(1)])
    assert (together == np.concatenate([alone] * 3)).all()
    assert (together[0] != together[1]).any()
    assert (together != drawer.of_conditions(ROWS.repeat(3, 1), 2, 5)).any()


@pytest.mark.parametrize(
    ("rows", "n", "message"),
    [
        (ROWS, 0, "expected 1 to 4096 pictures"),
        (ROWS, 2000, "2000 for 3 rows"),
        (ROWS[:, :3], 1, r"expected embeddings of shape \(m, 4\)"),
        (ROWS[:0], 1, "m of at least 1"),
        (ROWS / 0.0, 1, "finite"),
    ],
)
def test_refuses(drawer: Drawer, rows: torch.Tensor, n: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        drawer.of_conditions(rows, n, 0)


def test_weights_of_another_shape_are_refused(
    config: GeneratorConfig, folder: Path, tmp_path: Path
) -> None:
    wider = replace(config, prior_width=32)
    other = tmp_path / "wider"
    save_generator(other, make_pipeline(wider), config, encoders_sha256=ENCODERS)
    with pytest.raises(CheckpointError, match="expected the weights of the shape"):
        load_drawer(other)
    (folder / PRIOR).unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_drawer(folder)


def test_loads_no_diffusers(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from generator.checkpoint import load_drawer\n"
        "import torch; load_drawer(Path(sys.argv[1])).of_conditions(torch.zeros(1, 4), 1, 0)\n"
        "print(sorted({'diffusers', 'transformers', 'accelerate'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(root), "PATH": ""},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
