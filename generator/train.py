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
from torch import Tensor, nn

from generator.config import TrainingSettings
from generator.errors import InputError, TrainingError
from generator.objectives import Examples
from generator.progress_state import TrainingState, restore, store
from surrogate.progress import Progress, silent
from surrogate.randomness import drawn_from
from surrogate.training import learning_rate, make_accelerator
from surrogate.training_state import forget, latest, sweep

AtCheckpoint = Callable[[int], None]

_FREE = ("device", "checkpoint_every")  # may differ when a training is taken up again


def train_network(
    objective: nn.Module,
    examples: Examples,
    settings: TrainingSettings,
    *,
    identity: Mapping[str, Any],
    folder: Path | None = None,
    resume: bool = False,
    stage: str = "training",
    progress: Progress = silent,
    at_checkpoint: AtCheckpoint | None = None,
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
        stage: what progress calls this training.
        progress: called at every report, with its numbers.
        at_checkpoint: called with the step after each checkpoint, the network holding its
            averaged weights.
        until: stop after this step of the budget, for now: resuming goes on.

    Returns:
        The reports: ``step``, ``loss`` (mean since the last one), ``rate``.

    Raises:
        InputError: a GPU is asked for, and there is none.
        TrainingError: the loss is no longer finite.
        CheckpointError: the folder cannot be written, or holds another training.
    """
    accelerator = make_accelerator(settings.device, settings.precision, error=InputError)
    network: nn.Module = objective.network
    home = next(network.parameters()).device
    devices = [accelerator.device] if accelerator.device.type == "cuda" else []
    try:
        # The caller's own random numbers go on as if nothing had been drawn here.
        with torch.random.fork_rng(devices=devices):
            training = _Training(
                objective,
                examples,
                settings,
                accelerator,
                identity=dict(identity),
                folder=folder,
                stage=stage,
                progress=progress,
                at_checkpoint=at_checkpoint,
                until=until,
            )
            return training.run(resume=resume)
    finally:
        # Even after an error: the caller's network must not stay on the GPU.
        network.to(home).eval()


class _Training:
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
        stage: str,
        progress: Progress,
        at_checkpoint: AtCheckpoint | None,
        until: int | None,
    ) -> None:
        self.objective = objective.to(accelerator.device)
        self.network: nn.Module = objective.network
        self.examples, self.settings, self.accelerator = examples, settings, accelerator
        self.stage, self.progress = stage, progress
        self.folder, self.at_checkpoint = folder, at_checkpoint
        self.last = settings.steps if until is None else min(until, settings.steps)
        binding = {k: v for k, v in settings.to_dict().items() if k not in _FREE}
        # What a resumed training must agree on: other settings, or another number of processes, see
        # other examples.
        self.identity = {**identity, **binding, "processes": accelerator.num_processes}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.99),
            fused=True,
        )
        self.averages = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.state = TrainingState()

    def run(self, *, resume: bool) -> list[dict[str, float]]:
        """Take every step that is left, and leave the averaged weights in the network."""
        self._start(resume=resume)
        settings, state = self.settings, self.state
        # Fetched before it is wrapped: the network itself is what is stored.
        objective, optimiser = self.accelerator.prepare(self.objective, self.optimiser)
        losses: list[Tensor] = []
        while state.step < self.last:
            losses.append(self._step(objective, optimiser))
            state.step += 1
            is_last = state.step == self.last
            if is_last or state.step % settings.report_every == 0:
                self._report(torch.stack(losses).mean())
                losses = []
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
        # Dropout draws from the global generator.
        torch.manual_seed(drawn_from(settings.seed, "step", step).initial_seed())
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        # Each process takes every world-th example of the same batch: together they see what one
        # would.
        batch = tuple(part[rank::world].to(device) for part in self.examples(step))
        for group in self.optimiser.param_groups:
            group["lr"] = rate(step, settings)
        with self.accelerator.autocast():
            loss: Tensor = objective(*batch)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.network.parameters(), settings.clip)
        optimiser.step()
        optimiser.zero_grad()
        self._average(step)
        return loss.detach()

    def _average(self, step: int) -> None:
        # Averages begin short, or the first weights would linger in them.
        decay = min(self.settings.ema, (1.0 + step) / (10.0 + step))
        weights = self.network.state_dict()
        names = [name for name, value in weights.items() if value.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_(
                [self.averages[name] for name in names],
                [weights[name] for name in names],
                1.0 - decay,
            )
            # Counters of batches and the like have no average.
            for name in weights.keys() - names:
                self.averages[name].copy_(weights[name])

    def _report(self, loss: Tensor) -> None:
        value, state, settings = float(loss), self.state, self.settings
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value} at step {state.step}: expected a finite one; lower "
                f"learning_rate (it is {settings.learning_rate:g})"
            )
        report = {"step": float(state.step), "loss": value, "rate": rate(state.step, settings)}
        state.history.append(report)
        if self.accelerator.is_main_process:
            self.progress(self.stage, state.step, settings.steps, report)

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
        if self.at_checkpoint is not None and self.accelerator.is_main_process:
            weights = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
            self.network.load_state_dict(self.averages)
            self.at_checkpoint(self.state.step)
            # The training goes on from its own weights, not from their averages.
            self.network.load_state_dict(weights)
        self.accelerator.wait_for_everyone()


def rate(step: int, settings: TrainingSettings) -> float:
    """Return the learning rate of a step."""
    return learning_rate(
        step, peak=settings.learning_rate, warmup=settings.warmup, steps=settings.steps
    )
