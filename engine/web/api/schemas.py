"""The bodies of the API: what may be sent. What comes back is in ``engine.documents``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from engine.experiments.importers.words import (
    clean_label,
    clean_text,
    label_pattern,
    note_pattern,
)
from engine.propose.request import STRATEGIES
from engine.workspace.init import TEMPLATES
from engine.workspace.settings import MAX_BATCH


def is_whole(sent: Any) -> bool:
    """Whether what was sent is a number without a fraction."""
    return isinstance(sent, float) and sent.is_integer()


def check_text(sent: str) -> str:
    """Refuse words that are never kept as they are: their schema's pattern says the same."""
    clean_text(sent)
    return sent


def check_label(sent: str) -> str:
    """Refuse a label with what cannot be seen, line ends at its own end among it."""
    clean_label(sent)
    if not re.fullmatch(label_pattern(), sent):
        raise ValueError("expected a label of one line, of letters that can be seen")
    return sent


Text = Annotated[
    str,
    Field(max_length=10_000, json_schema_extra={"pattern": note_pattern()}),
    AfterValidator(check_text),
]
Label = Annotated[
    str,
    Field(min_length=1, max_length=200, json_schema_extra={"pattern": label_pattern()}),
    AfterValidator(check_label),
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
# A JSON schema takes 8.0 for an integer, as JavaScript does: so do we.
WHOLE = BeforeValidator(lambda sent: int(sent) if is_whole(sent) else sent)
Number = Annotated[FiniteFloat, Field(ge=-1e300, le=1e300)]
Value = Number | Annotated[str, Field(max_length=200)]
Conditions = Annotated[dict[Name, Value], Field(max_length=200)]
Facts = Annotated[dict[Name, Annotated[str, Field(max_length=200)] | None], Field(max_length=200)]
Replicates = Value | Annotated[list[Value], Field(min_length=1, max_length=100)]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class NewCampaign(_Sent):
    """A further campaign: a `template` under a `name`, or all of it as `definition` or `toml`."""

    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    template: (
        Annotated[str, Field(max_length=40, json_schema_extra={"enum": [*TEMPLATES]})] | None
    ) = None
    definition: dict[str, Any] | None = None
    toml: Annotated[str, Field(max_length=200_000)] | None = None
    note: Text | None = None


class NewRevision(_Sent):
    """A definition: all of it, as `definition` or as `toml`, what a config.toml has in [campaign].

    `based_on`: the revision that was edited; another one by now is refused with 412. `dry_run`
    tells what it would change.
    """

    definition: dict[str, Any] | None = None
    toml: Annotated[str, Field(max_length=200_000)] | None = None
    note: Text | None = None
    based_on: Annotated[int, Field(ge=1, le=2**31), WHOLE] | None = None
    dry_run: bool = False


class NewRun(_Sent):
    """A run that nobody proposed: a value of every controlled parameter, and what is known more.

    `facts`: who made it, when, with what, as the campaign defines it.
    """

    conditions: Conditions
    facts: Facts = Field(default_factory=dict)
    label: Label | None = None
    note: Text | None = None


class Results(_Sent):
    """What was measured: a value, or several replicates, of each outcome.

    `mode`: `add` refuses an outcome that has values, `replicate` adds to them, `correct` replaces
    one (`which`: the replicate). `actual`: conditions as really run.
    """

    results: Annotated[dict[Name, Replicates], Field(min_length=1, max_length=200)]
    mode: Literal["add", "replicate", "correct"] = "add"
    which: Annotated[int, Field(ge=1, le=10_000), WHOLE] | None = None
    actual: Conditions = Field(default_factory=dict)
    note: Text | None = None


class Retraction(_Sent):
    """Results to take back: of these outcomes (`which`: one replicate), or all; or pictures."""

    outcomes: Annotated[list[Name], Field(max_length=200)] = Field(default_factory=list)
    which: Annotated[int, Field(ge=1, le=10_000), WHOLE] | None = None
    micrographs: Annotated[
        list[Annotated[int, Field(ge=1, le=2**53), WHOLE]], Field(max_length=200)
    ] = Field(default_factory=list)
    note: Text | None = None


class CurveRetraction(_Sent):
    """Why a curve is taken back."""

    note: Text | None = None


CROP = "What to measure: left,top,right,bottom in pixels from the upper left corner."
BAR = "How long the scale bar in the picture is, with its unit, as `2 um`."
SIDECAR = "The instrument's text file of the picture's name, .txt or .hdr."
Pixels = Annotated[int, Field(ge=0, le=1_000_000)]


class Measure(_Sent):
    """What is known of a picture besides its file; what is left out stays as it is recorded."""

    nm_per_pixel: Annotated[FiniteFloat, Field(gt=0, le=1e6)] | None = None
    rotation_axis: Literal["x", "y"] | None = None
    crop: tuple[Pixels, Pixels, Pixels, Pixels] | None = None
    dark_fibres: bool | None = None
    scale_bar: Text | None = None


class PictureCorrection(_Sent):
    """A place on a picture, in pixels of its file, `x` from the left, `y` from the top.

    `exclude`: two corners of an area that is not to count. `scale`: the two ends of the scale bar,
    with its `length`. `delete`: a place on a fibre that is none. `add`: the two outlines of a
    missed fibre, across it.
    """

    kind: Literal["exclude", "scale", "delete", "add"]
    x: Annotated[FiniteFloat, Field(ge=0, le=1e6)]
    y: Annotated[FiniteFloat, Field(ge=0, le=1e6)]
    x_to: Annotated[FiniteFloat, Field(ge=0, le=1e6)] | None = None
    y_to: Annotated[FiniteFloat, Field(ge=0, le=1e6)] | None = None
    length: Annotated[Text, Field(max_length=50)] | None = None


class PictureCorrections(_Sent):
    """Corrections to record, and numbers of earlier ones to take back."""

    corrections: Annotated[list[PictureCorrection], Field(max_length=200)] = Field(
        default_factory=list
    )
    undone: Annotated[list[Annotated[int, Field(ge=1, le=2**53), WHOLE]], Field(max_length=200)] = (
        Field(default_factory=list)
    )
    note: Text | None = None


class RunEdit(_Sent):
    """What became of a run: its status, how it was really run, who, when, with what, words.

    A fact that is `null` is taken back.
    """

    status: Literal["running", "failed", "abandoned"] | None = None
    failure: Text | None = None
    facts: Facts = Field(default_factory=dict)
    actual: Conditions = Field(default_factory=dict)
    note: Text | None = None


class NewProposal(_Sent):
    """What to propose: `at` is today's room, `fixed` holds settings."""

    # Sizes and names are checked where they are for everybody, so that all get the same sentence.
    n: (
        Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": MAX_BATCH}), WHOLE] | None
    ) = None
    at: Conditions = Field(default_factory=dict)
    fixed: Conditions = Field(default_factory=dict)
    max_distinct: Conditions = Field(default_factory=dict)
    robust: bool = False
    explore: bool = False
    replicates: bool = False
    preview: bool | None = None
    strategy: Annotated[Text, Field(json_schema_extra={"examples": [*STRATEGIES]})] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] | None = None


