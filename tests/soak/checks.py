"""What must hold of every answer, by arithmetic of the plan alone: nothing here asks the engine."""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parameters import Parameter, Value
from plans import Plan, Run
from scipy.optimize import linprog

Key = tuple[object, ...]
MOST_PROGRAMS = 500


@dataclass(frozen=True)
class Question:
    """What was asked of a batch."""

    n: int
    strategy: str
    fixed: Mapping[str, Value] = field(default_factory=dict)
    room: Mapping[str, Value] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)


def key_of(plan: Plan, setting: Mapping[str, Value]) -> Key:
    """Return what two runs of one setting share; a value off the grid is a setting of its own."""
    return tuple(_key(p, setting[p.name]) if p.name in setting else None for p in plan.controlled)


def _key(parameter: Parameter, value: Value) -> object:
    if parameter.is_named or isinstance(value, str):
        return value
    if parameter.choices is not None:
        return f"{value:.9g}"
    if parameter.is_log and parameter.step is None and value > 0:
        return round(math.log(value) / 1e-8)
    return round((value - parameter.low) / parameter.grain)


def setting_problems(plan: Plan, setting: Mapping[str, Value]) -> list[str]:
    """Say what the machine cannot be set to, and which rules a setting breaks."""
    full = {**plan.anchor, **setting}
    names = list(plan.trimmed({p.name: full[p.name] for p in plan.controlled}))
    if sorted(setting) != sorted(names):
        return [f"settings {sorted(setting)}, expected {sorted(names)}"]
    problems = [
        f"{p.name} = {setting[p.name]!r} cannot be set"
        for p in plan.controlled
        if p.name in setting and not _can_be_set(p, setting[p.name])
    ]
    if not problems:
        problems = [
            f"rule '{rule}' is missed: {rule.total(setting)!r}"
            for rule in plan.rules
            if not rule.is_met(setting)
        ]
        problems += [f"excluded by {e.when}" for e in plan.exclusions if e.holds(setting)]
    return problems


def _can_be_set(parameter: Parameter, value: Value) -> bool:
    if parameter.choices is not None:
        return value in parameter.settable
    if isinstance(value, str) or not math.isfinite(value):
        return False
    grain = max(1e-9 * parameter.span, 1e-14 * max(abs(parameter.low), abs(parameter.high)))
    if not parameter.low - grain <= value <= parameter.high + grain:
        return False
    if parameter.step is None:
        return True
    n_steps = (value - parameter.low) / float(parameter.step)
    rounding = 1e-14 * max(abs(parameter.low), abs(parameter.high)) / float(parameter.step)
    return abs(n_steps - round(n_steps)) <= max(1e-6, rounding)


def batch_problems(
    plan: Plan, document: Mapping[str, Any], question: Question, earlier: set[Key]
) -> list[str]:
    """Say what is wrong with a batch: its size, settings, repetitions, what was to be held."""
    proposals = document["proposals"]
    problems = []
    if len(proposals) != question.n:
        problems.append(f"{len(proposals)} proposals, expected {question.n}")
    if sorted(p["order"] for p in proposals) != list(range(1, len(proposals) + 1)):
        problems.append(f"orders {[p['order'] for p in proposals]}")
    keys = Counter()
    for proposal in proposals:
        setting, room = proposal["conditions"], proposal["ambient"]
        wrong = setting_problems(plan, setting)
        problems += wrong
        if not wrong:
            keys[key_of(plan, setting)] += 1
        problems += [
            f"{name} = {setting.get(name)!r}, was to be held at {value!r}"
            for name, value in question.fixed.items()
            if not _is_held(plan, name, setting.get(name), value)
        ]
        problems += [
            f"room {name} = {room.get(name)!r}, expected {value!r}"
            for name, value in question.room.items()
            if not _is_same(room.get(name), value)
        ]
        problems += forecast_problems(plan, proposal["outcomes"])
        if not 0 <= proposal["p_success"] <= 1:
            problems.append(f"p_success {proposal['p_success']}")
    problems += [f"{n} times in the batch: {key}" for key, n in keys.items() if n > 1]
    problems += [f"was run already: {key}" for key in keys if key in earlier]
    for name, limit in limits_of(plan, question).items():
        parameter = next(p for p in plan.controlled if p.name == name)
        settings = [p["conditions"] for p in proposals if name in p["conditions"]]
        values = {_key(parameter, setting[name]) for setting in settings}
        if len(values) > limit:
            problems.append(f"{len(values)} values of {name}, at most {limit} were allowed")
    return problems


