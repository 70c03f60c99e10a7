"""Ax as a guest: its experiment is rebuilt in memory for each call, and nothing is stored in it.

The only module that imports Ax. The ``ax`` strategy is Ax's own default generation ("fast" method:
Sobol, then Gaussian processes and sequential-greedy qLogNEHVI), given the campaign's search space,
constraints, thresholds, results and pending runs. Ax knows no instrument steps at a bearable cost,
so its settings are snapped afterwards.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, LinearConstraint, Value
from engine.errors import ModelError, UsageError
from engine.history import History, Run
from engine.propose.batch import DistinctLimits
from engine.propose.fused_kernel import without_compiling
from engine.propose.room import Room
from engine.propose.space import Space
from engine.propose.spacefilling import fill_space
from engine.propose.training import typical_ambient

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AxAnswer:
    """Snapped settings (c columns), the seconds that Ax's generation took, and remarks."""

    settings: Array
    seconds: float
    notes: tuple[str, ...]


def generate_with_ax(
    space: Space,
    history: History,
    n: int,
    seed: int,
    *,
    room: Room,
    taken: set[tuple[float, ...]],
    limits: DistinctLimits,
    fixed: Mapping[str, Value],
) -> AxAnswer:
    """Ask Ax's default generation for ``n`` runs in the typical room.

    Raises:
        UsageError: the campaign has an equality between parameters, which Ax does not take.
        ModelError: Ax could not generate.
    """
    with warnings.catch_warnings(), _quietly():
        warnings.simplefilter("ignore")
        client, skipped = build_client(space, history, seed)
        held: dict[str, Any] = {**fixed}
        held.update({p.name: float(x) for p, x in zip(space.ambient, room.typical, strict=True)})
        started = time.perf_counter()
        try:
            with without_compiling():
                trials = client.get_next_trials(max_trials=n, fixed_parameters=held or None)
        except (
            Exception
        ) as error:  # Ax's own tree is wide; whatever it is, the user can go on with gp
            raise ModelError(
                f"Ax could not generate candidates ({error}); use --strategy gp."
            ) from error
        seconds = time.perf_counter() - started
    notes = []
    if skipped:
        notes.append(f"Ax was not told of {skipped} runs outside the bounds: it takes none.")
    settings = space.settings_of([dict(parameters) for parameters in trials.values()])
    chosen: list[Array] = []
    seen = set(taken)
    for row in settings:
        snapped = space.snap(row)
        if (
            space.key(snapped) not in seen
            and space.is_feasible(snapped[None])[0]
            and limits.allowed(snapped[None], chosen)[0]
        ):
            seen.add(space.key(snapped))
            chosen.append(snapped)
    if len(chosen) < n:
        notes.append(
            f"{n - len(chosen)} of Ax's settings fell on runs that exist, or out of the limits, "
            "once on the instrument's steps; space-filling took their place."
        )
        known = space.settings_of([run.conditions for run in history.finished])
        rest = fill_space(
            space,
            n - len(chosen),
            seed,
            taken=seen,
            known=known,
            limits=limits,
            fixed=fixed,
            chosen=chosen,
        )
        chosen.extend(rest)
    return AxAnswer(np.stack(chosen), seconds, tuple(notes))


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep from the terminal what Ax logs of each trial; every logger of its has its own level."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def build_client(space: Space, history: History, seed: int) -> tuple[Any, int]:
    """Return an Ax ``Client`` that knows the campaign and its runs, and how many runs it refused.

    Raises:
        UsageError: the campaign has an equality between parameters.
    """
    inequalities = [
        _inequality(constraint) for constraint in history.campaign.parameter_constraints
    ]
    from ax.api.client import Client

    campaign = history.campaign
    client = Client(random_seed=seed)
    client.configure_experiment(
        name=campaign.name,
        parameters=_parameters(space, history),
        parameter_constraints=inequalities,
    )
    metrics = {name: f"outcome_{i}" for i, name in enumerate(campaign.outcomes)}
    client.configure_optimization(
        objective=", ".join(
            f"{'-' if o.sign < 0 else ''}{metrics[o.outcome]}" for o in campaign.objectives
        ),
        outcome_constraints=_outcome_constraints(campaign, metrics),
    )
    # A client that had lived through the campaign would be past its start; a rebuilt one would put
    # the centre of the space, once more, in the first place of every batch.
    client.configure_generation_strategy(
        initialization_random_seed=seed, initialize_with_center=not history.finished
    )
    wanted = {o.outcome for o in campaign.objectives}
    wanted |= {name for c in campaign.constraints for name in c.terms}
    fill = typical_ambient(space, history.finished)
    skipped = 0
    for run in (*history.finished, *history.pending, *history.failed):
        if not _inside(space, run):
            skipped += 1
            continue
        index = client.attach_trial(_ax_conditions(space, run, fill))
        results = {metrics[o]: float(np.mean(run.outcomes[o])) for o in wanted if o in run.outcomes}
        if run in history.failed:
            client.mark_trial_failed(index)
        elif len(results) == len(wanted):
            client.complete_trial(index, raw_data=results)
    return client, skipped


def _parameters(space: Space, history: History) -> list[Any]:
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

    runs = (*history.finished, *history.pending, *history.failed)
    configs: list[Any] = []
    for parameter in (*space.controlled, *space.ambient):
        if parameter.choices is not None:
            kind = "str" if parameter.is_categorical else "float"
            configs.append(
                ChoiceParameterConfig(
                    name=parameter.name,
                    values=list(parameter.choices),
                    parameter_type=kind,
                    is_ordered=parameter.is_numeric,
                )
            )
            continue
        low, high = parameter.bounds
        if parameter.role == "ambient":
            read = [
                float(r.conditions[parameter.name]) for r in runs if parameter.name in r.conditions
            ]
            low, high = min([low, *read]), max([high, *read])
        configs.append(
            RangeParameterConfig(name=parameter.name, bounds=(low, high), parameter_type="float")
        )
    return configs


def _inside(space: Space, run: Run) -> bool:
    setting = space.settings_of([run.conditions])[0]
    bounds = [p.bounds if p.is_numeric else (0.0, np.inf) for p in space.controlled]
    return all(low <= x <= high for x, (low, high) in zip(setting, bounds, strict=True))


def _ax_conditions(space: Space, run: Run, fill: Array) -> dict[str, Any]:
    conditions: dict[str, Any] = {p.name: run.conditions[p.name] for p in space.controlled}
    for parameter, typical in zip(space.ambient, fill, strict=True):
        conditions[parameter.name] = run.conditions.get(parameter.name, float(typical))
    return conditions


def _inequality(constraint: LinearConstraint) -> str:
    if constraint.operator == "==":
        raise UsageError(
            f"Ax takes no equality between parameters ('{constraint}'): use --strategy gp, "
            "sobol or nsga2."
        )
    return str(constraint)


def _outcome_constraints(campaign: Campaign, metrics: Mapping[str, str]) -> list[str]:
    rules = [
        f"{metrics[o.outcome]} {'>=' if o.sign > 0 else '<='} {o.threshold!r}"
        for o in campaign.objectives
    ]
    if len(campaign.objectives) == 1:
        rules = []
    for constraint in campaign.constraints:
        name, factor = next(iter(constraint.terms.items()))
        upper = (constraint.operator == "<=") == (factor > 0)
        rules.append(f"{metrics[name]} {'<=' if upper else '>='} {constraint.bound / factor!r}")
    return rules
