"""What must not be set together: ``solvent = WATER and temperature > 60``.

In the configuration::

    [[campaign.exclusions]]
    when = { solvent = "WATER", temperature = { above = 60 } }
    note = "boils off"

All conditions of one exclusion together make it; each exclusion holds by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from engine.campaign.choices import Value
from engine.campaign.conditions import Condition, Frozen
from engine.campaign.parameters import Parameter


class Exclusion(Frozen):
    """Conditions that must not hold together, and why.

    >>> hot = Exclusion.model_validate({"when": {"solvent": "WATER", "heat": {"above": 60}}})
    >>> str(hot)
    'solvent = WATER and heat > 60'
    """

    when: dict[str, Condition] = Field(min_length=1)
    note: str = ""

    def __str__(self) -> str:
        return " and ".join(condition.described(name) for name, condition in self.when.items())

    @property
    def message(self) -> str:
        """The exclusion as a message has it, with the reason if one is given."""
        return f"'{self}' is excluded{f' ({self.note})' if self.note else ''}"

    def covers(self, parameters: Mapping[str, Parameter], conditions: Mapping[str, Value]) -> bool:
        """Whether ``conditions`` name all that the exclusion speaks of and lie in it."""
        return self.when.keys() <= conditions.keys() and all(
            condition.holds(parameters[name], conditions[name])
            for name, condition in self.when.items()
        )
