"""Find a lab by the name given on the command line."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from engine.campaign import Campaign
from engine.errors import SpinneretError, UsageError, field, nearest_name
from engine.lab.protocol import Lab

BUILT_IN = {
    "virtual": "engine.lab.virtual:VirtualLab",
    "older": "engine.lab.virtual:OlderLab",
    "unlike": "engine.lab.unlike:UnlikeLab",
    "composite": "engine.lab.composite:CompositeLab",
}


def load_lab(name: str) -> Lab:
    """Return the lab called ``virtual``, ``older``, ``unlike``, ``composite`` or ``module:Class``.

    A module is looked for in the current folder too. The class is made without arguments.

    Raises:
        UsageError: no such module or class, it cannot be made, or it is not a lab.
    """
    target = BUILT_IN.get(name, name)
    module_name, separator, class_name = target.partition(":")
    if not separator or not module_name or not class_name:
        raise UsageError(
            f"{field('lab')}: expected {', '.join(BUILT_IN)} or module:Class such as mylab:MyLab, "
            f"got '{name}'.{nearest_name(name, BUILT_IN)}"
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
