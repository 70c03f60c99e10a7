"""``engine preview`` and ``engine propose --preview`` as somebody at the bench uses them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
AT = ("--at", "temperature=22", "--at", "humidity=50")


def recorded(folder: Path) -> list:
    with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
        return tx.previews.all_of(workspace.active_campaign(tx)[0].id)


def files(folder: Path) -> list[Path]:
    return [one for one in (folder / "spinneret-data").rglob("*") if one.is_file()]


@pytest.mark.usefixtures("toy")
class TestPreview:
    def test_of_conditions(self, folder: Path, engine) -> None:
        words = ("preview", "--set", "voltage=18", "--set", "concentration=20", "--seed", 5)
        answer = engine(*words, "--json")
        assert answer.exit_code == 0, answer.err
        document = answer.json
        assert document["conditions"] == {"voltage": 18.0, "concentration": 20.0}
        assert (document["seed"], document["pictures"]) == (5, 4)
        with Image.open(document["sheet"]) as sheet:
            assert sheet.size[0] > 500
        (row,) = recorded(folder)
        assert (row.experiment_id, row.preview.seed, row.preview.n_pictures) == (None, 5, 4)
        assert row.preview.generator == document["generator"]
        again = engine(*words, "--json").json
        assert again["statistics"] == document["statistics"]
        first, second = recorded(folder)
        assert first.preview.sha256 == second.preview.sha256

    def test_dry_run_records_nothing(self, folder: Path, engine) -> None:
        answer = engine("preview", "--set", "voltage=18", "--dry-run", "--out", "sheet.png")
        assert answer.exit_code == 0, answer.err
        assert recorded(folder) == []
        assert files(folder) == []
        assert (folder / "sheet.png").is_file()

    def test_like_a_picture(self, folder: Path, engine) -> None:
        grey = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
        Image.fromarray(grey).save(folder / "mine.png")
        words = ("preview", "--like", "mine.png", "--n", 2, "--seed", 1)
        refused = engine(*words)
        assert refused.exit_code == 1
        assert "state --nm-per-pixel" in refused.err
        answer = engine(*words, "--nm-per-pixel", 60, "--json")
        assert answer.exit_code == 0, answer.err
        assert (answer.json["like"], answer.json["pictures"]) == ("mine.png", 2)

    def test_a_picture_is_decoded_once(self, folder: Path, engine, decoded: list[str]) -> None:
        grey = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
        Image.fromarray(grey).save(folder / "mine.png")
        words = ("preview", "--like", "mine.png", "--nm-per-pixel", 60, "--n", 2, "--seed", 1)
        assert engine(*words).exit_code == 0
        assert decoded.count("mine.png") == 1

    @pytest.mark.parametrize(
        ("words", "exit_code", "message"),
        [
            ((), 2, "expected --set NAME=VALUE … or --like IMAGE"),
            (("--set", "voltage=18", "--n", 0), 2, "expected 1 to 64 pictures, got 0"),
            (("--set", "voltage=40"), 2, "lies outside the range searched, 16 … 22"),
            (("--set", "voltag=18"), 2, "Did you mean 'voltage'"),
            (("--set", "voltage=18", "--nm-per-pixel", 9), 2, "belong to --like"),
            (("--set", "voltage=18", "--out", "no/where.png"), 2, "an existing folder"),
            (("--like", "gone.png"), 1, "the file is not there"),
        ],
    )
    def test_refuses(self, folder: Path, engine, words, exit_code, message) -> None:
        answer = engine("preview", *words)
        assert answer.exit_code == exit_code
        assert message in answer.err
        assert recorded(folder) == []
        assert files(folder) == []

    def test_a_damaged_generator(self, folder: Path, engine, toy: Path) -> None:
        unet = toy / "unet" / "diffusion_pytorch_model.safetensors"
        unet.write_bytes(unet.read_bytes()[:-3])
        answer = engine("preview", "--set", "voltage=18")
        assert answer.exit_code == 1
        assert "the starter cannot draw previews" in answer.err
        assert "cut short" in answer.err

    def test_a_full_disk(self, folder: Path, engine, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("surrogate.files.os.fsync", full)
        answer = engine("preview", "--set", "voltage=18")
        assert answer.exit_code == 1
        assert "No space left" in answer.err
        assert recorded(folder) == []
        assert files(folder) == []

    def test_far_from_all_data_is_warned_of(
        self, folder: Path, engine, fill: Callable[[Workspace, int], None]
    ) -> None:
        engine("log", "--new", "flow_rate=0.2", "concentration=16", "voltage=16",
               "collector_speed=0", "elongation.longitudinal=80")  # fmt: skip
        answer = engine("preview", "--set", "flow_rate=0.6", "--set", "concentration=22")
        assert "the nearest finished run is 1.00 of the ranges away" in " ".join(answer.err.split())
        near = engine("preview", "--set", "flow_rate=0.2", "--set", "concentration=16")
        assert "of the ranges away" not in near.err

    def test_no_generator_wanted(self, folder: Path, engine, monkeypatch) -> None:
        monkeypatch.setenv("SPINNERET_GENERATOR__PRETRAINED", "none")
        answer = engine("preview", "--set", "voltage=18")
        assert answer.exit_code == 1
        assert "expected a generator" in answer.err


@pytest.mark.usefixtures("toy")
class TestPropose:
    words = ("propose", "--n", 2, *AT, "--seed", 7, "--strategy", "sobol", "--json")

    def test_draws_and_records(self, folder: Path, engine) -> None:
        answer = engine(*self.words)
        assert answer.exit_code == 0, answer.err
        document = answer.json
        assert Path(document["sheet"]).name == "batch-1.png"
        assert Path(document["sheet"]).is_file()
        rows = recorded(folder)
        assert [row.experiment_id for row in rows] == [
            p["experiment"] for p in document["proposals"]
        ]
        assert all(row.batch_id == document["batch"] for row in rows)
        for row, proposal in zip(rows, document["proposals"], strict=True):
            assert (folder / "spinneret-data" / row.preview.path).is_file()
            assert row.preview.statistics["expected"] == proposal["preview"]["expected"]
            assert proposal["preview"]["pictures"] == 4

    def test_declined(self, folder: Path, engine) -> None:
        answer = engine(*self.words, "--no-preview")
        assert answer.exit_code == 0
        assert answer.json["generator"] is None
        assert "preview" not in answer.json["proposals"][0]
        assert recorded(folder) == []
        assert files(folder) == []

    def test_dry_run_writes_what_is_asked_only(self, folder: Path, engine) -> None:
        answer = engine(*self.words, "--dry-run", "--sheet", "sheet.png")
        assert answer.exit_code == 0, answer.err
        assert (folder / "sheet.png").is_file()
        assert files(folder) == []

    def test_a_broken_generator_stops_no_proposal(self, folder: Path, engine, toy: Path) -> None:
        (toy / "unet" / "config.json").write_text("{}")
        answer = engine(*self.words)
        assert answer.exit_code == 0
        assert "no previews: the starter cannot draw" in " ".join(answer.err.split())
        asked = engine(*self.words, "--preview")
        assert asked.exit_code == 1
        assert "the starter cannot draw previews" in asked.err

    def test_a_full_disk_records_nothing(
        self, folder: Path, engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("surrogate.files.os.fsync", full)
        answer = engine(*self.words)
        assert answer.exit_code == 1
        with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
            assert tx.batches.all_of(workspace.active_campaign(tx)[0].id) == []
        assert files(folder) == []


def test_without_previews_diffusers_is_not_loaded(folder: Path) -> None:
    code = (
        "import sys; sys.argv = ['engine', 'propose', '--n', '2', '--strategy', 'sobol', "
        "'--no-preview']\n"
        "import atexit; atexit.register(lambda: sys.stderr.write('loaded:' + "
        "','.join(n for n in ('diffusers', 'transformers') if n in sys.modules)))\n"
        "from engine.cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("loaded:")
