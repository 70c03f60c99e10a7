"""Examples in docstrings are executed, and what a Python user calls has one."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("engine", "generator", "surrogate", "db")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

ENTRY_POINTS = (
    "engine.campaign.inequalities.parse_comparison",
    "engine.errors.spell",
    "engine.jobs.store.next_after",
    "engine.predictions.sensitivity.sensitivity",
    "engine.propose.forecaster.Forecaster",
    "engine.propose.pool.choose_from_pool",
    "engine.propose.request.checked",
    "engine.propose.space.Space",
    "engine.propose.suggestion.suggest",
    "engine.refresh.suspicion.power_of_ten",
    "engine.previews.expected_statistics.worded",
    "engine.results.fronts.Front",
    "engine.results.plots.front_plot",
    "surrogate.files.whole_file",
    "surrogate.gp.fit_outcomes",
    "surrogate.randomness.drawn_from",
    "surrogate.tensor_files.seal_of",
    "surrogate.training.learning_rate",
)
"""What a Python user calls: each is used by an example of its module."""


def _module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _modules_with_examples() -> list[str]:
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return [_module_of(path) for path in paths if ">>> " in path.read_text(encoding="utf-8")]


def _doctests(module: str) -> list[doctest.DocTest]:
    return [test for test in doctest.DocTestFinder().find(import_module(module)) if test.examples]


@pytest.mark.parametrize("module", _modules_with_examples())
def test_examples_do_what_they_show(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
    tests = _doctests(module)
    assert tests, f"{module} shows >>> where doctest does not look: only in docstrings it does"
    for test in tests:
        runner.run(test)
    assert runner.failures == 0, capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [], "an example leaves files behind"


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_entry_points_have_an_example(entry_point: str) -> None:
    module, name = entry_point.rsplit(".", 1)
    assert hasattr(import_module(module), name)
    sources = [example.source for test in _doctests(module) for example in test.examples]
    assert any(re.search(rf"\b{name}\b", source) for source in sources), (
        f"give {entry_point} a short >>> example"
    )
