"""A curve → its five properties, each with how it was come by, or why it is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter1d

from engine.campaign.curve_definitions import PROPERTIES, UNITS, Definitions, PropertyName
from engine.curves.properties.cut import Cut, cut, white_noise
from engine.curves.properties.elastic import (
    Line,
    initial_line,
    is_rubber,
    iso_line,
    steepest,
    window_line,
)
from engine.curves.properties.events import begins_late, find_events
from engine.curves.properties.yielding import (
    YieldPoint,
    first_maximum,
    hardening_line,
    knee,
    offset_crossing,
    stiffens,
    usual_offset,
)
from engine.curves.reading.records import Array
from engine.curves.stress_strain import TensileCurve

_NOISE = 0.002
_SMOOTHED_OVER = 9


@dataclass(frozen=True)
class PropertyValue:
    """One property of one curve; without a value, ``missing`` says why."""

    name: PropertyName
    value: float | None
    unit: str
    definition: str
    """What was asked for, and what was done: ``usual: steepest window, strain 0.30 … 0.55``."""

    missing: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """What a curve says."""

    curve: TensileCurve
    cut: Cut
    values: tuple[PropertyValue, ...]
    findings: tuple[str, ...]
    """What happened to the specimen or the record, in words: not broken, slipped, cycled, cut."""

    greatest: tuple[float, float]
    """Strain (or extension) and stress (or force) of the maximum, as recorded."""

    line: Line | None = None
    yield_point: YieldPoint | None = None
    hardening: Line | None = None
    origin: float = 0.0
    """The strain that counts as zero."""

    smoothed_over: int = 1

    def value(self, name: PropertyName) -> float | None:
        """Return a property's value, or nothing where it is missing."""
        return next(v.value for v in self.values if v.name == name)


def evaluate(curve: TensileCurve, definitions: Definitions | None = None) -> Evaluation:
    """Return what a curve says by a lab's definitions."""
    definitions = definitions or Definitions()
    part = cut(curve.x, curve.y)
    x, y = curve.x[part.start : part.end + 1], curve.y[part.start : part.end + 1]
    findings = list(find_events(curve, part))
    smoothed_over = _smoothing(y)
    smooth = uniform_filter1d(y, smoothed_over, mode="nearest") if smoothed_over > 1 else y
    top = int(np.argmax(y))
    greatest = (float(x[top]), float(y[top]))
    blank = Evaluation(curve, part, (), tuple(findings), greatest, smoothed_over=smoothed_over)
    if len(x) < 8:
        return replace(blank, values=_all_missing(definitions, "too few points before the break"))
    if not curve.has_strain and not curve.has_stress:
        reason = "neither the cross-section nor the gauge length is known"
        return replace(blank, values=_all_missing(definitions, reason))
    worker = _Evaluator(curve, part, smooth, definitions)
    worker.run()
    return replace(
        blank,
        values=tuple(worker.values[name] for name in PROPERTIES),
        line=worker.line,
        yield_point=worker.yield_point,
        hardening=worker.hardening,
        origin=worker.origin,
    )


def _all_missing(definitions: Definitions, reason: str) -> tuple[PropertyValue, ...]:
    return tuple(
        PropertyValue(name, None, UNITS[name], getattr(definitions, name).text, reason)
        for name in PROPERTIES
    )


def _smoothing(y: Array) -> int:
    """Return over how many samples a noisy curve is averaged."""
    if len(y) < 12 * _SMOOTHED_OVER:
        return 1
    return _SMOOTHED_OVER if white_noise(y) > _NOISE * float(y.max()) else 1