class Ask(_Sent):
    """Rows of conditions, each with every controlled parameter."""

    conditions: Annotated[list[Conditions], Field(min_length=1, max_length=1000)]
    level: Annotated[float, Field(gt=0, lt=1)] | None = None
    drives: bool = False


class AskSlices(_Sent):
    """Conditions through which to cut, and the outcome."""

    conditions: Conditions
    outcome: Name


class AskMap(AskSlices):
    """The same, and the two parameters to vary."""

    x: Name
    y: Name


class AskPreview(_Sent):
    """Conditions whose mats are to be drawn, and how many pictures."""

    conditions: Annotated[dict[Name, Value], Field(min_length=1, max_length=200)]
    n: Annotated[int, Field(ge=1, le=8), WHOLE] = 3
    seed: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] = 0


class NewRefresh(_Sent):
    """How to train: from the champion on, or `full`: from the starter on, on everything."""

    full: bool = False
    accept_suspicious: bool = False
    steps: Annotated[int, Field(ge=1, le=100_000), WHOLE] | None = None


class Promotion(_Sent):
    """Why, for the record."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)] = "by hand"


class Look(_Sent):
    """Conditions whose mats are looked for; those that are not named are left open."""

    conditions: Annotated[dict[Name, Value], Field(min_length=1, max_length=200)]
    k: Annotated[int, Field(ge=1, le=100), WHOLE] = 6
    gallery: Literal["campaign", "sources", "all"] = "campaign"
