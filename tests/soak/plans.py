"""A random campaign by its seed: parameters, rules, outcomes with their truth, wants, past runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from parameters import Parameter, Value, draw_ambient, draw_parameters
from rules import (
    Exclusion,
    Rule,
    draw_conditional,
    draw_exclusions,
    draw_mixture,
    draw_rules,
    draw_twins,
)
from words import PROPERTIES, UNITS, draw_labels, draw_note

FAILURES = ("beads", "drips", "no_jet", "other")
MOST_COUNTED = 20_000


@dataclass(frozen=True)
class Outcome:
    """What is measured, and the law by which it follows from the conditions."""

    name: str
    unit: str
    is_log: bool
    least: float | None
    center: float
    spread: float
    n_values: int | None
    weights: Mapping[str, tuple[float, float]]

    def measure(self, place: Mapping[str, float], luck: Random) -> float:
        """Return a value with noise, in six digits."""
        z = sum(
            weight * math.sin(phase + 2.5 * place.get(name, 0.5))
            for name, (weight, phase) in self.weights.items()
        )
        z += luck.gauss(0.0, 0.15)
        if self.n_values is not None:
            z = round(z * self.n_values / 4) * 4 / self.n_values
        value = self.center * math.exp(0.7 * z) if self.is_log else self.center + self.spread * z
        if self.is_log and luck.random() < 0.03:
            value = 0.0
        return float(f"{value if self.least is None else max(value, self.least):.6g}")


@dataclass(frozen=True)
class Objective:
    """An outcome to improve."""

    outcome: str
    goal: str
    threshold: float | None = None
    target: float | None = None
    tolerance: float | None = None


@dataclass
class Run:
    """A run as it should stand in the campaign; a gap between replicates is ``None``."""

    label: str | None
    proposed: dict[str, Value]
    actual: dict[str, Value]
    status: str
    results: dict[str, list[float | None]] = field(default_factory=dict)
    failure: str | None = None
    note: str | None = None

    @property
    def measured(self) -> dict[str, list[float]]:
        """The replicates of each outcome that has any, without gaps."""
        values = {name: [v for v in row if v is not None] for name, row in self.results.items()}
        return {name: row for name, row in values.items() if row}

    def add_replicate(self, outcome: str, value: float) -> None:
        """Add a value behind the last one that there is."""
        values = self.results.setdefault(outcome, [])
        while values and values[-1] is None:
            values.pop()
        values.append(value)

    @property
    def conditions(self) -> dict[str, Value]:
        """As run where that is known, as proposed otherwise."""
        return {**self.proposed, **self.actual}


@dataclass(frozen=True)
class Plan:
    """One campaign."""

    seed: int
    name: str
    parameters: tuple[Parameter, ...]
    rules: tuple[Rule, ...]
    exclusions: tuple[Exclusion, ...]
    outcomes: tuple[Outcome, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[str, ...]
    anchor: Mapping[str, Value]
    missing: float
    budget: Mapping[str, Value | int]
    runs: tuple[Run, ...]

    @property
    def controlled(self) -> tuple[Parameter, ...]:
        """What is proposed."""
        return tuple(p for p in self.parameters if p.role == "controlled")

    @property
    def parents(self) -> set[str]:
        """The parameters that decide whether others have a value."""
        return {p.only_if.name for p in self.parameters if p.only_if}

    @property
    def ambient(self) -> tuple[Parameter, ...]:
        """What the room gives."""
        return tuple(p for p in self.parameters if p.role == "ambient")

    def measure(self, conditions: Mapping[str, Value], luck: Random) -> dict[str, float]:
        """Return a value of each outcome that was measured, one at least."""
        present = [p for p in self.parameters if p.name in conditions]
        place = {p.name: p.place(conditions[p.name]) for p in present}
        values = {o.name: o.measure(place, luck) for o in self.outcomes}
        sure = luck.choice(self.outcomes).name
        return {
            name: value
            for name, value in values.items()
            if name == sure or luck.random() >= self.missing
        }

    def is_possible(self, setting: Mapping[str, Value]) -> bool:
        """Whether a setting meets the rules and is not excluded."""
        present = self.trimmed(setting)
        return all(rule.is_met(setting) for rule in self.rules) and not any(
            exclusion.holds(present) for exclusion in self.exclusions
        )

    def draw_setting(self, luck: Random) -> dict[str, Value]:
        """Return a setting that meets the rules: where a walk from the anchor ends."""
        setting = dict(self.anchor)
        for _ in range(8 * len(self.controlled)):
            parameter = luck.choice(self.controlled)
            moved = {**setting, parameter.name: parameter.draw(luck)}
            for rule in self.rules:
                if rule.operator == "==" and parameter.name in rule.terms:
                    self._settle(rule, moved, parameter.name, luck)
            if self.is_possible(moved):
                setting = moved
        return self.trimmed(setting)

    def trimmed(self, setting: Mapping[str, Value]) -> dict[str, Value]:
        """Return a setting without the parameters that have no value in it."""
        absent = {p.name for p in self.controlled if p.only_if and not p.only_if.holds(setting)}
        return {name: value for name, value in setting.items() if name not in absent}

    def _settle(self, rule: Rule, setting: dict[str, Value], moved: str, luck: Random) -> None:
        """Let one of the other terms of an equality make up for the move, if it can."""
        others = [p for p in self.controlled if p.name in rule.terms and p.name != moved]
        if others:
            maker = luck.choice(others)
            miss = rule.bound - rule.total(setting)
            value = float(setting[maker.name]) + miss / rule.terms[maker.name]
            if maker.low <= value <= maker.high:
                setting[maker.name] = maker.nearest(value)

    def draw_room(self, luck: Random) -> dict[str, Value]:
        """Return a reading of each ambient parameter."""
        return {p.name: round(luck.uniform(p.low, p.high), 2) for p in self.ambient}

    def every_setting(self, fixed: Mapping[str, Value]) -> list[dict[str, Value]] | None:
        """Return all settings that meet the rules, where they are few enough to be counted."""
        counts = [1 if p.name in fixed else p.n_levels for p in self.controlled]
        if None in counts or math.prod(n for n in counts if n is not None) > MOST_COUNTED:
            return None
        names = [p.name for p in self.controlled]
        levels = [[fixed[p.name]] if p.name in fixed else p.levels() for p in self.controlled]
        grid = itertools.product(*levels)
        settings = (dict(zip(names, values, strict=True)) for values in grid)
        possible = [self.trimmed(setting) for setting in settings if self.is_possible(setting)]
        return [setting for setting in possible if fixed.keys() <= setting.keys()]


def draw_plan(seed: int) -> Plan:
    """Return the campaign of a seed."""
    luck = Random(seed)  # noqa: S311 -- no secret
    components: list[Parameter] = []
    anchor: dict[str, Value] = {}
    rules: list[Rule] = []
    if luck.random() < 0.25:
        components, anchor, rule = draw_mixture(luck)
        rules.append(rule)
    n = max(luck.randint(2, luck.choice((3, 6, 12))) - len(components), 0)
    parameters = draw_twins(luck, draw_parameters(luck, n))
    anchor |= {p.name: p.draw(luck) for p in parameters}
    controlled = draw_conditional(luck, [*components, *parameters])
    luck.shuffle(controlled)
    rules += draw_rules(luck, controlled, anchor)
    everything = [*controlled, *draw_ambient(luck)]
    outcomes = _draw_outcomes(luck, everything)
    samples = _samples(luck, everything, outcomes)
    objectives = _draw_objectives(luck, outcomes, samples)
    constraints = [
        f"{o.name} {luck.choice(('<=', '>='))} {_quantile(luck, samples[o.name], 0.0, 1.0)!r}"
        for o in outcomes
        if luck.random() < 0.15
    ]
    plan = Plan(
        seed, luck.choice(("soak", "Ткани 2", "繊維 campaign", "mats-v1.2", "ίνες")),
        tuple(everything), tuple(rules), tuple(draw_exclusions(luck, controlled, anchor)),
        tuple(outcomes), tuple(objectives), tuple(constraints),
        anchor, luck.choice((0.0, 0.0, 0.2, 0.6)), _draw_budget(luck), (),
    )  # fmt: skip
    return Plan(**{**plan.__dict__, "runs": tuple(_draw_runs(luck, plan))})


def _draw_budget(luck: Random) -> dict[str, Value | int]:
    return {
        "n": luck.randint(1, 8),
        "raw_samples": luck.choice((16, 64, 128)),
        "restarts": luck.choice((1, 3)),
        "mc_samples": luck.choice((8, 32)),
        "strategy": luck.choice(("gp", "gp", "matmcl")),
        "level": luck.choice((0.9, 0.9, 0.51, 0.999)),
    }


def _draw_outcomes(luck: Random, parameters: list[Parameter]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for name in luck.sample(PROPERTIES, luck.randint(1, 4)):
        is_log = luck.random() < 0.3
        scale = 10 ** (luck.uniform(-2, 4) if luck.random() < 0.7 else luck.uniform(-15, 12))
        # A constant, a property that is there or not, a score of few marks.
        n_values = luck.choice((1, 2, 5)) if luck.random() < 0.12 else None
        least = 0.0 if is_log or luck.random() < 0.4 else None
        unit = luck.choice(UNITS)
        for direction in luck.choice(((), (), ("longitudinal", "transverse"), ("90", "0"))) or (
            "",
        ):
            weights = {p.name: (luck.gauss(0, 1), luck.uniform(0, 6)) for p in parameters}
            size = math.sqrt(sum(weight**2 for weight, _ in weights.values())) or 1.0
            outcomes.append(
                Outcome(
                    f"{name}.{direction}" if direction else name, unit, is_log, least,
                    scale if is_log or least is not None else scale * luck.uniform(-3, 3),
                    scale * luck.uniform(0.1, 0.4), n_values,
                    {key: (weight / size, phase) for key, (weight, phase) in weights.items()},
                )
            )  # fmt: skip
    return outcomes[:6]


def _samples(
    luck: Random, parameters: list[Parameter], outcomes: list[Outcome]
) -> dict[str, list[float]]:
    rows = [{p.name: p.place(p.draw(luck)) for p in parameters} for _ in range(40)]
    return {o.name: sorted(o.measure(row, luck) for row in rows) for o in outcomes}


def _quantile(luck: Random, values: list[float], low: float, high: float) -> float:
    place = luck.uniform(low, high) * (len(values) - 1)
    return float(f"{values[round(place)]:.4g}")


def _draw_objectives(
    luck: Random, outcomes: list[Outcome], samples: Mapping[str, list[float]]
) -> list[Objective]:
    objectives = []
    for outcome in luck.sample(
        outcomes, min(len(outcomes), luck.choices((1, 2, 3, 4), (4, 5, 2, 1))[0])
    ):
        values = samples[outcome.name]
        match luck.choice(("maximize", "minimize", "target")):
            case "target":
                target = _quantile(luck, values, 0.1, 0.9)
                width = (
                    (values[-1] - values[0]) * luck.uniform(0.02, 0.4) or abs(target) * 0.1 or 1.0
                )
                tolerance = float(f"{width:.2g}")
                objectives.append(
                    Objective(outcome.name, "target", target=target, tolerance=tolerance)
                )
            case goal:
                out_of_reach = luck.random() < 0.15
                edge = (values[-1] if goal == "maximize" else values[0]) * 2
                threshold = edge if out_of_reach else _quantile(luck, values, 0.0, 0.9)
                objectives.append(Objective(outcome.name, goal, threshold=threshold))
    return objectives


def _draw_runs(luck: Random, plan: Plan) -> list[Run]:
    n = luck.choice((0, 0, 1, 2, 3, 5, 8, 12, 20, 30))
    labels = draw_labels(luck, n) if luck.random() < 0.85 else (None,) * n
    n_replicates = luck.choice((1, 1, 2, 3))
    runs = []
    keys = set()
    for label in labels:
        conditions = {**plan.draw_setting(luck), **plan.draw_room(luck)}
        for parameter in plan.ambient:
            if luck.random() < 0.2:
                del conditions[parameter.name]
        if luck.random() < 0.1:
            _leave_the_range(luck, plan, conditions)
        key = tuple(map(str, conditions.values()))
        if label is None and key in keys:
            continue  # nothing tells a copy from a replicate
        keys.add(key)
        run = Run(label, {}, conditions, "completed", note=draw_note(luck))
        fate = luck.random()
        if fate < 0.1:
            run.status, run.failure = "failed", luck.choice(FAILURES)
        elif fate < 0.14:
            run.status = "running"
        elif fate < 0.17:
            run.status = "abandoned"
        elif fate < 0.2:
            run.status, run.proposed, run.actual = "proposed", conditions, {}
        else:
            rows = [plan.measure(conditions, luck) for _ in range(luck.randint(1, n_replicates))]
            run.results = {o.name: [row.get(o.name) for row in rows] for o in plan.outcomes}
        runs.append(run)
    return runs


def _leave_the_range(luck: Random, plan: Plan, conditions: dict[str, Value]) -> None:
    parameter = luck.choice(plan.parameters)
    if parameter.name not in conditions or parameter.name in plan.parents:
        return
    if parameter.retired:
        conditions[parameter.name] = luck.choice(parameter.retired)
    elif parameter.choices is None:
        beyond = luck.uniform(0.0, 0.5) * (parameter.span or abs(parameter.low) or 1.0)
        conditions[parameter.name] = float(f"{parameter.high + beyond:.6g}")
