"""What every training loop needs: hardware as it is, and the course of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator


def make_accelerator(
    device: str,
    precision: str,
    *,
    error: type[Exception],
    has_unused_parameters: bool = False,
) -> Accelerator:
    """Return an ``accelerate`` accelerator.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        precision: ``no``, ``bf16``, or ``auto``: bf16 where the GPU has it.
        error: raised where a GPU is asked for, and there is none.
        has_unused_parameters: some steps leave parameters without a gradient.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedDataParallelKwargs

    wants_cpu = device == "cpu"
    on_gpu = not wants_cpu and torch.cuda.is_available()
    if device.startswith("cuda") and not on_gpu:
        raise error(f"expected a GPU for device '{device}', got none; use 'auto'")
    if device.startswith("cuda:") and on_gpu:
        # accelerate takes the current device of a single process; it has no argument for another.
        torch.cuda.set_device(device)
    if precision == "auto":
        precision = "bf16" if on_gpu and torch.cuda.is_bf16_supported() else "no"
    # Accelerate keeps one state for the whole process; a second training may want another.
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
    handlers: Sequence[DistributedDataParallelKwargs] = (
        # Steps without pictures leave f_v without gradients, which DDP would refuse at the next
        # step.
        # https://pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
        [DistributedDataParallelKwargs(find_unused_parameters=True)]
        if has_unused_parameters
        else []
    )
    return Accelerator(cpu=wants_cpu, mixed_precision=precision, kwargs_handlers=list(handlers))


def learning_rate(step: int, *, peak: float, warmup: int, steps: int) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine to zero.

    >>> [round(learning_rate(k, peak=1.0, warmup=2, steps=6), 2) for k in range(7)]
    [0.5, 1.0, 1.0, 0.85, 0.5, 0.15, 0.0]
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    share = (step - warmup) / max(steps - warmup, 1)
    return peak * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
