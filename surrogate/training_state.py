"""Where a training stands, on disk: one folder ``step-0000250/`` for the last step, safe always.

A folder is filled as a draft, put in place, and only then is the one before it removed: whenever
the process is killed, :func:`latest` finds a whole step, the old one or the new. What is in the
folder is its training's business, except for :data:`STATE`, which every one has.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from surrogate.files import draft_of, sync, whole_folder
from surrogate.private_files import make_folder

STATE = "training.json"
"""The file of a step's folder without which it is no whole step."""

_PREFIX = "step-"
_REPLACED = ".replaced"


def latest(folder: Path) -> Path | None:
    """Return the folder of the last whole step of a training, or ``None``."""
    steps = (step for step in folder.glob(f"{_PREFIX}*") if (step / STATE).is_file())
    # A step that was stored anew lies beside its old version until that is removed: the new one.
    return max(steps, key=lambda step: (step.stem, not step.name.endswith(_REPLACED)), default=None)


def sweep(folder: Path) -> None:
    """Remove half-written and half-removed steps. Only one process may train in ``folder``."""
    for draft in folder.glob(f".{_PREFIX}*"):
        shutil.rmtree(draft)


def forget(folder: Path) -> None:
    """Remove everything that an earlier training left in ``folder``."""
    for step in folder.glob(f"{_PREFIX}*"):
        _remove(step)
    sweep(folder)


@contextmanager
def new_step(folder: Path, step: int, error: type[Exception]) -> Iterator[Path]:
    """Give a draft of a step's folder to fill; put it in place, then remove all steps before.

    Args:
        folder: of the training; made if need be.
        step: how many steps were taken.
        error: raised where the disk refuses.
    """
    # Padded, so that names sort as numbers do.
    path = folder / f"{_PREFIX}{step:07d}"
    try:
        make_folder(folder)
        with whole_folder(path) as draft:
            yield draft
            if path.exists():
                # A folder cannot be renamed onto another one: the old version steps aside,
                # under a name by which `latest` finds it as long as the new one is missing.
                replaced = path.with_name(path.name + _REPLACED)
                if replaced.exists():
                    _remove(replaced)
                path.rename(replaced)
        for old in folder.glob(f"{_PREFIX}*"):
            if old != path:
                _remove(old)
        sweep(folder)
    except OSError as refusal:
        raise error(f"{path} cannot be written: {refusal.strerror}") from refusal


def _remove(step: Path) -> None:
    """Remove a step at once: renamed first, so that half of it is never taken for a whole one."""
    draft = step.rename(draft_of(step))
    sync(step.parent)
    shutil.rmtree(draft)


def optimiser_tensors(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return AdamW's state as ``<key>.<parameter>`` → tensor."""
    return {
        f"{key}.{name}": value
        for name, parameter in network.named_parameters()
        for key, value in optimiser.state.get(parameter, {}).items()
    }


def restore_optimiser(
    network: nn.Module, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Give AdamW the state that :func:`optimiser_tensors` returned; other tensors are ignored."""
    for name, parameter in network.named_parameters():
        # By name and not by AdamW's own `state_dict`, whose numbers follow the order of the
        # parameters.
        keys = ("step", "exp_avg", "exp_avg_sq")
        entry = {key: tensors[f"{key}.{name}"] for key in keys if f"{key}.{name}" in tensors}
        if entry:
            # AdamW keeps its step count on the CPU, whatever the parameter's device.
            optimiser.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device)
                for key, value in entry.items()
            }
