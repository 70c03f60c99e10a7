"""One folder of work: configuration, database, data folder, campaigns.

``Workspace`` and ``definition_of`` load the database layer when they are first asked for;
``engine.workspace.settings`` alone never does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.workspace.workspace import Workspace, definition_of

__all__ = ["Workspace", "definition_of"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("engine.workspace.workspace"), name)