def limits_of(plan: Plan, question: Question) -> dict[str, int]:
    """Return how many values of a parameter a batch may have."""
    own = {p.name: p.max_distinct for p in plan.controlled if p.max_distinct}
    return {**own, **question.limits}


def exit_codes(plan: Plan, question: Question, earlier: set[Key]) -> set[int]:
    """Return how `engine propose` may end: by what the rules and earlier runs leave."""
    if question.strategy == "ax":
        return {0, 1, 2}  # it takes no equality, and may find nothing
    settings = plan.every_setting(question.fixed)
    n_left = math.inf
    if settings is not None:
        n_left = len({key_of(plan, setting) for setting in settings} - earlier)
    if n_left < question.n:
        return {1}
    if settings is None and are_points(plan, question.fixed):
        return {0, 1}  # they may all have been run
    return {0, 1} if limits_of(plan, question) else {0}


def are_points(plan: Plan, fixed: Mapping[str, Value]) -> bool:
    """Whether the rules tie each continuous parameter, whatever the others are set to.

    Linear programs over the continuous parameters, one for each combination of the others that the
    rules name; where these are too many, the rules are taken to leave a continuum.
    """
    smooth = [p for p in plan.controlled if p.n_levels is None and p.name not in fixed]
    ruled = {name for rule in plan.rules for name in rule.terms}
    if not smooth or any(p.name not in ruled or p.only_if for p in smooth):
        return False
    others = [p for p in plan.controlled if p.name in ruled and p not in smooth]
    if math.prod(1 if p.name in fixed else p.n_levels or 1 for p in others) > MOST_PROGRAMS:
        return False
    levels = [[fixed[p.name]] if p.name in fixed else p.levels() for p in others]
    return all(
        _is_tied(plan, smooth, dict(zip((p.name for p in others), values, strict=True)))
        for values in itertools.product(*levels)
    )


def _is_tied(plan: Plan, smooth: Sequence[Parameter], held: Mapping[str, Value]) -> bool:
    rows: dict[str, list[tuple[list[float], float]]] = {"<=": [], "==": []}
    for rule in plan.rules:
        # In parts of each parameter's range, so that no span is lost beside another.
        factors = [rule.terms.get(p.name, 0.0) * p.span for p in smooth]
        lows = math.fsum(rule.terms.get(p.name, 0.0) * p.low for p in smooth)
        rest = math.fsum(f * float(held[name]) for name, f in rule.terms.items() if name in held)
        sign = -1.0 if rule.operator == ">=" else 1.0
        size = max(map(abs, factors))
        if not size:
            continue
        row = [sign * factor / size for factor in factors]
        bound = sign * (rule.bound - lows - rest) / size
        rows["==" if rule.operator == "==" else "<="].append((row, bound))
    limits: dict[str, Any] = {"bounds": (0.0, 1.0)}
    for operator, (left, right) in {"<=": ("A_ub", "b_ub"), "==": ("A_eq", "b_eq")}.items():
        if rows[operator]:
            limits[left] = [row for row, _ in rows[operator]]
            limits[right] = [bound for _, bound in rows[operator]]
    for index in range(len(smooth)):
        costs = [float(index == other) for other in range(len(smooth))]
        least = linprog(costs, **limits)
        most = linprog([-cost for cost in costs], **limits)
        if least.status == 0 and most.status == 0 and -most.fun - least.fun > 1e-6:
            return False
    return True


