"""One thing, many names: what electrospinning papers and lab books call their parameters.

Names are compared without case, blanks, ``_``, ``-`` and dots. A single letter is taken only where
its unit says what it stands for: ``v [kV]`` is a voltage, ``v`` alone is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.campaign.definition import Campaign
from engine.campaign.vocabulary import Kind, loosely

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "flow_rate": (
        "feed rate", "feeding rate", "feedrate", "flowrate", "flow", "solution flow rate",
        "solution feed rate", "polymer flow rate", "pump rate", "pumping rate", "infusion rate",
        "injection rate", "extrusion rate", "syringe rate", "flussrate", "förderrate",
        "vorschubrate", "débit", "caudal", "流速", "供液速度", "推进速度", "f", "q",
    ),
    "concentration": (
        "conc", "polymer concentration", "solution concentration", "polymer content",
        "solid content", "solids content", "weight concentration", "mass fraction",
        "weight fraction", "konzentration", "konz", "concentración", "浓度", "濃度", "c",
    ),
    "voltage": (
        "applied voltage", "high voltage", "spinning voltage", "needle voltage", "potential",
        "applied potential", "electric potential", "potential difference", "hochspannung",
        "spannung", "voltaje", "电压", "電圧", "hv", "v", "u",
    ),
    "collector_speed": (
        "collector rotation speed", "collector rotational speed", "collector rotation",
        "collector velocity", "rotation speed", "rotational speed", "rotating speed",
        "rotation rate", "rotational velocity", "drum speed", "drum rotation speed",
        "mandrel speed", "mandrel rotation speed", "roller speed", "winding speed",
        "collection speed", "take up speed", "drehzahl", "trommeldrehzahl", "kollektordrehzahl",
        "转速", "回転数", "speed", "rpm", "r",
    ),
    "distance": (
        "tip to collector distance", "tip to collector", "tip collector distance",
        "needle to collector distance", "needle to collector", "needle collector distance",
        "nozzle to collector distance", "nozzle collector distance",
        "spinneret to collector distance",
        "collector distance", "collecting distance", "collection distance", "working distance",
        "spinning distance", "electrospinning distance", "abstand", "kollektorabstand", "distancia",
        "距离", "接收距离", "距離", "tcd", "gap", "d", "h",
    ),
    "temperature": (
        "room temperature", "ambient temperature", "air temperature", "chamber temperature",
        "environment temperature", "temperatur", "raumtemperatur", "température",
        "temperatura", "温度", "temp", "t",
    ),
    "humidity": (
        "relative humidity", "rel humidity", "ambient humidity", "room humidity", "air humidity",
        "chamber humidity", "moisture", "luftfeuchte", "luftfeuchtigkeit", "relative luftfeuchte",
        "rel luftfeuchte", "feuchte", "humidité", "humedad", "umidità", "湿度", "相对湿度", "r.f.",
        "rh", "w",
    ),
    "needle_gauge": ("gauge", "needle size", "needle", "g"),
    "needle_diameter": (
        "inner diameter of needle", "needle inner diameter", "nozzle diameter", "tip diameter",
        "needle id", "orifice diameter",
    ),
    "molecular_weight": ("molar mass", "molecular mass", "mw", "polymer molecular weight"),
    "viscosity": ("solution viscosity", "dynamic viscosity"),
    "conductivity": ("solution conductivity", "electrical conductivity", "electric conductivity"),
    "surface_tension": ("solution surface tension",),
    "spinning_time": ("time", "duration", "spinning duration", "deposition time"),
    "fibre_fraction": (
        "fiber fraction", "fibre content", "fiber content", "fibre volume fraction",
        "fiber volume fraction", "vf",
    ),
    "matrix_modulus": ("modulus of matrix", "matrix stiffness", "matrix elastic modulus"),
}  # fmt: skip

_CANONICAL = {
    loosely(word): loosely(name)
    for name, synonyms in SYNONYMS.items()
    for word in (name, *synonyms)
}


OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "fracture_strength": (
        "tensile strength", "ultimate tensile strength", "ultimate strength", "breaking strength",
        "strength at break", "fracture stress", "stress at break", "uts", "zugfestigkeit",
        "bruchfestigkeit", "résistance à la traction", "resistencia a la tracción", "拉伸强度",
        "断裂强度", "引張強度",
    ),
    "elongation": (
        "elongation at break", "strain at break", "breaking strain", "breaking elongation",
        "fracture strain", "ultimate strain", "failure strain", "bruchdehnung",
        "allongement à la rupture", "alargamiento a la rotura", "断裂伸长率", "破断伸び",
    ),
    "elastic_modulus": (
        "young's modulus", "youngs modulus", "tensile modulus", "young modulus", "e modul",
        "elastizitätsmodul", "module d'young", "módulo de young", "弹性模量", "杨氏模量",
        "ヤング率",
    ),
    "yield_strength": ("yield stress", "streckgrenze", "límite elástico", "屈服强度"),
    "fibre_diameter": (
        "mean fibre diameter", "average fibre diameter", "fibre diameter mean", "mean diameter",
        "average diameter", "faserdurchmesser", "diamètre", "纤维直径", "繊維径", "diameter",
    ),
    "order_parameter": ("orientation order", "orientation parameter", "degree of alignment"),
}  # fmt: skip

_CANONICAL_OUTCOMES = {
    loosely(word): loosely(name)
    for name, synonyms in OUTCOMES.items()
    for word in (name, *synonyms)
}

DIRECTIONS: Mapping[str, tuple[str, ...]] = {
    "longitudinal": ("parallel", "axial", "md", "längs"),
    "transverse": ("transversal", "perpendicular", "td", "quer"),
}

RUN_WORDS: Mapping[Kind, tuple[str, ...]] = {
    "label": (
        "run",
        "run id",
        "run no",
        "run number",
        "sample name",
        "sample no",
        "sample number",
        "specimen",
        "probe",
        "probenname",
        "probe nr",
        "échantillon",
        "muestra",
        "样品",
        "样品编号",
        "試料",
    ),
    "note": (
        "remark",
        "remarks",
        "observation",
        "observations",
        "bemerkung",
        "bemerkungen",
        "kommentar",
        "remarque",
        "remarques",
        "commentaire",
        "observaciones",
        "备注",
        "備考",
    ),
}
"""What a column of labels or notes is called where it does not say ``label`` or ``note``."""

_COMMON = {"flow", "gap", "needle", "potential", "spannung", "speed", "time"}


def canonical(word: str) -> str:
    """Return the name under which a parameter's synonyms meet."""
    plain = loosely(word)
    return _CANONICAL.get(plain, plain)


