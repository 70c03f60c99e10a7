"""A random campaign by its seed: parameters, rules, outcomes with their truth, wants, past runs."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from parameters import Parameter, Value, draw_ambient, draw_parameters
from rules import Rule, draw_mixture, draw_rules, draw_twins
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
    weights: Mapping[str, tuple[float, float]]

    def measure(
        self, conditions: Mapping[str, Value], place: Mapping[str, float], luck: Random
    ) -> float:
        """Return a value with noise, in six digits."""
        del conditions
        z = sum(
            weight * math.sin(phase + 2.5 * place.get(name, 0.5))
            for name, (weight, phase) in self.weights.items()
        )
        z += luck.gauss(0.0, 0.15)
        value = self.center * math.exp(0.7 * z) if self.is_log else self.center + self.spread * z
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
    """A run as it should stand in the campaign; ``results``: the replicates of each outcome."""

    label: str | None
    proposed: dict[str, Value]
    actual: dict[str, Value]
    status: str
    results: dict[str, list[float]] = field(default_factory=dict)
    failure: str | None = None
    note: str | None = None

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
    outcomes: tuple[Outcome, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[str, ...]
    anchor: Mapping[str, Value]
    budget: Mapping[str, Value | int]
    runs: tuple[Run, ...]

    @property
    def controlled(self) -> tuple[Parameter, ...]:
        """What is proposed."""
        return tuple(p for p in self.parameters if p.role == "controlled")

    @property
    def ambient(self) -> tuple[Parameter, ...]:
        """What the room gives."""
        return tuple(p for p in self.parameters if p.role == "ambient")

    def measure(self, conditions: Mapping[str, Value], luck: Random) -> dict[str, float]:
        """Return a value of each outcome."""
        place = {
            p.name: p.place(conditions[p.name]) for p in self.parameters if p.name in conditions
        }
        return {o.name: o.measure(conditions, place, luck) for o in self.outcomes}

    def draw_setting(self, luck: Random) -> dict[str, Value]:
        """Return a setting that meets the rules: where a walk from the anchor ends."""
        setting = dict(self.anchor)
        for _ in range(8 * len(self.controlled)):
            parameter = luck.choice(self.controlled)
            moved = {**setting, parameter.name: parameter.draw(luck)}
            for rule in self.rules:
                if rule.operator == "==" and parameter.name in rule.terms:
                    self._settle(rule, moved, parameter.name, luck)
            if all(rule.is_met(moved) for rule in self.rules):
                setting = moved
        return setting

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
        return [s for s in settings if all(rule.is_met(s) for rule in self.rules)]


def draw_plan(seed: int) -> Plan:
    """Return the campaign of a seed."""
    luck = Random(seed)  # noqa: S311 -- no secret
    components: list[Parameter] = []
    anchor: dict[str, Value] = {}
    rules: list[Rule] = []
    if luck.random() < 0.25:
        components, anchor, rule = draw_mixture(luck)
        rules.append(rule)
    n = max(luck.randint(2, luck.choice((3, 5, 12))) - len(components), 0)
    parameters = draw_twins(luck, draw_parameters(luck, n))
    anchor |= {p.name: p.draw(luck) for p in parameters}
    controlled = [*components, *parameters]
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
        tuple(everything), tuple(rules), tuple(outcomes), tuple(objectives), tuple(constraints),
        anchor, _draw_budget(luck), (),
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
        scale = 10 ** luck.uniform(-2, 4)
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
                    scale * luck.uniform(0.1, 0.4),
                    {key: (weight / size, phase) for key, (weight, phase) in weights.items()},
                )
            )  # fmt: skip
    return outcomes[:6]


def _samples(
    luck: Random, parameters: list[Parameter], outcomes: list[Outcome]
) -> dict[str, list[float]]:
    rows = [{p.name: p.place(p.draw(luck)) for p in parameters} for _ in range(40)]
    return {o.name: sorted(o.measure({}, row, luck) for row in rows) for o in outcomes}


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
            run.results = {o.name: [row[o.name] for row in rows] for o in plan.outcomes}
        runs.append(run)
    return runs


def toml_of(plan: Plan) -> str:
    """Return the campaign's config.toml."""
    lines = ["[propose]", *(f"{key} = {_toml(value)}" for key, value in plan.budget.items())]
    lines += [
        "", "[campaign]", f"name = {_toml(plan.name)}",
        f"constraints = {_toml(list(plan.constraints))}",
        f"parameter_constraints = {_toml([str(rule) for rule in plan.rules])}",
    ]  # fmt: skip
    for p in plan.parameters:
        lines += [
            "",
            "[[campaign.parameters]]",
            f"name = {_toml(p.name)}",
            f"unit = {_toml(p.unit)}",
        ]
        lines += [f"role = {_toml(p.role)}"]
        if p.choices is not None:
            lines += [f"choices = {_toml(list(p.choices))}"]
        else:
            lines += [f"low = {p.low!r}", f"high = {p.high!r}"]
        lines += [f"step = {float(p.step)!r}"] if p.step is not None else []
        lines += ['scale = "log"'] if p.is_log else []
        lines += ["hard_to_change = true"] if p.is_hard else []
        lines += [f"max_distinct = {p.max_distinct}"] if p.max_distinct else []
        lines += [f"aliases = {_toml([p.alias])}"] if p.alias else []
    properties: dict[str, list[Outcome]] = {}
    for outcome in plan.outcomes:
        properties.setdefault(outcome.name.partition(".")[0], []).append(outcome)
    for name, outcomes in properties.items():
        first = outcomes[0]
        directions = [o.name.partition(".")[2] for o in outcomes if "." in o.name]
        lines += [
            "",
            "[[campaign.properties]]",
            f"name = {_toml(name)}",
            f"unit = {_toml(first.unit)}",
        ]
        lines += [f"directions = {_toml(directions)}"] if directions else []
        lines += ['scale = "log"'] if first.is_log else []
        lines += [f"minimum = {first.least!r}"] if first.least is not None else []
    for objective in plan.objectives:
        lines += ["", "[[campaign.objectives]]"]
        items = objective.__dict__.items()
        lines += [f"{key} = {_toml(value)}" for key, value in items if value is not None]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
