"""What a field of a request is called at the command line.

Errors name fields as requests do (``fixed``). An option of that name needs no entry here
(``nm_per_pixel`` is ``--nm-per-pixel``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LABELS: Mapping[str, str] = {
    "conditions": "--set",
    "failure": "--failed",
    "fixed": "--fix",
    "models": "MODELS",
    "results": "OUTCOME=VALUE",
}
"""Fields that no option is named after, wherever they occur."""


def labels_of(command: Any) -> dict[str, str]:
    """Return the words for the fields of a request that a command takes.

    What the command itself takes goes before :data:`LABELS`, an option before an argument of the
    same name: ``users token NAME --name X`` takes two, and the token's is the request's.
    """
    options, arguments = {}, {}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            option = max(parameter.opts, key=len)
            options[parameter.name] = option
            options[option.lstrip("-").replace("-", "_")] = option
        else:
            # "[ID]..." is how several are written; a sentence reads better without.
            arguments[parameter.name] = (parameter.metavar or parameter.name.upper()).strip("[].")
    return {**LABELS, **arguments, **options}
