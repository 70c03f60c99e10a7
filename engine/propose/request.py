"""What is asked of a strategy, and what it answers. Plain frozen data; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

from engine import errors
from engine.campaign import Campaign, Value
from engine.campaign.applicability import requirements
from engine.campaign.boxes import is_anything_left, least_contradiction
from engine.campaign.history import Run
from engine.errors import UsageError
from engine.experiments.conditions import read_conditions, read_counts
from engine.workspace.plugins import (
    STRATEGY_PLUGINS,
    Plugin,
    find_plugin,
    unknown_name,
    usable_names,
)
from engine.workspace.settings import MAX_BATCH, Strategy

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
SOURCED_STRATEGIES = ("matmcl", "ax-matmcl")
"""The strategies whose model knows what sources found."""


@dataclass(frozen=True)
class ProposeRequest:
    """One call for a batch.

    ``at``: stated ambient values; ambient parameters not named are averaged over recent readings,
    or the worst of those is taken (``robust``). ``fixed``: controlled parameters held at a value.
    ``max_distinct``: at most so many values of a parameter in the batch (adds to the campaign's).
    ``explore``: where no finished run reaches a threshold, search from the worst corner of the data
    instead of going towards it. ``replicates``: let settings that were run already be proposed
    again. ``forecast``: say what to expect of each proposal (benchmarks do without). ``replaces``:
    the rejected run that this one stands in for (:mod:`engine.propose.replacement`).
    """

    n: int
    seed: int
    strategy: str = "gp"  # any word may come; `checked` tells of one that is no strategy
    at: Mapping[str, float] = field(default_factory=dict)
    robust: bool = False
    fixed: Mapping[str, Value] = field(default_factory=dict)
    max_distinct: Mapping[str, int] = field(default_factory=dict)
    explore: bool = False
    replicates: bool = False
    forecast: bool = True
    replaces: int | None = None


def checked(request: ProposeRequest, campaign: Campaign) -> ProposeRequest:
    """Return a request with the campaign's own names, unless no data could meet it.

    The only check there is: command line, page, API and jobs all rely on it. Names may be spelled
    as in the headings of files, values may be text.

    >>> from engine.lab.virtual import nanofibre_campaign
    >>> campaign = nanofibre_campaign()
    >>> checked(ProposeRequest(n=4, seed=0, fixed={"V": 18}), campaign).fixed
    {'voltage': 18.0}
    >>> checked(ProposeRequest(n=400, seed=0), campaign)
    Traceback (most recent call last):
        ...
    engine.errors.UsageError: n: expected 1 to 100 runs in a batch, got 400; a batch is what is \
made before the next look at the results

    Raises:
        UsageError: a batch's size, a strategy, a name or a value that cannot be.
    """
    if not 1 <= request.n <= MAX_BATCH:
        raise UsageError(
            f"expected 1 to {MAX_BATCH} runs in a batch, got {request.n}; a batch is what is made "
            "before the next look at the results",
            field="n",
        )
    check_strategy(request.strategy)
    room = read_conditions(campaign, request.at, "at", role="ambient", belongs="fixed")
    if request.robust and not campaign.ambient:
        raise UsageError(
            f"looks for the worst of the recent rooms, but the campaign '{campaign.name}' has no "
            'parameter that the room gives (role = "ambient"); leave it out',
            field="robust",
        )
    if request.robust and len(room) == len(campaign.ambient):
        robust, at = errors.field("robust"), errors.field("at")
        raise UsageError(
            f"{robust} looks for the worst of the recent rooms, but every ambient value is stated; "
            f"drop {robust}, or a value of {at}"
        )
    fixed = read_conditions(
        campaign, request.fixed, "fixed", role="controlled", belongs="at", as_setting=True
    )
    fixed = with_needs(campaign, fixed)
    refuse_excluded(campaign, fixed)
    return replace(
        request,
        at={name: float(value) for name, value in room.items()},
        fixed=fixed,
        max_distinct=read_counts(campaign, request.max_distinct, "max_distinct"),
    )


def with_needs(campaign: Campaign, fixed: Mapping[str, Value]) -> dict[str, Value]:
    """Return held values with what they need: a drum's speed needs the drum.

    Raises:
        UsageError: a parameter that has no value beside the others, or several choices would do.
    """
    needs = requirements(campaign.controlled)
    pinned_values = dict(fixed)
    for name in fixed:
        parameter = campaign.parameter(name)
        for parent, condition in needs.get(name, ()):
            if parent not in pinned_values and len(condition.any_of) == 1:
                pinned_values[parent] = condition.any_of[0]
            text = f"{name} has a value {parameter.only_if_text}"
            if parent not in pinned_values:
                raise UsageError(f"{text}: fix {parent}, too", field="fixed")
            if not condition.holds(campaign.parameter(parent), pinned_values[parent]):
                raise UsageError(
                    f"{text}, and {parent} is held at {pinned_values[parent]}", field="fixed"
                )
    return pinned_values


def refuse_excluded(campaign: Campaign, fixed: Mapping[str, Value]) -> None:
    """Refuse held values of which exclusions leave nothing.

    Raises:
        UsageError: names the exclusions, and the values that lie in them.
    """
    if not campaign.exclusions or not fixed:
        return
    pinned = {
        name: float((campaign.parameter(name).choices or ()).index(value))
        if isinstance(value, str)
        else float(value)
        for name, value in fixed.items()
    }
    if is_anything_left(campaign.controlled, campaign.exclusions, pinned):
        return
    exclusions, pinned_values = least_contradiction(
        campaign.controlled, campaign.exclusions, pinned
    )
    values = ", ".join(
        f"{name}={fixed[name]}" if isinstance(fixed[name], str) else f"{name}={fixed[name]:g}"
        for name in pinned_values
    )
    reasons = " and ".join(exclusion.message for exclusion in exclusions)
    raise UsageError(f"{values} leaves no setting: {reasons}. Fix other values", field="fixed")


def check_strategy(name: str) -> None:
    """Refuse what is no strategy.

    Raises:
        UsageError: the message names those that there are.
    """
    if name in STRATEGIES:
        return
    plugin = find_plugin(STRATEGY_PLUGINS, name)
    if plugin is None:
        raise UsageError(unknown_name(STRATEGY_PLUGINS, name, STRATEGIES), field="strategy")
    if plugin.problem is not None:
        raise UsageError(f"{plugin.label} is left aside: {plugin.problem}", field="strategy")


def offered_strategies() -> tuple[str, ...]:
    """Return every strategy's name: the built-in ones, and those of plug-ins."""
    return (*STRATEGIES, *usable_names(STRATEGY_PLUGINS))


@dataclass(frozen=True)
class Forecast:
    """A new measurement's mean and central interval, in the outcome's unit."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Suggestion:
    """One proposed run: ``conditions`` are the settings, ``ambient`` the room it is meant for.

    ``outcomes`` is empty where no model has been fitted yet (cold start). ``reason_kind`` is one of
    ``space_filling``, ``expected_by_sources``, ``improves_front``, ``fills_gap``, ``explores``,
    ``replicate``, ``chosen_by_plugin``.
    """

    order: int
    conditions: Mapping[str, Value]
    ambient: Mapping[str, float]
    outcomes: Mapping[str, Forecast]
    p_success: float
    reason_kind: str
    reason: str
    nearest: Run | None
    acquisition_value: float | None = None


@dataclass(frozen=True)
class SourceShare:
    """What one source of the pretrained surrogate contributed.

    ``trust``: how probable it is that the results are better explained with it, 0 … 1; ``used``:
    whether it stands in the model's mean; ``weights``: by outcome, the share that its head earned.
    """

    name: str
    trust: float
    used: bool
    weights: Mapping[str, float]


@dataclass(frozen=True)
class SuggestionBatch:
    """The answer: suggestions in the order to run them, and what the user should know.

    ``strategy`` is the one that led (``sobol`` during a cold start even if ``gp`` was asked).
    ``seconds`` tells where the time went: ``fit``, ``acquisition``, ``optimise``, ``explain``.
    ``surrogate``: SHA-256 of the pretrained surrogate's weights, if one was asked; ``sources``:
    what each of its sources contributed; ``beliefs``: by outcome, the weights of the plain model's
    beliefs, if it led. ``n_learnt``: finished and failed runs that were learnt
    from; ``n_left_out``: those that were not, in a large campaign. ``expected``: what the model
    expects of a further specimen of the best finished runs, by their ids. ``plugin``: the one that
    chose, if it was none of the built-in strategies.
    """

    strategy: str
    seed: int
    suggestions: tuple[Suggestion, ...]
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    surrogate: str | None = None
    sources: tuple[SourceShare, ...] = ()
    beliefs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    n_learnt: int = 0
    n_left_out: int = 0
    expected: Mapping[int, Mapping[str, Forecast]] = field(default_factory=dict)
    plugin: Plugin | None = None
