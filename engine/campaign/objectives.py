"""What is wanted of an outcome, and the one place where its values become better or worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from engine.campaign.conditions import Frozen, Number
from engine.campaign.parameters import OutcomeName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


class Objective(Frozen):
    """An outcome to improve; whether a value is better than another, only :meth:`gains` says.

    ``maximize`` and ``minimize`` have a ``threshold``: values on its wrong side are worth nothing.
    ``target`` has the value to hit and a ``tolerance``, which is its threshold: the nearer the
    better, and what is further off is worth nothing. (What only has to lie in a window, wherever
    in it, is two constraints.)

    >>> diameter = Objective(outcome="diameter", goal="target", target=300, tolerance=20)
    >>> diameter.gains([290, 300, 330]).tolist(), diameter.reference
    ([-10.0, 0.0, -30.0], -20.0)
    >>> diameter.is_reached([290, 300, 330]).tolist()
    [True, True, False]
    """

    outcome: OutcomeName
    goal: Literal["maximize", "minimize", "target"] = "maximize"
    threshold: Number | None = None
    target: Number | None = None
    tolerance: Number | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        name = f"objective '{self.outcome}'"
        if self.goal != "target":
            for key in ("target", "tolerance"):
                if getattr(self, key) is not None:
                    raise ValueError(
                        f"{name}: {key} belongs to goal = \"target\", but goal is '{self.goal}'; "
                        f'write goal = "target", or a threshold in place of {key}'
                    )
            if self.threshold is None:
                raise ValueError(
                    f"{name}: expected a threshold, the value from which on a run counts; values "
                    "on its wrong side are worth nothing"
                )
            return self
        if self.target is None or self.tolerance is None:
            missing = "target" if self.target is None else "tolerance"
            raise ValueError(
                f'{name}: goal = "target" needs the value to hit and how far off still counts, in '
                f"the outcome's unit, such as target = 300 and tolerance = 20; {missing} is missing"
            )
        if not self.tolerance > 0:
            raise ValueError(f"{name}: expected a tolerance above 0, got {self.tolerance:g}")
        if self.target + self.tolerance == self.target:
            raise ValueError(
                f"{name}: tolerance = {self.tolerance:g} is lost in the rounding of target = "
                f"{self.target:g}; expected a wider one"
            )
        if self.threshold is not None:
            raise ValueError(
                f'{name}: a goal = "target" takes no threshold: its tolerance is what counts. '
                "Leave threshold out"
            )
        return self

    def gains(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return ``values`` (any shape) so that larger is better: y, −y, or −|y − target|."""
        import numpy as np  # `engine log` does without

        array = np.asarray(values, dtype=np.float64)
        if self.target is not None:
            distance: NDArray[np.float64] = 0.0 - np.abs(array - self.target)
            return distance
        gains: NDArray[np.float64] = array * (1.0 if self.goal == "maximize" else -1.0)
        return gains

    def gain(self, value: float) -> float:
        """Return one value so that larger is better, as :meth:`gains` does, without numpy."""
        if self.target is not None:
            return 0.0 - abs(value - self.target)
        return value if self.goal == "maximize" else -value

    @property
    def reference(self) -> float:
        """The gain from which on a value is worth something."""
        if self.tolerance is not None:
            return -self.tolerance
        assert self.threshold is not None  # noqa: S101 -- checked above
        return self.threshold if self.goal == "maximize" else -self.threshold

    @property
    def least(self) -> float:
        """The gain that reaches the threshold: beyond it, for a target itself.

        300.3 ± 0.1 holds 300.4, whatever rounding makes of it.
        """
        if self.target is None or self.tolerance is None:
            return self.reference
        return self.reference - 1e-9 * (abs(self.target) + self.tolerance)

    def is_reached(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Say which ``values`` are beyond the threshold, or within the tolerance (NaN: not)."""
        gains = self.gains(values)
        reached: NDArray[np.bool_] = (
            gains > self.least if self.target is None else gains >= self.least
        )
        return reached

    @property
    def edges(self) -> tuple[float, ...]:
        """The values at which worth begins: the threshold, or both ends of the tolerance."""
        if self.target is not None and self.tolerance is not None:
            return self.target - self.tolerance, self.target + self.tolerance
        assert self.threshold is not None  # noqa: S101 -- checked above
        return (self.threshold,)

    @property
    def aim(self) -> str:
        """The threshold in signs.

        >>> Objective(outcome="cost", goal="minimize", threshold=9).aim
        '≤ 9'
        >>> Objective(outcome="diameter", goal="target", target=300, tolerance=20).aim
        '300 ± 20'
        """
        if self.target is not None:
            return f"{self.target:g} ± {self.tolerance:g}"
        return f"{'≥' if self.goal == 'maximize' else '≤'} {self.threshold:g}"

    def best_within(self, lower: float, upper: float) -> float:
        """Return the best value of an interval.

        >>> Objective(outcome="diameter", goal="target", target=300, tolerance=20).best_within(
        ...     250, 290
        ... )
        290
        """
        if self.target is not None:
            return min(max(self.target, lower), upper)
        return upper if self.goal == "maximize" else lower
