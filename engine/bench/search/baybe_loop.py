"""BayBE as a user of it would write the loop: a campaign over a table's rows, all at its defaults.

BayBE is no dependency: it comes with the extra ``peers``. Parameters are numeric-discrete or
categorical with the values of the table, each objective a ``NumericalTarget``, two and more a
``ParetoObjective``; a batch is what its own recommender chooses among rows that were not measured.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from engine.campaign import Value
from engine.campaign.history import History
from engine.errors import UsageError

NAME = "baybe"


def choose_by_baybe(
    history: History, pool: Sequence[Mapping[str, Value]], n: int, seed: int
) -> list[int]:
    """Choose ``n`` of the conditions in ``pool``; return their indices.

    Raises:
        UsageError: BayBE is not installed, or an objective aims at a target.
    """
    if find_spec("baybe") is None:
        raise UsageError(
            "expected BayBE for the strategy 'baybe', found it not installed: "
            "pip install 'spinneret[peers]'",
            field="strategy",
        )
    import torch

    from engine.propose.fused_kernel import without_compiling

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), without_compiling():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        # It draws from numpy's global generator, too.
        state = np.random.get_state()
        np.random.seed(seed)
        try:
            return _choose(history, pool, n)
        finally:
            np.random.set_state(state)


def _choose(history: History, pool: Sequence[Mapping[str, Value]], n: int) -> list[int]:
    import pandas as pd
    from baybe import Campaign
    from baybe.searchspace import SearchSpace

    runs = history.finished
    names = [parameter.name for parameter in history.campaign.parameters]
    measured = pd.DataFrame([{name: run.conditions[name] for name in names} for run in runs])
    open_rows = pd.DataFrame([{name: row[name] for name in names} for row in pool])
    # Rows by number as well: what BayBE returns is found again whatever it does to the values.
    rows = pd.concat([measured, open_rows], ignore_index=True)
    varied = [name for name in names if rows[name].nunique() > 1]
    campaign = Campaign(
        SearchSpace.from_dataframe(
            rows[varied].drop_duplicates(), [_parameter(name, rows[name]) for name in varied]
        ),
        _objective(history),
        allow_recommending_already_measured=False,
    )
    outcomes = [objective.outcome for objective in history.campaign.objectives]
    results = measured[varied].copy()
    for outcome in outcomes:
        results[outcome] = [float(np.mean(run.outcomes[outcome])) for run in runs]
    campaign.add_measurements(results)
    batch = campaign.recommend(n)
    return _places(open_rows[varied], batch[varied])


def _parameter(name: str, values: Any) -> Any:
    from baybe.parameters import (
        CategoricalParameter,
        NumericalDiscreteParameter,
    )

    distinct = sorted(set(values))
    if any(isinstance(value, str) for value in distinct):
        return CategoricalParameter(name, [str(value) for value in distinct])
    return NumericalDiscreteParameter(name, distinct)


def _objective(history: History) -> Any:
    from baybe.objectives import ParetoObjective
    from baybe.targets import NumericalTarget

    targets = []
    for objective in history.campaign.objectives:
        if objective.goal == "target":
            raise UsageError(
                f"expected objectives to maximize or minimize for 'baybe', got a target for "
                f"{objective.outcome}",
                field="strategy",
            )
        targets.append(NumericalTarget(objective.outcome, minimize=objective.goal == "minimize"))
    return targets[0].to_objective() if len(targets) == 1 else ParetoObjective(targets)


def _places(rows: Any, batch: Any) -> list[int]:
    """Return the places of the rows of ``batch`` among ``rows``, each once."""
    places: list[int] = []
    for choice in batch.itertuples(index=False):
        is_equal = np.all(
            [rows[name] == value for name, value in zip(rows, choice, strict=True)], 0
        )
        free = [int(place) for place in np.flatnonzero(is_equal) if int(place) not in places]
        places.append(free[0])
    return places
