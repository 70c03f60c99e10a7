"""One text cell → a number, a choice or words; ``CellError`` says what was expected instead."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from db.records import Status, reading
from db.words import nfc
from engine.campaign import Parameter, Property, Value
from engine.campaign.facts import Fact
from engine.campaign.failures import Failure, match_failure, names_offered
from engine.campaign.units import converted
from engine.campaign.vocabulary import conversion_of
from engine.errors import by_voice, nearest_name
from engine.experiments.importers.number_words import write_plainly
from engine.experiments.importers.words import CellError, NoNumberError, clean_label

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_COMMA_NUMBER = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
# "45 %", "18 kV", "€ 3.20": what follows or precedes a number where a cell states its unit.
_WITH_UNIT = re.compile(
    r"(?P<before>[€$£¥]?)\s*(?P<number>[+-]?[0-9.,]+(?:[eE][+-]?[0-9]+)?)\s*(?P<after>[^\s\d.,:;+-].{0,30})?"
)
# "<0.5", "> 1000 MPa", "12.3 ± 0.4", "12.3 +/- 0.4 MPa (n = 5)".
_READING = re.compile(
    r"(?P<bound><=?|>=?|≤|≥|＜|＞)?\s*(?P<value>[^±<>]*?)"
    r"(?:\s*(?:±|\+/-|\+-)\s*(?P<sd>[0-9.,]+(?:[eE][+-]?[0-9]+)?)\s*(?P<unit>[^()±]*?))?"
    r"(?:\s*\(\s*[nN]\s*=\s*(?P<n>[0-9]{1,6})\s*\))?"
)
_PLAIN = r"[0-9]+(?:[.,][0-9]+)?"
# "15-25 %", and no date.
_SPAN = re.compile(rf"({_PLAIN})\s*(?:-|–|—|~|to|bis|à|\.\.)\s*({_PLAIN}(?:\s*[^\s\d.,:/-].*)?)")
_REVISE = by_voice(" and `engine campaign revise`", "")
_CURRENCIES = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d.*)?")
_NOT_A_NUMBER = {"nan", "na", "n/a", "inf", "+inf", "-inf", "infinity", "-infinity", "null", "none"}
_MISSING = {"", "nan", "na", "n/a", "#n/a", "n.a.", "n.d.", "nd", "null", "none"} | {
    "-", "--", "–", "—", "n. d.", "n.m.", "n.b.", "n. b.", "k.a.", "k. a.", "tbd",
    "not measured", "not determined", "nicht gemessen", "nicht bestimmt", "non mesuré", "no medido",
    "未测", "未測定",
}  # fmt: skip
_NOT_FAILED = {"", "no", "false", "0", "_", "–"}


def number_part(text: str) -> str:
    """Return a cell's number without its unit, the limit's mark before and the scatter after it."""
    if _NUMBER.fullmatch(text):
        return text
    match = _READING.fullmatch(text.strip())
    return _split_unit(text if match is None else match["value"])[0]


def is_missing(text: str) -> bool:
    """Whether a cell says, empty or by a word such as ``n.d.``, that nothing is known."""
    return text.strip().casefold() in _MISSING


def is_number(text: str) -> bool:
    """Whether a cell holds a number, written in whatever way, with its unit or without."""
    word = number_part(text)
    return re.fullmatch(r"[+-]?[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?", word) is not None


# "0,125" is no group: nobody writes a thousand with a leading zero.
_GROUPED = re.compile(
    r"(?<![\d.,])[1-9]\d{0,2}(?:[\s'’]\d{3}|,\d{3})+(?![\d.,])|"
    r"(?<![\d.,])[1-9]\d{0,2}(?:[\s'’]\d{3})+(?!\d)"
)


def has_decimal_comma(text: str) -> bool:
    """Whether ``text`` is a number written with a decimal comma."""
    return _COMMA_NUMBER.fullmatch(number_part(text)) is not None


def refuse_ambiguous(text: str) -> None:
    """Refuse digits in groups of three: `1 050` and `1,050` are 1050 to some, and not to others.

    Of what somebody types there is no column around it that would tell.

    Raises:
        CellError: it may mean two things.

    >>> refuse_ambiguous("0,125"), refuse_ambiguous("88 91.5"), refuse_ambiguous("1050")
    (None, None, None)
    """
    match = _GROUPED.search(text)
    if match is None:
        return
    digits = re.sub(r"[\s',’]", "", match[0])
    alternative = (
        f"or {match[0].replace(',', '.')}? Write {digits}, or a point for the decimals"
        if "," in match[0]
        else f"or several values? Write {digits}, or each value in a field of its own"
    )
    raise CellError(f"expected a number, got '{match[0]}': is it {digits} {alternative}")


def has_decimal_point(text: str) -> bool:
    """Whether ``text`` is a number written with a decimal point."""
    word = number_part(text)
    return "." in word and _NUMBER.fullmatch(word) is not None


def _split_unit(text: str) -> tuple[str, str]:
    """Return the number in a cell and the unit that the cell states, if it is of that form."""
    if _NUMBER.fullmatch(text):
        return text, ""
    word = write_plainly(text)
    match = _WITH_UNIT.fullmatch(word)
    if match is None or (match["before"] and match["after"]):
        return word, ""
    return match["number"], match["before"] or match["after"] or ""


def _factor_and_offset(cell_unit: str, unit: str) -> tuple[float, float] | None:
    """Return what turns a cell's unit into the column's, or ``None`` if nothing does."""
    if cell_unit == "%" and unit.strip() in ("", "1", "-"):
        return 0.01, 0.0
    if cell_unit == "%" and "%" in unit:
        # "45 %" in a column of vol% says no more than that it is one.
        return 1.0, 0.0
    if _CURRENCIES.get(cell_unit, cell_unit) == _CURRENCIES.get(unit, unit):
        return 1.0, 0.0
    return conversion_of(cell_unit, unit)


def parse_number(text: str, label: str, *, decimal_comma: bool = False, unit: str = "") -> float:
    """Read a finite number in ``unit``; ``label`` names it in the error.

    A cell may state its unit (``45 %``, ``18 kV``), which is converted: ``45 %`` is 45 in a column
    of per cent, and 0.45 in one without a unit.

    >>> parse_number("45 %", "humidity", unit="%"), parse_number("45 %", "share")
    (45.0, 0.45)

    Raises:
        CellError: text, a date, NaN, infinity, another unit, or a decimal comma where points are
            used.
    """
    word, cell_unit = _split_unit(text)
    if cell_unit:
        change = _factor_and_offset(cell_unit, unit)
        if change is None:
            wording = f"in {unit}" if unit else "without a unit"
            expected = f"expected {label} to be a finite number {wording}"
            raise NoNumberError(f"{expected}, got '{cell_unit}'")
        value = parse_number(word, label, decimal_comma=decimal_comma)
        return value if change == (1.0, 0.0) else converted(value, *change)
    if decimal_comma and has_decimal_comma(word):
        word = word.replace(",", ".")
    if _NUMBER.fullmatch(word):
        value = float(word)
        if math.isfinite(value):
            return value
    expected = f"expected {label} to be a finite number"
    if word.casefold() in _NOT_A_NUMBER or is_missing(word):
        raise CellError(f"{expected}; leave the cell empty where nothing is known")
    if has_decimal_comma(word):
        raise CellError(
            f"{expected} with a decimal point; decimal commas are read in files whose cells are "
            "separated by ';' and that use them throughout"
        )
    if _DATE.fullmatch(word):
        raise CellError(f"{expected}, got a date: let the spreadsheet show the column as numbers")
    raise NoNumberError(expected)


def parse_condition(
    text: str,
    parameter: Parameter,
    *,
    decimal_comma: bool = False,
    unit: str = "",
    convert: Callable[[float], float] = float,
) -> Value:
    """Read one parameter's value and check that it can exist.

    ``unit``: the column's, where it is not the parameter's; ``convert``: from it into that.

    Raises:
        CellError: not a number or choice, or beyond what is physically possible.
    """
    value: Value
    if parameter.is_categorical:
        value = text.strip()
        names = [str(choice) for choice in parameter.choices or ()]
        if value not in names:
            matches = [name for name in names if nfc(name) == nfc(value)] or [
                name for name in names if nfc(name).casefold() == nfc(value).casefold()
            ]
            value = matches[0] if len(matches) == 1 else value
        problem = parameter.problem_with(value)
        if problem is not None:
            mend = f"'{value}' among the choices of {parameter.name} in the campaign{_REVISE}"
            raise CellError(f"{problem}.{nearest_name(value, names)}", mend)
        return value
    value = convert(
        parse_number(
            text, _label(parameter), decimal_comma=decimal_comma, unit=unit or parameter.unit or ""
        )
    )
    problem = parameter.problem_with(value)
    if problem is not None:
        raise CellError(problem, _wider(parameter, value))
    return value


def _wider(item: Parameter | Property, value: float) -> str | None:
    """Return which limit of what can exist would have to go further."""
    if item.minimum is not None and value < item.minimum:
        return f"a minimum of {item.name} below {item.minimum:g} in the campaign{_REVISE}"
    if item.maximum is not None and value > item.maximum:
        return f"a maximum of {item.name} above {item.maximum:g} in the campaign{_REVISE}"
    return None


def parse_result(
    text: str,
    prop: Property,
    *,
    decimal_comma: bool = False,
    unit: str = "",
    convert: Callable[[float], float] = float,
) -> float:
    """Read one measurement and check that it can exist.

    ``unit``: the column's, where it is not the property's; ``convert``: from it into that.

    A cell may say that the value lies beyond a limit (``<0.5``), or how specimens scattered
    (``12.3 ± 0.4 (n = 5)``).

    Raises:
        CellError: not a finite number, or beyond what is physically possible.
    """
    is_plain = _NUMBER.fullmatch(text) is not None
    match = None if is_plain else _READING.fullmatch(text.strip().replace("−", "-"))
    parts = {} if match is None else match.groupdict()
    own_unit = unit or prop.unit or ""

    def number(word: str) -> float:
        return parse_number(word, _label(prop), decimal_comma=decimal_comma, unit=own_unit)

    if parts.get("bound") is None and parts.get("sd") is None and parts.get("n") is None:
        value = convert(number(text))
    elif parts["bound"] and parts["sd"]:
        raise CellError(f"expected {_label(prop)} as a limit or with its scatter, got both")
    else:
        tail = parts["unit"] or ""
        first = number(f"{parts['value']} {tail}".strip())
        sd = None
        if parts["sd"]:
            # Not a value: an offset between units (°C, °F) does not move it.
            low, high = (
                convert(first),
                convert(first + _spread(parts["sd"], decimal_comma, tail, number)),
            )
            sd = abs(high - low)
        bound = None if not parts["bound"] else "below" if parts["bound"][0] in "<≤＜" else "above"
        value = reading(convert(first), bound, sd, int(parts["n"]) if parts["n"] else None)
    problem = prop.problem_with(float(value))
    if problem is not None:
        raise CellError(problem, _wider(prop, float(value)))
    return value


def _spread(word: str, decimal_comma: bool, tail: str, number: Callable[[str], float]) -> float:
    """Return the number behind ``±``; a comma in it is a decimal one."""
    plain = word if "." in word else word.replace(",", ".")
    return number(f"{plain} {tail}".strip()) - (number(f"0 {tail}") if tail else 0.0)


def span_of(text: str) -> tuple[str, str] | None:
    """Return the two ends of ``15-25``, ``15 – 25 %`` or ``15 to 25``; ``None`` of anything else.

    >>> span_of("15-25"), span_of("-5"), span_of("1e-5"), span_of("12-05")
    (('15', '25'), None, None, None)
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        return None
    # "12-05" is the twelfth of May, as spreadsheets write it.
    ends = re.findall(_PLAIN, f"{match[1]} {match[2]}")[:2]
    first, second = (float(word.replace(",", ".")) for word in ends)
    is_date = re.match(r"0[0-9]", match[2]) is not None or second < first
    return None if is_date else (match[1], match[2])


