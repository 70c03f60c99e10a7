"""One training loop for everything: all sources, both kinds of loss, on whatever hardware is there.

On a CPU every number follows from model, data and settings (and the count of threads); each step
draws what is random from the seed and its own number, so a resumed run goes on exactly.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from surrogate.errors import FitError, InputError
from surrogate.matmcl.batches import Plan
from surrogate.matmcl.config import TrainSettings
from surrogate.matmcl.data import SourceTensors, check_sources, fingerprint
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.objective import Objective, source_loss
from surrogate.matmcl.pairs import Pairs
from surrogate.matmcl.progress_state import TrainingState, restore, store
from surrogate.matmcl.tiles import as_float, augment
from surrogate.progress import Progress, silent
from surrogate.randomness import drawn_from
from surrogate.training import learning_rate, make_accelerator
from surrogate.training_state import forget, latest, sweep

_FREE = ("device", "checkpoint_every")  # may differ when a training is taken up again
# Decay would pull σ² to 1, and the stand-ins back to the middle, whatever the data say.
_NOT_DECAYED = ("log_noise", "missing")


def train(
    model: MatMCL,
    sources: Sequence[SourceTensors],
    settings: TrainSettings | None = None,
    *,
    checkpoint_dir: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
    should_stop: Callable[[], bool] | None = None,
) -> list[dict[str, float]]:
    """Train a model in place.

    Args:
        model: with its vision encoder if tiles are to be learnt from; left in evaluation mode, on
            the device where it was.
        sources: what to learn from; each a source of the model.
        settings: the budget; defaults if ``None``.
        checkpoint_dir: where to keep ``step-…`` folders (only the last one stays). The first
            interrupt (Ctrl-C) writes one and raises ``KeyboardInterrupt``, a second one raises at
            once. ``None`` keeps nothing.
        resume: go on from the last folder there, if any; else what is there is removed.
        progress: called at every report, with the losses.
        should_stop: asked after every step; where it says so, the training is kept and ends as by
            an interrupt.

    Returns:
        The reports: ``step``, ``loss``, ``source.<name>``, ``contrastive``, ``curves``,
        ``held_out``, ``rate``.

    Raises:
        InputError: sources do not fit the model.
        FitError: the loss is no longer finite.
        CheckpointError: the folder cannot be written, or holds another training.
    """
    settings = settings or TrainSettings()
    check_sources(sources, model.vocabulary, model.config)
    for source in sources:
        model.source_index(source.name)
    home = model.log_noise.device
    accelerator = make_accelerator(
        settings.device, settings.precision, error=InputError, has_unused_parameters=True
    )
    devices = [accelerator.device] if accelerator.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            training = _Training(
                model, sources, settings, accelerator, checkpoint_dir, progress, should_stop
            )
            return training.run(resume=resume)
    finally:
        model.to(home).eval()


@dataclass
class _Training:
    """One run of :func:`train`."""

    model: MatMCL
    sources: Sequence[SourceTensors]
    settings: TrainSettings
    accelerator: Accelerator
    folder: Path | None
    progress: Progress
    should_stop: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        self.model.to(self.accelerator.device)
        self.plan = Plan(
            self.sources,
            self.settings,
            n_directions=len(self.model.vocabulary.directions),
            rank=self.accelerator.process_index,
            world=self.accelerator.num_processes,
        )
        self.optimiser = make_optimiser(self.model, self.settings)
        self.state = TrainingState()
        binding = {k: v for k, v in self.settings.to_dict().items() if k not in _FREE}
        binding["processes"] = self.accelerator.num_processes
        self.identity: dict[str, Any] = {"settings": binding, "data": ""}
        if self.folder is not None:
            self.identity["data"] = fingerprint(self.sources)

    def run(self, *, resume: bool) -> list[dict[str, float]]:
        """Take every step that is left."""
        self._start(resume=resume)
        objective, optimiser = self.accelerator.prepare(Objective(self.model), self.optimiser)
        with interruptible() as is_interrupted:
            while not self.state.is_done:
                losses = self._step(objective, optimiser)
                self.state.step += 1
                # Before the report and the checkpoint, both of which tell of it.
                self._look()
                self._report(losses)
                wants_stop = self.should_stop is not None and self.should_stop()
                is_stopped = self._anywhere(wants_stop or is_interrupted())
                if is_stopped or self.state.is_done or self._is_due(self.settings.checkpoint_every):
                    self._keep()
                if is_stopped:
                    raise KeyboardInterrupt
        return self.state.history

    def _start(self, *, resume: bool) -> None:
        if self.folder is None:
            return
        step_folder = latest(self.folder) if resume else None
        if step_folder is not None:
            self.state = restore(step_folder, self.model, self.optimiser, self.identity)
        if self.accelerator.is_main_process:
            sweep(self.folder) if step_folder is not None else forget(self.folder)
        self.accelerator.wait_for_everyone()

    def _step(self, objective: torch.nn.Module, optimiser: Any) -> dict[str, Tensor]:
        step, settings, device = self.state.step, self.settings, self.accelerator.device
        objective.train()
        luck = drawn_from(settings.seed, "dropout", step, self.accelerator.process_index)
        torch.manual_seed(luck.initial_seed())
        wants_pairs = (
            self.model.vision is not None
            and self.model.config.contrastive_weight > 0
            and (step + 1) % settings.contrastive_every == 0
        )
        batch = self.plan.batch(step, with_pairs=wants_pairs)
        rows = tuple(part.to(device) for part in batch.rows)
        pairs = None if batch.pairs is None else self._on_device(batch.pairs, batch.generator)
        for group in self.optimiser.param_groups:
            group["lr"] = rate(step, settings)
        losses: dict[str, Tensor] = objective(rows, pairs)
        self.accelerator.backward(losses["loss"])
        self.accelerator.clip_grad_norm_(self.model.parameters(), settings.clip)
        optimiser.step()
        optimiser.zero_grad()
        return losses

    def _on_device(self, pairs: Pairs, generator: torch.Generator) -> Pairs:
        """Return pairs on the device, their tiles (k, 1, s, s), 0…1, varied."""
        device, tiles = self.accelerator.device, pairs.tiles
        if tiles is not None:
            tiles = as_float(tiles.to(device).unsqueeze(1))
            tiles = augment(tiles, self.settings, generator)
        return Pairs(
            pairs.table.to(device),
            tiles,
            None if pairs.has_tile is None else pairs.has_tile.to(device),
            None if pairs.curves is None else pairs.curves.to(device),
        )

    def _is_due(self, interval: int) -> bool:
        return self.state.step % interval == 0

    def _look(self) -> None:
        """Look at the held-out loss now and then; remember the best weights, stop without gain."""
        state, settings = self.state, self.settings
        is_last = state.step >= settings.steps
        if self.plan.has_held_out and (is_last or self._is_due(settings.evaluate_every)):
            loss = self._held_out()
            if state.best_loss is None or loss < state.best_loss:
                weights = self.model.state_dict()
                state.best_loss, state.stale = loss, 0
                # Cloned: `state_dict` shares memory with the weights that go on being trained.
                state.best = {name: value.detach().clone() for name, value in weights.items()}
            else:
                state.stale += 1
            state.history.append({"step": float(state.step), "held_out": loss})
        state.is_done = is_last or state.stale >= settings.patience
        if state.is_done and state.best:
            self.model.load_state_dict(state.best)

    def _held_out(self) -> float:
        """Return the mean over sources of the held-out loss per measured value."""
        self.model.eval()
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        with torch.no_grad():
            for rows in self.plan.held_out():
                measured = int((~torch.isnan(rows.outcomes)).sum())
                loss = float(source_loss(self.model, rows.to(self.accelerator.device)))
                sums[rows.source] = sums.get(rows.source, 0.0) + loss * measured
                counts[rows.source] = counts.get(rows.source, 0) + measured
        # Each source counts once, however many rows it has.
        return sum(sums[name] / max(counts[name], 1) for name in sums) / len(sums)

    def _report(self, losses: Mapping[str, Tensor]) -> None:
        state, settings = self.state, self.settings
        is_due = state.is_done or self._is_due(settings.report_every)
        if not (is_due or self._is_due(settings.checkpoint_every)):
            return  # reading a loss waits for the GPU
        report = {name: float(value.detach()) for name, value in losses.items()}
        # Looked at before a checkpoint, too: what is not finite is not worth keeping.
        if not math.isfinite(report["loss"]):
            raise FitError(
                f"the loss is {report['loss']} at step {state.step}: expected a finite one; lower "
                f"learning_rate (it is {settings.learning_rate:g})"
            )
        if not is_due:
            return
        report |= {"step": float(state.step), "rate": rate(state.step - 1, settings)}
        if state.history and state.history[-1].get("step") == state.step:
            report |= state.history.pop()
        state.history.append(report)
        if self.accelerator.is_main_process:
            self.progress("training", state.step, settings.steps, report)

    def _anywhere(self, wants_stop: bool) -> bool:
        """Whether any process was asked to stop: all stop after the same step."""
        if self.accelerator.num_processes == 1:
            return wants_stop
        if wants_stop:
            self.accelerator.set_trigger()
        return bool(self.accelerator.check_trigger())

    def _keep(self) -> None:
        if self.folder is not None and self.accelerator.is_main_process:
            store(self.folder, self.model, self.optimiser, self.state, self.identity)
        self.accelerator.wait_for_everyone()


def make_optimiser(model: MatMCL, settings: TrainSettings) -> torch.optim.AdamW:
    """Return AdamW; weight decay on matrices only, not on biases, norms or noise."""
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim > 1 and not name.endswith(_NOT_DECAYED)
        (decayed if is_matrix else free).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def rate(step: int, settings: TrainSettings) -> float:
    """Return the learning rate of a step."""
    return learning_rate(
        step, peak=settings.learning_rate, warmup=settings.warmup, steps=settings.steps
    )


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first interrupt into a flag that is read between steps; the second one raises."""
    interrupts: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        # Python hands signals to the main thread only: https://docs.python.org/3/library/signal.html
        yield lambda: False
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interrupts:
            raise KeyboardInterrupt
        interrupts.append(number)

    former = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(interrupts)
    finally:
        signal.signal(signal.SIGINT, former)