def forecast_problems(plan: Plan, outcomes: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Say which forecasts are no numbers, out of order, or cannot be measured."""
    least = {o.name: o.least for o in plan.outcomes}
    problems = []
    for name, forecast in outcomes.items():
        numbers = [forecast[key] for key in ("lower", "mean", "upper")]
        if name not in least:
            problems.append(f"a forecast of {name}")
        elif any(number is None or not math.isfinite(number) for number in numbers):
            problems.append(f"{name}: forecast {numbers}")
        elif sorted(numbers) != numbers:
            problems.append(f"{name}: lower, mean, upper are {numbers}")
        elif least[name] is not None and numbers[0] < least[name]:
            problems.append(f"{name}: {numbers} reaches below {least[name]}")
    return problems


def prediction_problems(plan: Plan, document: Mapping[str, Any], n: int) -> list[str]:
    """Say what is wrong with predictions of ``n`` rows."""
    rows = document["items"]
    problems = [] if len(rows) == n else [f"{len(rows)} rows, expected {n}"]
    for row in rows:
        problems += forecast_problems(plan, row["outcomes"])
        if not row["outcomes"]:
            problems.append("a row without any outcome")
        if "p_success" in row and not 0 <= row["p_success"] <= 1:
            problems.append(f"p_success {row['p_success']}")
        for drives in row.get("drives", {}).values():
            bad = [d for d in drives if d["span"] is None or not math.isfinite(d["span"])]
            problems += [f"drive {drive}" for drive in bad]
    ranks = sorted(row["rank"] for row in rows if "rank" in row)
    if ranks and ranks != list(range(1, n + 1)):
        problems.append(f"ranks {ranks}")
    return problems


def learnable(plan: Plan, runs: Sequence[Run]) -> set[str]:
    """Return the outcomes of which two settings at least have different results."""
    names = set()
    for outcome in plan.outcomes:
        results = {
            tuple(sorted(run.conditions.items())): tuple(run.measured[outcome.name])
            for run in runs
            if outcome.name in run.measured and run.status == "completed"
        }
        settings = {key_of(plan, dict(conditions)) for conditions in results}
        if len(settings) > 1 and len({sum(row) / len(row) for row in results.values()}) > 1:
            names.add(outcome.name)
    return names


def record_problems(runs: Sequence[Run], document: Mapping[str, Any]) -> list[str]:
    """Say where an exported document differs from the runs as they were entered."""
    experiments = document["experiments"]
    if len(experiments) != len(runs):
        return [f"{len(experiments)} experiments, expected {len(runs)}"]
    problems = []
    for run, experiment in zip(runs, experiments, strict=True):
        id_ = experiment["experiment"]
        results: dict[str, dict[int, float]] = {}
        for item in experiment["measurements"]:
            results.setdefault(item["outcome"], {})[item["replicate"]] = item["value"]
        recorded = {
            "label": _nfc(experiment["label"]),
            "status": experiment["status"],
            "failure": experiment["failure"],
            "note": experiment["note"],
            "conditions": {**experiment["proposed"], **experiment["actual"]},
            "results": {name: [v[k] for k in sorted(v)] for name, v in results.items()},
        }
        entered = {
            "label": _nfc(run.label),
            "status": run.status,
            "failure": run.failure,
            "note": run.note,
            "conditions": run.conditions,
            "results": run.measured,
        }
        problems += [
            f"experiment {id_}: {key} {recorded[key]!r}, entered {entered[key]!r}"
            for key in entered
            if recorded[key] != entered[key]
        ]
    return problems


def _nfc(label: str | None) -> str | None:
    return None if label is None else unicodedata.normalize("NFC", label)


def _is_held(plan: Plan, name: str, value: Value | None, held: Value) -> bool:
    """Whether a value is the one to hold, as a person would write it: to nine digits."""
    if isinstance(held, str) or not isinstance(value, float):
        return value == held
    parameter = next(p for p in plan.controlled if p.name == name)
    return abs(value - held) <= 1e-9 * (held if parameter.is_log else parameter.span or abs(held))


def _is_same(value: Value | None, expected: Value) -> bool:
    if isinstance(value, float | int) and isinstance(expected, float | int):
        return math.isclose(value, expected, rel_tol=1e-12, abs_tol=1e-300)
    return value == expected
