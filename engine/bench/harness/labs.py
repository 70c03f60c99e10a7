"""The labs that benchmarks run, by name and seed, and the runs they give.

============  ======================================================================
``standard``  the virtual lab fitted to the published table (also ``virtual``)
``family``    a lab of the simulated ensemble: another one for each seed
``unlike``    a truth of another functional form
``lots``      the standard lab where lots differ much and specimens little
``older``     a lab related to the standard one
``composite`` nanofibre-reinforced composites, for the composite campaign
============  ======================================================================

An entry point ``spinneret.labs``, or ``module:Class``, names one of your own, ``FILE.toml`` a
virtual lab with other constants: tables by
law (``[diameter]``, ``[properties.elongation]``) as :mod:`engine.lab.constants` names them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.campaign.history import Run
from engine.errors import DataError, UsageError, nearest_name, place
from engine.lab import Lab, VirtualLab, load_lab
from engine.lab.constants import LabConstants
from engine.lab.protocol import KnownLab, LabResult, Picture
from engine.workspace.plugins import LAB_PLUGINS, find_plugin, usable_names

FAMILY = "family"
NAMES = ("standard", FAMILY, "unlike", "lots", "older", "composite")
FIRST_FAMILY_SEED = 1_000_000
"""Seeds from here on are kept for benchmarks: nothing was pretrained on these labs."""
LOT_GAIN, SPECIMEN_GAIN = 2.5, 0.3
MAX_DRAWS = 20

Array = NDArray[np.float64]


def changes_with_seed(name: str) -> bool:
    """Say whether each seed has a lab of its own."""
    return name == FAMILY


@dataclass(frozen=True)
class SourceRuns:
    """What one lab did before, to pretrain on.

    ``runs``: its finished runs. ``pictures``: a micrograph of each run, or none at all; grey,
    (height, width), rotation along the width, ``nm_per_pixel`` nanometres each.
    """

    name: str
    campaign: Campaign
    runs: tuple[Run, ...]
    pictures: tuple[Picture, ...] = ()
    nm_per_pixel: float | None = None


@lru_cache(maxsize=128)
def lab_of(name: str, seed: int = 0) -> Lab:
    """Return the lab called ``name`` of repetition ``seed``.

    >>> lab_of("standard").campaign.name
    'nanofibre'

    Raises:
        UsageError: no such lab, or a file that does not describe one.
    """
    if name in ("standard", "virtual"):
        return VirtualLab()
    if name == FAMILY:
        from engine.lab.ensemble import family_lab

        return family_lab(FIRST_FAMILY_SEED + seed)
    if name == "lots":
        return VirtualLab(constants=lots_dominate(LabConstants()))
    if name.endswith(".toml"):
        return VirtualLab(constants=_constants_of(Path(name)))
    if ":" not in name and name not in NAMES and find_plugin(LAB_PLUGINS, name) is None:
        names = (*NAMES, *usable_names(LAB_PLUGINS))
        raise UsageError(
            f"expected {', '.join(names)}, module:Class or FILE.toml, got '{name}'."
            f"{nearest_name(name, names)}",
            field="truth",
        )
    return load_lab(name)


def older_labs(name: str, seed: int, n: int) -> list[Lab]:
    """Return ``n`` labs related to the one called ``name``: every sensitivity about 30 % off."""
    if name == FAMILY:
        from engine.lab.ensemble import family_lab, related

        truth = family_lab(FIRST_FAMILY_SEED + seed)
        return [related(truth, n * seed + k) for k in range(n)]
    return [VirtualLab(seed=n * seed + k, variant="older") for k in range(n)]


def finished_runs(lab: Lab, n: int, seed: int) -> list[tuple[Run, LabResult]]:
    """Return ``n`` runs that gave a mat, their settings spread over the space, and their results.

    The first ``k`` of ``n`` are the same for each ``n``. Rooms and noise follow from ``seed``.

    Raises:
        DataError: the lab hardly ever gives a mat.
    """
    from engine.propose.sampling import Sampler
    from engine.propose.space import Space

    space = Space(lab.campaign)
    finished: list[tuple[Run, LabResult]] = []
    for part in range(MAX_DRAWS):
        drawn = int(np.random.default_rng([seed, part]).integers(2**31))
        settings = space.conditions_of(Sampler(space).sample(max(64, 2 * n), drawn))
        for index, conditions in enumerate(settings):
            # A generator for each run: how many are asked for changes none of the first ones.
            rng = np.random.default_rng([seed, part, index])
            ambient = lab.room(rng)
            result = lab.run(conditions, ambient, rng)
            if result.failure is None:
                outcomes = {name: (float(value),) for name, value in result.outcomes.items()}
                label = f"run {len(finished) + 1}"
                finished.append((Run({**conditions, **ambient}, outcomes, label=label), result))
            if len(finished) == n:
                return finished
    raise DataError(
        f"expected {n} runs that give a mat, got {len(finished)}: the lab fails too often"
    )


def truths(lab: KnownLab, conditions: Sequence[Mapping[str, Value]]) -> dict[str, Array]:
    """Return each outcome without noise, (n,), at conditions that hold the room's readings too."""
    names = [p.name for p in lab.campaign.parameters]
    # Labs of the package answer whole columns; one of your own may know single settings only.
    if hasattr(lab, "truth_columns"):
        columns = {name: np.array([c[name] for c in conditions]) for name in names}
        outcomes = lab.truth_columns(columns)
        return {name: np.asarray(values, dtype=np.float64) for name, values in outcomes.items()}
    ambient = [p.name for p in lab.campaign.ambient]
    rows = [lab.truth(c, {name: float(c[name]) for name in ambient}) for c in conditions]
    return {name: np.array([row[name] for row in rows]) for name in lab.campaign.outcomes}


