"""The table network of MatMCL as published, trained on a campaign's own runs.

Wu et al., npj Comput. Mater. 11, 276 (2025) give a run's conditions and its test direction to an
encoder (five layers of 512, then a linear map to a latent of 128 of unit length) and the latent to
a head of three layers of 128, which answers all properties. With their settings: inputs and
properties standardised, mean squared error, Adam, batches of 32, the learning rate 5e-4 after a
tenth of warm-up down to none, weight decay 1e-4, dropout 0.2 in the head, 100 epochs at the most,
stopped 20 epochs after the best on validation runs.

They freeze the encoder after contrastive training against micrographs. Where runs have none there
is nothing to contrast: encoder and head are then trained together, on the same rows and loss. The
validation runs, 15 % of those to learn from, are drawn by recipe. With a pretrained checkpoint the
recipe is whole: its frozen, unit-norm table latent beside the direction, and the head alone learns.

Notation: X (n, d) conditions in the unit cube and the direction, one column each; Y (n, q)
standardised properties, NaN where not measured; a run gives one row for each direction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.bench.models.prediction import Predicted
from engine.campaign import Campaign, Value
from engine.campaign.history import History
from engine.propose.space import Space
from engine.propose.training_data import training_data

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ENCODER_WIDTH, ENCODER_LAYERS, LATENT = 512, 5, 128
HEAD_WIDTH, HEAD_LAYERS, DROPOUT = 128, 3, 0.2
EPOCHS, PATIENCE, BATCH = 100, 20, 32
LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 5e-4, 1e-4, 0.1
VALIDATION_SHARE = 0.15


class TableNetwork(nn.Module):
    """Conditions (n, d) → latent of unit length (n, 128) → standardised properties (n, q)."""

    def __init__(self, d: int, q: int) -> None:
        super().__init__()
        self.encoder = _layers(d, ENCODER_WIDTH, LATENT, ENCODER_LAYERS, dropout=0.0)
        self.project = nn.Linear(LATENT, LATENT)
        self.head = _layers(LATENT, HEAD_WIDTH, q, HEAD_LAYERS, dropout=DROPOUT)

    def latent(self, X: Tensor) -> Tensor:
        """Return the latent, (n, 128), of unit length."""
        return nn.functional.normalize(self.project(self.encoder(X)), dim=-1)

    def forward(self, X: Tensor) -> Tensor:
        """Return standardised properties, (n, q)."""
        properties: Tensor = self.head(self.latent(X))
        return properties


def _layers(d: int, width: int, q: int, n_layers: int, *, dropout: float) -> nn.Sequential:
    sizes = [d, *([width] * (n_layers - 1)), q]
    parts: list[nn.Module] = []
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        parts.append(nn.Linear(fan_in, fan_out))
        if i < n_layers - 1:
            parts += [nn.Dropout(dropout), nn.ReLU()] if dropout else [nn.ReLU()]
    return nn.Sequential(*parts)


@dataclass(frozen=True)
class Layout:
    """Which column and direction answer an outcome.

    ``column``, ``direction``: (m,) indices into the properties and directions of the outcomes.
    """

    column: Index
    direction: Index

    @classmethod
    def from_names(cls, outcomes: Sequence[str]) -> Layout:
        """Split ``property.direction``; an outcome without a direction is measured in none."""
        parts = [(name, direction) for name, _, direction in (o.partition(".") for o in outcomes)]
        names, directions = (list(dict.fromkeys(column)) for column in zip(*parts, strict=True))
        return cls(
            np.array([names.index(name) for name, _ in parts]),
            np.array([directions.index(direction) for _, direction in parts]),
        )

    @property
    def n_directions(self) -> int:
        """How many directions there are, the lack of one counted."""
        return int(self.direction.max()) + 1

    def inputs(self, X: Array) -> Array:
        """Return (n · directions, d + directions): every row in every direction, row by row."""
        k = self.n_directions
        return np.hstack([np.repeat(X, k, axis=0), np.tile(np.eye(k), (len(X), 1))])

    def targets(self, Y: Array) -> Array:
        """Return outcomes (n, m) as properties (n · directions, q), NaN where there is none."""
        k = self.n_directions
        table = np.full((len(Y), k, int(self.column.max()) + 1), np.nan)
        table[:, self.direction, self.column] = Y
        return table.reshape(len(Y) * k, -1)

    def outcomes(self, properties: Array) -> Array:
        """Return properties (n · directions, q) as outcomes (n, m)."""
        table = properties.reshape(-1, self.n_directions, properties.shape[-1])
        return np.asarray(table[:, self.direction, self.column])


Encode = Callable[[Sequence[Mapping[str, Value]]], Array]
"""Conditions (n) → frozen latents (n, k)."""


def predict(
    history: History,
    conditions: Sequence[Mapping[str, Value]],
    outcomes: Sequence[str],
    *,
    seed: int,
    encode: Encode | None = None,
) -> Predicted:
    """Train on ``history.finished`` and return the means at ``conditions``, in the outcomes' units.

    With ``encode`` the head alone is trained, on what it returns.

    Raises:
        ModelError: too few results, or an outcome that never varies.
    """
    campaign = history.campaign
    space, layout = Space(campaign), Layout.from_names(outcomes)
    data = training_data(history, space, outcomes)
    raw = np.stack(
        [
            data.work.unscaled.untransform(outcome, data.Y[:, i])
            for i, outcome in enumerate(outcomes)
        ],
        axis=1,
    )
    X, X_new = data.X, space.encode(conditions, data.fill)
    if encode is not None:
        runs = [run for run in history.finished if any(o in run.outcomes for o in outcomes)]
        X, X_new = encode([run.conditions for run in runs])[data.run], encode(conditions)
    recipe = np.repeat(np.unique(data.X, axis=0, return_inverse=True)[1], layout.n_directions)
    properties = fit_and_predict(
        layout.inputs(X),
        layout.targets(raw),
        recipe.ravel(),
        layout.inputs(X_new),
        seed=seed,
        make=TableNetwork if encode is None else head,
    )
    return Predicted(layout.outcomes(properties))


def checkpoint_latent(folder: Path, campaign: Campaign) -> Encode:
    """Return the frozen latent of a checkpoint's table side, of unit length, as an encoder.

    Raises:
        CheckpointError: the folder holds no checkpoint that can be read.
    """
    from engine.sources.encoding import encode_conditions
    from surrogate.matmcl.checkpoint import load_checkpoint

    model = load_checkpoint(folder, parts="table")

    def encode(conditions: Sequence[Mapping[str, Value]]) -> Array:
        T = encode_conditions(campaign, model.vocabulary, conditions)
        with torch.no_grad():
            latent: Tensor = model.project(model.table_latent(torch.from_numpy(T).float()))
        return latent.double().numpy()

    return encode


def head(d: int, q: int) -> nn.Module:
    """Return the head alone: latents (n, d) → standardised properties (n, q)."""
    return _layers(d, HEAD_WIDTH, q, HEAD_LAYERS, dropout=DROPOUT)


def fit_and_predict(
    X: Array,
    Y: Array,
    recipe: Index,
    X_new: Array,
    *,
    seed: int,
    make: Callable[[int, int], nn.Module] = TableNetwork,
) -> Array:
    """Train a network on rows X (n, d), Y (n, q) and return its answers at ``X_new`` (k, q).

    ``recipe``: (n,) which rows must not be torn between training and validation. ``make``: the
    network for d inputs and q outputs.
    """
    is_measured = ~np.isnan(Y).all(axis=1)
    X, Y, recipe = X[is_measured], Y[is_measured], recipe[is_measured]
    is_validation = _validation_rows(recipe, seed)
    centre, scale = X[~is_validation].mean(axis=0), X[~is_validation].std(axis=0)
    mean, sd = np.nanmean(Y[~is_validation], axis=0), np.nanstd(Y[~is_validation], axis=0)
    scale, sd = np.where(scale > 1e-9, scale, 1.0), np.where(sd > 1e-12, sd, 1.0)

    def inputs(rows: Array) -> Tensor:
        return torch.from_numpy((rows - centre) / scale).float()

    # torch draws weights and dropout from one global stream: the caller's is left as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make(X.shape[1], Y.shape[1])
        targets = torch.from_numpy((Y - mean) / sd).float()
        _train(network, inputs(X), targets, torch.from_numpy(is_validation))
        with torch.no_grad():
            answer = network(inputs(X_new)).double().numpy()
    return np.asarray(answer * sd + mean)


def _validation_rows(recipe: Index, seed: int) -> NDArray[np.bool_]:
    """Return (n,) which rows are for validation: whole recipes, one at the least."""
    names = np.unique(recipe)
    n = min(max(1, round(VALIDATION_SHARE * len(names))), len(names) - 1)
    drawn = np.random.default_rng(seed).permutation(names)[:n]
    return np.isin(recipe, drawn)


def _train(network: nn.Module, X: Tensor, Y: Tensor, is_validation: Tensor) -> None:
    """Train in place, and keep the weights that were best on the validation rows (n,)."""
    X_t, Y_t = X[~is_validation], Y[~is_validation]
    X_v, Y_v = X[is_validation], Y[is_validation]
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    n_steps = EPOCHS * -(-len(X_t) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, n_steps))
    best, best_epoch, weights = float("inf"), 0, deepcopy(network.state_dict())
    for epoch in range(EPOCHS):
        network.train()
        for batch in torch.randperm(len(X_t)).split(BATCH):
            optimiser.zero_grad()
            _loss(network(X_t[batch]), Y_t[batch]).backward()
            optimiser.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            # Without validation rows each epoch counts as better than the one before.
            loss = float(_loss(network(X_v), Y_v)) if len(X_v) else -float(epoch)
        if loss < best:
            best, best_epoch, weights = loss, epoch, deepcopy(network.state_dict())
        elif epoch - best_epoch >= PATIENCE:
            break
    network.load_state_dict(weights)
    network.eval()


def _rate(step: int, n_steps: int) -> float:
    """Return the share of the full learning rate at ``step``: up over a tenth, then down to 0."""
    warm = max(1.0, WARM_UP * n_steps)
    return min((step + 1) / warm, max(0.0, (n_steps - step) / max(1.0, n_steps - warm)))


def _loss(predicted: Tensor, Y: Tensor) -> Tensor:
    """Return the mean squared error over what was measured; outcomes that were not are masked."""
    is_measured = ~torch.isnan(Y)
    return ((predicted - torch.nan_to_num(Y)) ** 2)[is_measured].mean()
