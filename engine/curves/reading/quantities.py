"""What a column measures, and in which unit: headings as testers' programs write them.

Canonical units are N, mm, MPa, s and, for strain, a plain ratio. Words are compared without
accents, so that a heading survives an encoding that lost them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Quantity = Literal[
    "time", "force", "extension", "position", "strain", "stress",
    "true strain", "true stress", "size", "specimen", "cycle", "other",
]  # fmt: skip

_LANGUAGE_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "English": {
        "time": ("time", "elapsed time", "test time"),
        "force": ("force", "load", "standard force", "axial force", "tensile force", "test force"),
        "extension": (
            "extension", "displacement", "stroke", "elongation", "travel", "distance", "crosshead",
            "standard travel", "axial displacement", "extensometer", "crosshead displacement",
            "grip to grip separation", "crosshead travel", "deflection", "disp", "ext",
        ),
        "position": ("position", "crosshead position", "absolute crosshead", "crosshead absolute",
                     "crosshead travel absolute"),
        "strain": ("strain", "tensile strain", "engineering strain", "nominal strain",
                   "axial strain", "eng strain", "strain 1", "strain 2",
                   "percentage strain", "composite strain"),
        "stress": ("stress", "tensile stress", "engineering stress", "nominal stress",
                   "axial stress", "eng stress", "standard stress"),
        "size": ("size",),
        "cycle": ("cycle", "cycles", "cycle count", "total cycle count", "total cycles"),
        "specimen": ("specimen", "sample", "specimen number", "sample number", "specimen id",
                     "sample id", "specimen name", "sample name", "replicate", "specimen label"),
    },
    "German": {
        "time": ("zeit", "prufzeit", "pruefzeit"),
        "force": ("kraft", "standardkraft", "last", "prufkraft", "pruefkraft"),
        "extension": ("weg", "standardweg", "verlangerung", "verlaengerung", "traversenweg",
                      "langenanderung", "maschinenweg", "verfahrweg", "prufweg", "pruefweg",
                      "messweg", "hub"),
        "position": ("traverse abs", "traverse absolut", "traversenposition", "absolutweg"),
        "strain": ("dehnung", "technische dehnung", "nominelle dehnung", "nenndehnung"),
        "stress": ("spannung", "technische spannung", "zugspannung", "nennspannung"),
        "specimen": ("probe", "probennummer", "probe nr", "aktuelle probe", "proben nr"),
        "cycle": ("zyklus", "zyklen"),
    },
    "French": {
        "time": ("temps", "temps d essai"),
        "force": ("force standard", "charge", "effort"),
        "extension": ("course", "course standard", "deplacement", "allongement", "traverse"),
        "position": ("traverse absolue",),
        "strain": ("deformation", "deformation nominale"),
        "stress": ("contrainte", "contrainte nominale"),
        "specimen": ("eprouvette",),
    },
    "Polish": {
        "time": ("czas", "godzina"),
        "force": ("obciazenie", "sila", "sila standardowa"),
        "extension": ("przemieszczenie", "wydluzenie", "rozszerzenie", "droga",
                      "droga standardowa"),
        "strain": ("odksztalcenie", "odksztalcenie przy rozciaganiu"),
        "stress": ("naprezenie", "naprezenie rozciagajace", "naprezenie przy rozciaganiu"),
        "specimen": ("probka", "numer probki"),
    },
    "Spanish": {
        "time": ("tiempo",),
        "force": ("fuerza", "carga", "fuerza estandar"),
        "extension": ("desplazamiento", "extension", "alargamiento", "recorrido", "carrera"),
        "strain": ("deformacion", "deformacion por traccion", "deformacion unitaria"),
        "stress": ("esfuerzo", "esfuerzo por traccion", "tension de traccion"),
        "specimen": ("probeta", "muestra"),
    },
    "Italian": {
        "time": ("tempo", "tempo di prova"),
        "force": ("forza", "carico", "forza standard"),
        "extension": ("spostamento", "corsa", "allungamento", "estensione", "corsa standard"),
        "strain": ("deformazione", "deformazione a trazione"),
        "stress": ("sforzo", "tensione", "sollecitazione"),
        "specimen": ("provino", "campione"),
    },
    "Portuguese": {
        "force": ("forca", "forca padrao"),
        "extension": ("deslocamento", "extensao", "alongamento", "curso"),
        "strain": ("deformacao",),
        "stress": ("tensao",),
        "specimen": ("corpo de prova", "amostra"),
    },
    "Dutch": {
        "time": ("tijd",),
        "force": ("kracht", "belasting"),
        "extension": ("verplaatsing", "verlenging"),
        "strain": ("rek",),
        "stress": ("spanning",),
        "specimen": ("monster", "proefstuk"),
    },
    "Czech": {
        "time": ("cas",),
        "force": ("zatizeni", "standardni sila"),
        "extension": ("posuv", "prodlouzeni", "protazeni", "standardni draha", "draha"),
        "strain": ("pomerne prodlouzeni", "deformace"),
        "stress": ("napeti",),
        "specimen": ("vzorek",),
    },
    "Turkish": {
        "time": ("zaman", "sure"),
        "force": ("kuvvet", "yuk"),
        "extension": ("uzama", "yer degistirme"),
        "strain": ("gerinim", "birim uzama"),
        "stress": ("gerilme",),
        "specimen": ("numune",),
    },
    "Russian": {
        "time": ("время",),
        "force": ("нагрузка", "усилие", "сила"),
        "extension": ("перемещение", "удлинение", "ход"),
        "strain": ("деформация", "относительное удлинение"),
        "stress": ("напряжение",),
        "specimen": ("образец",),
    },
    "Chinese": {
        "time": ("时间", "時間", "试验时间"),
        "force": ("力", "试验力", "試驗力", "负荷", "负载", "载荷", "載荷", "力值"),
        "extension": ("位移", "行程", "变形", "變形", "伸长", "伸長"),
        "strain": ("应变", "應變", "伸长率", "伸長率"),
        "stress": ("应力", "應力"),
        "specimen": ("试样", "試樣", "样品"),
    },
    "Japanese": {
        "time": ("時間", "試験時間"),
        "force": ("荷重", "試験力"),
        "extension": ("変位", "ストローク", "伸び", "移動量"),
        "strain": ("ひずみ", "歪み", "歪"),
        "stress": ("応力",),
        "specimen": ("試験片", "試料"),
    },
    "Korean": {
        "time": ("시간",),
        "force": ("하중", "힘"),
        "extension": ("변위", "신장", "스트로크"),
        "strain": ("변형률", "변형율"),
        "stress": ("응력",),
        "specimen": ("시편",),
    },
}  # fmt: skip
_TRUE = re.compile(
    r"(?:^|\b)(true|wahre|vraie|reel|reelle|real|rzeczywist\w*|logarithmic|hencky)\b|真|истин"
)
_OF_OTHERS = re.compile(
    r"\b(transvers\w*|lateral|width|thickness|poisson|quer\w*|temperature|temperatur|humidity|"
    r"rate|speed|geschwindigkeit|energy|work|arbeit|energie|modulus|e modul|samplerate|motorspeed|"
    r"video|event|code|max|maximum|maximal\w*|minimum|mean|break|bruch|peak|at|yield|bei|fmax|"
    r"rupture|zerwani\w*)\b"
)
_BLOCK_NUMBER = re.compile(r"[\s._-]*\(?[#№]?\d{1,3}\)?$")


def plain_words(text: str) -> str:
    """Return a heading in lower case, without accents and marks, words set apart by one blank."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L"))
    if any("\u3040" <= letter <= "\uffef" for letter in text):
        bare = unicodedata.normalize("NFC", text)  # kana keep their voicing marks
    else:
        bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^\w%]|_", " ", bare.casefold()).split())


