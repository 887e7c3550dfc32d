"""A file of billing's events, one CloudEvent in JSON a line, read as the service would read it."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from trunkline.cli.terminal.exit_codes import Misused
from trunkline.clock import rfc3339
from trunkline.contracts import billing
from trunkline.contracts.cloudevents.envelope import (
    MAX_VALUE_BYTES,
    Message,
    MessageDecodeError,
    content_hash,
    decode_structured,
)
from trunkline.files.csv_errors import FileIsOther
from trunkline.files.file_kind import check_is_text
from trunkline.files.possible_numbers import is_possible
from trunkline.limits import MOST_AHEAD

STANDARD_INPUT: Final = Path("-")
MOST_IN_BATCH: Final = 500
MOST_BYTES_IN_BATCH: Final = 900_000
"""Below what the service takes in one request."""

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_alone: Final = msgspec.json.Decoder(tuple[msgspec.Raw])


@dataclass(frozen=True)
class Line:
    """One line that is not blank: its number, from 1, and its bytes."""

    number: int
    body: bytes


@dataclass(frozen=True)
class Finding:
    """What is to be known of a line.

    Attributes:
        verdict: as the service would give it: `unreadable`; `refused` by a rule that needs nothing but the event;
            `quarantined` for an id that another line has with other contents (S3); `duplicate` for a line that repeats
            another one, which does no harm.
        code: why, as the service would name it.
        reason: one sentence.
        id: the event's, where it can be read.
    """

    line: int
    verdict: str
    code: str
    reason: str
    id: str | None = None


def read_lines(file: Path) -> list[Line]:
    """The lines of a file, or of standard input for `-`.

    Raises:
        Misused: it cannot be read, or holds nothing.
    """
    try:
        body = sys.stdin.buffer.read() if file == STANDARD_INPUT else file.read_bytes()
    except OSError as error:
        raise Misused(f"{file} cannot be read: {error.strerror}.") from None
    try:
        check_is_text(body)
        _check_is_lines(body)
    except FileIsOther as other:
        raise Misused(f"{file}: {other.sentence}") from None
    body = body.removeprefix(b"\xef\xbb\xbf")
    lines = [Line(number, raw.strip()) for number, raw in enumerate(body.split(b"\n"), start=1) if raw.strip()]
    if not lines:
        raise Misused(f"{file} holds no events: each line is one CloudEvent in JSON.")
    return lines


def _check_is_lines(body: bytes) -> None:
    """Refuse JSON that is no line for each event: an array, or an event over several lines.

    Raises:
        FileIsOther: it says how to make lines of it.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileIsOther(kind="UTF-16", remedy="save it as UTF-8")
    start = body.removeprefix(codecs.BOM_UTF8).lstrip()
    if start.startswith(b"["):
        raise FileIsOther(kind="one JSON array", remedy="write one event a line, as `jq -c '.[]'` does")
    if start.partition(b"\n")[0].strip() == b"{":
        raise FileIsOther(kind="JSON over several lines", remedy="write one event a line, as `jq -c .` does")


def check(lines: list[Line], now: datetime) -> list[Finding]:
    """Hold every line against the contracts of billing, and the lines against each other (S3).

    What depends on what the service has on record (which facts came before) is not known here.
    """
    findings: list[Finding] = []
    seen: dict[tuple[str, str], tuple[int, bytes]] = {}
    for line in lines:
        message = read_event(line)
        finding = message if isinstance(message, Finding) else _repeated(message, line.number, seen)
        if finding is None and isinstance(message, Message):
            finding = _refused(message, line.number, now)
        if finding is not None:
            findings.append(finding)
    return findings


def read_event(line: Line) -> Message | Finding:
    """The event of a line, or why there is none, as the service reads it."""
    try:
        message = decode_structured(line.body, billing.CONTRACTS)
    except MessageDecodeError as unreadable:
        return Finding(line.number, "unreadable", unreadable.code, unreadable.reason, event_id(line))
    if is_json(line):
        return message
    return Finding(line.number, "unreadable", "not-json", "The line is nested too deep.", message.id)


def unsendable(line: Line) -> Finding | None:
    """Why a line cannot be sent in a batch: it would spoil the batch for the others. None: it can."""
    if len(line.body) > MAX_VALUE_BYTES or not is_json(line):
        found = read_event(line)
        return found if isinstance(found, Finding) else None
    return None


def _repeated(message: Message, number: int, seen: dict[tuple[str, str], tuple[int, bytes]]) -> Finding | None:
    contents = content_hash(message)
    first, contents_first = seen.setdefault((message.source, message.id), (number, contents))
    if first == number:
        return None
    if contents == contents_first:
        reason = f"It is the same as line {first}: it takes effect once."
        return Finding(number, "duplicate", "duplicate", reason, message.id)
    reason = f"Its source and id are those of line {first}, which has other contents."
    return Finding(number, "quarantined", "quarantined", reason, message.id)


def _refused(message: Message, number: int, now: datetime) -> Finding | None:
    data = message.data
    named = data.number if isinstance(data, billing.NumberStarted) else getattr(data, "new_number", None)
    if not is_possible(named):
        reason = f"{named} cannot be a telephone number: no country has numbers of this length or beginning."
        return Finding(number, "refused", "number-impossible", reason, message.id)
    if message.time - now > MOST_AHEAD:
        reason = f"It is dated {rfc3339(message.time)}, more than ten years ahead of the clock."
        return Finding(number, "refused", "too-far-ahead", reason, message.id)
    return None


def event_id(line: Line) -> str | None:
    """The id of a line's event; None where there is none to be read."""
    try:
        named = _object.decode(line.body).get("id")
        return None if named is None else msgspec.json.decode(named, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def is_json(line: Line) -> bool:
    """Whether a line is one JSON value that can be sent in a batch without spoiling it for the others."""
    try:
        line.body.decode()
        _alone.decode(b"[%b]" % line.body)  # the batch is one level deeper than the line: so is the limit of nesting
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def batches(lines: list[Line]) -> Iterator[list[Line]]:
    """Lines in batches that the service takes in one request each."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == MOST_IN_BATCH or size + len(line.body) > MOST_BYTES_IN_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line.body) + 1
    if batch:
        yield batch
