"""Spinneret's engine: campaigns, the proposal loop, importers, the virtual lab, the command line.

The only package that knows the other three (``surrogate``, ``generator``, ``db``). What notebooks
and scripts use is offered here by name and loaded when it is first asked for: importing the package
loads neither torch nor SQLAlchemy nor pandas.

>>> import engine
>>> engine.Objective(outcome="strength", threshold=5).goal
'maximize'
"""

from importlib import import_module as _import_module
from typing import Any as _Any

__version__ = "0.1.0"

# The same names stand in __init__.pyi, for editors and type checkers.
_HOMES = {
    "engine.campaign": ("Campaign", "LinearConstraint", "Objective", "Parameter", "Property"),
    "engine.campaign.history": ("History", "Run"),
    "engine.errors": (
        "AccessError",
        "CampaignError",
        "ConfigError",
        "DataError",
        "EditedMeanwhileError",
        "ImportRefusedError",
        "ModelError",
        "NotFoundError",
        "PluginError",
        "SpinneretError",
        "StateError",
        "UsageError",
    ),
    "engine.notebook.batch": ("Batch",),
    "engine.notebook.lab": ("Lab",),
    "engine.notebook.memory": ("Loop", "history", "suggest"),
    "engine.notebook.micrographs": ("MicrographTable", "read_micrographs"),
    "engine.notebook.opening": ("create", "open"),
    "engine.notebook.run": ("LabRun",),
    "engine.propose.plugin_strategy": ("SpaceView", "StrategyTask"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604 -- names of the table above


def __getattr__(name: str) -> _Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
