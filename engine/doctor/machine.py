"""Looks at libraries, plug-ins and graphics cards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.compute import versions
from engine.doctor.findings import Finding, Level
from engine.errors import PluginError
from engine.workspace.plugins import PLUGIN_KINDS, list_plugins


def libraries() -> Finding:
    """Tell the versions of the libraries."""
    return Finding(
        "versions", Level.FINE, ", ".join(f"{name} {word}" for name, word in versions().items())
    )


def plugins(quick: bool) -> Iterator[Finding]:
    """Look at the strategies and labs of other distributions; ``quick`` imports none of them."""
    for plugin in (p for kind in PLUGIN_KINDS for p in list_plugins(kind)):
        try:
            if plugin.problem is not None or not quick:
                plugin.load()
        except PluginError as error:
            yield Finding("plug-ins", Level.LOOK, error.worded("cli"))
        else:
            yield Finding("plug-ins", Level.FINE, plugin.label)


def device() -> Finding:
    """Ask the driver, not torch: that would take seconds."""
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*")) if os.name == "posix" else []
    cores = os.cpu_count() or 1
    text = f"{len(cards)} GPU, " if cards else "no GPU seen, "
    return Finding("device", Level.FINE, f"{text}{cores} cores")