class _Evaluator:
    """Works out one curve; what it knows so far stands in its fields."""

    def __init__(
        self, curve: TensileCurve, part: Cut, smooth: Array, definitions: Definitions
    ) -> None:
        self.curve = curve
        self.part = part
        inside = slice(part.start, part.end + 1)
        self.x, self.y, self.smooth = curve.x[inside], curve.y[inside], smooth
        self.definitions = definitions
        self.values: dict[PropertyName, PropertyValue] = {}
        self.line: Line | None = None
        self.yield_point: YieldPoint | None = None
        self.hardening: Line | None = None
        self.origin = float(self.x[0]) if part.start else 0.0
        self.is_smoothed = smooth is not self.y and not np.array_equal(smooth, self.y)
        # Counted within the cut.
        self.slip = part.slips[0] - part.start if part.slips else None

    def run(self) -> None:
        """Fill in all five values."""
        self._modulus()
        self._yield()
        self._tangent()
        self._ends()

    def _add(
        self, name: PropertyName, value: float | None, method: str, missing: str | None = None
    ) -> None:
        rule = getattr(self.definitions, name)
        definition = f"{rule.text}: {method}" if method and method != rule.text else rule.text
        if not self.curve.has_stress and UNITS[name] == "MPa":
            value, missing = None, "the cross-section is not known"
        elif not self.curve.has_strain and name in (
            "elongation",
            "elastic_modulus",
            "tangent_modulus",
        ):
            value, missing = None, "the gauge length is not known"
        if value is not None and not np.isfinite(value):
            value, missing = None, "it cannot be told"
        self.values[name] = PropertyValue(
            name, value, UNITS[name], definition, missing if value is None else None
        )

    def _modulus(self) -> None:
        rule = self.definitions.elastic_modulus
        x, y = self.x, self.smooth
        steep = steepest(x, y)
        line, missing = self._line(steep)
        if line is not None and begins_late(self.y):
            line, missing = None, "the record's beginning is missing"
        elif line is not None and self._is_after_slip(line.last):
            line, missing = None, "the specimen slipped before"
        elif line is not None and line.method == "steepest" and self._still_steepens(line):
            line, missing = None, "the record ends while the curve still steepens"
        self.line = line
        if line is None:
            self._add("elastic_modulus", None, "", missing)
            return
        starts_at_zero = rule.kind in ("initial", "secant") or line.method.startswith("0 to")
        if self.definitions.toe_compensation and not starts_at_zero:
            self.origin = line.origin
        elif starts_at_zero:
            self.origin = 0.0
        method = (
            f"{line.method}, strain {x[line.first]:.4g} to {x[line.last]:.4g}, R² {line.r2:.4f}"
            + (f", smoothed over {_SMOOTHED_OVER} points" if self.is_smoothed else "")
        )
        self._add("elastic_modulus", line.slope, method)

    def _line(self, steep: Line | None) -> tuple[Line | None, str]:
        """Return the line that the definition asks for, and why there is none if there is none."""
        rule, x, y = self.definitions.elastic_modulus, self.x, self.smooth
        if rule.kind == "window":
            return self._window_line(steep)
        if rule.kind == "secant":
            return self._secant(rule.strains[0])
        if rule.kind == "iso":
            line = iso_line(x, y, None)
            return line, "strain does not resolve 0.05 to 0.25 %, or the curve bends there"
        line = steep
        if rule.kind == "initial" or (rule.kind == "usual" and steep and is_rubber(x, y, steep)):
            line = initial_line(x, y)
        elif rule.kind == "usual":
            line = iso_line(x, y, steep) or steep
        return line, "no straight part that rises by a fifth of the greatest stress"

    def _window_line(self, steep: Line | None) -> tuple[Line | None, str]:
        rule = self.definitions.elastic_modulus
        is_shifted = steep is not None and self.definitions.toe_compensation
        origin = steep.origin if steep is not None and is_shifted else 0.0
        low, high = (strain + origin for strain in rule.strains)
        if self.x[-1] < high:
            return None, "the curve does not reach the window"
        return window_line(
            self.x, self.smooth, low, high, rule.text
        ), "too few points in the window"

    def _secant(self, strain: float) -> tuple[Line | None, str]:
        x, y = self.x, self.smooth
        if x[-1] < strain:
            return None, "the curve does not reach that strain"
        stress = float(np.interp(strain, np.maximum.accumulate(x), y))
        last = int(np.searchsorted(np.maximum.accumulate(x), strain))
        line = Line(stress / strain, 0.0, 0, min(last, len(x) - 1), 1.0, f"secant {strain:.0%}")
        return line, ""

    def _still_steepens(self, line: Line) -> bool:
        """Whether the steepest window lies at the end of a record that just stops there."""
        if self.part.ending == "broken":
            return False
        top = int(np.argmax(self.smooth))
        near_end = self.smooth[line.last] >= 0.9 * self.smooth[top]
        earlier = window_line(
            self.x, self.smooth, float(self.x[0]), float(self.x[line.first]), "before"
        )
        is_curved = earlier is None or earlier.slope < 0.9 * line.slope
        return bool(near_end) and is_curved and line.first > 3

    def _is_after_slip(self, index: int) -> bool:
        return self.slip is not None and index > self.slip

    def _yield(self) -> None:
        point, missing = self._find_yield()
        if point is not None and self._is_after_slip(self._index(point.strain)):
            point, missing = None, "the specimen slipped before"
        self.yield_point = point
        if point is None:
            self._add("yield_strength", None, "", missing)
        else:
            self._add(
                "yield_strength", point.stress, f"{point.method} at strain {point.strain:.4g}"
            )

    def _index(self, strain: float) -> int:
        origin = self.line.origin if self.line is not None else float(self.x[0])
        return int(np.searchsorted(np.maximum.accumulate(self.x), strain + origin))

    def _find_yield(self) -> tuple[YieldPoint | None, str]:
        """Return the yield, and why there is none if there is none."""
        rule, line = self.definitions.yield_strength, self.line
        point: YieldPoint | None = None
        missing = ""
        if rule.kind == "none":
            missing = "not asked for"
        elif rule.kind in ("usual", "first maximum"):
            point = first_maximum(self.x, self.smooth, line)
            missing = "no yield: no maximum before the greatest one"
        if point is not None or rule.kind in ("none", "first maximum"):
            return point, missing
        if line is None:
            return None, "no elastic part to start from"
        return self._find_bend(line)

    def _find_bend(self, line: Line) -> tuple[YieldPoint | None, str]:
        rule, x, y = self.definitions.yield_strength, self.x, self.smooth
        offset = rule.strains[0] if rule.strains else usual_offset(x, y, line)
        crossing = offset_crossing(x, y, line, offset)
        if crossing is None:
            return (
                None,
                f"no yield: the curve does not leave the elastic line by {100 * offset:g} %",
            )
        hardening = self._hardening(crossing)
        if stiffens(hardening, line):
            return None, "no yield: the curve goes on as steeply as it began"
        if rule.kind == "knee":
            bend = knee(line, hardening) if hardening is not None else None
            return bend, "no yield: no two lines that meet"
        return replace(crossing, method=f"offset {100 * offset:g} %"), ""

    def _hardening(self, point: YieldPoint) -> Line | None:
        rule, x, y = self.definitions.tangent_modulus, self.x, self.smooth
        line_origin = self.line.origin if self.line is not None else float(x[0])
        if rule.kind == "window":
            return self._window_tangent()
        return hardening_line(x, y, point.strain, line_origin)

    def _window_tangent(self) -> Line | None:
        rule, x, y = self.definitions.tangent_modulus, self.x, self.smooth
        low, high = (strain + self.origin for strain in rule.strains)
        return window_line(x, y, low, high, rule.text) if x[-1] >= high else None

    def _tangent(self) -> None:
        rule = self.definitions.tangent_modulus
        if rule.kind == "window":
            self.hardening = self._window_tangent()
            missing = "the curve does not cover the window"
        elif self.yield_point is None:
            missing = "no yield to start from"
        else:
            self.hardening = self._hardening(self.yield_point)
            missing = "too few points between yield and maximum"
        line = self.hardening
        if line is not None and self.slip is not None and self._is_after_slip(line.last):
            line, self.hardening, missing = None, None, "the specimen slipped before"
        if line is None:
            self._add("tangent_modulus", None, "", missing)
            return
        until = "" if self.part.ending == "broken" else " of the record"
        method = (
            f"{line.method}{until}, strain {self.x[line.first]:.4g} to {self.x[line.last]:.4g}, "
            f"R² {line.r2:.4f}"
        )
        self._add("tangent_modulus", line.slope, method)

    def _ends(self) -> None:
        top = int(np.argmax(self.smooth))
        missing = None
        if self.part.n_cycles:
            missing = "the specimen was cycled"
        elif self.part.ending == "unloaded":
            missing = "not broken: the machine turned back"
        elif self.part.ending == "not broken":
            missing = "not broken: the record ends without a fall of force"
        elif self.slip is not None:
            missing = "the specimen slipped before"
        names: tuple[PropertyName, ...] = ("fracture_strength", "elongation")
        for name in names:
            at = len(self.x) - 1 if getattr(self.definitions, name).kind == "break" else top
            if missing is not None:
                self._add(name, None, "", missing)
            elif name == "fracture_strength":
                self._add(name, float(self.y[at]), f"at strain {self.x[at] - self.origin:.4g}")
            else:
                self._elongation(at)

    def _elongation(self, at: int) -> None:
        if begins_late(self.y) and self.line is None:
            self._add("elongation", None, "", "the record's beginning is missing")
            return
        method = (
            f"toe of {self.origin:.3g} taken off" if self.origin else "without toe compensation"
        )
        self._add("elongation", 100 * float(self.x[at] - self.origin), method)
