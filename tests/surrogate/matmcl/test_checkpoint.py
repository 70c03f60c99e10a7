from __future__ import annotations

import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from transformers import ConvNextConfig, ConvNextModel

from surrogate.errors import CheckpointError, InputError
from surrogate.matmcl.checkpoint import load_checkpoint, read_card, save_checkpoint
from surrogate.matmcl.vocabulary import Vocabulary
from surrogate.tensor_files import seal_of
from tests.surrogate.matmcl.conftest import SMALL, WORDS, conditions, make

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(
        tmp_path / "kept",
        make(),
        scalers={"centre": [1.0, 2.0]},
        extra={"labs": 3},
        data_watermark=17,
        seed=4,
    )
    return tmp_path / "kept"


def edit(folder: Path, **words: object) -> None:
    path = folder / "matmcl.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **words}))


def rewrite(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    data = save(tensors)
    (folder / "model.safetensors").write_bytes(data)
    edit(folder, **seal_of(data))


def test_what_is_stored_comes_back(folder: Path) -> None:
    model, loaded = make().eval(), load_checkpoint(folder, vocabulary=WORDS)
    T, tiles = conditions(4), torch.rand(4, 1, 32, 32)
    assert torch.equal(loaded.heads(T), model.heads(T))
    latents, stored = (
        one.merge(one.table_latent(T), one.vision_latent(tiles)) for one in (model, loaded)
    )
    assert torch.equal(stored, latents)
    assert not loaded.training
    card = read_card(folder)
    assert (card.config, card.vocabulary, card.sources) == (SMALL, WORDS, ("ensemble",))
    assert (card.scalers, card.extra) == ({"centre": [1.0, 2.0]}, {"labs": 3})
    assert (card.data_watermark, card.seed, card.dtype) == (17, 4, "float32")
    assert set(card.versions) == {"torch", "transformers", "accelerate", "safetensors"}
    assert sorted(path.name for path in folder.iterdir()) == ["matmcl.json", "model.safetensors"]


def test_saving_again_leaves_other_files_alone(folder: Path) -> None:
    (folder / "__init__.py").touch()
    save_checkpoint(folder, make(), extra={"labs": 5})
    assert read_card(folder).extra == {"labs": 5}
    assert (folder / "__init__.py").exists()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2e-3), ("bfloat16", 2e-2)])
def test_half_the_size_is_close(folder: Path, dtype: str, tolerance: float) -> None:
    whole = (folder / "model.safetensors").stat().st_size
    model = make()
    with torch.no_grad():
        model.log_noise[0, 0] = 1e6  # more than float16 holds
    save_checkpoint(folder, model.eval(), dtype=dtype)
    assert (folder / "model.safetensors").stat().st_size < 0.6 * whole
    loaded = load_checkpoint(folder)
    assert {one.dtype for one in loaded.parameters()} == {torch.float32}
    torch.testing.assert_close(
        loaded.heads(conditions(4)), model.heads(conditions(4)), atol=tolerance, rtol=tolerance
    )
    assert loaded.log_noise[0, 0].item() == pytest.approx(1e6, rel=0.01)


def test_tables_only(folder: Path) -> None:
    model = load_checkpoint(folder, parts="table")
    whole = load_checkpoint(folder)
    assert torch.equal(model.heads(conditions(3)), whole.heads(conditions(3)))
    for call in (
        lambda: model.vision_latent(torch.rand(1, 1, 32, 32)),
        lambda: model.merge(model.table_latent(conditions(1)), torch.rand(1, 8)),
        lambda: save_checkpoint(folder, model),
    ):
        with pytest.raises(InputError, match="tables only"):
            call()
    with pytest.raises(InputError, match="'all' or 'table'"):
        load_checkpoint(folder, parts="half")


def test_tables_only_loads_quickly(folder: Path) -> None:
    code = (
        "import sys, time, pathlib, torch\n"
        "start = time.perf_counter()\n"
        "from surrogate.matmcl.checkpoint import load_checkpoint\n"
        f"load_checkpoint(pathlib.Path({str(folder)!r}), parts='table')\n"
        "print(time.perf_counter() - start, {'transformers', 'accelerate'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    seconds, loaded = done.stdout.split()
    assert loaded == "set()", done.stderr
    assert float(seconds) < 1.5  # 0.1 s on an idle core


def test_loading_leaves_the_callers_generator_alone(folder: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    load_checkpoint(folder)
    assert torch.equal(torch.rand(2), expected)


def test_a_local_backbone_travels_with_the_checkpoint(tmp_path: Path) -> None:
    small = ConvNextConfig(hidden_sizes=[4, 8], depths=[1, 1], num_stages=2)
    ConvNextModel(small).save_pretrained(tmp_path / "net")
    model = make(dataclasses.replace(SMALL, vision_encoder=str(tmp_path / "net"))).eval()
    save_checkpoint(tmp_path / "kept", model)
    (tmp_path / "net").rename(tmp_path / "gone")
    tiles = torch.rand(2, 1, 32, 32)
    loaded = load_checkpoint(tmp_path / "kept")
    torch.testing.assert_close(loaded.vision_latent(tiles), model.vision_latent(tiles))


class Trap:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was read')",))


@pytest.mark.parametrize("protocol", [2, 5])
def test_a_pickle_in_the_weights_place(folder: Path, protocol: int) -> None:
    data = pickle.dumps(Trap(), protocol=protocol)
    (folder / "model.safetensors").write_bytes(data)
    edit(folder, **seal_of(data))
    with pytest.raises(CheckpointError, match="got a pickle"):
        load_checkpoint(folder)


def test_torchs_own_files_are_refused(folder: Path) -> None:
    torch.save(make().state_dict(), folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="got a pickle"):
        load_checkpoint(folder)
    alone = folder.parent / "model.pt"
    alone.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match="got a pickle"):
        load_checkpoint(alone)
    (folder / "matmcl.json").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match=r"never read \(pytorch_model\.bin\)"):
        load_checkpoint(folder)


