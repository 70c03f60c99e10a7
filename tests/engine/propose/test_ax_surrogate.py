"""The ``ax-matmcl`` strategy: Ax searches with the engine's surrogate, the sources in its mean."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import UsageError
from engine.propose import suggest
from engine.propose.ax_adapter import build_client
from engine.propose.ax_surrogate import Guide
from engine.propose.request import ProposeRequest
from engine.propose.space import Space
from engine.propose.training_data import training_data
from engine.workspace.settings import ProposeSettings
from surrogate.gp import fit_outcomes, joint_moments
from surrogate.sourced import HeadLayout
from surrogate.sourced_gp import GPConfig

OUTCOMES = ("strength", "stretch")


class Toy:
    """Heads that know the toy's trends on its unit cube (a, b, room), and a deviation."""

    layout = HeadLayout(("older",), (1,))

    def __call__(self, X: Tensor) -> Tensor:
        a, b = X[..., 0], 2 * X[..., 1]
        room = 20 * (X[..., 2] - 0.5)
        mean = torch.stack([a - (b - 1) ** 2 + 0.02 * room, -2.5 * a - (b - 1.2) ** 2], dim=-1)
        return torch.stack([2 * mean, torch.sin(2 * mean)], dim=-1)


class ToyKnowledge:
    """A ``Knowledge`` of the toy campaign."""

    sha256 = "0" * 64

    def heads(self, outcomes: Sequence[str]) -> Toy:
        assert tuple(outcomes) == OUTCOMES
        return Toy()

    def within(self, *_: object) -> ToyKnowledge:
        return self

    def labs(self, outcomes: Sequence[str]) -> None:
        """Know no simulated labs."""


def client_of(history: History, guide: Guide) -> Any:
    """Return Ax's client, without what it warns of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build_client(history, 1, guide)[0]


def fitted_by_ax(history: History, heads: Toy | None) -> tuple[list[str], list[Any]]:
    """Return the columns, and the model that Ax fits to each outcome, before it generates."""
    client = client_of(history, Guide(heads, OUTCOMES, (0.0, 1.0)))
    node = client._generation_strategy._curr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node._fit(experiment=client._experiment)
    adapter = node._fitted_adapter
    return adapter.parameters, adapter.generator.surrogate.model.models


@pytest.mark.parametrize("heads", [None, Toy()])
def test_ax_fits_the_engines_model_to_the_engines_columns(
    history: History, heads: Toy | None
) -> None:
    # One reading of the room lies outside its range: Ax's own bounds are wider than the cube.
    first = history.finished[0]
    outside = replace(first, conditions={**first.conditions, "room": 33.0})
    history = History(history.campaign, (outside, *history.finished[1:]))
    space = Space(history.campaign)
    columns, models = fitted_by_ax(history, heads)
    assert columns == list(space.labels)

    data = training_data(history, space, OUTCOMES)
    X, Y = torch.from_numpy(data.X), torch.from_numpy(data.Y)
    means, covariances = joint_moments(fit_outcomes(X, Y, config=GPConfig(), heads=heads), X)
    low, high = np.array([p.bounds for p in (*space.controlled, *space.ambient)]).T
    raw = torch.from_numpy(low + data.X * (high - low))
    for place, model in enumerate(models):
        assert torch.allclose(model.transform_inputs(raw)[:, :3], X, atol=1e-9)
        # Ax standardises what it hands the model.
        theirs = model.posterior(raw)
        spread = Y[:, place].std()
        ours = (means[place] - Y[:, place].mean()) / spread
        deviation = covariances[place].diagonal().sqrt() / spread
        assert torch.allclose(theirs.mean[:, 0], ours, atol=0.05)
        assert torch.allclose(theirs.variance[:, 0].sqrt(), deviation, atol=0.05)


def test_the_heads_change_what_ax_expects(history: History) -> None:
    few = History(history.campaign, history.finished[:6])
    probe = torch.tensor([[0.9, 0.3, 20.0]], dtype=torch.double)
    with_heads, without = fitted_by_ax(few, Toy())[1], fitted_by_ax(few, None)[1]
    for informed, plain in zip(with_heads, without, strict=True):
        with torch.no_grad():
            difference = informed.posterior(probe).mean - plain.posterior(probe).mean
        assert abs(difference.item()) > 0.05


def test_new_settings_on_the_instrument_and_what_the_source_gave(
    history: History, quick: ProposeSettings
) -> None:
    few = History(history.campaign, history.finished[:9])
    request = ProposeRequest(n=2, seed=1, strategy="ax-matmcl", fixed={"b": 1.25}, explore=True)
    batch = suggest(few, request, quick, ToyKnowledge())  # type: ignore[arg-type]
    assert batch.strategy == "ax-matmcl"
    assert [source.name for source in batch.sources] == ["older"]
    assert batch.sources[0].used
    settings = [dict(s.conditions) for s in batch.suggestions]
    space = Space(few.campaign)
    assert len(space.keys(settings)) == 2
    assert not space.keys(settings) & space.keys(run.conditions for run in few.finished)
    assert space.is_feasible(space.settings_of(settings)).all()
    assert {s["b"] for s in settings} == {1.25}
    assert all(set(s.outcomes) == set(OUTCOMES) for s in batch.suggestions)


def test_an_outcome_limit_reaches_ax_in_work_space(
    toy_with: Callable[..., Campaign], runs_of: Callable[..., tuple[Run, ...]]
) -> None:
    campaign = toy_with(
        objectives=[{"outcome": "stretch", "threshold": 1.0}], constraints=["strength >= 2"]
    )
    history = History(campaign, runs_of(campaign, 8))
    client = client_of(history, Guide(None, OUTCOMES[::-1], (1.0,)))
    config = client._experiment.optimization_config
    assert [c.bound for c in config.outcome_constraints] == [pytest.approx(np.log(2.0))]


def test_the_front_to_beat_reaches_ax_in_work_space(history: History) -> None:
    client = client_of(history, Guide(None, OUTCOMES, (0.5, 1.2)))
    thresholds = client._experiment.optimization_config.objective_thresholds
    assert [t.bound for t in thresholds] == [0.5, 1.2]


@pytest.mark.parametrize("strategy", ["ax", "ax-matmcl"])
def test_a_limit_on_an_objective_is_refused(
    toy_with: Callable[..., Campaign],
    runs_of: Callable[..., tuple[Run, ...]],
    quick: ProposeSettings,
    strategy: str,
) -> None:
    campaign = toy_with(constraints=["strength >= 2"])
    history = History(campaign, runs_of(campaign, 24))
    with pytest.raises(UsageError, match=r"no limit on an objective .*strength >= 2"):
        suggest(history, ProposeRequest(n=2, seed=1, strategy=strategy), quick)


def test_before_there_are_results_it_starts_as_matmcl_does(
    toy: Campaign, quick: ProposeSettings
) -> None:
    request = ProposeRequest(n=4, seed=1, strategy="ax-matmcl")
    batch = suggest(History(toy, ()), request, quick, ToyKnowledge())  # type: ignore[arg-type]
    assert batch.strategy == "ax-matmcl"
    assert any("where the sources expect" in note for note in batch.notes)


def test_named_choices_are_refused(mixture_history: History, quick: ProposeSettings) -> None:
    request = ProposeRequest(n=2, seed=1, strategy="ax-matmcl")
    with pytest.raises(UsageError, match=r"named choices of solvent .*use strategy matmcl"):
        suggest(mixture_history, request, quick)
