"""Which program wrote a file, by what only its exports have; no reading depends on it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.curves.reading.quantities import plain_words, split_unit


def program_of(text: str, headings: Sequence[str], suffix: str) -> str:
    """Return the program's name, or ``plain table``."""
    head = text[:4000].casefold()
    names = {plain_words(split_unit(heading)[0]) for heading in headings}
    zwick = {"standardkraft", "standardweg", "force standard", "course standard", "standard force",
             "sila standardowa", "forza standard"}  # fmt: skip
    bluehill = ("results table", "specimen number (included)", "bluehill", "raw data")
    signs = {
        "CellScale": {"setname", "cycle"} <= names,
        "Deben Microtest": suffix == ".mtr" or "start sampletime" in head or "deben" in head,
        "Mecmesin Emperor": {"force", "distance", "event"} <= names,
        "Zwick testXpert": suffix == ".tra" or bool(names & zwick) or "testxpert" in head,
        "MTS TestSuite": any(word in head for word in ("test run:", "daq-", "mts testsuite")),
        "Shimadzu Trapezium": any(word in head for word in ("trapezium", "parameters/ units"))
        or bool(names & {"stroke", "ストローク"}),
        "Instron Bluehill": {"godzina", "obciazenie"} <= names
        or any(word in head for word in bluehill)
        or any("tensile strain" in name for name in names),
    }
    return next((program for program, is_it in signs.items() if is_it), "plain table")
