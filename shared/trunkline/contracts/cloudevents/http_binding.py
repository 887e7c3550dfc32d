"""CloudEvents 1.0 over HTTP in binary mode: `ce-…` headers as the HTTP protocol binding writes them (X1, S1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from trunkline.contracts.cloudevents.errors import MessageDecodeError

_PREFIX: Final = b"ce-"
_ESCAPED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_QUOTED: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BACKSLASHED: Final = re.compile(rb"\\(.)", re.DOTALL)


def attributes(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, bytes]]:
    """The attributes of an event in binary mode, named as in a Kafka record.

    Args:
        headers: the request's raw headers, names in lower case.

    Returns:
        `ce_…` names with the values' UTF-8 bytes: unquoted where they stand in double quotes, then percent-decoded
        once (HTTP protocol binding, section 3.1.3.2). Bytes beyond ASCII are taken as UTF-8.

    Raises:
        Unreadable: header-invalid: a quotation mark is not closed, or the value is not UTF-8.
    """
    return [
        ("ce_" + name[len(_PREFIX) :].decode("latin-1"), _value(name.decode("latin-1"), value))
        for name, value in headers
        if name.startswith(_PREFIX)
    ]


def _value(name: str, value: bytes) -> bytes:
    value = value.strip(b" \t")
    if value.startswith(b'"'):
        value = _unquoted(name, value)
    value = _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), value)
    try:
        value.decode()
    except UnicodeDecodeError as error:
        reason = f"The header {name} is not UTF-8 after percent-decoding: {error.reason} at byte {error.start + 1}."
        raise MessageDecodeError("header-invalid", reason) from None
    return value


def _unquoted(name: str, value: bytes) -> bytes:
    """The content of a quoted-string (RFC 9110, section 5.6.4)."""
    found = _QUOTED.fullmatch(value)
    if found is None:
        reason = f"The header {name} begins with a quotation mark that is not closed at its end."
        raise MessageDecodeError("header-invalid", reason)
    return _BACKSLASHED.sub(rb"\1", found[1])
