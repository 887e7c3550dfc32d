"""When numbers are searched and exported by command (N11, N1, N15, O1)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import openpyxl
import pytest

from tests.end_to_end.shell import Shell

LISTING = ("--vendor", "Carrier", "--country", "SG", "--sku", "SG-LOCAL")
FIRST, LAST = "+6531800000", "+6531800059"


@pytest.fixture
def shell(shell: Shell) -> Shell:
    """60 numbers are there."""
    if shell("number", "show", FIRST).code:
        shell.json("number", "add-range", FIRST, LAST, *LISTING)
        shell.json("number", "change", "+6531800007", "--golden", "--sms", "--routing", "north")
        shell.json("number", "lock", "+6531800008", "--remark", "to be checked")
    return shell


def found(shell: Shell, *filters: str) -> list[str]:
    return [n["number"] for n in shell.json("number", "search", *filters)["items"]]


def test_then_any_mix_of_filters_can_be_typed(shell: Shell) -> None:
    """N11: as a table with the count below it, and as JSON; nothing found is no failure."""
    assert found(shell, "--golden", "--capability", "sms", "--routing", "north") == ["+6531800007"]
    assert found(shell, "--pattern", "*0008", "--state", "locked", "--state", "reserved") == ["+6531800008"]
    assert found(shell, "--pattern", "+653180001*", "--not-golden") == [f"+653180001{n}" for n in range(10)]
    assert found(shell, "--state", "available", "--sort", "-number", "--limit", "2") == ["+6531800059", "+6531800058"]
    table = shell.text("number", "search", "--vendor", "Carrier", "--limit", "3")
    assert "+6531800002" in table
    assert "+6531800003" not in table
    assert "3 of 60; --limit shows more." in table
    assert "60 in all." in shell.text("number", "search", "--country", "SG", "--limit", "100")
    assert "golden" in shell.text("number", "search", "--golden")
    assert "No such number." in shell.text("number", "search", "--sku", "OTHER")


def test_then_what_cannot_be_asked_ends_as_it_should(shell: Shell) -> None:
    """O1, §9: 2 for what the command line does not take, 1 and a sentence for what the service refuses."""
    for wrong in (("--state", "free"), ("--limit", "0"), ("--available-since", "yesterday")):
        assert shell("number", "search", *wrong).code == 2, wrong
    refused = shell("number", "search", "--pattern", "6*5")
    assert refused.code == 1
    assert "'6*5' is no number pattern" in refused.err
    assert "by available_since" in shell("number", "search", "--sort", "available_since").err


@pytest.mark.parametrize("form", ["csv", "xlsx", "jsonl"])
def test_then_all_of_it_becomes_a_file(shell: Shell, tmp_path: Path, form: str) -> None:
    """N11: under the service's name in a folder, or under a given one; read back by another program."""
    said = shell.json("number", "export", "--format", form, "--vendor", "Carrier", "--out", str(tmp_path))
    path = Path(said["file"])
    assert path.parent == tmp_path
    assert path.name.startswith("numbers_")
    assert path.stat().st_size == said["bytes"]
    if form == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            numbers = [row["Phone Number"].lstrip("'") for row in csv.DictReader(file)]
    elif form == "jsonl":
        numbers = [json.loads(line)["number"] for line in path.read_text("utf-8").splitlines()]
    else:
        sheet = openpyxl.load_workbook(path).active
        assert sheet is not None
        numbers = [str(row[1]) for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert numbers == found(shell, "--limit", "100")
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "nothing half written is left"


def test_then_an_export_is_a_file_to_upload(shell: Shell, tmp_path: Path) -> None:
    """§9, R1: each row is read as the number that it was; so all of them are there already."""
    file = tmp_path / "again.csv"
    shell.text("number", "export", "--layout", "upload", "--state", "available", "--out", str(file))
    again = shell("number", "upload", str(file), "--dry-run", "--json")
    assert again.code == 1
    assert (again.json["rows"], again.json["good"]) == (59, 0)
    assert {row["code"] for row in again.json["bad_rows"]} == {"number-present"}


def test_then_a_file_that_cannot_be_written_is_told(shell: Shell, tmp_path: Path) -> None:
    """O1: 2; and what the service refuses leaves the old file as it was."""
    assert shell("number", "export", "--out", str(tmp_path / "none" / "file.csv")).code == 2
    old = tmp_path / "old.csv"
    old.write_text("kept", "utf-8")
    assert shell("number", "export", "--pattern", "6*5", "--out", str(old)).code == 1
    assert old.read_text("utf-8") == "kept"


def test_then_it_is_known_for_how_long_a_number_is_available(shell: Shell) -> None:
    """N1, N11: "Available for longer than N days" and available since, by the service's own clock."""
    assert found(shell, "--available-for-days", "30") == []
    shell.json("clock", "advance", "40d")
    shell.json("number", "add", "+6531800099", *LISTING)
    older = found(shell, "--available-for-days", "30", "--limit", "100")
    assert len(older) == 59
    assert "+6531800008" not in older, "its lock lasted for 28 of these days"
    assert "+6531800099" not in older
    assert "+6531800099" in found(shell, "--available-for-days", "0", "--limit", "100")
    newest = shell.json("number", "search", "--state", "available", "--sort", "-available_since", "--limit", "1")
    assert [n["number"] for n in newest["items"]] == ["+6531800099"]
    since = newest["items"][0]["since"]
    assert "+6531800099" in found(shell, "--available-since", since, "--limit", "100")
    assert found(shell, "--available-since", "2020-01-01") == []
