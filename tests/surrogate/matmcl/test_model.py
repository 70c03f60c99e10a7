from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from transformers import ConvNextConfig, ConvNextModel, ViTConfig, ViTModel

from surrogate.errors import InputError
from surrogate.matmcl.config import MatMCLConfig, TrainSettings
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.vision_encoder import standardise_tiles
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary
from tests.surrogate.matmcl.conftest import SMALL, WORDS, conditions, make

TABLES = ["mlp", "ft_transformer"]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("backbone", ["resnet", "convnext"])
def test_every_latent_has_its_shape_and_unit_norm(name: str, backbone: str) -> None:
    config = dataclasses.replace(SMALL, table_encoder=name, vision_encoder=backbone)
    model = make(config, ("ensemble", "archive")).eval()
    T, tiles = conditions(5), torch.rand(5, 1, 32, 32)
    table, vision = model.table_latent(T), model.vision_latent(tiles)
    for latent in (table, vision, model.merge(table, vision)):
        assert latent.shape == (5, 8)
        unit = model.project(latent)
        assert unit.shape == (5, 8)
        torch.testing.assert_close(unit.norm(dim=-1), torch.ones(5))
    assert model.heads(T).shape == (5, 2, 3)
    assert model.heads(T, "archive").shape == (5, 2, 1)
    assert model.heads(conditions(0)).shape == (0, 2, 3)


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_parameters_value_does_not_matter(name: str) -> None:
    model = make(dataclasses.replace(SMALL, table_encoder=name)).eval()
    T = conditions(4)
    T[:, 1, 2] = 0.0
    others = [T.clone() for _ in range(2)]
    others[0][:, 1, :2] = 7.0
    others[1][:, 1, :2] = torch.nan
    for other in others:
        torch.testing.assert_close(model.heads(other), model.heads(T), rtol=0, atol=0)
    T[:, 1, 2] = 1.0
    assert not torch.allclose(model.heads(T), model.heads(others[0]))


@pytest.mark.parametrize("name", TABLES)
def test_gradients_flow_to_conditions_in_float64(name: str) -> None:
    model = make(dataclasses.replace(SMALL, table_encoder=name)).double().eval()
    T = conditions(3).double()
    T[0, 1] = 0.0
    T.requires_grad_(True)
    H = model.heads(T)
    assert H.dtype == torch.float64
    H.sum().backward()
    assert T.grad is not None
    assert (T.grad[1:, :, :2] != 0).all()
    assert (T.grad[0, 1] == 0).all()  # missing
    assert torch.autograd.gradcheck(model.heads, (T[1:].detach().requires_grad_(),))


@pytest.mark.parametrize("name", TABLES)
def test_leading_dimensions_are_kept(name: str) -> None:
    model = make(dataclasses.replace(SMALL, table_encoder=name)).eval()
    T = conditions(6)
    torch.testing.assert_close(model.heads(T.view(3, 2, 2, 3)).view(6, 2, 3), model.heads(T))
    assert model.project(model.table_latent(T.view(3, 2, 2, 3))).shape == (3, 2, 8)


def test_one_rows_answer_does_not_depend_on_the_others() -> None:
    model = make().eval()
    T, tiles = conditions(6), torch.rand(6, 1, 32, 32)
    torch.testing.assert_close(model.heads(T)[2:3], model.heads(T[2:3]))
    torch.testing.assert_close(model.vision_latent(tiles)[2:3], model.vision_latent(tiles[2:3]))


def test_tiles_are_standardised_whatever_the_microscope_set() -> None:
    tiles = 0.2 + 0.3 * torch.rand(3, 1, 32, 32)
    brighter = (1.5 * tiles + 0.05).clamp(0, 1)
    torch.testing.assert_close(
        standardise_tiles(tiles), standardise_tiles(brighter), atol=1e-4, rtol=1e-4
    )
    assert (standardise_tiles(torch.full((1, 1, 32, 32), 0.4)) == 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_any_local_backbone_is_taken(tmp_path: Path, channels: int) -> None:
    small = ConvNextConfig(num_channels=channels, hidden_sizes=[4, 8], depths=[1, 1], num_stages=2)
    ConvNextModel(small).save_pretrained(tmp_path / "net")
    model = make(dataclasses.replace(SMALL, vision_encoder=str(tmp_path / "net")))
    assert model.vision_latent(torch.rand(2, 1, 32, 32)).shape == (2, 8)


def test_a_transformer_that_wants_other_tiles_says_so(tmp_path: Path) -> None:
    small = ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        image_size=48, patch_size=16,
    )  # fmt: skip
    ViTModel(small).save_pretrained(tmp_path / "vit")
    config = dataclasses.replace(SMALL, vision_encoder=str(tmp_path / "vit"))
    with pytest.raises(InputError, match="does not take tiles of 32 px"):
        make(config)
    model = make(dataclasses.replace(config, tile_px=48))
    assert model.vision_latent(torch.rand(2, 1, 48, 48)).shape == (2, 8)


def test_pickled_and_absent_backbones_are_refused(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, vision_encoder=str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"config\.json"):
        make(config)
    folder = tmp_path / "none"
    ConvNextModel(ConvNextConfig(hidden_sizes=[4, 8], depths=[1, 1], num_stages=2)).save_pretrained(
        folder
    )
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickled weights are not read"):
        make(config)
    (folder / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be read"):
        make(config)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m: m.heads(torch.zeros(2, 3, 3)), r"shape \(n, 2, 3\)"),
        (lambda m: m.heads(conditions(2), "nobody"), "expected one of ensemble"),
        (lambda m: m.vision_latent(torch.zeros(2, 1, 16, 16)), r"\(n, 1, 32, 32\)"),
        (lambda m: MatMCL(SMALL, WORDS, ()), "one source or more"),
        (lambda m: MatMCL(SMALL, WORDS, ("a", "a")), "each once"),
    ],
)
def test_wrong_input_is_told(call, match) -> None:
    with pytest.raises(InputError, match=match):
        call(make())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (MatMCLConfig, {"table_encoder": "lstm"}),
        (MatMCLConfig, {"vision_encoder": "resnet18"}),
        (MatMCLConfig, {"width": 10, "table_encoder": "ft_transformer"}),
        (MatMCLConfig, {"temperature": 0}),
        (MatMCLConfig, {"dropout": 1.0}),
        (MatMCLConfig, {"latent_dim": 2.5}),
        (MatMCLConfig, {"width": 10**9}),
        (MatMCLConfig, {"widht": 3}),
        (TrainSettings, {"steps": 0}),
        (TrainSettings, {"learning_rate": float("nan")}),
        (TrainSettings, {"precision": "fp8"}),
        (TrainSettings, {"device": "tpu"}),
        (TrainSettings, {"tiles_per_batch": 1}),
    ],
)
def test_configurations_are_checked(kind, words) -> None:
    with pytest.raises(InputError, match=next(iter(words))):
        kind.from_dict(words)


def test_configurations_and_words_survive_json() -> None:
    for one in (SMALL, TrainSettings(steps=3), WORDS):
        assert type(one).from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_scales_are_checked() -> None:
    flow = WORDS.parameters[1]
    with pytest.raises(InputError, match="scale above 0"):
        ParameterSpec("x", "1", False, 0.0, 0.0)
    with pytest.raises(InputError, match="each parameter once"):
        Vocabulary((flow, flow), ("y",))
    with pytest.raises(InputError, match="expected the keys"):
        Vocabulary.from_dict({"parameters": [{"name": "x"}], "outcomes": ["y"]})
