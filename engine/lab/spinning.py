"""What every simulated spinning lab shares: from laws over columns to runs with noise and pictures.

A lab gives four laws (structure, outcomes, failures, measurement factors); runs, truths and
micrographs follow. Laws are vectorised: columns of one shape in, arrays of that shape out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from engine.campaign import Campaign, Value
from engine.errors import DataError, UsageError
from engine.lab.physics import DIRECTIONS, Array, Microstructure
from engine.lab.protocol import LabResult, Picture
from engine.lab.render import render

if TYPE_CHECKING:
    from engine.lab.tensile import StressStrain

# The thinnest mat of the space (260 nm) still shows its fibres four pixels wide
# (docs/benchmarks.md, "Statistics of micrographs").
NM_PER_PIXEL = 60.0
N_LOT = 4
"""Lot draws e0 … e3, N(0, 1): diameter, order, beads, porosity."""

_POSITIVE = ("flow_rate", "concentration", "voltage", "distance", "matrix_modulus")
_NOT_NEGATIVE = ("collector_speed", "humidity", "fibre_fraction")


class SpinningLab(ABC):
    """A lab that spins mats by laws of its own: :class:`~engine.lab.protocol.KnownLab`."""

    @property
    @abstractmethod
    def campaign(self) -> Campaign:
        """The search that this lab serves."""

    @property
    @abstractmethod
    def reference_ambient(self) -> dict[str, float]:
        """The room in which benchmarks judge settings."""

    @abstractmethod
    def room(self, rng: np.random.Generator) -> dict[str, float]:
        """Return today's room, as read off an instrument."""

    @abstractmethod
    def _structure(self, columns: Mapping[str, Array], lot: Array) -> Microstructure:
        """Return the mat; ``lot``: (4, ...), zeros for the mean lot."""

    @abstractmethod
    def _ideal(self, columns: Mapping[str, Array], mat: Microstructure) -> dict[str, Array]:
        """Return every outcome of a mat without measurement noise."""

    @abstractmethod
    def _failures(self, columns: Mapping[str, Array], mat: Microstructure) -> dict[str, Array]:
        """Return the probability of each kind of failure, independent of the others."""

    @abstractmethod
    def _factors(self, rng: np.random.Generator) -> dict[str, float]:
        """Draw the factor by which each outcome's measurement is off in one run."""

    def run(
        self,
        conditions: Mapping[str, Value],
        ambient: Mapping[str, float],
        rng: np.random.Generator,
    ) -> LabResult:
        """Spin one mat, look at it and pull it.

        Raises:
            DataError: a parameter is missing or cannot be (a flow rate of 0).
        """
        columns = self._filled(self._checked({**conditions, **ambient}))
        lot = rng.standard_normal(N_LOT)
        mat = self._structure(columns, lot)
        failure = self._failure(columns, rng)
        factors = self._factors(rng)
        # Drawn whether or not anybody looks: the runs that follow must not depend on it.
        picture_seed = int(rng.integers(2**63))
        if failure in ("no_jet", "drips"):
            return LabResult(failure=failure)

        def micrograph(shape: tuple[int, int]) -> Picture:
            generator = np.random.default_rng(picture_seed)
            return render(mat, generator, shape=shape, nm_per_pixel=NM_PER_PIXEL)

        outcomes = {} if failure is not None else self._ideal(columns, mat)
        measured = {name: float(value) * factors[name] for name, value in outcomes.items()}
        curve = self._curve(measured, picture_seed) if measured else None
        return LabResult(measured, failure, micrograph, NM_PER_PIXEL, curve)

    def _curve(
        self, measured: Mapping[str, float], seed: int
    ) -> Callable[[str], StressStrain | None]:
        """Return what draws the curve of the specimen that was pulled in a direction."""

        def draw(direction: str) -> StressStrain | None:
            # Brings scipy's filters, which runs that nobody draws do without.
            from engine.lab.tensile import curve_of

            if direction not in DIRECTIONS:
                names = " or ".join(DIRECTIONS)
                raise UsageError(f"expected {names}, got '{direction}'", field="direction")
            place = list(DIRECTIONS).index(direction)
            return curve_of(
                self.campaign, measured, direction, np.random.default_rng([seed, place])
            )

        return draw

    def truth(
        self, conditions: Mapping[str, Value], ambient: Mapping[str, float]
    ) -> dict[str, float]:
        """Return the outcomes of the mean lot without noise (their medians over many runs)."""
        columns = self._checked({**conditions, **ambient})
        return {name: float(value) for name, value in self.truth_columns(columns).items()}

    def truth_columns(self, columns: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """Return the truth of many settings: columns by parameter, room included, in one shape."""
        filled = self._filled(columns)
        return self._ideal(filled, self._structure(filled, np.zeros(N_LOT)))

    def microstructure_columns(
        self, columns: Mapping[str, ArrayLike], lot: Array | None = None
    ) -> Microstructure:
        """Return the structures of many settings; ``lot``: (4, ...) of draws, zero without."""
        return self._structure(self._filled(columns), np.zeros(N_LOT) if lot is None else lot)

    def failure_columns(
        self, columns: Mapping[str, ArrayLike], lot: Array | None = None
    ) -> dict[str, Array]:
        """Return the probability of each kind of failure at many settings."""
        filled = self._filled(columns)
        mat = self._structure(filled, np.zeros(N_LOT) if lot is None else lot)
        return self._failures(filled, mat)

    def failure_probability(
        self, conditions: Mapping[str, Value], ambient: Mapping[str, float]
    ) -> float:
        """Return the probability that a run gives no mat to pull."""
        odds = self.failure_columns(self._checked({**conditions, **ambient}))
        return 1.0 - float(np.prod([1.0 - p for p in odds.values()]))

    def _failure(self, columns: Mapping[str, Array], rng: np.random.Generator) -> str | None:
        # Of the mean lot: `failure_probability` is what benchmarks score by.
        odds = self._failures(columns, self._structure(columns, np.zeros(N_LOT)))
        draws = rng.random(len(odds))
        for (kind, p), draw in zip(odds.items(), draws, strict=True):
            if draw < p:
                return kind
        return None

    def _filled(self, columns: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """Return the columns as arrays of one shape (a lab may add what it keeps fixed)."""
        shape = np.broadcast_shapes(*(np.shape(value) for value in columns.values()))
        return {
            name: np.broadcast_to(np.asarray(value, dtype=np.float64), shape)
            for name, value in columns.items()
        }

    def _checked(self, conditions: Mapping[str, Value]) -> dict[str, float]:
        names = [p.name for p in self.campaign.parameters]
        missing = [name for name in names if name not in conditions]
        if missing:
            raise DataError(f"the lab needs {', '.join(names)}; missing: {', '.join(missing)}")
        values: dict[str, float] = {}
        for name in names:
            value = conditions[name]
            if isinstance(value, str) or not np.isfinite(value):
                raise DataError(f"the lab needs a finite {name}, got {value!r}")
            if name in _POSITIVE and value <= 0:
                raise DataError(f"the lab needs {name} above 0, got {value:g}")
            if name in _NOT_NEGATIVE and value < 0:
                raise DataError(f"the lab needs {name} of at least 0, got {value:g}")
            values[name] = float(value)
        return values
