"""Words as labs write them: labels in many scripts, units, notes, names that are nearly taken."""

from __future__ import annotations

import unicodedata
from random import Random

SCRIPTS = {
    "latin": ("Müller", "Straße", "Łódź", "naïve", "Ångström", "mat", "O'Neill"),
    "cyrillic": ("образец", "плёнка", "Проба", "їжак"),
    "greek": ("δείγμα", "Ίνα", "σίγμας", "Ωμέγα"),
    "cjk": ("試料", "样品", "시료", "ナノ繊維", "ﾅﾉ"),
    "rtl": ("عينة", "נסיון", "نموذج", "דגימה"),
}
UNITS = (
    "", "kV", "mL/h", "°C", "wt%", "m3/s", "1/min", "mol/L", "µm", "%", "a.u.", "kg·m⁻²", "Ω",
    "円/kg", "мм", "mL/(min·m²)", "pH", "counts", "N·m", "dB(A)",
)  # fmt: skip
PARAMETERS = (
    "voltage", "flow_rate", "concentration", "speed", "distance", "Temp", "time", "pressure", "pH",
    "power", "x", "y", "dose", "rpm", "load", "gap", "angle", "cooling", "salt", "feed_rate",
)  # fmt: skip
RESERVED = ("label", "experiment", "status", "failed", "note", "replicate", "id", "name", "sample")
AMBIENT = ("humidity", "room_temperature", "dew_point")
PROPERTIES = (
    "strength", "elongation", "yield_", "cost", "diameter", "purity", "permeability", "modulus",
    "porosity", "roughness",
)  # fmt: skip
CHOICES = (
    "water", "ethanol", "N,N-DMF", "H2O/EtOH 70:30", "水", "вода", "νερό", "ماء", "מים", "=1+1",
    "12", "0.5", "Müller A", 'grade "B"', "x;y", "-", "none", "TRUE", "café", "@home",
)  # fmt: skip
NOTES = (
    "humid day", "zweite Zeile:\nnoch eine", "«да»; нет, 'может'", "beads 🧵 at the edge",
    "<script>alert(1)</script>", "=HYPERLINK(1)", "50 % left, rest spilt",
    "ملاحظة قصيرة", "試験; 終了",
    "tab\there", '"quoted"', "{{ 7 * 7 }}",
)  # fmt: skip


def draw_labels(luck: Random, n: int) -> tuple[str, ...]:
    """Return ``n`` labels, distinct in every normal form, of one to three scripts."""
    scripts = luck.sample(sorted(SCRIPTS), luck.randint(1, 3))
    labels: dict[str, str] = {}
    number = luck.choice((1, 7, 98))
    while len(labels) < n:
        word = luck.choice(SCRIPTS[luck.choice(scripts)])
        label = luck.choice(
            (f"{word}-{number}", f"{word} {number:03d}", f"{number}/{word}", f"{word}#{number}")
        )
        others = (f"{number:04d}", str(number), f"={word}{number}")
        label = luck.choices((label, *others), (0.84, 0.06, 0.06, 0.04))[0]
        if luck.random() < 0.2:
            label = unicodedata.normalize("NFD", label)
        labels.setdefault(unicodedata.normalize("NFC", label), label)
        number += 1
    return tuple(labels.values())


def draw_note(luck: Random) -> str | None:
    """Return words to keep with a run, or none."""
    return luck.choice(NOTES) if luck.random() < 0.2 else None
