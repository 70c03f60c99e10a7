"""What a page sends: checked to be from this site, then read in the engine's words."""

from __future__ import annotations

import hmac
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from engine.campaign import Campaign, Value
from engine.errors import DataError, UsageError
from engine.experiments.conditions import read_conditions, read_counts, read_results
from engine.experiments.importers.cells import parse_number, refuse_ambiguous
from engine.experiments.importers.words import CellError, clean_text
from engine.micrographs.scale import HowTaken, crop_of
from engine.micrographs.sidecars import is_sidecar
from engine.web.policy import SAFE
from engine.web.rendering import person_of, site_of
from engine.web.users import Person
from surrogate.private_files import make_folder

MOST_FILES = 40
_FIELDS = {"condition": "conditions", "distinct": "max_distinct"}
_NOT_IN_A_NAME = re.compile(r"[^\w .()+\-]+")


async def checked_form(request: Request) -> AsyncIterator[FormData]:
    """Give the form of a request that a page of this site sent; close its files afterwards.

    Raises:
        HTTPException: it carries no key of the session's; another site may have sent it.
    """
    if request.method in SAFE:
        yield FormData()
        return
    # Starlette's own limits are 1,000 each; a form here has a field for each parameter and outcome.
    # https://www.starlette.io/requests/#request-files
    form = await request.form(max_files=MOST_FILES, max_fields=400)
    try:
        # For the page of an error: what was typed is offered again.
        request.state.sent = form
        sent = request.headers.get("x-csrf-token") or form.get("csrf")
        check_csrf(person_of(request), sent)
        yield form
    finally:
        await form.close()


Sent = Annotated[FormData, Depends(checked_form)]
"""A page's form, checked."""


def check_csrf(person: Person, sent: Any) -> None:
    """Refuse a form without the session's key.

    Raises:
        HTTPException: with status 403.
    """
    # In a time that does not depend on how much of it is right.
    right = isinstance(sent, str) and hmac.compare_digest(sent.encode(), person.csrf.encode())
    # A token is no cookie: no browser sends it unasked, and no form goes with it.
    if person.is_program or not right:
        raise HTTPException(403, "the form is of an earlier session of yours; nothing was done")


def word(form: FormData, name: str) -> str:
    """Return a field's text, without outer blanks; empty if it is not there.

    >>> word(FormData({"label": " mat 7 "}), "label")
    'mat 7'
    """
    content = form.get(name)
    return content.strip() if isinstance(content, str) else ""


def text(form: FormData, name: str) -> str | None:
    """Return a field of free words as they are kept.

    Raises:
        DataError: control characters, or too long.
    """
    try:
        return clean_text(word(form, name))
    except CellError as error:
        raise DataError(str(error), field=name) from None


def number(form: FormData, name: str) -> float | None:
    """Return a field's number, ``None`` where it is empty.

    Raises:
        UsageError: it is no number.
    """
    content = word(form, name)
    if not content:
        return None
    try:
        refuse_ambiguous(content)
        return parse_number(content, f"'{content}'", decimal_comma=_has_comma(content))
    except CellError as error:
        raise UsageError(str(error), field=name) from None


def integer(form: FormData, name: str) -> int | None:
    """Return a field's whole number, ``None`` where it is empty.

    Raises:
        UsageError: it is none.

    >>> integer(FormData({"n": "8"}), "n"), integer(FormData(), "n")
    (8, None)
    """
    content = word(form, name)
    if not content:
        return None
    # `int` would take "1_0" and digits of other scripts; 18 of them fit a database's integer.
    if not re.fullmatch(r"[0-9]{1,18}", content):
        raise UsageError(f"expected a whole number, got '{content}'", field=name)
    return int(content)


def conditions(form: FormData, campaign: Campaign, prefix: str, **options: Any) -> dict[str, Value]:
    """Return the fields ``prefix:parameter`` that are filled in.

    ``options``: further arguments of :func:`engine.experiments.conditions.read_conditions`.

    Raises:
        UsageError: a name that the campaign does not know.
        DataError: a value that cannot be.
    """
    pairs = [(name, typed) for name, (*_, typed) in _filled(form, prefix).items()]
    field_name = _FIELDS.get(prefix, prefix)
    return read_conditions(campaign, pairs, field_name, typed=True, refusal=DataError, **options)


def counts(form: FormData, campaign: Campaign, prefix: str) -> dict[str, int]:
    """Return the whole numbers in the fields ``prefix:parameter`` that are filled in.

    Raises:
        UsageError: a name that the campaign does not know, or no such number.
    """
    pairs = [(name, typed) for name, (*_, typed) in _filled(form, prefix).items()]
    return read_counts(campaign, pairs, _FIELDS.get(prefix, prefix))


