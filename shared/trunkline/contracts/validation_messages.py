"""What a value takes, in a sentence for people: never a regular expression, nor the words of a library (§9, O1).

`sentence` is for what pydantic found in a request, `without_patterns` for what msgspec found in an event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

from msgspec import Meta

from trunkline.contracts import values

_OTHER: Final = "another form; the documentation describes it"
_OURS: Final = "Value error, "
_MSGSPEC: Final = re.compile(r"Expected `str` matching regex (?P<quote>['\"])(?P<pattern>.*)(?P=quote)(?= - at |$)")


def _contract_forms() -> dict[str, str]:
    found = {}
    for kind in vars(values).values():
        for meta in get_args(kind)[1:]:
            if isinstance(meta, Meta) and meta.pattern is not None and meta.description is not None:
                found[meta.pattern.removesuffix(values.GUARD)] = _FORMS_OF_CONTRACTS.get(
                    meta.description, meta.description
                )
            if isinstance(meta, Meta) and meta.extra_json_schema is not None and "pattern" in meta.extra_json_schema:
                found[meta.extra_json_schema["pattern"]] = "a UUID"
    return found


_FORMS_OF_CONTRACTS: Final = {
    "UUID in any case; taken over in lower case": "a UUID",
    "UUID in lower case": "a UUID in lower case",
    "number in E.164 form, with +": "a number in E.164 form, with +, such as +442079460001",
    "stable code": "a code of lower-case letters, digits, - and _ that begins with a letter",
    "extension key, 3 to 5 digits": "an extension key of 3 to 5 digits",
    "ISO 3166 alpha-2; 001: no country": "a country's two capital letters, such as GB; 001 where there is none",
    "alphanumeric; blank is none": "at most 64 letters and digits",
    "e-mail address": "one e-mail address, such as name@company.example",
    "portal domain": "a domain, such as portal.company.example",
}
_TEXT: Final = "text without control characters"
FORMS: Final[dict[str, str]] = {
    **_contract_forms(),
    r"\S": "text that is not blank",
    r"^[^\x00]+$": _TEXT,
    r"^[^\x00]*\S[^\x00]*$": "text that is not blank",
    r"^[^\x00-\x1f\x7f]+$": _TEXT,
    r"^[^\x00-\x1f\x7f-\x9f]+$": _TEXT,
    "^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f]{1,1000}$": "1 to 1,000 characters, no control characters",
    r"^[^\x00/]+/[^\x00]+$": "a stream, such as number/+442079460001",
    r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$": "printable ASCII characters",
    r"^[A-Za-z0-9._-]{1,249}$": "a topic's name: at most 249 letters, digits, dots, - and _",
    r"^[0-9a-z-]+$": "an id",
    "^[A-Z_]+$": "a code in capital letters, such as NO_ADDON_LICENSE",
    "^[a-z_]{1,40}$": "a kind of stream, such as party",
    "^[a-z][a-z0-9_-]{0,63}$": "a code of lower-case letters, digits, - and _ that begins with a letter",
    "^[0-9A-Za-z]{0,64}$": "at most 64 letters and digits",
}
"""Pattern -> what a value of this form is, for each pattern that a request or an event is checked against."""


def form(pattern: str) -> str:
    """What a value that matches a pattern is."""
    return FORMS.get(pattern.removesuffix(values.GUARD), _OTHER)


def without_patterns(text: str) -> str:
    """A message of msgspec with what is taken in place of a regular expression."""
    return _MSGSPEC.sub(lambda found: f"It takes {form(_unescaped(found['pattern']))}", text)


def _unescaped(pattern: str) -> str:
    return pattern.replace("\\\\", "\\").replace("\\'", "'")


_BY_TYPE: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "it is missing",
    "extra_forbidden": lambda _: "there is no such field here",
    "string_pattern_mismatch": lambda ctx: f"it takes {form(ctx['pattern'])}",
    "string_too_short": lambda ctx: f"it takes at least {ctx['min_length']:,} characters",
    "string_too_long": lambda ctx: f"it takes at most {ctx['max_length']:,} characters",
    "too_short": lambda ctx: f"it takes at least {ctx['min_length']:,} items",
    "too_long": lambda ctx: f"it takes at most {ctx['max_length']:,} items",
    "literal_error": lambda ctx: f"it takes {ctx['expected']}",
    "enum": lambda ctx: f"it takes {ctx['expected']}",
    "greater_than_equal": lambda ctx: f"it takes a number from {ctx['ge']} on",
    "greater_than": lambda ctx: f"it takes a number above {ctx['gt']}",
    "less_than_equal": lambda ctx: f"it takes a number up to {ctx['le']}",
    "less_than": lambda ctx: f"it takes a number below {ctx['lt']}",
    "value_error": lambda ctx: str(ctx.get("error", "it is not accepted")).rstrip("."),
}
_BY_PREFIX: Final = {
    "uuid_": "it takes a UUID",
    "int_": "it takes a whole number",
    "float_": "it takes a number",
    "finite_number": "it takes a number",
    "bool_": "it takes true or false",
    "datetime_": "it takes an instant, such as 2026-03-01T12:00:00Z",
    "timezone_": "it takes an instant with its offset, such as 2026-03-01T12:00:00Z",
    "date_": "it takes a date, such as 2026-03-01",
    "string_": "it takes text",
    "list_type": "it takes a list",
    "tuple_type": "it takes a list",
    "set_type": "it takes a list",
    "dict_type": "it takes an object",
    "model_": "it takes an object",
    "union_tag_": "it is of no kind that is taken here",
}


def sentence(wrong: Mapping[str, Any]) -> str:
    """What a value takes that pydantic refused, such as `it takes a UUID`.

    Args:
        wrong: one of its errors.
    """
    kind, ctx = str(wrong["type"]), wrong.get("ctx") or {}
    phrase = _BY_TYPE.get(kind)
    if phrase is not None:
        return phrase(ctx).removeprefix(_OURS)
    for prefix, text in _BY_PREFIX.items():
        if kind.startswith(prefix):
            return text
    return str(wrong["msg"]).removeprefix(_OURS)