def canonical_outcome(word: str) -> str:
    """Return the name under which an outcome's synonyms meet; a direction after a dot is kept."""
    stem, dot, direction = word.replace("fiber", "fibre").replace("Fiber", "fibre").partition(".")
    plain = loosely(stem)
    return f"{_CANONICAL_OUTCOMES.get(plain, plain)}{dot}{direction.casefold()}"


def needs_unit(word: str) -> bool:
    """Whether a word is too short or too common to mean anything without its unit."""
    return len(loosely(word)) == 1 or loosely(word) in _COMMON


def synonyms_of(campaign: Campaign, names: Iterable[str]) -> dict[str, tuple[Kind, str]]:
    """Return what else ``names`` of a campaign are called, and what each word means.

    ``names``: parameters, outcomes, ``label``, ``note``. Only words that mean one of them and need
    no unit to be understood.
    """
    meanings: dict[str, set[tuple[Kind, str]]] = {}
    chosen = set(names)
    for kind, synonyms in RUN_WORDS.items():
        for word in synonyms if kind in chosen else ():
            meanings.setdefault(loosely(word), set()).add((kind, kind))
    for parameter in campaign.parameters:
        group = canonical(parameter.name)
        for word in [word for word, name in _CANONICAL.items() if name == group]:
            # A chamber that is heated is not the room.
            if parameter.name in chosen and not (
                parameter.role == "controlled" and _is_of_room(word)
            ):
                meanings.setdefault(word, set()).add(("parameter", parameter.name))
    for prop in campaign.properties:
        group = canonical_outcome(prop.name)
        stems = {loosely(prop.name), *_outcome_words(group)}
        for outcome in chosen.intersection(prop.outcomes):
            direction = outcome.removeprefix(prop.name).lstrip(".")
            for tail in (direction, *DIRECTIONS.get(direction, ())):
                for stem in stems:
                    meanings.setdefault(f"{stem} {tail}".strip(), set()).add(("outcome", outcome))
    return {
        word: next(iter(meaning))
        for word, meaning in meanings.items()
        if len(meaning) == 1 and not needs_unit(word)
    }


def synonyms_of_properties(campaign: Campaign) -> dict[str, tuple[str, ...]]:
    """Return what else properties with directions are called, and the outcomes of each."""
    return {
        word: prop.outcomes
        for prop in campaign.properties
        if prop.directions
        for word in _outcome_words(canonical_outcome(prop.name))
    }


def _outcome_words(group: str) -> list[str]:
    return [word for word, name in _CANONICAL_OUTCOMES.items() if name == group]


def _is_of_room(word: str) -> bool:
    return word.startswith(("room", "ambient", "air", "environment", "raum", "luft"))
