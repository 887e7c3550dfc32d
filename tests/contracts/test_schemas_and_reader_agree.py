"""What a published schema allows is read, and what it does not allow is refused (X7, §9).

The schemas are those of billing and of parties, which other programs write. Their version 1 is released and cannot say
everything that the reader asks for: years from 1970 to 2999, texts that people can see, addresses that mail can be
sent to, two different numbers in a swap. Nothing else may differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trunkline.contracts import billing, parties
from trunkline.contracts.catalogue.json_schema import schema as schema_of
from trunkline.contracts.contract import Contract
from trunkline.contracts.values import read_instant

CONTRACTS = [*billing.CONTRACTS.values(), *parties.CONTRACTS.values()]
_RFC3339 = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date-time")
def _is_date_time(value: object) -> bool:
    """RFC 3339, section 5.6, in the years that Trunkline takes."""
    if not isinstance(value, str):
        return True
    if not _RFC3339.fullmatch(value):
        return False
    try:
        at = datetime.fromisoformat(re.sub(r"\.\d+", "", value.upper().replace(":60", ":59"))).astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return 1970 <= at.year <= 2999 and (":60" not in value or (at.hour, at.minute) == (23, 59))


@st.composite
def instants(draw: st.DrawFn) -> str:
    """RFC 3339 in every spelling it allows."""
    at = draw(st.datetimes(datetime(1970, 1, 2), datetime(2999, 12, 30)))  # noqa: DTZ001 - the zone is drawn beside it
    text = at.strftime("%Y-%m-%d") + draw(st.sampled_from("Tt")) + at.strftime("%H:%M:%S")
    digits = draw(st.text("0123456789", max_size=9))
    zone = draw(st.sampled_from(["Z", "z", "+00:00", "-00:00", "+08:00", "-23:59"]))
    leap = draw(st.integers(0, 9)) == 0
    return f"{at:%Y-%m-%d}T23:59:60Z" if leap else f"{text}{'.' + digits if digits else ''}{zone}"


def drawn(schema: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema allows."""
    if "$ref" in schema:
        return drawn(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return st.one_of([drawn(option, root) for option in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            whole = st.integers(schema.get("minimum", -5), schema.get("maximum", 2**31))
            return st.one_of(whole, whole.map(float))  # 5.0 is the integer 5
        case "array":
            return st.lists(drawn(schema["items"], root), max_size=min(schema.get("maxItems", 3), 3))
        case "object":
            fields = {name: drawn(field, root) for name, field in schema["properties"].items()}
            required = {name: fields[name] for name in schema["required"]}
            optional = {name: field for name, field in fields.items() if name not in required}
            return st.fixed_dictionaries(required, optional=optional | {"unknown": st.integers()})
    if schema.get("format") == "date-time":
        return instants()
    seen = st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp", "Cn", "Co", "Zs"])
    if schema.get("description") == "e-mail address":
        return st.emails().filter(lambda text: len(text.rpartition("@")[0]) <= 64)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"), alphabet=seen)
    return st.text(seen, min_size=1, max_size=5)


_ODD = st.one_of(
    st.sampled_from(
        [None, True, 5.5, 5.0, -1, 0, 10**12, "5", "", "x" * 300, [], {}, ["a"], "2026-03-01 00:00:00Z",
         "2026-03-01T00:00:00+0800", "2026-03-01T00:00:00", "2026-03-01", "2026-02-30T00:00:00Z",
         "2026-06-30T12:00:60Z", "2026-03-01T24:00:00Z", "2026-03-01T00:00:00,5Z", "a@b@c", "+6531", "6531"]
    ),
    instants(),
)  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn, value: Any) -> Any:
    """A value with one thing in it changed, taken away or added."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        name = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 3)) == 0:
            return {other: kept for other, kept in value.items() if other != name}
        return value | {name: draw(spoiled(value[name]))}
    return draw(_ODD)


def _can_be_said(value: Any) -> bool:
    """Whether a value breaks no rule that JSON Schema cannot express."""
    return not isinstance(value, dict) or value.get("old_number", 1) != value.get("new_number", 2)


def reads(contract: Contract, value: Any) -> str | None:
    """Why the reader refuses a value; None: it does not."""
    try:
        contract.read(json.dumps(value).encode())
    except msgspec.ValidationError as error:
        return str(error)
    return None


_GENERATED = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_then_the_reader_takes_what_the_schema_allows(contract: Contract) -> None:
    """X7: drawn from each schema: integers written as 5.0, every spelling of an instant, unknown fields."""
    root = schema_of(contract)
    checked = jsonschema.Draft202012Validator(root, format_checker=_FORMATS)

    @_GENERATED
    @given(drawn(root, root).filter(_can_be_said))
    def read_each(value: Any) -> None:
        checked.validate(value)
        assert reads(contract, value) is None, value

    read_each()


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_then_the_schema_allows_what_the_reader_takes(contract: Contract) -> None:
    """X7: drawn values spoiled in one place: schema and reader judge alike."""
    root = schema_of(contract)
    checked = jsonschema.Draft202012Validator(root, format_checker=_FORMATS)

    @_GENERATED
    @given(drawn(root, root).flatmap(spoiled).filter(_can_be_said))
    def judge_each(value: Any) -> None:
        told = reads(contract, value)
        assert checked.is_valid(value) == (told is None), (value, told)

    judge_each()


@pytest.mark.parametrize(("text", "at"), [
    ("2026-12-31T23:59:59.999999999Z", datetime(2026, 12, 31, 23, 59, 59, 999999, UTC)),
    ("2026-12-31T23:59:60Z", datetime(2026, 12, 31, 23, 59, 59, 999999, UTC)),
    ("2027-01-01T07:59:60+08:00", datetime(2026, 12, 31, 23, 59, 59, 999999, UTC)),
    ("2026-03-01t00:00:00.5z", datetime(2026, 3, 1, 0, 0, 0, 500000, UTC)),
    ("2026-03-01T00:00:00.000000001-00:00", datetime(2026, 3, 1, tzinfo=UTC)),
])  # fmt: skip
def test_then_fractions_and_leap_seconds_stay_within_their_day(text: str, at: datetime) -> None:
    """§9: cut off, never rounded up; a leap second is the last microsecond before midnight."""
    assert read_instant(text) == at


@pytest.mark.parametrize("text", ["2026-03-01 00:00:00Z", "2026-03-01T00:00:00+0800", "2026-06-30T12:00:60Z",
                                  "2026-03-01T00:00Z", "2026-03-01T00:00:00", "\u0662026-03-01T00:00:00Z"])  # fmt: skip
def test_then_what_is_not_rfc3339_is_refused(text: str) -> None:
    """§9: a blank in place of the T, an offset without colon, a leap second in the middle of a day."""
    with pytest.raises(ValueError, match="RFC 3339"):
        read_instant(text)
