"""Strategies and labs that other distributions bring, by entry point.

A distribution names them in its ``pyproject.toml``::

    [project.entry-points."spinneret.strategies"]
    halving = "our_lab.search:halving"

    [project.entry-points."spinneret.labs"]
    kettle = "our_lab.kettle:Kettle"

Only their names are read, and only where a name is not built in or all names are listed; a plug-in
is imported when it is to work. One that cannot be used (its name is taken, or is no name) is left
aside: it hinders nothing but itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from engine.errors import PluginError, nearest_name

_NAME = re.compile(r"[A-Za-z][\w.-]*")


@dataclass(frozen=True)
class PluginKind:
    """What plug-ins can be. ``reserved``: built-in names, those of the benchmarks included."""

    group: str
    noun: str
    reserved: tuple[str, ...]


STRATEGY_PLUGINS = PluginKind(
    "spinneret.strategies",
    "strategy",
    (
        *("matmcl", "gp", "sobol", "ax", "ax-matmcl", "nsga2"),
        *("random", "even", "gp-0.1", "botorch", "baybe", "refresh"),
    ),
)
LAB_PLUGINS = PluginKind(
    "spinneret.labs",
    "lab",
    ("standard", "virtual", "older", "unlike", "composite", "family", "lots"),
)
PLUGIN_KINDS = (STRATEGY_PLUGINS, LAB_PLUGINS)


@dataclass(frozen=True)
class Plugin:
    """One entry point. ``problem``: why it is left aside, or ``None`` if it can be used."""

    kind: PluginKind
    name: str
    distribution: str
    version: str
    entry: metadata.EntryPoint
    problem: str | None = None

    @property
    def source(self) -> str:
        """The distribution and its version."""
        return f"{self.distribution} {self.version}"

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"the {self.kind.noun} '{self.name}' of {self.source}"

    def load(self) -> Any:
        """Import what the entry point names.

        Raises:
            PluginError: it was left aside, or cannot be imported.
        """
        if self.problem is not None:
            raise PluginError(f"{self.label} is left aside: {self.problem}")
        try:
            return self.entry.load()
        # Whatever a stranger's module does at import, a call of `exit` included.
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self.label} cannot be imported from {self.entry.value} "
                f"({type(error).__name__}: {error}): mend or update {self.distribution}, or remove "
                "it"
            ) from error


def list_plugins(kind: PluginKind) -> tuple[Plugin, ...]:
    """Return all of a kind by name, those that are left aside included. Imports none."""
    entries = sorted(metadata.entry_points(group=kind.group), key=lambda e: (e.name, e.value))
    plugins = [_plugin(kind, entry) for entry in entries]
    counts = Counter(plugin.name for plugin in plugins)
    return tuple(
        plugin
        if plugin.problem is not None or counts[plugin.name] == 1
        else _aside(plugin, _clash(plugin, plugins))
        for plugin in plugins
    )


def usable_names(kind: PluginKind) -> tuple[str, ...]:
    """Return the names that plug-ins of a kind add to the built-in ones."""
    return tuple(plugin.name for plugin in list_plugins(kind) if plugin.problem is None)


def find_plugin(kind: PluginKind, name: str) -> Plugin | None:
    """Return the plug-in called ``name``, left aside or not; ``None`` for built-in names."""
    if name in kind.reserved:
        return None
    return next((plugin for plugin in list_plugins(kind) if plugin.name == name), None)


def unknown_name(kind: PluginKind, name: str, built_in: Sequence[str]) -> str:
    """Return the sentence on a name that neither we nor a plug-in have."""
    choices = (*built_in, *usable_names(kind))
    return f"unknown {kind.noun} '{name}'.{nearest_name(name, choices)} Known: {', '.join(choices)}"


def _plugin(kind: PluginKind, entry: metadata.EntryPoint) -> Plugin:
    distribution = entry.dist
    plugin = Plugin(
        kind,
        entry.name,
        distribution.name if distribution is not None else "an unnamed distribution",
        distribution.version if distribution is not None else "without version",
        entry,
    )
    if entry.name in kind.reserved:
        return _aside(plugin, f"'{entry.name}' is built in; its entry point needs another name")
    if not _NAME.fullmatch(entry.name) or entry.name.endswith(".toml"):
        return _aside(
            plugin, "expected a name of letters, digits, '-', '_' and '.' that begins with a letter"
        )
    return plugin


def _clash(plugin: Plugin, plugins: Sequence[Plugin]) -> str:
    sources = [p.source for p in plugins if p.name == plugin.name and p is not plugin]
    return f"{' and '.join(sources)} has one of this name, too; remove one of the distributions"


def _aside(plugin: Plugin, problem: str) -> Plugin:
    return Plugin(
        plugin.kind, plugin.name, plugin.distribution, plugin.version, plugin.entry, problem
    )
