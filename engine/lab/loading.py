"""Find a lab by the name given on the command line."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from engine.campaign import Campaign
from engine.errors import PluginError, SpinneretError, UsageError, field, marked, nearest_name
from engine.lab.protocol import Lab
from engine.workspace.plugins import LAB_PLUGINS, Plugin, find_plugin, usable_names

BUILT_IN = {
    "virtual": "engine.lab.virtual:VirtualLab",
    "older": "engine.lab.virtual:OlderLab",
    "unlike": "engine.lab.unlike:UnlikeLab",
    "composite": "engine.lab.composite:CompositeLab",
}


def load_lab(name: str) -> Lab:
    """Return the lab called ``virtual``, ``older``, ``unlike``, ``composite`` or ``module:Class``.

    Or one that another distribution brings (:mod:`engine.workspace.plugins`). A module is looked
    for in the current folder too. The class is made without arguments.

    Raises:
        UsageError: no such module or class, it cannot be made, or it is not a lab.
        PluginError: the other distribution's lab cannot be used.
    """
    if name not in BUILT_IN and (plugin := find_plugin(LAB_PLUGINS, name)) is not None:
        return _plugged(plugin)
    target = BUILT_IN.get(name, name)
    module_name, separator, class_name = target.partition(":")
    if not separator or not module_name or not class_name:
        names = (*BUILT_IN, *usable_names(LAB_PLUGINS))
        raise UsageError(
            f"{field('lab')}: expected {', '.join(names)} or module:Class such as mylab:MyLab, "
            f"got '{name}'.{nearest_name(name, names)}"
        )
    # Installed commands, unlike `python -m`, do not look into the current folder.
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        lab_class = getattr(importlib.import_module(module_name), class_name)
        lab = lab_class()
    except SpinneretError:
        raise
    except Exception as error:
        raise UsageError(
            f"{field('lab')} {name}: expected a class that can be imported and made without "
            f"arguments, got {type(error).__name__}: {error}"
        ) from error
    _refuse_stranger(lab, name)
    return lab  # type: ignore[no-any-return]


def _plugged(plugin: Plugin) -> Lab:
    lab_class = plugin.load()
    try:
        lab = lab_class()
        _refuse_stranger(lab, plugin.name)
    except UsageError as error:
        raise PluginError(f"{plugin.label} is no lab: {marked(error)}") from error
    except Exception as error:
        raise PluginError(
            f"{plugin.label}: expected a class that can be made without arguments, got "
            f"{type(error).__name__}: {error}"
        ) from error
    return lab  # type: ignore[no-any-return]


def _refuse_stranger(lab: object, name: str) -> None:
    missing = [member for member in ("campaign", "room", "run") if not hasattr(lab, member)]
    if missing:
        raise UsageError(
            f"{field('lab')} {name}: expected the members campaign, room and run "
            f"(engine.lab.protocol), missing: {', '.join(missing)}"
        )
    campaign = getattr(lab, "campaign", None)
    if not isinstance(campaign, Campaign):
        raise UsageError(
            f"{field('lab')} {name}: expected campaign to be an "
            f"engine.campaign.definition.Campaign, got {type(campaign).__name__}"
        )