_MEANINGS: dict[str, Quantity] = {}
_LANGUAGES: dict[str, str] = {}
for _language, _quantities in _LANGUAGE_WORDS.items():
    for _quantity, _phrases in _quantities.items():
        for _word in _phrases:
            _MEANINGS.setdefault(plain_words(_word), _quantity)  # type: ignore[arg-type]
            _LANGUAGES.setdefault(plain_words(_word), _language)
_BY_LENGTH = sorted(_MEANINGS, key=len, reverse=True)
_WORDS_OF_SCRIPTS = tuple(word for word in _MEANINGS if not word.isascii())


@dataclass(frozen=True)
class Unit:
    """A unit as it was written, what it measures, and its factor to the canonical unit."""

    text: str
    dimension: Literal["time", "force", "length", "pressure", "ratio"]
    factor: float


_UNITS: dict[str, tuple[str, float]] = {
    "s": ("time", 1.0), "sec": ("time", 1.0), "sek": ("time", 1.0), "secs": ("time", 1.0),
    "second": ("time", 1.0), "seconds": ("time", 1.0), "秒": ("time", 1.0), "с": ("time", 1.0),
    "sn": ("time", 1.0), "ms": ("time", 1e-3), "msec": ("time", 1e-3), "min": ("time", 60.0),
    "minute": ("time", 60.0), "minutes": ("time", 60.0), "h": ("time", 3600.0),
    "hr": ("time", 3600.0),
    "N": ("force", 1.0), "n": ("force", 1.0), "newton": ("force", 1.0), "newtons": ("force", 1.0),
    "Newton": ("force", 1.0), "Н": ("force", 1.0), "кН": ("force", 1e3), "牛": ("force", 1.0),
    "kN": ("force", 1e3), "KN": ("force", 1e3), "kn": ("force", 1e3), "MN": ("force", 1e6),
    "mN": ("force", 1e-3), "mn": ("force", 1e-3), "cN": ("force", 1e-2), "daN": ("force", 10.0),
    "uN": ("force", 1e-6), "nN": ("force", 1e-9),
    "gf": ("force", 9.80665e-3), "gmf": ("force", 9.80665e-3), "kgf": ("force", 9.80665),
    "kp": ("force", 9.80665), "lbf": ("force", 4.4482216152605), "lbs": ("force", 4.4482216152605),
    "lb": ("force", 4.4482216152605), "ozf": ("force", 0.27801385095378),
    "mm": ("length", 1.0), "cm": ("length", 10.0), "m": ("length", 1e3), "um": ("length", 1e-3),
    "micron": ("length", 1e-3), "microns": ("length", 1e-3), "nm": ("length", 1e-6),
    "in": ("length", 25.4), "inch": ("length", 25.4), "inches": ("length", 25.4),
    "мм": ("length", 1.0), "毫米": ("length", 1.0), "mil": ("length", 0.0254),
    "MPa": ("pressure", 1.0), "mpa": ("pressure", 1.0), "Mpa": ("pressure", 1.0),
    "MPA": ("pressure", 1.0), "МПа": ("pressure", 1.0), "kPa": ("pressure", 1e-3),
    "kpa": ("pressure", 1e-3), "KPa": ("pressure", 1e-3), "Kpa": ("pressure", 1e-3),
    "Pa": ("pressure", 1e-6), "pa": ("pressure", 1e-6), "GPa": ("pressure", 1e3),
    "Gpa": ("pressure", 1e3), "gpa": ("pressure", 1e3), "psi": ("pressure", 6.894757293168e-3),
    "ksi": ("pressure", 6.894757293168), "bar": ("pressure", 0.1), "N/mm2": ("pressure", 1.0),
    "n/mm2": ("pressure", 1.0), "N/m2": ("pressure", 1e-6), "kN/mm2": ("pressure", 1e3),
    "kN/m2": ("pressure", 1e-3), "MN/m2": ("pressure", 1.0), "N/cm2": ("pressure", 1e-2),
    "mN/mm2": ("pressure", 1e-3), "kgf/mm2": ("pressure", 9.80665),
    "kgf/cm2": ("pressure", 9.80665e-2), "lbf/in2": ("pressure", 6.894757293168e-3),
    "%": ("ratio", 1e-2), "percent": ("ratio", 1e-2), "pct": ("ratio", 1e-2),
    "Prozent": ("ratio", 1e-2), "mm/mm": ("ratio", 1.0), "m/m": ("ratio", 1.0),
    "in/in": ("ratio", 1.0), "-": ("ratio", 1.0), "–": ("ratio", 1.0), "1": ("ratio", 1.0),
    "ratio": ("ratio", 1.0), "strain": ("ratio", 1.0), "um/m": ("ratio", 1e-6),
    "microstrain": ("ratio", 1e-6), "uε": ("ratio", 1e-6), "ue": ("ratio", 1e-6),
    "um/mm": ("ratio", 1e-3), "mm/m": ("ratio", 1e-3),
}  # fmt: skip

