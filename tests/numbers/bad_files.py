"""F6 at any scale: `python -m tests.numbers.bad_files --files 100000` spoils files of numbers and has them read.

Each file is a good one with a few mutations that chance names. It is refused as a whole with a code and a sentence, or
read row by row, each row good or wrong with its place and sentence; anything else is counted as a failure. The last
line is the outcome as JSON; the exit code is 1 where anything failed.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from trunkline.errors import Refused
from trunkline.files.csv_reader import read_csv
from trunkline_numbers.application.imports.layout import Terms
from trunkline_numbers.application.imports.parse import LAYOUT, SAMPLE, Preview, preview
from trunkline_numbers.tables.upload_rows import Chunk

_WORDS = (
    *(b",", b'"', b'""', b"\r", b"\n", b"\r\n", b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", b"\x80", b";", b"\t"),
    *(b"+", b"++", b"=1+1", b"@x", b"'", b"-", b"TRUE", b"maybe", b"SG", b"XX", b"001", b"65", b"1", b"995", b"0" * 16),
    *("١٢٣".encode(), "６５".encode(), "＋65".encode(), b"9" * 300, b"a.example b", "\u2028".encode(), b"\x0b", b" "),
)
_E164 = re.compile(r"\+[1-9][0-9]{2,14}").fullmatch
_read_chunk = msgspec.msgpack.Decoder(Chunk).decode


def good_file(chance: random.Random) -> bytes:
    """A file without a mistake."""
    rows = [f"SG,{chance.randint(30_000_000, 99_999_999)},TRUE,FALSE,FALSE" for _ in range(chance.randint(1, 6))]
    plain = "\r\n".join(["Country Code,Phone Number,Voice,SMS,Fax", *rows, ""]).encode()
    return chance.choice((SAMPLE, plain, b"\xef\xbb\xbf" + plain, plain.replace(b"\r\n", b"\n")))


def spoiled(data: bytes, chance: random.Random) -> bytes:
    """The file after one to four mutations."""
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(_MUTATIONS)(data, chance)
    return data


def _flip(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes([chance.randrange(256 if chance.random() < 0.1 else 128)]) + data[at + 1 :]


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_WORDS) * chance.choice((1, 1, 1, 3)) + data[at:]


def _cut(data: bytes, chance: random.Random) -> bytes:
    at, until = sorted(chance.choices(range(len(data) + 1), k=2))
    return data[:at] + data[until:]


def _cell(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(min(1, len(lines) - 1), len(lines))
    cells = lines[at].split(b",")
    cells[chance.randrange(len(cells))] = chance.choice(_WORDS)
    return b"\n".join([*lines[:at], b",".join(cells), *lines[at + 1 :]])


def _lines(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    header, rows = (lines[:1], lines[1:]) if chance.random() < 0.8 else ([], lines)
    chance.shuffle(rows)
    return b"\n".join(header + rows + chance.choices(lines, k=1))


def _encode(data: bytes, chance: random.Random) -> bytes:
    text = data.decode("latin-1")
    return text.encode(chance.choice(("utf-16", "utf-16-le", "utf-32", "utf-8")))


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_flip, _insert, _cut, _lines) * 3,
    *(_cell,) * 12,
    _encode,
)


def outcome(data: bytes) -> str:
    """What becomes of a file: the code it is refused with, or `read`.

    Raises:
        AssertionError: it is told neither whole nor row by row.
    """
    try:
        file = read_csv(data, LAYOUT, max_bytes=10_000, max_rows=50)
        found = preview(file, Terms(), lambda _: set())
    except Refused as refused:
        whole = refused
    else:
        check(found)
        return "read"
    assert whole.sentence.endswith("."), whole.sentence
    assert whole.status in (413, 422), whole.code
    return whole.code


def check(found: Preview) -> None:
    """Every row is good with a number, or wrong with a column, a code and a sentence; no number is there twice."""
    rows = [row for chunk in found.chunks for row in _read_chunk(chunk).rows]
    assert len(rows) == found.rows
    numbers = [row.number for row in rows if row.wrong is None]
    assert len(numbers) == len(set(numbers)) == found.good
    for row in rows:
        if row.wrong is None:
            assert row.number is not None, row
            assert _E164(row.number), row
        else:
            assert row.number is None, row
            assert row.wrong.code, row
            assert row.wrong.column, row
            assert row.wrong.reason.endswith("."), row


def main() -> int:
    """Spoil, read, count."""
    parser = argparse.ArgumentParser(prog="python -m tests.numbers.bad_files", description=main.__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args()
    chance = random.Random(given.seed)
    counted: Counter[str] = Counter()
    failed = 0
    for _ in range(given.files):
        data = spoiled(good_file(chance), chance)
        try:
            counted[outcome(data)] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure and is shown
            failed += 1
            print(repr(data), repr(error))
    told: dict[str, Any] = {"seed": given.seed, "files": given.files, "failed": failed}
    print(json.dumps(told | {"outcomes": dict(counted.most_common())}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
