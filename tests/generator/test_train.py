"""Training a toy: to the same weights whether it was interrupted or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from generator.checkpoint import make_pipeline
from generator.config import GeneratorConfig, TrainingSettings
from generator.data import FLIPS, GeneratorData, mirrored
from generator.errors import CheckpointError, InputError, TrainingError
from generator.objectives import PriorObjective, UNetObjective, pairs_of, pictures_of
from generator.pipeline import MicrostructurePipeline
from generator.progress_state import TENSORS
from generator.train import train_network
from surrogate.randomness import Passes
from surrogate.training_state import STATE, latest

ROOT = Path(__file__).resolve().parents[2]


def train_unet(
    pipeline: MicrostructurePipeline,
    data: GeneratorData,
    config: GeneratorConfig,
    settings: TrainingSettings,
    folder: Path | None = None,
    *,
    resume: bool = False,
) -> list[dict[str, float]]:
    return train_network(
        UNetObjective(pipeline.unet, config),
        pictures_of(data, pipeline.prior, config, settings),
        settings,
        identity={"data": data.fingerprint()},
        folder=folder,
        resume=resume,
    )


def weights(pipeline: MicrostructurePipeline) -> torch.Tensor:
    return torch.cat([one.flatten() for one in pipeline.unet.state_dict().values()])


@pytest.fixture
def fresh(pipeline: MicrostructurePipeline) -> MicrostructurePipeline:
    import copy

    return copy.deepcopy(pipeline)


class TestUNet:
    def test_learns(self, pipeline, fresh, data, config, brief) -> None:
        reports = train_unet(pipeline, data, config, brief)
        assert [report["step"] for report in reports] == [1.0, 2.0]
        assert (weights(pipeline) != weights(fresh)).any()

    @pytest.mark.parametrize("prediction", ["v_prediction", "epsilon"])
    def test_either_prediction(self, pipeline, data, config, brief, prediction) -> None:
        train_unet(pipeline, data, replace(config, prediction=prediction), brief)

    def test_resumes_to_the_same_weights(
        self, pipeline, fresh, data, config, brief, tmp_path
    ) -> None:
        four = replace(brief, steps=4)
        train_unet(pipeline, data, config, four)

        class StopError(Exception):
            pass

        def stop(step: int) -> None:
            if step == 2:
                raise StopError

        with pytest.raises(StopError):
            train_network(
                UNetObjective(fresh.unet, config),
                pictures_of(data, fresh.prior, config, four),
                four,
                identity={"data": data.fingerprint()},
                folder=tmp_path,
                at_checkpoint=stop,
            )
        assert latest(tmp_path).name == "step-0000002"
        with torch.no_grad():
            for one in fresh.unet.parameters():
                one.zero_()
        reports = train_unet(fresh, data, config, four, tmp_path, resume=True)
        assert [report["step"] for report in reports] == [1.0, 2.0, 3.0, 4.0]
        assert torch.equal(weights(pipeline), weights(fresh))

    def test_keeps_one_folder_only(self, pipeline, data, config, brief, tmp_path) -> None:
        train_unet(pipeline, data, config, brief, tmp_path)
        assert [one.name for one in tmp_path.iterdir()] == ["step-0000002"]

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda f: (f / TENSORS).write_bytes((f / TENSORS).read_bytes()[:-7]), "cut short"),
            (lambda f: (f / STATE).write_text("{}"), "expected where a training stands"),
            (lambda f: (f / STATE).write_text("[1"), "expected JSON"),
            (lambda f: (f / TENSORS).unlink(), "cannot be read"),
        ],
    )
    def test_refuses_a_damaged_standing(
        self, pipeline, data, config, brief, tmp_path, damage, message
    ) -> None:
        train_unet(pipeline, data, config, brief, tmp_path)
        damage(latest(tmp_path))
        with pytest.raises(CheckpointError, match=message):
            train_unet(pipeline, data, config, brief, tmp_path, resume=True)

    def test_refuses_another_training(self, pipeline, data, config, brief, tmp_path) -> None:
        train_unet(pipeline, data, config, brief, tmp_path)
        with pytest.raises(CheckpointError, match="another learning_rate"):
            train_unet(
                pipeline, data, config, replace(brief, learning_rate=1e-5), tmp_path, resume=True
            )
        other = replace(data, pictures=255 - data.pictures)
        with pytest.raises(CheckpointError, match="another data"):
            train_unet(pipeline, other, config, brief, tmp_path, resume=True)

    def test_a_full_disk(self, pipeline, data, config, brief, tmp_path, monkeypatch) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("surrogate.files.os.fsync", full)
        with pytest.raises(CheckpointError, match="No space left"):
            train_unet(pipeline, data, config, brief, tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_a_loss_that_diverges(self, pipeline, data, config, brief) -> None:
        with torch.no_grad():
            pipeline.unet.conv_out.bias.fill_(float("nan"))
        with pytest.raises(TrainingError, match="lower learning_rate"):
            train_unet(pipeline, data, config, brief)


@pytest.mark.deep
def test_a_killed_process_goes_on_to_the_same_weights(tmp_path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        f"""
import os, signal, sys, torch
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests" / "generator")!r}]
from conftest import BRIEF, TOY
from dataclasses import replace
from generator.checkpoint import make_pipeline
from generator.data import GeneratorData
from generator.objectives import UNetObjective, pictures_of
from generator.train import train_network
from surrogate.training_state import STATE, latest
luck = torch.Generator().manual_seed(3)
data = GeneratorData(
    torch.randint(0, 256, (10, 16, 16), generator=luck, dtype=torch.uint8),
    torch.randn(10, 4, 4, generator=luck), torch.randn(6, 2, 4, generator=luck))
