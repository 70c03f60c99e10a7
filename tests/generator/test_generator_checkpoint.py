"""A generator in a folder: whole and its own, or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from generator.checkpoint import CARD, UNET, load_generator, read_card, save_generator
from generator.config import GeneratorConfig
from generator.errors import CheckpointError, InputError
from generator.pipeline import MicrostructurePipeline

ENCODERS = "ab" * 32


@pytest.fixture
def saved(pipeline: MicrostructurePipeline, config: GeneratorConfig, tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    save_generator(folder, pipeline, config, encoders_sha256=ENCODERS, readme="# Toy\n", seed=4)
    return folder


def draw(pipeline: MicrostructurePipeline) -> bytes:
    luck = torch.Generator().manual_seed(1)
    return pipeline(torch.ones(1, 4), 2, luck, num_inference_steps=2).pictures.tobytes()


def test_draws_the_same_after_loading(pipeline, saved) -> None:
    assert draw(load_generator(saved, encoders_sha256=ENCODERS)) == draw(pipeline)


def test_half_the_bytes_in_float16(pipeline, config, saved, tmp_path) -> None:
    folder = tmp_path / "half"
    save_generator(folder, pipeline, config, encoders_sha256=ENCODERS, dtype="float16")
    assert (folder / UNET).stat().st_size < 0.7 * (saved / UNET).stat().st_size
    assert load_generator(folder).unet.dtype == torch.float32
    assert pipeline.unet.dtype == torch.float32


def test_the_card(saved, config) -> None:
    card = read_card(saved)
    assert (card.config, card.seed, card.encoders_sha256) == (config, 4, ENCODERS)
    assert len(card.sha256) == 64
    assert {"README.md", "model_index.json", UNET} <= set(card.files)


def test_other_encoders_are_refused(saved) -> None:
    with pytest.raises(CheckpointError, match="do not belong together"):
        load_generator(saved, encoders_sha256="cd" * 32)


def exchanged(folder: Path, pipeline: MicrostructurePipeline, config: GeneratorConfig) -> None:
    with torch.no_grad():
        pipeline.unet.conv_out.bias.add_(1.0)
    save_generator(folder.with_name("other"), pipeline, config, encoders_sha256=ENCODERS)
    shutil.copy(folder.with_name("other") / UNET, folder / UNET)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (UNET, lambda data: data[:-9], "cut short"),
        (UNET, lambda data: data[:-1] + bytes([data[-1] ^ 1]), "SHA-256"),
        (UNET, None, "cannot be read"),
        ("unet/config.json", lambda data: data.replace(b"8", b"9"), "SHA-256"),
        (CARD, lambda data: data[:50], "expected JSON"),
        (CARD, lambda data: b"{}", "expected format 1"),
        (CARD, None, "expected a generator"),
    ],
)
def test_a_damaged_file_is_refused(saved, name, change, message) -> None:
    path = saved / name
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match=message):
        load_generator(saved)


def test_a_foreign_unet_is_refused(saved, pipeline, config) -> None:
    exchanged(saved, pipeline, config)
    with pytest.raises(CheckpointError, match="SHA-256"):
        load_generator(saved)


def test_a_card_of_another_shape_is_refused(saved) -> None:
    document = json.loads((saved / CARD).read_text())
    document["config"]["side_px"] = 32
    (saved / CARD).write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="not those of"):
        load_generator(saved)


def test_a_card_that_points_elsewhere_is_refused(saved) -> None:
    document = json.loads((saved / CARD).read_text())
    document["files"]["../x"] = {"bytes": 1, "sha256": "0"}
    (saved / CARD).write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="inside the folder"):
        load_generator(saved)


def test_a_surrogates_folder_is_no_generator(tmp_path) -> None:
    (tmp_path / "matmcl.json").write_text("{}")
    with pytest.raises(CheckpointError, match="expected a generator"):
        load_generator(tmp_path)


def test_what_is_not_worth_keeping(pipeline, config, tmp_path) -> None:
    with pytest.raises(InputError, match="float32, float16"):
        save_generator(tmp_path, pipeline, config, encoders_sha256=ENCODERS, dtype="int8")
    with torch.no_grad():
        pipeline.unet.conv_out.bias.fill_(float("inf"))
    with pytest.raises(InputError, match="not finite"):
        save_generator(tmp_path, pipeline, config, encoders_sha256=ENCODERS)


def test_a_place_that_cannot_be_written(pipeline, config, tmp_path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_generator(blocked / "toy", pipeline, config, encoders_sha256=ENCODERS)
