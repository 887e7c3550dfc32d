"""When a CSV file comes from outside: it is read as it was meant, or refused by name, whole (§9, L7, R1)."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import Refused
from trunkline.files.csv_reader import CsvFile, Layout, read_csv

USERS = Layout("names", ("Ext Key", "User's Name"), ("Number", "Subscription Reference"))
PEOPLE = Layout("identities", ("Ext Key", "Identity UUID"), ("Number", "Subscription Reference"))
ADDONS = Layout("add-ons", ("Ext key", "Number", "User"), (), "Addon license")
MEBIBYTES_5 = 5 * 1_048_576


def opened(data: bytes, *layouts: Layout) -> CsvFile:
    """A file in one of the layouts for users unless told otherwise."""
    return read_csv(data, *(layouts or (USERS, PEOPLE, ADDONS)), max_bytes=MEBIBYTES_5)


def cells(file: CsvFile) -> list[tuple[str, ...]]:
    """What each row has."""
    return [tuple(row.cells.values()) for row in file]


PLAIN = "Ext Key,User's Name,Number\n1001,Ann,+6512345678\n1002,Bo,\n"
READ = [("1001", "Ann", "+6512345678", ""), ("1002", "Bo", "", "")]


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        codecs.BOM_UTF8 + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("\n", "\r\n", 1).encode(),
        PLAIN.removesuffix("\n").encode(),
        PLAIN.replace("\n", ",,\n").encode(),
        PLAIN.replace("\n", "\n\n").encode(),
        PLAIN.replace("\n", "\n,,,\n").encode(),
        PLAIN.replace("Ext Key", "EXTKEY").encode(),
        PLAIN.replace("Ext Key", "  ext  key ").encode(),
        PLAIN.replace("User's Name", "User\u2019s\u00a0name").encode(),
        PLAIN.replace("Ann", ' "Ann"').encode(),
        PLAIN.replace("1002,Bo,", "1002,Bo").encode(),
        PLAIN.replace("+65", "'+65").encode(),
    ],
    ids=[
        "plain", "mark", "crlf", "cr", "mixed ends", "no last end", "trailing commas", "empty lines", "empty rows",
        "case", "spaces", "typographic", "quoted", "short row", "tamed",
    ],
)  # fmt: skip
def test_then_it_is_read_however_it_was_saved(data: bytes) -> None:
    """§9: with or without BOM, CR/LF mixes, trailing commas, names without regard to case and spaces."""
    file = opened(data)
    assert (file.layout, file.count, cells(file)) == (USERS, 2, READ)
    assert cells(file) == READ, "and once more from the beginning"


def test_then_quoted_newlines_belong_to_their_cell_and_lines_are_counted_on() -> None:
    """§9: the line named is the one where the row begins."""
    file = opened(b'Ext Key,User\'s Name\r\n1001,"Ann\r\nof ""Acme"", Ltd"\r\n\r\n1002,Bo\n')
    assert [(row.line, row.cells["User's Name"]) for row in file] == [(2, 'Ann\r\nof "Acme", Ltd'), (5, "Bo")]


def test_then_the_header_decides_which_layout_it_is() -> None:
    """L7: two layouts with one kind of user each, and a third with any number of add-on columns."""
    assert opened(b"identity uuid,ext key\n").layout is PEOPLE
    assert opened(b"ext key,user's name,Subscription Reference\n").columns == {
        "Ext Key",
        "User's Name",
        "Subscription Reference",
    }
    file = opened(b"Ext key,Number,User,Addon license,Addon license\n1001,,Ann,team_chat,\n1002,,Bo,,device_ip_phone\n")
    assert file.layout is ADDONS
    assert [row.more for row in file] == [("team_chat",), ("device_ip_phone",)]


def test_then_a_row_with_too_many_cells_is_at_fault_and_its_siblings_are_not() -> None:
    """§9: what, where and why."""
    first, second = opened(b"Ext Key,User's Name\n1001,Ann,,what\n1002,Bo,,\n")
    assert first.fault is not None
    assert first.fault.sentence == "Line 2 has 'what' in column 4, but the header names 2 columns only."
    assert second.fault is None


HEADER = b"Ext Key,User's Name\n"


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (b"", "file-empty", "its first line must name the columns"),
        (b"\r\n,,\r\n", "file-empty", "empty"),
        (codecs.BOM_UTF8, "file-empty", "empty"),
        (PLAIN.encode("utf-16"), "not-utf8", "it is UTF-16"),
        (PLAIN.encode("utf-16-le"), "not-utf8", "it is UTF-16 (little endian)"),
        (PLAIN.encode("utf-16-be"), "not-utf8", "it is UTF-16 (big endian)"),
        (PLAIN.encode("utf-32"), "not-utf8", "it is UTF-32"),
        (PLAIN.replace("Ann", "Zoë").encode("latin-1"), "not-utf8", "the byte 0xEB, as Latin-1 (ISO 8859-1)"),
        (PLAIN.replace("Ann", "“Zoë”").encode("cp1252"), "not-utf8", "0x93, as Windows-1252 would"),
        (HEADER + b"1001,An\x00n\n", "nul-byte", "Line 2 has a NUL byte in column 2"),
        (PLAIN.replace(",", ";").encode(), "delimiter-wrong", "semicolons"),
        (PLAIN.replace(",", "\t").encode(), "delimiter-wrong", "tabs"),
        (PLAIN.replace(",", "|").encode(), "delimiter-wrong", "bars"),
        (b"Ext Key,,User's Name\n", "column-unnamed", "Column 2"),
        (b"Ext Key,User's Name,Shoe size\n", "column-unknown", "Column 3 is called 'Shoe size'"),
        (b"Ext Key,User's Name,Identity UUID\n", "column-unknown", "'Identity UUID'"),
        (b"Ext Key,User's Name, EXTKEY\n", "column-twice", "Columns 1 and 3"),
        (b"User's Name\n", "column-missing", "lacks: Ext Key"),
        (b"\n\nNumber\n", "column-missing", "The header in line 3 lacks"),
        (HEADER + b'1001,Ann\n1002,"Bo\n1003,Cy\n', "quote-open", "begins in line 3 is never closed"),
        (HEADER + b'1001,"Ann"of Acme\n', "quote-misplaced", "begins in line 2"),
        (HEADER + b"1001," + b"x" * 131_073 + b"\n", "cell-too-long", "line 2 is longer than 131,072 characters"),
        (HEADER + b"x" * MEBIBYTES_5, "file-too-large", "larger than 5,242,880 bytes"),
    ],
)  # fmt: skip
def test_then_what_cannot_be_read_is_refused_before_the_first_row(data: bytes, code: str, says: str) -> None:
    """§9: encodings, delimiters, columns, quotes, NUL and size are refused by name, and nothing is given out."""
    with pytest.raises(Refused) as refused:
        opened(data)
    assert refused.value.code == code
    assert says in refused.value.sentence


def test_then_the_largest_file_is_taken_and_no_more_is_read_than_shows_that_one_is_larger() -> None:
    """§9: 5 MB are taken, 5 MB + 1 byte refused."""
    full = (HEADER + b"1001,Ann").ljust(MEBIBYTES_5, b"\n")
    assert opened(full).count == 1
    with pytest.raises(Refused, match="larger"):
        opened(full + b" ")
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 65_536

    with pytest.raises(Refused, match="larger"):
        read_csv(pieces(), USERS, max_bytes=MEBIBYTES_5)
    assert taken == MEBIBYTES_5 // 65_536 + 1


def test_then_one_row_too_many_is_refused_by_its_line() -> None:
    """§9, L9: the 15,001st row."""
    row = b"1001,Ann\n"
    assert read_csv(HEADER + row * 15_000, USERS, max_bytes=MEBIBYTES_5, max_rows=15_000).count == 15_000
    with pytest.raises(Refused, match="line 15002 is one too many"):
        read_csv(HEADER + row * 15_001, USERS, max_bytes=MEBIBYTES_5, max_rows=15_000)


SOME = (
    PLAIN.encode(),
    codecs.BOM_UTF8
    + b'Ext Key,User\'s Name,Number,Subscription Reference\r\n"1001","Ann ""A""",\'+6512345678,REF1\r\n',
    b"Ext key,Number,User,Addon license,Addon license\n1001,+6512345678,Ann,team_chat,device_ip_phone\n",
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good file after a few changes that no spreadsheet would make."""
    data = bytearray(draw(st.sampled_from(SOME)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(data)))
        piece = draw(st.sampled_from([b'"', b",", b"\n", b"\r", b"\x00", b"\xff", b";", b"'", b"=", b" ", b"\xc3\xa9"]))
        end = place + draw(st.integers(0, 3))
        data[place:end] = piece * draw(st.integers(0, 3))
    return bytes(data)


@given(mutated() | st.binary(max_size=200))
def test_then_whatever_was_done_to_a_file_it_is_read_whole_or_refused_in_a_sentence(data: bytes) -> None:
    """§9: no file makes it fail otherwise; what is read agrees with its count, and a lenient reader's."""
    refused: Refused | None = None
    try:
        file = opened(data)
    except Refused as said:
        refused = said
    if refused is not None:
        assert refused.status in (413, 422)
        assert refused.sentence.endswith(".")
        return
    rows = list(file)
    assert len(rows) == file.count
    assert all(row.line > 1 and set(row.cells) == set(file.layout.columns) for row in rows)
    assert [row.line for row in rows] == sorted({row.line for row in rows})
    text = data.decode("utf-8-sig")
    naive = [r for r in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) if any(map(str.strip, r))]
    assert len(naive) == file.count + 1