torch.manual_seed(0)
pipeline = make_pipeline(TOY)
def kill(step):
    if step == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
from pathlib import Path
settings = replace(BRIEF, steps=3)
train_network(UNetObjective(pipeline.unet, TOY), pictures_of(data, pipeline.prior, TOY, settings),
              settings, identity={{}}, folder=Path(sys.argv[1]), resume=True, at_checkpoint=kill)
print(sum(float(one.double().sum()) for one in pipeline.unet.parameters()).hex())
""",
        encoding="utf-8",
    )

    def run(folder: str, kill_at: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(script), str(tmp_path / folder), str(kill_at)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    whole = run("whole", 0)
    assert whole.returncode == 0, whole.stderr
    assert run("killed", 2).returncode == -signal.SIGKILL
    resumed = run("killed", 0)
    assert resumed.stdout == whole.stdout


def test_the_prior_learns(pipeline, data, brief) -> None:
    reports = train_network(
        PriorObjective(pipeline.prior),
        pairs_of(data, pipeline.prior, replace(brief, steps=200, learning_rate=1e-2)),
        replace(brief, steps=200, learning_rate=1e-2, report_every=50),
        identity={},
    )
    assert reports[-1]["loss"] < reports[0]["loss"]


def test_what_a_picture_shows_is_read_off_its_embedding(data, config, brief) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        prior = make_pipeline(replace(config, is_laid=True)).prior
    # Column k of what is shown is column k mod 4 of the embedding; half of one is not known.
    shown = data.embeddings[:, 0, [0, 1, 2, 3, 0, 1]] * 3.0 + 1.0
    shown[::2, 4] = float("nan")
    flat = data.embeddings[:, :1].expand(-1, 4, -1).contiguous()
    taught = replace(data, embeddings=flat, statistics=shown)
    prior.standardise(taught.conditions[:, 0], taught.embeddings[:, 0])
    prior.standardise_statistics(shown)
    settings = replace(brief, steps=300, batch=16, learning_rate=1e-2, report_every=300)
    train_network(PriorObjective(prior), pairs_of(taught, prior, settings), settings, identity={})
    with torch.no_grad():
        read = prior.statistics(prior.embedding(flat[:, 0]))
    off = (read - torch.where(torch.isfinite(shown), shown, read)).square().mean(dim=0).sqrt()
    assert (off < 0.3 * prior.shown_sd).all()


def test_learns_from_sketches(data, config, brief) -> None:
    laid = replace(config, is_laid=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipeline = make_pipeline(laid)
    examples = pictures_of(data, pipeline.prior, laid, brief)
    plain = pictures_of(data, pipeline.prior, config, brief)
    # All else is what it would be without.
    assert all(torch.equal(a, b) for a, b in zip(examples(0)[:5], plain(0), strict=True))
    assert examples(0)[5].shape == examples(0)[0].shape
    assert torch.equal(examples(1)[5], examples(1)[5])
    train_unet(pipeline, data, laid, brief)


def test_a_gpu_that_is_not_there(pipeline, data, config, brief) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="expected a GPU"):
        train_unet(pipeline, data, config, replace(brief, device="cuda"))


class TestData:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ({"pictures": torch.zeros(10, 16, 15, dtype=torch.uint8)}, "16 × 16"),
            ({"pictures": torch.zeros(10, 16, 16)}, "uint8"),
            ({"embeddings": torch.zeros(10, 4, 3)}, "embeddings of shape"),
            ({"conditions": torch.zeros(11, 2, 4)}, "conditions of shape"),
            ({"conditions": torch.full((6, 2, 4), float("nan"))}, "finite conditions"),
        ],
    )
    def test_refuses(self, data, config, words, message) -> None:
        with pytest.raises(InputError, match=message):
            replace(data, **words).check(config)

    def test_mirrors_and_never_turns(self) -> None:
        pictures = torch.arange(12, dtype=torch.uint8).view(1, 3, 4).repeat(4, 1, 1)
        made = mirrored(pictures, torch.arange(4))
        for one, axes in zip(made, FLIPS, strict=True):
            assert torch.equal(one, pictures[0].flip(axes) if axes else pictures[0])

    def test_passes_show_everything_once(self) -> None:
        passes = Passes(5, "here")
        shown = torch.cat([passes.at(step, 2) for step in range(5)])
        assert sorted(shown[:5].tolist()) == sorted(shown[5:].tolist()) == list(range(5))
        assert torch.equal(passes.at(1, 2), Passes(5, "here").at(1, 2))
