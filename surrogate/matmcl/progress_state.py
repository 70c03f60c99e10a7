"""Where a training stands, on disk: ``step-000250/`` with weights, optimiser and history.

A folder is filled aside and renamed, and only then is the one before it removed: whenever the
process is killed, the last whole one is there. No pickle: two safetensors files and JSON.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from surrogate.errors import CheckpointError
from surrogate.matmcl.checkpoint import WEIGHTS, fill, read_card, save_checkpoint
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.storing import (
    flush_folder,
    json_bytes,
    read_json,
    read_tensors,
    sha256,
    tensors_to_bytes,
    write_whole,
)

OPTIMISER = "optimiser.safetensors"
STATE = "training.json"
_PREFIX = "step-"


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


def latest(folder: Path) -> Path | None:
    """Return the last whole ``step-…`` folder, or ``None``."""
    return max((one for one in folder.glob(f"{_PREFIX}*") if (one / STATE).is_file()), default=None)


def forget(folder: Path) -> None:
    """Remove what an earlier training left in ``folder``."""
    for one in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(one)


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
    final = folder / f"{_PREFIX}{state.step:07d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder, prefix=f".{_PREFIX}"))
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        seed = int(identity["settings"]["seed"])
        save_checkpoint(aside, model, data_watermark=str(identity["data"]), seed=seed)
        tensors = {f"best.{name}": one for name, one in state.best.items()}
        tensors |= _optimiser_tensors(model, optimiser)
        data = tensors_to_bytes(tensors)
        write_whole(aside / OPTIMISER, data)
        document = {
            "identity": dict(identity),
            "step": state.step,
            "is_done": state.is_done,
            "best_loss": state.best_loss,
            "stale": state.stale,
            "history": state.history,
            "bytes": len(data),
            "sha256": sha256(data),
        }
        write_whole(aside / STATE, json_bytes(document))
        aside.chmod(0o755)
        if final.exists():
            shutil.rmtree(final)
        aside.rename(final)
        flush_folder(folder)
        for one in (*folder.glob(f"{_PREFIX}*"), *folder.glob(f".{_PREFIX}*")):
            if one != final:
                shutil.rmtree(one)
    except OSError as error:
        raise CheckpointError(f"{final} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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
    document = read_json(step_folder / STATE)
    try:
        stored = dict(document["identity"])
        state = TrainingState(
            step=int(document["step"]),
            history=[dict(entry) for entry in document["history"]],
            is_done=bool(document["is_done"]),
            best_loss=document["best_loss"],
            stale=int(document["stale"]),
        )
        digest, size = str(document["sha256"]), int(document["bytes"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{step_folder / STATE}: expected what `store` wrote, got {error!r}; start anew"
        ) from error
    _same(step_folder, stored, dict(identity))
    if (card.config, card.vocabulary, card.sources) != (
        model.config,
        model.vocabulary,
        model.sources,
    ):
        raise CheckpointError(
            f"{step_folder}: a training of another model (configuration, parameters or sources); "
            "start anew with resume=False"
        )
    weights = read_tensors(step_folder / WEIGHTS, digest=card.sha256, size=card.size)
    fill(model, weights, step_folder)
    tensors = read_tensors(step_folder / OPTIMISER, digest=digest, size=size)
    device = model.log_noise.device
    state.best = {
        name.removeprefix("best."): one.to(device)
        for name, one in tensors.items()
        if name.startswith("best.")
    }
    _restore_optimiser(model, optimiser, tensors)
    return state


def _same(step_folder: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    old, new = stored.get("settings", {}), wanted["settings"]
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if changed:
        told = ", ".join(f"{name} {old.get(name)} → {new.get(name)}" for name in changed)
        raise CheckpointError(
            f"{step_folder}: a training of other settings ({told}); keep them, or start anew with "
            "resume=False"
        )
    if stored.get("data") != wanted["data"]:
        raise CheckpointError(
            f"{step_folder}: a training on other data; start anew with resume=False"
        )


def _optimiser_tensors(model: MatMCL, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{key}.{name}": value
        for name, parameter in model.named_parameters()
        for key, value in optimiser.state.get(parameter, {}).items()
    }


def _restore_optimiser(
    model: MatMCL, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    for name, parameter in model.named_parameters():
        entry = {
            key: tensors[f"{key}.{name}"]
            for key in ("step", "exp_avg", "exp_avg_sq")
            if f"{key}.{name}" in tensors
        }
        if entry:
            moments = {k: v if k == "step" else v.to(parameter.device) for k, v in entry.items()}
            optimiser.state[parameter] = moments
