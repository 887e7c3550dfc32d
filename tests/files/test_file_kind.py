"""Files that are something else than they are called (§9): one refusal that says what they are and what to do."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from trunkline.cli.billing.event_file import read_lines
from trunkline.cli.terminal.exit_codes import Misused
from trunkline.files.csv_errors import FileIsOther, NotUtf8
from trunkline.files.csv_reader import Layout, read_csv

LAYOUT = Layout("numbers", ("Country Code", "Phone Number"))
TABLE = b"Country Code,Phone Number\nSG,61234567\n"


def workbook() -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        book.add_worksheet().write_row(0, 0, ["Country Code", "Phone Number"])
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("numbers.csv", TABLE)
    return file.getvalue()


@pytest.mark.parametrize(("data", "kind", "remedy"), [
    (workbook(), "an Excel workbook", "save it as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Excel workbook of before 2007", "save it as CSV UTF-8"),
    (archive(), "a ZIP archive", "take the file out"),
    (gzip.compress(TABLE, mtime=0), "compressed with gzip", "decompress it"),
    (b"\xef\xbb\xbf\xef\xbb\xbf" + TABLE, "marked twice", "save it once more"),
    (b'[{"Country Code": "SG"}]', "JSON", "write it as CSV"),
    (b'\xef\xbb\xbf\n {\n"Country Code": "SG"}', "JSON", "write it as CSV"),
    (b"%PDF-1.7\n", "a PDF document", "export the table"),
    (b"<!DOCTYPE html><table>", "a web page", "export the table"),
])  # fmt: skip
def test_then_a_table_says_what_the_file_is(data: bytes, kind: str, remedy: str) -> None:
    """§9: recognized before anything is read as rows."""
    with pytest.raises(FileIsOther) as refused:
        read_csv(data, LAYOUT, max_bytes=1_000_000)
    assert kind in refused.value.sentence
    assert remedy in refused.value.sentence


def test_then_utf16_is_named_as_before() -> None:
    """§9: by its byte order mark or its NUL bytes."""
    for encoding in ("utf-16", "utf-16-le"):
        with pytest.raises(NotUtf8, match="UTF-16"):
            read_csv(TABLE.decode().encode(encoding), LAYOUT, max_bytes=1_000_000)


@pytest.mark.parametrize(("data", "kind"), [
    (b'[{"id": "1"}]', "one JSON array"),
    (b'\n [\n{"id": "1"}\n]', "one JSON array"),
    (b'{\n  "id": "1"\n}\n', "JSON over several lines"),
    (gzip.compress(b"{}", mtime=0), "compressed with gzip"),
    ('{"id": "1"}'.encode("utf-16"), "UTF-16"),
    (workbook(), "an Excel workbook"),
])  # fmt: skip
def test_then_a_file_of_lines_says_what_it_is(data: bytes, kind: str, tmp_path: Path) -> None:
    """O1: one sentence for the file, not one a line."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(data)
    with pytest.raises(Misused, match=kind):
        read_lines(file)


def test_then_what_is_expected_is_read(tmp_path: Path) -> None:
    """§9: with one byte order mark, and with an object a line."""
    assert read_csv(b"\xef\xbb\xbf" + TABLE, LAYOUT, max_bytes=1_000).count == 1
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"id": "1"}\n{"id": "2"}\n')
    assert len(read_lines(file)) == 2