def parse_scatter(text: str, label: str) -> float:
    """Read a standard deviation: a number, 0 or more.

    Raises:
        CellError: anything else.
    """
    word = text.strip().removeprefix("±").strip()
    value = parse_number(word if "." in word else word.replace(",", "."), label)
    if value < 0:
        raise CellError(f"expected {label} to be 0 or more")
    return value


def parse_count(text: str) -> int:
    """Read how many specimens a mean is of: a whole number, 1 or more.

    Raises:
        CellError: anything else.
    """
    word = text.strip()
    if not re.fullmatch(r"[0-9]{1,6}(\.0*)?", word) or int(float(word)) < 1:
        raise CellError("expected how many specimens the mean is of: 1, 2, 3 …")
    return int(float(word))


def parse_replicate(text: str) -> int:
    """Read a replicate's number, 1 or more; an empty cell is the first.

    Raises:
        CellError: anything else.
    """
    word = text.strip()
    if not word:
        return 1
    if not re.fullmatch(r"[0-9]{1,6}(\.0*)?", word) or int(float(word)) < 1:
        raise CellError("expected a replicate's number: 1, 2, 3 …")
    return int(float(word))


def parse_status(text: str, kinds: Sequence[Failure]) -> tuple[Status | None, str | None]:
    """Read a status; a kind of failure in its place means failed. Empty says nothing.

    Raises:
        CellError: no status.
    """
    word = _word(text)
    if not word:
        return None, None
    if word in set(Status):
        return Status(word), None
    failure = match_failure(kinds, text)
    if failure is not None:
        return Status.FAILED, failure
    names = [*Status, *names_offered(kinds)]
    raise CellError(f"expected one of {', '.join(names)}.{nearest_name(word, names)}")


