"""What a service refused in a request, in terms of what was typed: options and arguments, not fields and pointers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_MOST: Final = 10
_LONGEST: Final = 60
_KEY: Final = "[key]"
_MISSING: Final = "it is missing"


def refused_values(errors: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> list[str]:
    """A sentence for each refused value.

    Args:
        errors: of a problem `request-invalid`: each with pointer, value and detail.
        given: what was typed: option or argument -> value.
    """
    lines = [_sentence(error, given) for error in errors[:_MOST]]
    more = len(errors) - len(lines)
    return [*lines, f"and {more:,} more."] if more else lines


def refused_parameter(wrong: Mapping[str, Any]) -> str:
    """What is wrong with a value on the command line.

    Args:
        wrong: the error that pydantic found.
    """
    from trunkline.contracts.validation_messages import sentence

    text = sentence(wrong).rstrip(".")
    return f"{text}." if wrong["type"] == "value_error" else f"it is {wrong.get('input')!r}; {text}."


def _sentence(error: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    steps = [step for step in str(error.get("pointer", "")).lstrip("#/").split("/") if step]
    if steps[-1:] == [_KEY]:  # the key of a mapping is at fault: it is the value, and the mapping's field is named
        steps = steps[:-2]
    value, detail = error.get("value"), str(error.get("detail", "it is not accepted"))
    name = _typed(steps, value, given)
    if detail == _MISSING:
        return f"{name} is missing."
    if value is None:
        return f"{name} is not accepted: {detail}."
    shown = repr(value) if isinstance(value, str) else str(value)
    return f"{name} is {shown[:_LONGEST]}{'…' if len(shown) > _LONGEST else ''}; {detail}."


def _typed(steps: Sequence[str], value: Any, given: Mapping[str, Any]) -> str:
    """The option or argument behind a field: of its name, or else the one that was given this value."""
    field = next((step for step in reversed(steps) if not step.isdigit()), "")
    names = {option.lstrip("-").replace("-", "_").lower(): option for option in given}
    for name in (field, field.removesuffix("_id"), f"{field}s"):
        if name in names and given[names[name]] is not None:
            return names[name]
    for option, typed in given.items():
        if value is not None and str(value) in map(str, typed if isinstance(typed, list | tuple) else [typed]):
            return option
    return field.replace("_", " ") or "The request"
