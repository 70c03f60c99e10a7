"""Entry points of other distributions: found by name, imported late, left aside if bad."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from installed_plugins import install_plugins

from engine.bench.harness import labs
from engine.bench.search import strategies
from engine.errors import PluginError, UsageError
from engine.lab import VirtualLab, load_lab
from engine.lab.loading import BUILT_IN
from engine.propose.request import STRATEGIES, check_strategy, offered_strategies
from engine.workspace.plugins import LAB_PLUGINS, STRATEGY_PLUGINS, list_plugins, usable_names

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a distribution with strategies, or with labs."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def put(distribution: str, *, group: str = "spinneret.strategies", **entries: str) -> Path:
        return install_plugins(site, distribution, "1.2", {group: entries})

    return put


def test_the_reserved_names_are_all_that_are_built_in() -> None:
    # `refresh:scheduled` and `matmcl:older` are built in with all that may stand behind the colon.
    names = {*strategies.NAMES, *strategies.ALIASES, *strategies.PEERS, *STRATEGIES}
    assert set(STRATEGY_PLUGINS.reserved) == {*names, "refresh"}
    assert set(LAB_PLUGINS.reserved) == {*labs.NAMES, *BUILT_IN}


def test_names_are_listed_without_an_import(install: Install) -> None:
    install("our-search", halving="a_module_of_ours:halving")
    assert offered_strategies() == (*STRATEGIES, "halving")
    check_strategy("halving")
    assert "a_module_of_ours" not in sys.modules


def test_an_unknown_name_lists_plugins_too(install: Install) -> None:
    install("our-search", halving="a_module_of_ours:halving")
    with pytest.raises(UsageError, match=r"Did you mean 'halving'\? Known: matmcl, .*, halving$"):
        check_strategy("halvin")
    with pytest.raises(UsageError, match=r"halving.*Did you mean 'halving'"):
        strategies.check_names(["halvin"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [("gp", "'gp' is built in"), ("random", "is built in"), ("a,b", "expected a name of letters")],
)
def test_a_name_that_cannot_be_is_left_aside(install: Install, name: str, reason: str) -> None:
    install("our-search", **{name: "a_module_of_ours:halving"})
    [plugin] = list_plugins(STRATEGY_PLUGINS)
    assert plugin.label == f"the strategy '{name}' of our-search 1.2"
    assert reason in str(plugin.problem)
    assert usable_names(STRATEGY_PLUGINS) == ()
    check_strategy("gp")  # the built-in one goes on


def test_two_of_one_name_are_both_left_aside(install: Install) -> None:
    install("our-search", halving="a:b")
    install("their-search", halving="c:d")
    assert usable_names(STRATEGY_PLUGINS) == ()
    with pytest.raises(UsageError, match=r"our-search 1\.2 is left aside: their-search 1\.2 has"):
        check_strategy("halving")


def test_what_cannot_be_imported_is_named_with_its_distribution(
    install: Install, tmp_path: Path
) -> None:
    (tmp_path / "site" / "a_bad_module.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    install("our-search", halving="a_bad_module:halving")
    check_strategy("halving")
    with pytest.raises(PluginError, match=r"'halving' of our-search 1\.2 cannot be imported"):
        strategies.check_names(["gp", "halving"])


def test_a_lab_of_another_distribution_is_loaded_by_name(install: Install) -> None:
    install("our-lab", group="spinneret.labs", kettle="engine.lab.virtual:VirtualLab")
    assert type(load_lab("kettle")) is VirtualLab
    assert type(labs.lab_of.__wrapped__("kettle")) is VirtualLab
    with pytest.raises(UsageError, match=r"kettle, module:Class.*Did you mean 'kettle'"):
        labs.lab_of.__wrapped__("kettel")
    with pytest.raises(UsageError, match="composite, kettle or module:Class"):
        load_lab("kettel")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("builtins:dict", "is no lab: .*missing: campaign, room, run"),
        ("builtins:len", "made without arguments"),
        ("no_such_module:Lab", "cannot be imported"),
    ],
)
def test_a_bad_lab_is_named_with_its_distribution(
    install: Install, value: str, reason: str
) -> None:
    install("our-lab", group="spinneret.labs", kettle=value)
    with pytest.raises(PluginError, match=rf"the lab 'kettle' of our-lab 1\.2.*{reason}"):
        load_lab("kettle")


def test_the_doctor_names_them_and_the_shell_offers_them(install: Install, engine) -> None:
    from engine.cli.completion import complete_lab, complete_strategy

    install("our-search", whole="math:floor", gp="a:b", broken="no_such_module:x")
    install("our-lab", group="spinneret.labs", kettle="engine.lab.virtual:VirtualLab")
    answer = engine("doctor")
    assert answer.exit_code == 0
    text = " ".join((answer.out + answer.err).split())
    assert "the strategy 'whole' of our-search 1.2" in text
    assert "the strategy 'gp' of our-search 1.2 is left aside: 'gp' is built in" in text
    assert "the strategy 'broken' of our-search 1.2 cannot be imported from no_such_module" in text
    assert "the lab 'kettle' of our-lab 1.2" in text
    assert complete_strategy("w") == ["whole"]
    assert complete_lab("k") == ["kettle"]
