"""The short form of `tests/soak/soak.py`, and its checks: each sees the fault it is there for."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "soak.py"


def test_a_few_random_campaigns() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SPINNERET_")}
    done = subprocess.run(
        [sys.executable, SCRIPT, "--quick", "--seed", "4", "--n", "1"],
        env={**environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 campaigns from seed 4: 0 with problems" in done.stdout


@pytest.fixture
def soak(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Return the modules of plans and checks."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import checks
    import plans

    return plans, checks


def batch(plan: Any, settings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch as `propose --json` prints it, with a forecast of each outcome."""
    forecast = {o.name: {"lower": 1.0, "mean": 2.0, "upper": 3.0} for o in plan.outcomes}
    return {
        "proposals": [
            {
                "order": order,
                "conditions": dict(setting),
                "ambient": {},
                "outcomes": {name: dict(values) for name, values in forecast.items()},
                "p_success": 0.5,
            }
            for order, setting in enumerate(settings, 1)
        ]
    }


def spoil_forecast(document: dict[str, Any]) -> None:
    next(iter(document["proposals"][0]["outcomes"].values()))["mean"] = None


def swap_bounds(document: dict[str, Any]) -> None:
    next(iter(document["proposals"][1]["outcomes"].values()))["lower"] = 9.0


def repeat(document: dict[str, Any]) -> None:
    document["proposals"][0]["conditions"] = document["proposals"][1]["conditions"]


def leave_range(document: dict[str, Any]) -> None:
    setting = document["proposals"][0]["conditions"]
    name = next(name for name, value in setting.items() if isinstance(value, float))
    setting[name] += 1e12


def forget(document: dict[str, Any]) -> None:
    document["proposals"].pop()


@pytest.mark.parametrize("fault", [spoil_forecast, swap_bounds, repeat, leave_range, forget])
def test_faults_of_a_batch_are_seen(soak, fault: Callable[[dict[str, Any]], None]) -> None:
    plans, checks = soak
    plan = plans.draw_plan(3)
    settings = [plan.draw_setting(plans.Random(n)) for n in range(3)]
    document, question = batch(plan, settings), checks.Question(3, "sobol")
    assert checks.batch_problems(plan, document, question, set()) == []
    fault(document)
    assert checks.batch_problems(plan, document, question, set())


def test_what_was_run_what_is_held_and_what_is_limited(soak) -> None:
    plans, checks = soak
    plan = plans.draw_plan(3)
    settings = [plan.draw_setting(plans.Random(n)) for n in range(3)]
    document = batch(plan, settings)
    names = [p.name for p in plan.controlled]
    name = next(name for name in names if settings[0][name] != settings[1][name])
    held = checks.Question(3, "sobol", fixed={name: settings[0][name]})
    assert checks.batch_problems(plan, document, held, set())
    few = checks.Question(3, "sobol", limits={name: 1})
    assert checks.batch_problems(plan, document, few, set())
    earlier = {checks.key_of(plan, settings[2])}
    assert checks.batch_problems(plan, document, checks.Question(3, "sobol"), earlier)


@pytest.mark.parametrize(
    ("bounds", "fixed", "are_points"),
    [
        ([("==", {"a": 1.0, "b": 1.0}, 1.0)], {}, False),
        ([("==", {"a": 1.0, "b": 1.0}, 1.0)], {"b": 0.25}, True),
        ([("==", {"a": 1.0, "b": 1.0}, 2.0)], {}, True),  # both at their ends
        ([("==", {"a": 1.0, "b": 1.0}, 1.0), ("==", {"a": 1.0, "b": -1.0}, 0.0)], {}, True),
        ([("==", {"a": 1.0, "n": 0.1}, 0.4), ("==", {"b": 1.0, "n": -0.1}, 0.0)], {}, True),
        ([("==", {"a": 1.0, "n": 0.1}, 0.4), ("<=", {"b": 1.0, "n": 0.1}, 0.4)], {}, False),
        ([("==", {"a": 1.0, "n": 0.1}, 0.4)], {}, False),  # nothing rules b
    ],
)
def test_rules_that_tie_every_continuous_parameter(soak, bounds, fixed, are_points) -> None:
    plans, checks = soak
    from parameters import Parameter
    from rules import make_rule

    names = {
        "a": Parameter("a"),
        "b": Parameter("b"),
        "n": Parameter("n", low=0.0, high=4.0, n_steps=4),
        "other": Parameter("other", choices=("x", "y")),
    }
    rules = tuple(make_rule(names, terms, operator, bound) for operator, terms, bound in bounds)
    plan = plans.draw_plan(3)
    plan = plans.Plan(
        **{**plan.__dict__, "parameters": tuple(names.values()), "rules": rules, "exclusions": ()}
    )
    assert checks.are_points(plan, fixed) is are_points


def test_steps_choices_and_rules_are_checked_by_their_own_arithmetic(soak) -> None:
    plans, checks = soak
    n_rules = 0
    for seed in range(40):
        plan = plans.draw_plan(seed)
        anchor = plan.trimmed(plan.anchor)
        assert checks.setting_problems(plan, anchor) == []
        for parameter in plan.controlled:
            if parameter.name not in anchor:
                assert checks.setting_problems(plan, {**anchor, parameter.name: 1.0})
                continue
            off = {**anchor, parameter.name: "nothing of the sort"}
            if parameter.step is not None:
                off[parameter.name] = plan.anchor[parameter.name] + float(parameter.step) / 3
            assert checks.setting_problems(plan, off)
            del off[parameter.name]
            assert checks.setting_problems(plan, off)
        for rule in plan.rules:
            n_rules += 1
            name = next(name for name, factor in rule.terms.items() if factor)
            sign = -1.0 if (rule.operator == ">=") == (rule.terms[name] > 0) else 1.0
            beyond = plan.anchor[name] + sign * 1e3 * (abs(rule.bound) + 1) / abs(rule.terms[name])
            assert not rule.is_met({**plan.anchor, name: beyond})
    assert n_rules > 20


def test_a_record_that_differs_is_seen(soak) -> None:
    plans, checks = soak
    run = plans.Run("Ü", {"a": 1.0}, {"a": 2.0}, "completed", {"u": [1.0, 2.0]})
    experiment = {
        "experiment": 1, "label": "U\u0308", "status": "completed", "failure": None, "note": None,
        "proposed": {"a": 1.0}, "actual": {"a": 2.0},
        "measurements": [
            {"outcome": "u", "replicate": 2, "value": 2.0},
            {"outcome": "u", "replicate": 1, "value": 1.0},
        ],
    }  # fmt: skip
    assert checks.record_problems([run], {"experiments": [experiment]}) == []
    for change in ({"label": "U"}, {"actual": {}}, {"measurements": []}, {"note": "x"}):
        assert checks.record_problems([run], {"experiments": [{**experiment, **change}]})
    assert checks.record_problems([run, run], {"experiments": [experiment]})


def test_a_seed_is_a_campaign(soak) -> None:
    plans, _ = soak
    import configuration

    from engine.campaign import Campaign

    texts = [configuration.configuration_of(plans.draw_plan(seed)) for seed in range(60)]
    assert len(set(texts)) == 60
    assert configuration.configuration_of(plans.draw_plan(7)) == texts[7]
    for text in texts:
        Campaign(**tomllib.loads(text)["campaign"])
