"""Where a training stands, on disk: ``step-0000250/`` with weights, averages, optimiser, history.

A folder is filled aside and renamed, and only then is the one before it removed: whenever the
process is killed, the last whole one is there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from generator.errors import CheckpointError
from generator.storing import flush_folder, json_bytes, read_json, read_tensors, write_tensors
from generator.storing import write_whole as _write

TENSORS = "training.safetensors"
STATE = "training.json"
_PREFIX = "step-"
_MEND = "Start the training anew without --resume"


@dataclass
class Standing:
    """``step``: steps done; ``history``: what was reported so far."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def latest(folder: Path) -> Path | None:
    """Return the folder of the last step that was stored, if any."""
    found = sorted(folder.glob(f"{_PREFIX}*")) if folder.is_dir() else []
    return found[-1] if found else None


def forget(folder: Path) -> None:
    """Remove what an earlier training left in ``folder``."""
    for one in (*folder.glob(f"{_PREFIX}*"), *folder.glob(f".{_PREFIX}*")):
        shutil.rmtree(one)


def store(
    folder: Path,
    network: nn.Module,
    averages: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    *,
    standing: Standing,
    identity: Mapping[str, Any],
) -> None:
    """Write where a training stands, then remove the folder before.

    Raises:
        CheckpointError: it cannot be written.
    """
    final = folder / f"{_PREFIX}{standing.step:07d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder, prefix=f".{_PREFIX}"))
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        tensors = {f"weights.{name}": one for name, one in network.state_dict().items()}
        tensors |= {f"average.{name}": one for name, one in averages.items()}
        tensors |= _moments(network, optimiser)
        card = write_tensors(aside / TENSORS, tensors)
        document = {
            "identity": dict(identity),
            "step": standing.step,
            "history": standing.history,
            **card,
        }
        _write(aside / STATE, json_bytes(document))
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
    network: nn.Module,
    averages: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    identity: Mapping[str, Any],
) -> Standing:
    """Bring a network, its averages and its optimiser to where a training stood.

    Raises:
        CheckpointError: a file is damaged, or the training was another.
    """
    document = read_json(step_folder / STATE, _MEND)
    try:
        stored = dict(document["identity"])
        standing = Standing(int(document["step"]), [dict(one) for one in document["history"]])
        card = {"bytes": int(document["bytes"]), "sha256": str(document["sha256"])}
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{step_folder / STATE}: expected where a training stands, got {error!r}. {_MEND}"
        ) from error
    changed = sorted(k for k in {*stored, *identity} if stored.get(k) != identity.get(k))
    if changed:
        raise CheckpointError(
            f"{step_folder}: a training of another {', '.join(changed)}. Keep what it was, or "
            f"{_MEND[0].lower()}{_MEND[1:]}"
        )
    tensors = read_tensors(step_folder / TENSORS, card, _MEND)
    try:
        network.load_state_dict(_part(tensors, "weights."))
        kept = _part(tensors, "average.")
        for name, one in averages.items():
            one.copy_(kept[name])
        _take_moments(network, optimiser, tensors)
    except (RuntimeError, KeyError) as error:
        raise CheckpointError(f"{step_folder}: of another network. {_MEND}") from error
    return standing


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _moments(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{key}.{name}": value
        for name, parameter in network.named_parameters()
        for key, value in optimiser.state.get(parameter, {}).items()
    }


def _take_moments(
    network: nn.Module, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    for name, parameter in network.named_parameters():
        keys = ("step", "exp_avg", "exp_avg_sq")
        entry = {k: tensors[f"{k}.{name}"] for k in keys if f"{k}.{name}" in tensors}
        if entry:
            optimiser.state[parameter] = {
                k: v if k == "step" else v.to(parameter.device) for k, v in entry.items()
            }