def source_runs(lab: Lab, name: str, n: int, seed: int, *, picture_px: int = 0) -> SourceRuns:
    """Return a lab's ``n`` runs as a source; with square pictures of ``picture_px``, if above 0."""
    finished = finished_runs(lab, n, seed)
    runs = tuple(run for run, _ in finished)
    micrographs = [result.micrograph for _, result in finished]
    if not picture_px or any(draw is None for draw in micrographs):
        return SourceRuns(name, lab.campaign, runs)
    pictures = tuple(draw((picture_px, picture_px)) for draw in micrographs if draw is not None)
    return SourceRuns(name, lab.campaign, runs, pictures, finished[0][1].nm_per_pixel)


def lots_dominate(constants: LabConstants) -> LabConstants:
    """Return constants whose lots differ 2.5 times as much, and whose specimens 0.3 times."""

    def changed(law: Any) -> Any:
        gains = {"lot": LOT_GAIN, "single": SPECIMEN_GAIN}
        new = {f.name: getattr(law, f.name) * gains[f.name] for f in fields(law) if f.name in gains}
        if hasattr(law, "specimen"):
            new["specimen"] = tuple(SPECIMEN_GAIN * value for value in law.specimen)
        return replace(law, **new)

    laws = {f.name: getattr(constants, f.name) for f in fields(constants)}
    new = {name: changed(law) for name, law in laws.items() if is_dataclass(law)}
    properties = {name: changed(law) for name, law in constants.properties.items()}
    return replace(constants, **new, properties=MappingProxyType(properties))


def _constants_of(path: Path) -> LabConstants:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{place(path)}: expected a TOML file of constants ({error})", field="truth"
        ) from error
    constants = LabConstants()
    properties = dict(constants.properties)
    for name, values in tables.pop("properties", {}).items():
        properties[name] = _replaced(path, properties.get(name), f"properties.{name}", values)
    new = {
        name: _replaced(path, getattr(constants, name, None), name, values)
        for name, values in tables.items()
    }
    return replace(constants, **new, properties=MappingProxyType(properties))


def _replaced(path: Path, law: Any, heading: str, values: Any) -> Any:
    """Return a law with other numbers; pairs of numbers stay pairs."""
    defaults = {f.name: getattr(law, f.name) for f in fields(law)} if is_dataclass(law) else {}
    if not defaults or not isinstance(values, dict):
        raise UsageError(
            f"{place(path)}: expected laws of engine.lab.constants, got [{heading}]", field="truth"
        )
    new = {}
    for name, value in values.items():
        parts = value if isinstance(value, list) else [value]
        sizes = len(defaults[name]) if isinstance(defaults.get(name), tuple) else 1
        is_number = all(isinstance(x, int | float) and not isinstance(x, bool) for x in parts)
        if name not in defaults or not is_number or len(parts) != sizes:
            raise UsageError(
                f"{place(path)}: [{heading}] {name} = {value}: expected one of "
                f"{', '.join(defaults)} with as many numbers as it has",
                field="truth",
            )
        new[name] = tuple(map(float, parts)) if sizes > 1 else float(parts[0])
    return replace(law, **new)
