"""Channels and geometry → stress over strain, or force over extension where facts lack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.curves.reading.records import Array, Channel, RawCurve, Specimen


@dataclass(frozen=True)
class TensileCurve:
    """One curve: x is strain (a ratio) or extension [mm], y is stress [MPa] or force [N]."""

    name: str
    x: Array
    y: Array
    has_strain: bool
    has_stress: bool
    specimen: Specimen
    notes: tuple[str, ...] = ()

    @property
    def x_heading(self) -> str:
        """What the horizontal axis shows."""
        return "strain [–]" if self.has_strain else "extension [mm]"

    @property
    def y_heading(self) -> str:
        """What the vertical axis shows."""
        return "stress [MPa]" if self.has_stress else "force [N]"


def tensile_curve(
    raw: RawCurve, stated: Specimen | None = None, usual: Specimen | None = None
) -> TensileCurve:
    """Return the curve of a specimen.

    Args:
        raw: what the file holds.
        stated: geometry that the user states; it stands before the file's, and stresses and strains
            are then computed anew where force and extension were recorded.
        usual: the campaign's usual geometry, for what nobody states.
    """
    stated, usual = stated or Specimen(), usual or Specimen()
    specimen = stated.or_else(raw.specimen).or_else(usual)
    notes = list(raw.notes)
    x, has_strain = _strain(raw, stated, specimen, notes)
    y, has_stress = _stress(raw, stated, specimen, notes)
    return TensileCurve(raw.name, x, y, has_strain, has_stress, specimen, tuple(notes))


def _strain(
    raw: RawCurve, stated: Specimen, specimen: Specimen, notes: list[str]
) -> tuple[Array, bool]:
    extension = raw.channel("extension") or raw.channel("position")
    if extension is not None and stated.gauge_mm is not None:
        return (extension.values - extension.values[0]) / stated.gauge_mm, True
    strains = [c for c in raw.channels if c.quantity == "strain"]
    if strains:
        chosen = _best_strain(strains)
        if len(strains) > 1:
            notes.append(f"of {len(strains)} columns of strain '{chosen.heading}' was taken")
        return chosen.values, True
    true = raw.channel("true strain")
    if true is not None:
        notes.append(f"'{true.heading}' was turned into engineering strain")
        return np.expm1(true.values), True
    assert extension is not None  # noqa: S101 -- what makes it a curve
    if specimen.gauge_mm is not None:
        return (extension.values - extension.values[0]) / specimen.gauge_mm, True
    return extension.values - extension.values[0], False


def _best_strain(strains: list[Channel]) -> Channel:
    """Return the strain that was measured on the specimen rather than between the grips."""

    def rank(channel: Channel) -> tuple[bool, bool]:
        heading = channel.heading.casefold()
        is_crosshead = any(
            w in heading for w in ("extension", "displacement", "crosshead", "nominal")
        )
        is_still = float(np.ptp(channel.values)) == 0
        return is_still, is_crosshead

    return min(strains, key=rank)


def _stress(
    raw: RawCurve, stated: Specimen, specimen: Specimen, notes: list[str]
) -> tuple[Array, bool]:
    force, stress = raw.channel("force"), raw.channel("stress")
    is_stated = stated.cross_section_mm2 is not None or (
        (stated.width_mm or stated.thickness_mm) and specimen.cross_section_mm2 is not None
    )
    if force is not None and is_stated and specimen.cross_section_mm2:
        return force.values / specimen.cross_section_mm2, True
    if stress is not None:
        return stress.values, True
    true_stress, strain = raw.channel("true stress"), raw.channel("true strain")
    if true_stress is not None and strain is not None:
        notes.append(f"'{true_stress.heading}' was turned into engineering stress")
        return true_stress.values / np.exp(strain.values), True
    if true_stress is not None and force is None:
        engineering = raw.channel("strain")
        if engineering is not None:
            notes.append(f"'{true_stress.heading}' was turned into engineering stress")
            return true_stress.values / (1 + engineering.values), True
    if force is None:
        assert true_stress is not None  # noqa: S101 -- what makes it a curve
        notes.append(f"'{true_stress.heading}' cannot become engineering stress without strain")
        return true_stress.values, False
    area = specimen.cross_section_mm2
    return (force.values / area, True) if area else (force.values, False)
