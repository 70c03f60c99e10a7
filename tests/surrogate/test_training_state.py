"""A training killed while it stores a step goes on from the old step or from the new one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from killed import killed_at_each_change
from torch import nn

from generator import progress_state as network_steps
from surrogate.errors import CheckpointError
from surrogate.matmcl import progress_state as matmcl_steps
from surrogate.training_state import STATE, forget, latest, new_step, sweep
from tests.surrogate.matmcl.conftest import make

IDENTITY = {"settings": {"seed": 0}, "data": "toy"}


def adamw(network: nn.Module) -> torch.optim.Optimizer:
    optimiser = torch.optim.AdamW(network.parameters())
    sum(value.sum() for value in network.parameters()).backward()
    optimiser.step()
    return optimiser


def matmcl_training() -> tuple[Callable[[Path, int], None], Callable[[Path], int]]:
    model = make()
    optimiser = adamw(model)

    def store(folder: Path, step: int) -> None:
        state = matmcl_steps.TrainingState(step=step)
        matmcl_steps.store(folder, model, optimiser, state, IDENTITY)

    def load(path: Path) -> int:
        return matmcl_steps.restore(path, model, optimiser, IDENTITY).step

    return store, load


def network_training() -> tuple[Callable[[Path, int], None], Callable[[Path], int]]:
    network = nn.Linear(3, 2)
    optimiser = adamw(network)
    averages = {name: value.clone() for name, value in network.state_dict().items()}

    def store(folder: Path, step: int) -> None:
        state = network_steps.TrainingState(step=step)
        network_steps.store(folder, network, averages, optimiser, state=state, identity=IDENTITY)

    def load(path: Path) -> int:
        return network_steps.restore(path, network, averages, optimiser, IDENTITY).step

    return store, load


@pytest.mark.matrix
@pytest.mark.parametrize("training", [matmcl_training, network_training])
@pytest.mark.parametrize("second", [2, 1], ids=["the next step", "the same step again"])
def test_killed_at_any_moment_of_storing_it_goes_on(tmp_path: Path, training, second: int) -> None:
    store, load = training()
    first, folder = tmp_path / "first", tmp_path / "training"
    store(first, 1)

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(first, folder)

    steps = []
    for _ in killed_at_each_change(lambda: store(folder, second), prepare):
        steps.append(load(latest(folder)))
        sweep(folder)
        assert not list(folder.glob(".*"))
        assert load(latest(folder)) == steps[-1]
        store(folder, 3)  # and the training goes on from there
        assert [path.name for path in folder.iterdir()] == ["step-0000003"]
    assert steps == sorted(steps)
    assert set(steps) == {1, second}
    assert len(steps) > 10
    assert [path.name for path in folder.iterdir()] == [f"step-000000{second}"]


def write_step(folder: Path, step: int) -> None:
    with new_step(folder, step, CheckpointError) as draft:
        (draft / STATE).write_text(str(step))
        (draft / "weights").write_text("w")


def test_killed_while_forgetting_it_finds_whole_steps_only(tmp_path: Path) -> None:
    folder = tmp_path / "training"

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        write_step(folder, 1)

    found = []
    for _ in killed_at_each_change(lambda: forget(folder), prepare):
        path = latest(folder)
        found.append(path is not None)
        assert path is None or {file.name for file in path.iterdir()} == {STATE, "weights"}
        forget(folder)
        assert list(folder.iterdir()) == []
    assert found == sorted(found, reverse=True)
    assert found[0]
    assert not found[-1]


def test_a_step_without_its_state_is_none(tmp_path: Path) -> None:
    write_step(tmp_path, 1)
    (tmp_path / "step-0000002").mkdir()
    assert latest(tmp_path).name == "step-0000001"
    assert latest(tmp_path / "nowhere") is None


def test_drafts_of_older_versions_are_swept(tmp_path: Path) -> None:
    (tmp_path / ".step-abc123").mkdir()
    write_step(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000001"]


def test_a_full_disk_leaves_the_step_before(tmp_path: Path, monkeypatch) -> None:
    write_step(tmp_path, 1)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("surrogate.files.os.fsync", full)
    with pytest.raises(CheckpointError, match=r"step-0000002 cannot be written: No space left"):
        write_step(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000001"]