def test_missing_shortened_and_changed_files(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-10])
    with pytest.raises(CheckpointError, match="cut short"):
        load_checkpoint(folder)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="expected SHA-256"):
        load_checkpoint(folder)
    path.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(folder)
    with pytest.raises(CheckpointError, match="got none"):
        load_checkpoint(folder / "nowhere")
    text = (folder / "matmcl.json").read_text()
    (folder / "matmcl.json").write_text(text[:100])
    with pytest.raises(CheckpointError, match="expected JSON"):
        read_card(folder)
    (folder / "matmcl.json").write_text("[]")
    with pytest.raises(CheckpointError, match="JSON object"):
        read_card(folder)
    (folder / "matmcl.json").write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match="expected JSON"):
        read_card(folder)


def test_safetensors_that_are_none(folder: Path) -> None:
    data = b"this is no safetensors file"
    (folder / "model.safetensors").write_bytes(data)
    edit(folder, **seal_of(data))
    with pytest.raises(CheckpointError, match="expected safetensors"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"unheard": 1}, "unknown keys"),
        ({"format": 2}, "expected format 1"),
        ({"config": {"width": -1}}, "width"),
        ({"config": 3}, "matmcl.json"),
        ({"vocabulary": {"parameters": []}}, "expected the keys"),
        ({"sources": []}, "one source or more"),
        ({"dtype": "int4"}, "expected dtype"),
        ({"bytes": "many"}, "matmcl.json"),
        ({"backbone": {"model_type": "nonsense"}}, "cannot be built"),
    ],
)
def test_cards_that_cannot_be(folder: Path, words, match) -> None:
    edit(folder, **words)
    with pytest.raises(CheckpointError, match=match):
        load_checkpoint(folder)


def test_a_missing_key(folder: Path) -> None:
    path = folder / "matmcl.json"
    document = json.loads(path.read_text())
    del document["seed"]
    path.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=r"missing keys \['seed'\]"):
        load_checkpoint(folder)


@pytest.mark.parametrize("parts", ["all", "table"])
def test_weights_that_do_not_fit(folder: Path, parts: str) -> None:
    good = {name: one.clone() for name, one in make().state_dict().items()}
    rewrite(folder, {**good, "stranger": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"unknown \['stranger'\]"):
        load_checkpoint(folder, parts=parts)
    rewrite(folder, {name: one for name, one in good.items() if name != "log_noise"})
    with pytest.raises(CheckpointError, match=r"missing \['log_noise'\]"):
        load_checkpoint(folder, parts=parts)
    rewrite(folder, {**good, "log_noise": torch.zeros(5)})
    with pytest.raises(CheckpointError, match="expected shape"):
        load_checkpoint(folder, parts=parts)


def test_other_parameters(folder: Path) -> None:
    others = Vocabulary(WORDS.parameters[:1], WORDS.outcomes)
    with pytest.raises(CheckpointError, match="a checkpoint of other parameters"):
        load_checkpoint(folder, vocabulary=others)
    with pytest.raises(CheckpointError, match=r"expected one of fibre_fraction; got voltage"):
        load_checkpoint(folder, parameters=["fibre_fraction"])
    load_checkpoint(folder, parameters=["fibre_fraction", "voltage"])


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    model = make()
    with pytest.raises(CheckpointError, match="numbers, text"):
        save_checkpoint(tmp_path / "kept", model, extra={"x": object()})
    with pytest.raises(CheckpointError, match="numbers, text"):
        save_checkpoint(tmp_path / "kept", model, scalers={"x": float("nan")})
    assert not (tmp_path / "kept").exists()
    with pytest.raises(InputError, match="expected dtype"):
        save_checkpoint(tmp_path / "kept", model, dtype="int8")
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be made"):
        save_checkpoint(tmp_path / "file", model)
    with torch.no_grad():
        model.log_noise[0, 0] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        save_checkpoint(tmp_path / "kept", model)
