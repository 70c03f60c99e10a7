"""What a source is, as the database keeps it: where its runs are, and what its words mean here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from db.records import SourceKind
from engine.campaign.units import UnitError, check_unit
from engine.errors import DataError, UsageError, by_voice

ENSEMBLE = "ensemble"
"""What a model calls all simulated labs together."""
OWN = "own runs"
"""The source that a campaign's own runs are to its model. Its head stands in no mean: the Gaussian
process on top is conditioned on the same results."""

MAX_LABS = 4096
MOST_SEEDS = 100_000
"""Simulated labs of higher seeds are for benchmarks: no model may learn from them."""

_NAME = re.compile(r"\w[\w .-]{0,63}")


class Origin(BaseModel):
    """Where a downloaded table is from, and what has to be cited with it.

    Attributes:
        database: its name.
        version: of the database.
        released: when that version was.
        retrieved: the day of the download (UTC).
        filters: what was asked for, in words.
        units: stated for values that had none.
        doi, licence: of the version, where the database tells.
        works: the publications its records are from, by DOI or title.
        notes: what of it could not be taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: str
    version: str
    released: str = ""
    retrieved: str = ""
    filters: dict[str, str] = {}
    units: dict[str, str] = {}
    doi: str = ""
    licence: str = ""
    works: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The database, its version and what was asked for, in a few words."""
        filters = "".join(f", {name} {value}" for name, value in self.filters.items())
        return f"{self.database} {self.version}{filters}"

    @property
    def citation(self) -> str:
        """What to cite, in one line."""
        parts = [f"{self.database}, version {self.version}"]
        parts += [f"released {self.released[:10]}"] if self.released else []
        parts += [f"retrieved {self.retrieved}"] if self.retrieved else []
        parts += [f"doi:{self.doi}"] if self.doi else []
        parts += [self.licence] if self.licence else []
        return ", ".join(parts)


class SourceDefinition(BaseModel):
    """Where a source's runs are read, each time anew.

    Attributes:
        kind: campaign, database, table, matmcl or simulated.
        campaign: of this or the other database.
        database: a SQLite file or URL of another database.
        path: of a table, or of MatMCL's published folder. Relative paths count from the folder of
            config.toml, so that a workspace may be moved.
        sheet: of a workbook.
        encoding: of a text that is not UTF-8; guessed where nothing is said.
        hidden: whether a workbook's hidden, filtered and struck-out rows count.
        labs, seed: how many simulated labs, and the first one's seed.
        names: our parameter, property or outcome → what the source calls it.
        units: the source's name (or ours) → its unit, where the source does not tell.
        nm_per_pixel: of the source's micrographs, where no instrument wrote it [nm/px].
        origin: of a table that was downloaded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: SourceKind
    campaign: str | None = None
    database: str | None = None
    path: str | None = None
    sheet: str | None = None
    encoding: str | None = None
    hidden: bool = False
    labs: int | None = Field(None, ge=1, le=MAX_LABS)
    seed: int | None = Field(None, ge=0, lt=MOST_SEEDS)
    names: dict[str, str] = {}
    units: dict[str, str] = {}
    nm_per_pixel: float | None = Field(None, gt=0, allow_inf_nan=False)
    origin: Origin | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        needed = {
            SourceKind.CAMPAIGN: ("campaign",),
            SourceKind.DATABASE: ("database", "campaign"),
            SourceKind.TABLE: ("path",),
            SourceKind.MATMCL: ("path",),
            SourceKind.SIMULATED: ("labs", "seed"),
        }[self.kind]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a source of the kind {self.kind} needs {', '.join(missing)}")
        if (self.seed or 0) + (self.labs or 0) > MOST_SEEDS:
            raise ValueError(
                f"simulated labs have seeds below {MOST_SEEDS:,}; the others are kept for "
                "benchmarks: take a lower seed or fewer labs"
            )
        for unit in self.units.values():
            try:
                check_unit(unit)
            except UnitError as error:
                raise ValueError(str(error)) from error
        return self

    def as_json(self) -> dict[str, Any]:
        """Return the definition as plain JSON types."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def place(self) -> str:
        """Where the runs are, in a few words."""
        kind: Literal["campaign", "database", "table", "matmcl", "simulated"] = self.kind.value
        if kind == "campaign":
            return f"campaign '{self.campaign}'"
        if kind == "database":
            return f"campaign '{self.campaign}' of {self.database}"
        if kind == "simulated":
            return f"{self.labs} simulated labs from seed {self.seed}"
        if self.origin is not None:
            return f"{self.origin.label} ({self.path})"
        return f"{self.path}" + (f", sheet {self.sheet}" if self.sheet else "")


def make_definition(**values: Any) -> SourceDefinition:
    """Return a definition, telling what is wrong in one sentence.

    Raises:
        UsageError: it cannot be.
    """
    try:
        return SourceDefinition(**values)
    except ValidationError as error:
        first = error.errors()[0]
        location = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{location}: {message}" if location else message) from error


def definition_from(stored: Mapping[str, Any], name: str) -> SourceDefinition:
    """Return a recorded definition.

    Raises:
        DataError: it was recorded by a version that knows other kinds or keys.
    """
    try:
        return SourceDefinition(**stored)
    except ValidationError as error:
        raise DataError(
            f"source '{name}' was recorded by another version of Spinneret: "
            f"{error.errors()[0]['msg']}. Remove and add it again"
            f"{by_voice(f' (`engine source remove {name}`)', '')}"
        ) from error


def check_name(name: str) -> None:
    """Refuse a name that a source cannot have.

    Raises:
        UsageError: other characters, too long, or what a model calls its simulated labs.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "NAME: expected up to 64 letters, digits, blanks, '_', '.', '-' that begin with a "
            f"letter or digit, got '{name}'"
        )
    if name == OWN:
        raise UsageError(f"NAME: '{OWN}' is what a model calls the campaign's own; choose another")
    if name == ENSEMBLE:
        raise UsageError(f"NAME: '{ENSEMBLE}' is what a model calls simulated labs; choose another")