DIMENSIONS: dict[str, str] = {
    "time": "time", "force": "force", "extension": "length", "position": "length",
    "size": "length", "strain": "ratio", "stress": "pressure", "true strain": "ratio",
    "true stress": "pressure",
}  # fmt: skip
CANONICAL = {"time": "s", "force": "N", "length": "mm", "pressure": "MPa", "ratio": "mm/mm"}

_BRACKETS = re.compile(r"[(\[{]\s*([^()\[\]{}]*)\s*[)\]}]\s*$")
_TAIL = re.compile(r"(?:_|\s+in\s+|\s*/\s*|\s*,\s*|\s+)([^\W\d_][\w/%²^*.]*|%)$")


def read_unit(text: str) -> Unit | None:
    """Return the unit that a cell such as ``(N)``, ``[N/mm²]``, ``%`` or ``Sec`` names, or none."""
    bare = text.strip().strip("()[]{}<>").strip().strip('"').strip()
    bare = bare.replace("²", "2").replace("^2", "2").replace("**2", "2").replace("\ufffd", "2")
    bare = bare.replace("µ", "u").replace("μ", "u").replace("\u00b0", "").replace(" ", "")
    entry = _UNITS.get(bare) or _UNITS.get(bare.rstrip(".")) or _UNITS.get(bare.casefold())
    if entry is None or not bare:
        return None
    dimension, factor = entry
    return Unit(text.strip().strip("()[]").strip(), dimension, factor)  # type: ignore[arg-type]


