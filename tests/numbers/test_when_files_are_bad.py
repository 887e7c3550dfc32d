"""When files of numbers are bad, each in its own way: by hand, one mistake a file, hundreds (F6, R1, R3, §9)."""

from __future__ import annotations

import msgspec
import pytest

from tests.numbers.bad_files import check
from trunkline.errors import Refused
from trunkline.files.csv_reader import read_csv
from trunkline_numbers.application.imports.layout import Terms
from trunkline_numbers.application.imports.parse import LAYOUT, preview
from trunkline_numbers.tables.upload_rows import Chunk

HEADER = ",".join(LAYOUT.columns)
GOOD = dict(
    zip(LAYOUT.columns, ("SG", "31580001", "TRUE", "FALSE", "FALSE", "V", "S", "r", "", "", "", ""), strict=True)
)
NEXT = "SG,31580009,TRUE,FALSE,FALSE,,,,,,,"

CELLS: dict[tuple[str, str], tuple[str, ...]] = {
    ("Country Code", "cell-blank"): ("", " ", "\t", "   "),
    ("Country Code", "country-code-unknown"): (
        *("XX", "ZZ", "S", "SGP", "Singapore", "UK", "EU", "EN", "S G", "SG SG", "SG;GB", "SG/GB", "S\u200bG", "ＳＧ"),
        *(
            "0",
            "00",
            "0065",
            "065",
            "999",
            "210",
            "+",
            "++65",
            "+-65",
            "-65",
            "65a",
            "a65",
            "6 5",
            "65.0",
            "6,5",
            "1684x",
        ),
        *(
            "６５",
            "٦٥",
            "+６５",
            "6e1",
            "=65",
            "@SG",
            "#65",
            "None",
            "null",
            "true",
            "TRUE",
            "*",
            "?",
            "'",
            '"',
            "\\",
            "<SG>",
        ),
    ),
    ("Phone Number", "cell-blank"): ("", " ", "\t", "     "),
    ("Phone Number", "number-unreadable"): (
        *(
            "+",
            "++",
            "+65",
            "+6",
            "0",
            "00",
            "-",
            "--",
            ".",
            "()",
            "#",
            "*",
            "/",
            "?",
            "abc",
            "number",
            "n/a",
            "none",
            "x",
        ),
        *("3158O001", "31580OO1", "l1580001", "3158000l", "31580001a", "a31580001", "31580001,5", "31580001;31580002"),
        *("+6531580001234567", "315800012345678901", "3" * 40, "9" * 300, "+" * 20, "+65 3158 0001 0002 0003"),
        *("+14155550100", "+442079460123", "+8613800138000", "+999123456789", "+00", "+0", "+0000000000"),
        *("３１５８０００１", "٣١٥٨٠٠٠١", "+６５31580001", "3158٠٠٠١", "𝟑𝟏𝟓𝟖𝟎𝟎𝟎𝟏", "３1580001", "一二三四五六七八"),
        *(
            "3.158E+07",
            "3.158e7",
            "31580001.0",
            "31,580,001",
            "3158_0001",
            "0x1E1E181",
            "1e400",
            "NaN",
            "inf",
            "-31580001",
        ),
        *(
            "=31580001",
            "=1+1",
            "@31580001",
            '=HYPERLINK("a")',
            "31580001\n31580002",
            "3158\n0001",
            "3158\x0b0001",
            "3158\x070001",
        ),
        *(
            "3158\u20280001",
            "3158\u200b0001",
            "\u202e31580001",
            "31580001\u0000"[:-1] + "\x1b",
            "<31580001>",
            "'' OR 1=1",
            "%31",
        ),
        *(
            "tel:+6531580001x",
            "+65+31580001",
            "65++31580001",
            "31580001 ext",
            "31580001x",
            "31580001#",
            "31580001*",
            "31580001?",
        ),
        *(
            "31580001 or 31580002",
            "31580001-31580009",
            "31580001..9",
            "3158000?",
            "3158*",
            "*0001",
            "3158000",
            "315800010",
            "1900",
            "112",
        ),
    ),
    ("Phone Number", "number-is-short-code"): ("995", "999", "1777", "1800", "993"),
    **{
        (column, "cell-not-true-or-false"): (
            *("yes", "no", "Y", "N", "1", "0", "T", "F", "wahr", "VRAI", "on", "off", "TRUE.", "TRUE FALSE", "TRUEE"),
            *("true1", "!TRUE", "-", "x", "✓", "ＴＲＵＥ", "null", "=TRUE()", "TRUE;FALSE", "2"),
        )
        for column in ("Voice", "SMS", "Fax", "Golden", "Ported In")
    },
    **{(column, "cell-blank"): ("", " ") for column in ("Voice", "SMS", "Fax")},
    ("Legacy Lock", "cell-not-true-or-false"): ("yes", "1", "locked", "TRUE!"),
    ("Legacy Lock", "legacy-lock-not-yours"): ("TRUE", "true", "True"),
    **{
        (column, "text-unreadable"): (
            "x" * 65,
            "ü" * 65,
            "a\nb",
            "a\tb",
            "a\x07b",
            "\x7f",
            "a\x85b",
            "bell\x07",
            "x" * 5_000,
        )
        for column in ("Vendor", "SKU", "Routing")
    },
    ("Domains", "domain-unreadable"): (
        *("not_a_domain", "-a.example", ".example", "ä.example", "a.example/x", "http://a.example"),
        *("a.example:80", "*.example", "a@b.example", "a.example !", "a.example ., b.example"),
    ),
}
WHOLE: tuple[tuple[bytes, str], ...] = (
    (b"", "file-empty"), (b"\xef\xbb\xbf", "file-empty"), (b"\r\n", "file-empty"), (b"\n\n\n", "file-empty"),
    (HEADER.encode()[:-1], "column-unknown"), (b"Country Code\n", "column-missing"), (NEXT.encode(), "column-unknown"),
    (f"{HEADER},Colour\n".encode(), "column-unknown"), (f"{HEADER},voice\n".encode(), "column-twice"),
    (f"{HEADER},Voice\n".encode(), "column-twice"), (f"{HEADER},{HEADER}\n".encode(), "column-twice"),
    (f"{HEADER},Phone\n".encode(), "column-unknown"), (f",{HEADER}\n".encode(), "column-unnamed"),
    (HEADER.replace(",", ";").encode(), "delimiter-wrong"), (HEADER.replace(",", "\t").encode(), "delimiter-wrong"),
    (HEADER.replace(",", "|").encode(), "delimiter-wrong"),
    *((HEADER.replace(f",{c}", "").encode(), "column-missing") for c in ("Phone Number", "Voice", "SMS", "Fax")),
    *((f"{HEADER}\n{NEXT}".encode(code), "not-utf8") for code in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")),
    (f"{HEADER}\n{NEXT}".encode() + b"\xff", "not-utf8"), (f"{HEADER}\nSG,3158,\xe9".encode("latin-1"), "not-utf8"),
    (f"{HEADER}\nSG,\x00".encode(), "nul-byte"), (f'{HEADER}\nSG,"3158'.encode(), "quote-open"),
    (f'{HEADER}\nSG,"31580001"x,TRUE'.encode(), "quote-misplaced"),
)  # fmt: skip


def file_with(column: str, value: str) -> bytes:
    """One row whose cell is bad, and a good one after it."""
    cells = [value if name == column else good for name, good in GOOD.items()]
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    return f"{HEADER}\r\n{quoted}\r\n{NEXT}\r\n".encode()


def test_then_there_are_hundreds() -> None:
    """F6: at least 300, no two alike."""
    files = {file_with(column, value) for (column, _), values in CELLS.items() for value in values}
    assert len(files) + len({data for data, _ in WHOLE}) >= 300


@pytest.mark.parametrize(("column", "code"), CELLS, ids=lambda name: name)
def test_then_the_row_is_told_and_the_next_one_is_good(column: str, code: str) -> None:
    """R3, §9: line, column, value, code and sentence of the one mistake there is."""
    for value in CELLS[column, code]:
        found = preview(read_csv(file_with(column, value), LAYOUT, max_bytes=10_000), Terms(), lambda _: set())
        check(found)
        assert (found.rows, found.good) == (2, 1), value
        (row,) = found.bad
        assert row.wrong is not None
        assert (row.line, row.wrong.column, row.wrong.code) == (2, column, code), repr(value)
        (chunk,) = found.chunks
        assert msgspec.msgpack.decode(chunk, type=Chunk).rows[1].number == "+6531580009"


@pytest.mark.parametrize(("data", "code"), WHOLE)
def test_then_what_is_no_such_file_is_refused_whole(data: bytes, code: str) -> None:
    """R1, §9: by name, in a sentence."""
    with pytest.raises(Refused) as told:
        preview(read_csv(data, LAYOUT, max_bytes=10_000), Terms(), lambda _: set())
    assert told.value.code == code
    assert told.value.sentence.endswith(".")
