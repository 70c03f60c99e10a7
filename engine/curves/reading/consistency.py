"""Do the columns of a curve agree with one another, and can they be of a tensile test?"""

from __future__ import annotations

import numpy as np

from engine.curves.reading.records import Array, RawCurve
from engine.errors import DataError

_PROPORTIONAL = 0.02


def check_consistency(curve: RawCurve) -> RawCurve:
    """Return the curve, with notes where columns and facts of the file differ a little.

    Raises:
        DataError: force and stress, or extension and strain, cannot belong together, or the
            specimen was pushed.
    """
    hold = curve.channel("force") or curve.channel("stress") or curve.channel("true stress")
    assert hold is not None  # noqa: S101 -- what makes it a curve
    low, high = float(hold.values.min()), float(hold.values.max())
    if high <= 0 or -low > 2 * high:
        raise DataError(
            f"'{hold.heading}' of '{curve.name}' is negative ({low:.3g} … {high:.3g}): expected a "
            "tensile test with positive forces; turn the sign around, or leave this curve out"
        )
    curve = _force_and_stress(curve)
    return _extension_and_strain(curve)


def _force_and_stress(curve: RawCurve) -> RawCurve:
    force, stress = curve.channel("force"), curve.channel("stress")
    if force is None or stress is None:
        return curve
    area = _ratio(force.values, stress.values)
    if area is None:
        raise DataError(
            f"'{force.heading}' and '{stress.heading}' of '{curve.name}' are not proportional: "
            "a column is not what its heading says"
        )
    stated = curve.specimen.cross_section_mm2
    if stated is not None and not 0.98 <= area / stated <= 1.02:
        return curve.with_notes(
            f"force and stress give a cross-section of {area:.4g} mm², the file states "
            f"{stated:.4g}; the stresses of the file were kept"
        )
    return curve


def _extension_and_strain(curve: RawCurve) -> RawCurve:
    extension, strain = curve.channel("extension"), curve.channel("strain")
    gauge = curve.specimen.gauge_mm
    if extension is None or strain is None or gauge is None:
        return curve
    length = _ratio(extension.values - extension.values[0], strain.values - strain.values[0])
    if length is None:
        return curve  # an extensometer, which the crosshead does not follow
    if 0.8 <= length / gauge / 100 <= 1.25 or 0.8 <= length / gauge * 100 <= 1.25:
        raise DataError(
            f"'{strain.heading}' of '{curve.name}' is a hundred times off "
            f"'{extension.heading}' over {gauge:g} mm: say in which unit it is, strain=% or "
            "strain=mm/mm",
            field="units",
        )
    return curve


def _ratio(numerator: Array, denominator: Array) -> float | None:
    """Return the factor between two proportional columns, or none where they are not."""
    scale = float(denominator @ denominator)
    if scale == 0:
        return None
    factor = float(numerator @ denominator) / scale
    worst = float(np.abs(numerator - factor * denominator).max())
    return (
        factor if factor > 0 and worst <= _PROPORTIONAL * float(np.abs(numerator).max()) else None
    )
