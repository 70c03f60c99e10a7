"""Ax as a guest: its experiment is rebuilt in memory for each call, and nothing is stored in it.

Only this module and :mod:`engine.propose.ax_surrogate` import Ax. The ``ax`` strategy is Ax's own
default generation ("fast" method: Sobol, then Gaussian processes and sequential-greedy qLogNEHVI),
given the campaign's search space, constraints, thresholds, results and pending runs; ``ax-matmcl``
is the same with the engine's surrogate. Ax knows no instrument steps at a bearable cost, so its
settings are snapped afterwards; nor exclusions, so that they are moved out of these; nor targets:
it is given the distance of each run from the target, negative, as an outcome of its own to
maximise.
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

from engine.campaign import Value
from engine.campaign.history import History
from engine.errors import ModelError, SpinneretError, UsageError, field
from engine.propose.ax_parameters import (
    AxUnits,
    ax_space,
    conditions_with_room,
    inequality,
    is_inside,
    parameter_configs,
)
from engine.propose.ax_surrogate import Guide, guided_strategy
from engine.propose.batch import DistinctLimits
from engine.propose.fused_kernel import without_compiling
from engine.propose.neighbours import nearest_allowed
from engine.propose.reach import reference_point
from engine.propose.room import Room
from engine.propose.space import Space
from engine.propose.spacefilling import take_then_fill
from engine.propose.training_data import typical_ambient
from engine.propose.work_space import WorkSpace, unit_near
from surrogate.exclusive import MODELS

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
    excluded: set[tuple[int, ...]],
    limits: DistinctLimits,
    fixed: Mapping[str, Value],
    guide: Guide | None = None,
) -> AxAnswer:
    """Ask Ax for ``n`` runs in the typical room: its default generation, or with ``guide``'s model.

    Raises:
        UsageError: the campaign has an equality between parameters or a limit on an objective,
            which Ax does not take.
        ModelError: Ax could not generate.
    """
    with warnings.catch_warnings(), _quietly():
        warnings.simplefilter("ignore")
        units = AxUnits(ax_space(space.campaign, history))
        stated = {p.name: float(x) for p, x in zip(space.ambient, room.typical, strict=True)}
        fixed_conditions = units.scaled({**fixed, **stated})
        try:
            client, skipped = build_client(history, seed, guide)
        except SpinneretError:
            raise
        except Exception as error:
            raise ModelError(
                f"Ax does not take this campaign ({error}); use {field('strategy')} gp."
            ) from error
        started = time.perf_counter()
        try:
            with MODELS, without_compiling():
                trials = client.get_next_trials(
                    max_trials=n, fixed_parameters=fixed_conditions or None
                )
        except (
            Exception
        ) as error:  # Ax's own tree is wide; whatever it is, the user can go on with gp
            raise ModelError(
                f"Ax could not generate candidates ({error}); use {field('strategy')} gp."
            ) from error
        seconds = time.perf_counter() - started
    notes = []
    if skipped:
        notes.append(
            f"Ax was not told of {skipped} {'run' if skipped == 1 else 'runs'} outside of what is "
            "searched today: it takes none."
        )
    constants = {p.name: p.settable[0] if p.choices else p.bounds[0] for p in space.controlled}
    rows = space.settings_of(
        [{**constants, **units.restored(parameters)} for parameters in trials.values()]
    )
    settings, filled = take_then_fill(
        space,
        history,
        (nearest_allowed(space, space.snap(row), fixed) for row in rows),
        n,
        seed,
        excluded=excluded,
        limits=limits,
        fixed=fixed,
    )
    if filled:
        notes.append(
            f"{filled} of Ax's settings fell on runs that exist, out of the limits"
            f"{' or into exclusions' if space.campaign.exclusions else ''}, "
            "once on the instrument's steps; space-filling took their place."
        )
    return AxAnswer(settings, seconds, tuple(notes))


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep from the terminal what Ax logs of each trial; every logger of its has its own level."""
    disabled_level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled_level)