def facts(form: FormData) -> dict[str, str | None]:
    """Return the fields ``fact:name``; an empty one takes the fact back.

    >>> facts(FormData({"fact:lot": "A17", "fact:needle": ""}))
    {'lot': 'A17', 'needle': None}
    """
    names = [key.partition(":")[2] for key in form if key.startswith("fact:")]
    return {name: word(form, f"fact:{name}") or None for name in names}


def results(form: FormData, campaign: Campaign) -> list[tuple[str, float]]:
    """Return what the fields ``result:outcome`` hold: several fields, or several values in one.

    Raises:
        UsageError: a name that the campaign does not know.
        DataError: a value that cannot be.
    """
    filled = _filled(form, "result")
    for content in (content for typed in filled.values() for content in typed):
        one_number(content)
    pairs = [
        (name, [word for content in typed for word in _replicates(content)])
        for name, typed in filled.items()
    ]
    series = read_results(campaign, pairs, "results", typed=True, refusal=DataError)
    return [(outcome, value) for outcome, values in series.items() for value in values]


def _replicates(content: str) -> list[str]:
    """Return the values in one field: several, or one with its scatter or limit."""
    is_one = any(sign in content for sign in "±<>≤≥(")
    return [content] if is_one else [word for word in re.split(r"[\s;]+", content) if word]


def one_number(content: str) -> str:
    """Return what was typed, unless it may be one number or several.

    Raises:
        DataError: ``1 050``, which is 1050 to some and two replicates to others.
    """
    try:
        refuse_ambiguous(content)
    except CellError as error:
        raise DataError(str(error), field="results") from None
    return content


def _filled(form: FormData, prefix: str) -> dict[str, list[str]]:
    """Return what was typed into the fields ``prefix:name``, by those names."""
    filled: dict[str, list[str]] = {}
    for key, typed in form.multi_items():
        start, _, name = key.partition(":")
        if start == prefix and isinstance(typed, str) and typed.strip():
            filled.setdefault(name, []).append(typed.strip())
    return filled


def series(results: Sequence[tuple[str, float]]) -> list[dict[str, float]]:
    """Deal values out to rows, each outcome once in a row: the second of one is a replicate.

    >>> series([("strength", 12.0), ("strength", 13.0), ("elongation", 88.0)])
    [{'strength': 12.0, 'elongation': 88.0}, {'strength': 13.0}]
    """
    rows: list[dict[str, float]] = []
    for outcome, value in results:
        free = next((row for row in rows if outcome not in row), None)
        if free is None:
            rows.append({outcome: value})
        else:
            free[outcome] = value
    return rows


def _has_comma(typed: str) -> bool:
    """Whether a number was typed on a keyboard that has a comma where others have a point."""
    return "," in typed and "." not in typed


@contextmanager
def uploaded(request: Request, files: list[Any], *, noun: str = "picture") -> Iterator[list[Path]]:
    """Lay uploaded files into a folder of their own for as long as they are looked at.

    Of pictures, the instruments' text files beside them are not among what is yielded.

    Raises:
        UsageError: no file was chosen.
    """
    chosen = [file for file in files if isinstance(file, UploadFile) and file.filename]
    if not chosen:
        raise UsageError(f"expected a {noun}, got none: choose a file first")
    # Not the name that was sent: two people may send the same one, and a sidecar has to lie beside
    # its picture.
    folder = site_of(request).uploads / secrets.token_hex(8)
    make_folder(folder)
    try:
        paths = [lay_file(folder, file) for file in chosen]
        is_picture = noun == "picture"
        # The instruments' sidecars lie beside the pictures, and are none.
        yield [path for path in paths if not (is_picture and is_sidecar(path))]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def taking(form: FormData) -> HowTaken:
    """Return what a form says of how its pictures were taken.

    Raises:
        UsageError: one of it cannot be.
    """
    box, colour = word(form, "crop"), word(form, "dark_fibres")
    return HowTaken(
        number(form, "nm_per_pixel"),
        word(form, "rotation_axis") or None,
        crop_of(box) if box else None,
        colour == "yes" if colour in ("yes", "no") else None,
        word(form, "scale_bar") or None,
    )


def lay_file(folder: Path, file: UploadFile) -> Path:
    """Write an uploaded file into a folder, under its own plain name."""
    make_folder(folder)
    path = folder / plain_name(file.filename or "")
    with path.open("wb") as target:
        shutil.copyfileobj(file.file, target, 1 << 20)
    return path


def plain_name(sent: str) -> str:
    """Return a file's own name, without any folder and only letters, digits and a few signs.

    >>> plain_name("C:\\\\scans\\\\mat 7.tif"), plain_name("../../.profile")
    ('mat 7.tif', 'profile')
    """
    name = _NOT_IN_A_NAME.sub("_", sent.replace("\\", "/").rpartition("/")[2]).strip(" .")
    # File systems take 255 bytes; the end has the suffix.
    return name[-120:] or "picture"


def typed(form: FormData) -> Mapping[str, str]:
    """Return what was typed, to show it again beside what is wrong with it."""
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
