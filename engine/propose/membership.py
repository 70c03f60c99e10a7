"""Which settings fulfil conditions: those in an exclusion, and where a parameter has a value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Parameter
from engine.campaign.applicability import Requirement, requirements
from engine.campaign.exclusions import Exclusion

Array = NDArray[np.float64]


class Membership:
    """Answers for settings (n, c) of the controlled parameters, all at once."""

    def __init__(self, controlled: Sequence[Parameter]) -> None:
        self._controlled = controlled
        self._places = {parameter.name: i for i, parameter in enumerate(controlled)}
        self._needs = requirements(controlled)

    @property
    def is_conditional(self) -> bool:
        """Whether some parameter has no value everywhere."""
        return bool(self._needs)

    def is_inside(self, exclusion: Exclusion, settings: Array) -> NDArray[np.bool_]:
        """Return (n,): which settings lie in an exclusion."""
        inside = self._hold(exclusion.when.items(), settings)
        for name in exclusion.when:
            inside &= self._hold(self._needs.get(name, ()), settings)
        return inside

    def absent(self, settings: Array) -> dict[str, NDArray[np.bool_]]:
        """Return by name of a conditional parameter, (n,): where it has no value."""
        return {name: ~self._hold(needs, settings) for name, needs in self._needs.items()}

    def canonical(self, settings: Array) -> Array:
        """Return (n, c) settings with stand-ins where parameters have no value."""
        if not self._needs:
            return settings
        canonical = settings.copy()
        for name, rows in self.absent(settings).items():
            parameter = self._controlled[self._places[name]]
            value = parameter.stand_in
            if isinstance(value, str):
                value = float(list(parameter.choices or ()).index(value))
            canonical[rows, self._places[name]] = value
        return canonical

    def _hold(self, conditions: Iterable[Requirement], settings: Array) -> NDArray[np.bool_]:
        """Return (n,): where all conditions hold."""
        inside = np.ones(len(settings), dtype=bool)
        for name, condition in conditions:
            i = self._places[name]
            parameter, values = self._controlled[i], settings[:, i]
            if parameter.is_categorical:
                inside &= np.isin(np.rint(values), list(condition.codes(parameter)))
                continue
            inside &= np.logical_or.reduce(
                [(low <= values) & (values <= high) for low, high in condition.intervals(parameter)]
            )
        return inside