def build_client(history: History, seed: int, guide: Guide | None = None) -> tuple[Any, int]:
    """Return an Ax ``Client`` that knows the campaign and its runs, and how many runs it refused.

    With ``guide``, results and thresholds are in work space.

    Raises:
        UsageError: the campaign has an equality between parameters, or a limit on an objective.
    """
    campaign = history.campaign
    space = ax_space(campaign, history)
    units = AxUnits(space)
    rules = [inequality(campaign, c, units) for c in campaign.parameter_constraints]
    inequalities = [rule for rule in rules if rule is not None]
    from ax.api.client import Client

    client = Client(random_seed=seed)
    client.configure_experiment(
        name=campaign.name,
        parameters=parameter_configs(space, history, units),
        parameter_constraints=inequalities,
    )
    metrics = {name: f"outcome_{i}" for i, name in enumerate(campaign.outcomes)}
    distances = {
        o.outcome: f"distance_{i}" for i, o in enumerate(campaign.objectives) if o.goal == "target"
    }
    scale = _Scale.from_history(history, is_guided=guide is not None)
    client.configure_optimization(
        objective=", ".join(
            distances.get(o.outcome, f"{'-' if o.goal == 'minimize' else ''}{metrics[o.outcome]}")
            for o in campaign.objectives
        ),
        outcome_constraints=_outcome_constraints(history, metrics, distances, guide, scale),
    )
    needed = set(campaign.wanted_outcomes)
    # A client that had lived through the campaign would be past its start; a rebuilt one would put
    # the centre of the space, once more, in the first place of every batch.
    if guide is None:
        counts = [sum(bool(run.outcomes.get(o)) for run in history.finished) for o in needed]
        client.configure_generation_strategy(
            initialization_random_seed=seed,
            initialize_with_center=not history.finished,
            # Of runs with some of the outcomes Ax learns, but it counts none of them as observed.
            min_observed_initialization_trials=0 if min(counts) >= 2 else None,
            allow_exceeding_initialization_budget=True,
        )
    else:
        client.set_generation_strategy(
            guided_strategy(space, guide, metrics, tuple(distances.values()))
        )
    needed = {o.outcome for o in campaign.objectives if o.outcome not in distances}
    needed |= {name for c in campaign.constraints for name in c.terms}
    targets = [o for o in campaign.objectives if o.outcome in distances]
    fill = typical_ambient(space, history.finished)
    skipped = 0
    for run in (*history.finished, *history.pending, *history.failed):
        if not is_inside(campaign, run):
            skipped += 1
            continue
        # A trial that is attached and not completed counts as pending for Ax.
        index = client.attach_trial(units.scaled(conditions_with_room(space, run, fill)))
        results = {
            metrics[o]: float(np.mean(scale.scaled(o, np.array(run.outcomes[o]))))
            for o in needed
            if run.outcomes.get(o)
        }
        for objective in targets:
            if run.outcomes.get(objective.outcome):
                mean = np.array(np.mean(run.outcomes[objective.outcome]))
                results[distances[objective.outcome]] = float(scale.work.gains(objective, mean))
        if run in history.failed:
            client.mark_trial_failed(index)
        elif results:
            client.complete_trial(index, raw_data=results)
    return client, skipped


@dataclass(frozen=True)
class _Scale:
    """How Ax is told outcomes: in work space where it is guided, else in units of their spread."""

    work: WorkSpace
    units: Mapping[str, float] | None

    @classmethod
    def from_history(cls, history: History, *, is_guided: bool) -> _Scale:
        work = WorkSpace.from_runs(history.campaign, history.finished)
        if is_guided:
            return cls(work, None)
        values = {
            o: [v for run in history.finished for v in run.outcomes.get(o, ())]
            for o in history.campaign.outcomes
        }
        return cls(work, {o: unit_near(column) if column else 1.0 for o, column in values.items()})

    def scaled(self, outcome: str, values: Array) -> Array:
        """Take values in the outcome's unit to what Ax is told."""
        return (
            self.work.transform(outcome, values)
            if self.units is None
            else values / self.units[outcome]
        )

    def bound(self, outcome: str, bound: float) -> float:
        """Take a bound in the outcome's unit to what Ax is told."""
        if self.units is None:
            return self.work.bound(outcome, bound)
        return bound / self.units[outcome]


def _outcome_constraints(
    history: History,
    metrics: Mapping[str, str],
    distances: Mapping[str, str],
    guide: Guide | None,
    scale: _Scale,
) -> list[str]:
    campaign = history.campaign
    rules = []
    reference = guide.reference if guide is not None else _reference_in_units(history, scale)
    for objective, least in zip(campaign.objectives, reference, strict=True):
        name = objective.outcome
        if name in distances:
            rules.append(f"{distances[name]} >= {float(least)!r}")
        elif objective.goal == "minimize":
            rules.append(f"{metrics[name]} <= {-float(least)!r}")
        else:
            rules.append(f"{metrics[name]} >= {float(least)!r}")
    if len(campaign.objectives) == 1:
        rules = []
    for constraint in campaign.constraints:
        name, factor = next(iter(constraint.terms.items()))
        if name in {o.outcome for o in campaign.objectives} - set(distances):
            raise UsageError(
                f"Ax takes no limit on an objective ('{constraint}') beside its threshold: use "
                f"{field('strategy')} matmcl, gp, sobol or nsga2."
            )
        upper = (constraint.operator == "<=") == (factor > 0)
        bound = scale.bound(name, constraint.bound / factor)
        rules.append(f"{metrics[name]} {'<=' if upper else '>='} {bound!r}")
    return rules


def _reference_in_units(history: History, scale: _Scale) -> list[float]:
    """Return the gains from which on runs count, as Ax is told them, a target's in tolerances.

    Where no run reaches a threshold, that is what the nearest run has come to.
    """
    campaign = history.campaign
    work = scale.work.unscaled
    reference, _ = reference_point(campaign, history.finished, explore=False, work=work)
    gains = []
    for objective, least in zip(campaign.objectives, reference, strict=True):
        if objective.goal == "target":
            gains.append(least)
            continue
        side = 1.0 if objective.goal == "maximize" else -1.0
        if least == work.reference(objective):
            value = side * objective.reference
        else:
            value = float(work.untransform(objective.outcome, np.array(side * least)))
        gains.append(side * scale.bound(objective.outcome, value))
    return gains