def split_unit(heading: str) -> tuple[str, Unit | None]:
    """Return a heading without its unit, and that unit: ``Force (N)``, ``XForce_mN``.

    >>> name, unit = split_unit("Dehnung [%]")
    >>> name, unit.factor
    ('Dehnung', 0.01)
    """
    bracket = _BRACKETS.search(heading)
    if bracket is not None:
        unit = read_unit(bracket[1])
        if unit is not None:
            return heading[: bracket.start()].strip(), unit
    tail = _TAIL.search(heading)
    if tail is not None and tail.start() > 0:
        unit = read_unit(tail[1])
        # "Strain 1" ends in a number, not in a unit; a word such as "strain" is none either.
        if unit is not None and tail[1].casefold() not in ("strain", "ratio", "in", "1"):
            return heading[: tail.start()].strip(), unit
    return heading.strip(), None


def read_quantity(name: str, unit: Unit | None) -> Quantity | None:
    """Return what a heading says is measured, or nothing where it says nothing known.

    The unit decides between kinds that share words: an elongation in % is a strain.
    """
    phrase = plain_words(name)
    if not phrase:
        return None
    truth = _TRUE.search(phrase) is not None
    kind = _meaning(phrase)
    if kind is None or _OF_OTHERS.search(phrase):
        return None if kind is None else "other"
    dimension = unit.dimension if unit else None
    if kind in ("extension", "strain"):
        if dimension == "ratio":
            kind = "strain"
        elif dimension == "length":
            kind = "extension"
    elif kind in ("force", "stress"):
        if dimension == "pressure":
            kind = "stress"
        elif dimension == "force":
            kind = "force"
    if truth and kind in ("strain", "stress"):
        return "true strain" if kind == "strain" else "true stress"
    return kind


def _meaning(phrase: str) -> Quantity | None:
    for form in (phrase, _BLOCK_NUMBER.sub("", phrase)):
        if form in _MEANINGS:
            return _MEANINGS[form]
    for word in _BY_LENGTH:
        is_inside = (
            re.search(rf"(?:^|\s){re.escape(word)}(?:\s|$)", phrase)
            if word.isascii() or "\u0400" <= word[0] <= "\u04ff"
            else word in phrase
        )
        if is_inside:
            return _MEANINGS[word]
    return None


def language_of(headings: list[str]) -> str | None:
    """Return the language of most headings, or none."""
    votes: dict[str, int] = {}
    for heading in headings:
        phrase = plain_words(split_unit(heading)[0])
        language = _LANGUAGES.get(phrase)
        if language is not None:
            votes[language] = votes.get(language, 0) + 1
    return max(votes, key=lambda name: votes[name]) if votes else None


def count_words(text: str) -> int:
    """Return how often words of headings stand in a text: they tell a right encoding."""
    lowered = plain_words(text)
    n = sum(len(word) * lowered.count(word) for word in _WORDS_OF_SCRIPTS)
    tokens = set(lowered.split())
    return n + sum(word in tokens for word in _MEANINGS if word.isascii() and len(word) > 3)
