"""The kinds of value that public events are made of, each checked while it is decoded.

Every pattern ends in `$(?!\\n)`: Python's `$` alone also matches before a last line feed. The
published schemas carry the patterns without that guard, since JSON Schema's `$` needs none.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import force_setattr

from trunkline.email_address import EmailAddressInvalid, email_address
from trunkline.text import clean

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


_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:([Zz])|([+-][0-9]{2}:[0-9]{2}))"
)


def read_instant(text: str) -> datetime:
    """Read an instant exactly as RFC 3339 writes it, in UTC.

    What lies beyond microseconds is cut off, never rounded: 23:59:59.999999999 stays within its day. A leap second,
    23:59:60 in UTC, is taken as the last microsecond before midnight: it comes after every instant before it and
    before every one after it.

    Raises:
        ValueError: the text is not RFC 3339, has no offset, or lies outside 1970 to 2999.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is not an RFC 3339 instant such as 2026-03-01T00:00:00Z")
    date, minutes, seconds, fraction, _, offset = found.groups()
    leap = seconds == "60"
    micros = "999999" if leap else (fraction or "0")[:6].ljust(6, "0")
    try:
        at = datetime.fromisoformat(f"{date}T{minutes}:{'59' if leap else seconds}.{micros}{offset or '+00:00'}")
    except ValueError as error:
        raise ValueError(f"{text[:60]!r} is not an RFC 3339 instant: {error}") from None
    at = utc(at)
    if leap and (at.hour, at.minute) != (23, 59):
        raise ValueError(f"{text[:60]!r} is not an RFC 3339 instant: a leap second is 23:59:60 in UTC")
    return at


def lower(struct: Any, *fields: str) -> None:
    """Bring UUIDs of a struct under construction to lower case (one identity, one spelling)."""
    for field in fields:
        text = getattr(struct, field)
        if isinstance(text, str) and not text.islower():
            force_setattr(struct, field, text.lower())


def clean_texts(struct: Any, *fields: str) -> None:
    """Bring texts of a struct under construction into their one form (`text.clean`); a text that is absent stays so.

    Raises ValueError that names the field: an invisible character, or nothing but blanks.
    """
    for field in fields:
        text = getattr(struct, field)
        if not isinstance(text, str):
            continue
        try:
            cleaned = clean(text)
        except ValueError as error:
            raise ValueError(f"The text {error} - at `$.{field}`") from None
        if not cleaned:
            raise ValueError(f"The text has nothing but blanks - at `$.{field}`")
        if cleaned != text:
            force_setattr(struct, field, cleaned)


def check_emails(struct: Any, *fields: str) -> None:
    """Hold the e-mail addresses of a struct under construction against the parser that will write them.

    A domain in another script becomes its A-label; an absent field is left alone. Raises ValueError that names the
    field which is none.
    """
    for field in fields:
        text = getattr(struct, field)
        if isinstance(text, str):
            try:
                force_setattr(struct, field, email_address(text))
            except EmailAddressInvalid as error:
                raise ValueError(f"no e-mail address, since {error} - at `$.{field}`") from None


def check_ids(struct: Any, *fields: str) -> None:
    """Bring the UUIDs of a struct under construction to lower case.

    Raises ValueError that names the field which is none.
    """
    lower(struct, *fields)
    for field in fields:
        if not _canonical(getattr(struct, field)):
            raise ValueError(f"Expected a UUID - at `$.{field}`")