def parse_failure(text: str, kinds: Sequence[Failure]) -> str | None:
    """Read a kind of failure; empty, ``no``, ``false`` and ``0`` mean none.

    Raises:
        CellError: no kind of failure.
    """
    word = _word(text)
    if word in _NOT_FAILED:
        return None
    failure = match_failure(kinds, text)
    if failure is not None:
        return failure
    names = names_offered(kinds)
    raise CellError(f"expected {', '.join(names)}, or nothing.{nearest_name(word, names)}")


def parse_success(text: str) -> bool | None:
    """Read whether a run succeeded: yes or no in some words, or nothing.

    Raises:
        CellError: anything else.
    """
    word = _word(text)
    if is_missing(text):
        return None
    if word in ("yes", "true", "1", "y", "ok", "ja", "oui"):
        return True
    if word in ("no", "false", "0", "n", "nein", "non"):
        return False
    raise CellError("expected yes or no, true or false")


def parse_fact(text: str, fact: Fact) -> str | None:
    """Return who, when or with what of a run, ``None`` if the cell is empty.

    Raises:
        CellError: no day, none of the choices, or no line of text.
    """
    try:
        return fact.read(clean_label(text) or "")
    except CellError:
        raise
    except ValueError as error:
        raise CellError(str(error)) from None


def _word(text: str) -> str:
    return re.sub(r"[\s-]+", "_", text.strip().casefold())


def _label(item: Parameter | Property) -> str:
    return f"{item.name} [{item.unit}]" if item.unit else item.name
