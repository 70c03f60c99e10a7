"""What a training's step folder holds: weights with their card, optimiser, history. No pickle.

The folders themselves, and what makes them safe, are :mod:`surrogate.training_state`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from surrogate.errors import CheckpointError
from surrogate.matmcl.checkpoint import FILES, WEIGHTS, fill, read_card, save_checkpoint
from surrogate.matmcl.model import MatMCL
from surrogate.tensor_files import tensors_to_bytes
from surrogate.training_state import STATE, new_step, optimiser_tensors, restore_optimiser

OPTIMISER = "optimiser.safetensors"


@dataclass
class TrainingState:
    """Everything beside the weights and the optimiser that the next step depends on.

    Attributes:
        step: steps done.
        history: what was reported so far.
        is_done: whether training has ended (all steps, or stopped early).
        best_loss, best, stale: least held-out loss, its weights, looks without progress since.
    """

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    is_done: bool = False
    best_loss: float | None = None
    best: dict[str, Tensor] = field(default_factory=dict)
    stale: int = 0


def store(
    folder: Path,
    model: MatMCL,
    optimiser: torch.optim.Optimizer,
    state: TrainingState,
    identity: Mapping[str, Any],
) -> None:
    """Write where training stands, then remove the folder before.

    Args:
        folder: of the training.
        model: its weights now.
        optimiser: AdamW over ``model``'s parameters.
        state: the rest.
        identity: settings and data; resuming demands the same.

    Raises:
        CheckpointError: it cannot be written.
        InputError: the weights are not finite.
    """
    with new_step(folder, state.step, CheckpointError) as draft:
        seed = int(identity["settings"]["seed"])
        save_checkpoint(draft, model, data_watermark=str(identity["data"]), seed=seed)
        tensors = {f"best.{name}": value for name, value in state.best.items()}
        tensors |= optimiser_tensors(model, optimiser)
        seal = FILES.write(draft / OPTIMISER, tensors_to_bytes(tensors))
        document = {
            "identity": dict(identity),
            "step": state.step,
            "is_done": state.is_done,
            "best_loss": state.best_loss,
            "stale": state.stale,
            "history": state.history,
            **seal,
        }
        FILES.write(draft / STATE, FILES.to_json(document))


def restore(
    step_folder: Path,
    model: MatMCL,
    optimiser: torch.optim.Optimizer,
    identity: Mapping[str, Any],
) -> TrainingState:
    """Bring model and optimiser to where a training stood.

    Raises:
        CheckpointError: a file is damaged, or the training was of another model, other settings
            or other data.
    """
    card = read_card(step_folder)
    document = FILES.read_json(step_folder / STATE)
    try:
        stored = dict(document["identity"])
        state = TrainingState(
            step=int(document["step"]),
            history=[dict(entry) for entry in document["history"]],
            is_done=bool(document["is_done"]),
            best_loss=document["best_loss"],
            stale=int(document["stale"]),
        )
        seal = {"bytes": int(document["bytes"]), "sha256": str(document["sha256"])}
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{step_folder / STATE}: expected what `store` wrote, got {error!r}; start anew"
        ) from error
    # Before anything is loaded, so that a refusal leaves the model as it was.
    _refuse_another(step_folder, stored, dict(identity))
    if (card.config, card.vocabulary, card.sources) != (
        model.config,
        model.vocabulary,
        model.sources,
    ):
        raise CheckpointError(
            f"{step_folder}: a training of another model (configuration, parameters or sources); "
            "start anew with resume=False"
        )
    weights = FILES.read_tensors(step_folder / WEIGHTS, card.seal)
    fill(model, weights, step_folder)
    tensors = FILES.read_tensors(step_folder / OPTIMISER, seal)
    device = model.log_noise.device
    state.best = {
        name.removeprefix("best."): value.to(device)
        for name, value in tensors.items()
        if name.startswith("best.")
    }
    restore_optimiser(model, optimiser, tensors)
    return state


def _refuse_another(
    step_folder: Path, stored: Mapping[str, Any], identity: Mapping[str, Any]
) -> None:
    old, new = stored.get("settings", {}), identity["settings"]
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if changed:
        changes = ", ".join(f"{name} {old.get(name)} → {new.get(name)}" for name in changed)
        raise CheckpointError(
            f"{step_folder}: a training of other settings ({changes}); keep them, or start anew "
            "with resume=False"
        )
    if stored.get("data") != identity["data"]:
        raise CheckpointError(
            f"{step_folder}: a training on other data; start anew with resume=False"
        )
