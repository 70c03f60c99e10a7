"""What is wrong with a configuration, in words: where, what was expected, how to mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from engine.errors import nearest_name


def describe_validation(
    error: ValidationError,
    model: type[BaseModel],
    source: str,
    content: Mapping[str, Any] | None = None,
) -> str:
    """Turn pydantic's findings into lines that say where, what was expected and how to mend it."""
    lines = []
    for finding in error.errors():
        location = _place_in(content or {}, finding["loc"])
        if finding["type"] == "extra_forbidden":
            names = _known_keys(model, finding["loc"][:-1])
            lines.append(
                f"unknown key '{location}'.{nearest_name(str(finding['loc'][-1]), names)}"
                f" Known here: {', '.join(sorted(names))}"
            )
        else:
            message = _in_words(finding["type"], finding["msg"])
            got = finding["input"]
            suffix = f" (got {got!r})" if isinstance(got, str | int | float | bool) else ""
            lines.append(f"{location}: {message}{suffix}" if location else message)
    return f"{source}: " + "\n".join(lines)


def _place_in(content: Any, location: Sequence[int | str]) -> str:
    """Return where something stands, parts of lists by their names: ``parameters 'gap': default``.

    >>> _place_in({"parameters": [{"name": "gap"}]}, ("parameters", 0, "default"))
    "parameters 'gap': default"
    """
    text = ""
    for part in location:
        content = _inside(content, part)
        if isinstance(part, int):
            fields = content if isinstance(content, dict) else {}
            name = fields.get("name", fields.get("outcome"))
            text += f" '{name}':" if isinstance(name, str) else f".{part}"
        else:
            joint = "" if not text else " " if text.endswith(":") else "."
            text += f"{joint}{part}"
    return text.removesuffix(":")


def _inside(content: Any, part: int | str) -> Any:
    try:
        return content[part]
    except (KeyError, IndexError, TypeError):
        return None


def _in_words(kind: str, message: str) -> str:
    if kind == "string_pattern_mismatch":
        return (
            "expected a name of letters, digits and underscores that begins with a letter "
            "(outcomes: name.direction; a campaign's name may hold blanks, '.' and '-')"
        )
    return message.removeprefix("Value error, ")


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the model at ``location`` accepts."""
    for part in location:
        if isinstance(part, int):
            continue
        for name, field in model.model_fields.items():
            if part == name:
                inner = _model_inside(field.annotation)
                if inner is not None:
                    model = inner
                break
    return list(model.model_fields)


def _model_inside(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        inner = _model_inside(argument)
        if inner is not None:
            return inner
    return None
