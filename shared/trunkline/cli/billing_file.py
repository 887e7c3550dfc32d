"""A file of billing's events, one CloudEvent in JSON a line, read as the service would read it."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from trunkline.cli.ending import Misused
from trunkline.contracts import billing
from trunkline.contracts.envelope import Message, Unreadable, content_hash, decode_structured
from trunkline.csv_refusals import FileIsOther
from trunkline.file_kind import check_is_text

STANDARD_INPUT: Final = Path("-")
MOST_IN_BATCH: Final = 500
MOST_BYTES_IN_BATCH: Final = 900_000
"""Below what the service takes in one request."""

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Line:
    """One line that is not blank: its number, from 1, and its bytes."""

    number: int
    body: bytes


@dataclass(frozen=True)
class Finding:
    """What is to be said of a line.

    Attributes:
        code: why it cannot be used, as the service would say it; `quarantined` for an id that another line has with
            other contents (S3); `duplicate` for one that says the same again, which does no harm.
        reason: one sentence.
        id: the event's, where it can be read.
    """

    line: int
    code: str
    reason: str
    id: str | None = None

    @property
    def harmless(self) -> bool:
        """Whether publishing the line is as good as not publishing it."""
        return self.code == "duplicate"


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


def check(lines: list[Line]) -> list[Finding]:
    """Hold every line against the contracts of billing, and the lines against each other (S3)."""
    findings: list[Finding] = []
    seen: dict[tuple[str, str], tuple[int, bytes]] = {}
    for line in lines:
        try:
            message = decode_structured(line.body, billing.CONTRACTS)
        except Unreadable as unreadable:
            findings.append(Finding(line.number, unreadable.code, unreadable.reason, event_id(line)))
            continue
        told = _again(message, line.number, seen)
        if told is not None:
            findings.append(told)
    return findings


def _again(message: Message, number: int, seen: dict[tuple[str, str], tuple[int, bytes]]) -> Finding | None:
    name, said = (message.source, message.id), content_hash(message)
    first, said_first = seen.setdefault(name, (number, said))
    if first == number:
        return None
    if said == said_first:
        return Finding(number, "duplicate", f"It says the same as line {first}: it takes effect once.", message.id)
    reason = f"Its source and id are those of line {first}, which says something else."
    return Finding(number, "quarantined", reason, message.id)


def event_id(line: Line) -> str | None:
    """The id of a line's event; None where there is none to be read."""
    try:
        named = _object.decode(line.body).get("id")
        return None if named is None else msgspec.json.decode(named, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def is_object(line: Line) -> bool:
    """Whether a line is a JSON object, so that it does not spoil a batch it is sent in."""
    try:
        line.body.decode()
        _object.decode(line.body)
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
