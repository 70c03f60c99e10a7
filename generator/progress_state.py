"""What a training's step folder holds: weights, averages, optimiser, history. No pickle.

The folders themselves, and what makes them safe, are :mod:`surrogate.training_state`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from generator.errors import CheckpointError
from surrogate.tensor_files import TensorFiles, tensors_to_bytes
from surrogate.training_state import STATE, new_step, optimiser_tensors, restore_optimiser

TENSORS = "training.safetensors"
_FILES = TensorFiles(CheckpointError, "Start the training anew with resume=False")


@dataclass
class TrainingState:
    """``step``: steps done; ``history``: what was reported so far."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def store(
    folder: Path,
    network: nn.Module,
    averages: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    *,
    state: TrainingState,
    identity: Mapping[str, Any],
) -> None:
    """Write where a training stands, then remove the folder before.

    Raises:
        CheckpointError: it cannot be written.
    """
    with new_step(folder, state.step, CheckpointError) as draft:
        tensors = {f"weights.{name}": value for name, value in network.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in averages.items()}
        tensors |= optimiser_tensors(network, optimiser)
        seal = _FILES.write(draft / TENSORS, tensors_to_bytes(tensors))
        document = {
            "identity": dict(identity),
            "step": state.step,
            "history": state.history,
            **seal,
        }
        _FILES.write(draft / STATE, _FILES.to_json(document))


def restore(
    step_folder: Path,
    network: nn.Module,
    averages: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    identity: Mapping[str, Any],
) -> TrainingState:
    """Bring a network, its averages and its optimiser to where a training stood.

    Raises:
        CheckpointError: a file is damaged, or the training was another.
    """
    document = _FILES.read_json(step_folder / STATE)
    try:
        stored = dict(document["identity"])
        history = [dict(report) for report in document["history"]]
        state = TrainingState(int(document["step"]), history)
        seal = {"bytes": int(document["bytes"]), "sha256": str(document["sha256"])}
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{step_folder / STATE}: expected where a training stands, got {error!r}. {_FILES.mend}"
        ) from error
    changed = sorted(k for k in {*stored, *identity} if stored.get(k) != identity.get(k))
    if changed:
        raise CheckpointError(
            f"{step_folder}: a training of another {', '.join(changed)}. Keep what it was, or "
            f"{_FILES.mend[0].lower()}{_FILES.mend[1:]}"
        )
    tensors = _FILES.read_tensors(step_folder / TENSORS, seal)
    try:
        network.load_state_dict(_part(tensors, "weights."))
        stored_averages = _part(tensors, "average.")
        for name, average in averages.items():
            average.copy_(stored_averages[name])
        restore_optimiser(network, optimiser, tensors)
    except (RuntimeError, KeyError) as error:
        raise CheckpointError(f"{step_folder}: of another network. {_FILES.mend}") from error
    return state


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
