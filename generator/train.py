"""One training loop for both networks, on whatever hardware is there.

On a CPU every number follows from network, data and settings (and the count of threads): each step
draws what is random from the seed and its own number, so a resumed training goes on exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from generator.config import TrainingSettings
from generator.errors import InputError, TrainingError
from generator.objectives import Examples
from generator.progress_state import TrainingState, restore, store
from generator.randomness import drawn_from
from surrogate.training_state import forget, latest, sweep

Progress = Callable[[int, int, Mapping[str, float]], None]
Kept = Callable[[int], None]

_FREE = ("device", "checkpoint_every")  # may differ when a training is taken up again


def train_network(
    objective: nn.Module,
    examples: Examples,
    settings: TrainingSettings,
    *,
    identity: Mapping[str, Any],
    folder: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    kept: Kept | None = None,
    until: int | None = None,
) -> list[dict[str, float]]:
    """Train ``objective.network`` in place; it is left with its averaged weights.

    Args:
        objective: returns the loss of a step's examples.
        examples: which those are.
        settings: the budget.
        identity: what makes this training this one; resuming demands the same.
        folder: where to keep ``step-…`` folders (only the last one stays); ``None`` keeps nothing.
        resume: go on from the last folder there, if any; else what is there is removed.
        progress: called with (step, steps, losses) at every report.
        kept: called with the step after each checkpoint, the network with its averaged weights.
        until: stop after this step of the budget, for now: resuming goes on.

    Returns:
        The reports: ``step``, ``loss`` (mean since the last one), ``rate``.

    Raises:
        InputError: a GPU is asked for, and there is none.
        TrainingError: the loss is no longer finite.
        CheckpointError: the folder cannot be written, or holds another training.
    """
    accelerator = make_accelerator(settings)
    network: nn.Module = objective.network
    home = next(network.parameters()).device
    devices = [accelerator.device] if accelerator.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            run = _Run(
                objective,
                examples,
                settings,
                accelerator,
                identity=dict(identity),
                folder=folder,
                kept=kept,
                until=until,
            )
            return run.go(resume=resume, progress=progress)
    finally:
        network.to(home).eval()


def make_accelerator(settings: TrainingSettings) -> Accelerator:
    """Return an ``accelerate`` accelerator on the settings' device and precision.

    Raises:
        InputError: a GPU is asked for, and there is none.
    """
    wants_cpu = settings.device == "cpu"
    on_gpu = not wants_cpu and torch.cuda.is_available()
    if settings.device.startswith("cuda") and not on_gpu:
        raise InputError(f"expected a GPU for device '{settings.device}', got none; use 'auto'")
    if settings.device.startswith("cuda:") and on_gpu:
        torch.cuda.set_device(settings.device)
    precision = settings.precision
    if precision == "auto":
        precision = "bf16" if on_gpu and torch.cuda.is_bf16_supported() else "no"
    # Accelerate keeps one state for the whole process; a second training may want another.
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
    return Accelerator(cpu=wants_cpu, mixed_precision=precision)


class _Run:
    """One run of :func:`train_network`."""

    def __init__(
        self,
        objective: nn.Module,
        examples: Examples,
        settings: TrainingSettings,
        accelerator: Accelerator,
        *,
        identity: dict[str, Any],
        folder: Path | None,
        kept: Kept | None,
        until: int | None,
    ) -> None:
        self.objective = objective.to(accelerator.device)
        self.network: nn.Module = objective.network
        self.examples, self.settings, self.accelerator = examples, settings, accelerator
        self.folder, self.kept = folder, kept
        self.last = settings.steps if until is None else min(until, settings.steps)
        own = {k: v for k, v in settings.to_dict().items() if k not in _FREE}
        self.identity = {**identity, **own, "processes": accelerator.num_processes}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.99),
            fused=True,
        )
        self.averages = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.state = TrainingState()

    def go(self, *, resume: bool, progress: Progress | None) -> list[dict[str, float]]:
        """Take every step that is left, and leave the averaged weights in the network."""
        self._start(resume=resume)
        settings, state = self.settings, self.state
        # Fetched before it is wrapped: the network itself is what is stored.
        objective, optimiser = self.accelerator.prepare(self.objective, self.optimiser)
        since: list[Tensor] = []
        while state.step < self.last:
            since.append(self._step(objective, optimiser))
            state.step += 1
            is_last = state.step == self.last
            if is_last or state.step % settings.report_every == 0:
                self._report(torch.stack(since).mean(), progress)
                since = []
            if is_last or state.step % settings.checkpoint_every == 0:
                self._keep()
        self.network.load_state_dict(self.averages)
        return state.history

    def _start(self, *, resume: bool) -> None:
        if self.folder is None:
            return
        step_folder = latest(self.folder) if resume else None
        if step_folder is not None:
            self.state = restore(
                step_folder, self.network, self.averages, self.optimiser, self.identity
            )
        if self.accelerator.is_main_process:
            sweep(self.folder) if step_folder is not None else forget(self.folder)
        self.accelerator.wait_for_everyone()

    def _step(self, objective: nn.Module, optimiser: Any) -> Tensor:
        step, settings, device = self.state.step, self.settings, self.accelerator.device
        objective.train()
        torch.manual_seed(drawn_from(settings.seed, "step", step).initial_seed())
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        shown = tuple(one[rank::world].to(device) for one in self.examples(step))
        for group in self.optimiser.param_groups:
            group["lr"] = rate(step, settings)
        with self.accelerator.autocast():
            loss: Tensor = objective(*shown)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.network.parameters(), settings.clip)
        optimiser.step()
        optimiser.zero_grad()
        self._average(step)
        return loss.detach()

    def _average(self, step: int) -> None:
        decay = min(self.settings.ema, (1.0 + step) / (10.0 + step))
        now = self.network.state_dict()
        names = [name for name, one in now.items() if one.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_(
                [self.averages[name] for name in names], [now[name] for name in names], 1.0 - decay
            )
            for name in now.keys() - names:
                self.averages[name].copy_(now[name])

    def _report(self, loss: Tensor, progress: Progress | None) -> None:
        value, state, settings = float(loss), self.state, self.settings
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value} at step {state.step}: expected a finite one; lower "
                f"learning_rate (it is {settings.learning_rate:g})"
            )
        told = {"step": float(state.step), "loss": value, "rate": rate(state.step, settings)}
        state.history.append(told)
        if progress is not None and self.accelerator.is_main_process:
            progress(state.step, settings.steps, told)

    def _keep(self) -> None:
        if self.folder is not None and self.accelerator.is_main_process:
            store(
                self.folder,
                self.network,
                self.averages,
                self.optimiser,
                state=self.state,
                identity=self.identity,
            )
        if self.kept is not None and self.accelerator.is_main_process:
            mine = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
            self.network.load_state_dict(self.averages)
            self.kept(self.state.step)
            self.network.load_state_dict(mine)
        self.accelerator.wait_for_everyone()


def rate(step: int, settings: TrainingSettings) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine to zero."""
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    share = (step - settings.warmup) / max(settings.steps - settings.warmup, 1)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
