"""The kinds of value that public events are made of, each checked while it is decoded.

Every pattern ends in `$(?!\\n)`: Python's `$` alone also matches before a last line feed. The
published schemas carry the patterns without that guard, since JSON Schema's `$` needs none.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import force_setattr

GUARD = r"(?!\n)"
_END = "$" + GUARD

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID_ANY_CASE = _UUID.replace("a-f", "a-fA-F")
_ANY_CASE = "UUID in any case; taken over in lower case"
_LOWER_CASE = "UUID in lower case"

Id = Annotated[str, Meta(pattern="^" + _UUID + _END, description=_LOWER_CASE)]
ForeignId = Annotated[str, Meta(pattern="^" + _UUID_ANY_CASE + _END, description=_ANY_CASE)]
# The two that every subscription event carries are checked in one go by the struct they stand in
# (canonical_pair): a pattern costs 0.4 us for each field, the pair together 0.4 us.
PairedId = Annotated[str, Meta(description=_LOWER_CASE, extra_json_schema={"pattern": f"^{_UUID}$"})]
ForeignPairedId = Annotated[str, Meta(description=_ANY_CASE, extra_json_schema={"pattern": f"^{_UUID_ANY_CASE}$"})]
canonical_pair = re.compile(f"{_UUID} {_UUID}").fullmatch
_canonical = re.compile(_UUID).fullmatch

E164 = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{2,14}" + _END, description="number in E.164 form, with +")]
Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset; Trunkline writes UTC with Z")]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Quantity = Annotated[int, Meta(ge=1, le=2**31 - 1)]
PlanDays = Annotated[int, Meta(ge=1, le=36_500, description="length of the plan in days of 24 h")]
Sequence = Annotated[int, Meta(ge=1, description="the subject's own version; the newest wins")]
Generation = Annotated[int, Meta(ge=1, description="rises with each request for one extension; the newest counts")]
Code = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,63}" + _END, description="stable code")]
ExtKey = Annotated[str, Meta(pattern="^[0-9]{3,5}" + _END, description="extension key, 3 to 5 digits")]
Country = Annotated[str, Meta(pattern="^([A-Z]{2}|001)" + _END, description="ISO 3166 alpha-2; 001: no country")]
Reference = Annotated[str, Meta(pattern="^[0-9A-Za-z]{0,64}" + _END, description="alphanumeric; blank is none")]
Label = Annotated[
    str,
    Meta(
        pattern="^[^\\u0000-\\u001f\\u007f-\\u009f]{1,64}" + _END,
        description="1 to 64 characters, no control characters",
    ),
]
Name = Annotated[
    str,
    Meta(
        pattern="^[^\\u0000-\\u001f\\u007f-\\u009f]{1,200}" + _END,
        description="1 to 200 characters, no control characters",
    ),
]
Sentence = Annotated[str, Meta(min_length=1, max_length=1000)]
# A check for slips, not for existence: one @, nothing that could end a header or start a list.
Email = Annotated[
    str,
    Meta(
        pattern='^[^@\\s\\u0000-\\u001f\\u007f,;:<>()"\\\\]{1,64}@'
        '[^@\\s\\u0000-\\u001f\\u007f,;:<>()"\\\\]{1,189}' + _END,
        description="e-mail address",
    ),
]
Domain = Annotated[
    str,
    Meta(
        pattern="^[0-9A-Za-z]([0-9A-Za-z.-]{0,251}[0-9A-Za-z])?" + _END,
        description="portal domain",
    ),
]
Domains = Annotated[tuple[Domain, ...], Meta(max_length=100)]

# Instants outside these years are slips; refused here, no period added to one can overflow later.
FIRST_YEAR = 1970
LAST_YEAR = 2999


def utc(instant: datetime) -> datetime:
    """Take an aware instant, give the same instant in UTC.

    Raises ValueError for an instant outside 1970 to 2999, where adding a period could overflow.
    """
    try:
        same = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    except OverflowError:
        same = None
    if same is None or not FIRST_YEAR <= same.year <= LAST_YEAR:
        raise ValueError(f"{instant.isoformat()} lies outside {FIRST_YEAR} to {LAST_YEAR}")
    return same


def lower(struct: Any, *fields: str) -> None:
    """Bring UUIDs of a struct under construction to lower case (one identity, one spelling)."""
    for field in fields:
        text = getattr(struct, field)
        if isinstance(text, str) and not text.islower():
            force_setattr(struct, field, text.lower())


def check_ids(struct: Any, *fields: str) -> None:
    """Bring the UUIDs of a struct under construction to lower case.

    Raises ValueError that names the field which is none.
    """
    lower(struct, *fields)
    for field in fields:
        if not _canonical(getattr(struct, field)):
            raise ValueError(f"Expected a UUID - at `$.{field}`")
