"""When ranges and files of numbers are brought in by command: preview, run, report, its end (N14, R1, R3, O1)."""

from __future__ import annotations

import csv
import json
from itertools import count
from pathlib import Path

from tests.end_to_end.shell import Shell

LISTING = ("--vendor", "Carrier", "--country", "SG", "--sku", "SG-LOCAL")
_places = count(31_700_000)


def fresh(number: int) -> list[str]:
    return [f"+65{next(_places)}" for _ in range(number)]


def file_of(path: Path, *numbers: str, bad: str = "") -> str:
    rows = "".join(f"SG,{number},TRUE,FALSE,FALSE\n" for number in numbers)
    path.write_text(f"Country Code,Phone Number,Voice,SMS,Fax\n{rows}{bad}", "utf-8")
    return str(path)


def test_then_a_range_is_added_and_what_is_there_is_told(shell: Shell) -> None:
    """N14: 0 when all of it was added, 3 when some were there, 1 when all were; a dry run adds nothing."""
    numbers = fresh(20)
    dry = shell.json("number", "add-range", numbers[0], numbers[4], *LISTING, "--dry-run")
    assert dry["added"] == 5
    said = shell.text("number", "add-range", numbers[0], numbers[4], *LISTING, "--capability", "sms")
    assert f"5 numbers added, from {numbers[0]} to {numbers[4]}." in said
    assert shell.json("number", "show", numbers[2])["capabilities"] == {"voice": False, "sms": True, "fax": False}
    partly = shell("number", "add-range", numbers[0], numbers[-1], *LISTING)
    assert partly.code == 3
    assert "15 numbers added" in partly.out
    assert all(number in partly.out for number in numbers[:5])
    assert "5 of 20 numbers were refused." in partly.err
    none = shell("number", "add-range", numbers[0], numbers[-1], *LISTING)
    assert none.code == 1
    assert "None of the 20 numbers" in none.err
    long = shell("number", "add-range", "+6531000000", "+6531999999", *LISTING)
    assert long.code == 1
    assert "at most 10,000" in long.err


def test_then_a_file_is_previewed_and_run(shell: Shell, tmp_path: Path) -> None:
    """R1, R3: what it would add, then what it has added; in JSON one document."""
    numbers = fresh(1_500)
    file = file_of(tmp_path / "numbers.csv", *numbers)
    dry = shell.text("number", "upload", file, "--dry-run")
    assert "1,500 rows: 1,500 can be added, 0 cannot." in dry
    assert shell.json("number", "uploads")["total"] == 0
    said = shell.text("number", "upload", file, "--voice-carrier", "Big", "--vendor", "Acme")
    assert "1,500 rows: 1,500 can be added" in said
    assert "is completed: 1,500 of 1,500 rows done, 1,500 added" in said
    shown = shell.json("number", "show", numbers[1_234])
    assert (shown["voice_carrier"], shown["vendor"], shown["state"]) == ("Big", "Acme", "available")
    listed = shell.json("number", "uploads")["items"][0]
    assert (listed["file_name"], listed["status"], listed["added"]) == ("numbers.csv", "completed", 1_500)
    more = shell.json("number", "upload", file_of(tmp_path / "more.csv", *fresh(3)))
    assert (more["status"], more["added"]) == ("completed", 3)


def test_then_bad_rows_are_told_and_the_rest_is_added(shell: Shell, tmp_path: Path) -> None:
    """R3, §9: 3, with line, column, value and reason; the report has every row; with --whole nothing is added."""
    numbers = fresh(2)
    file = file_of(tmp_path / "n.csv", *numbers, bad="SG,abc,TRUE,FALSE,FALSE\nSG,31600001,maybe,FALSE,FALSE\n")
    whole = shell("number", "upload", file, "--whole")
    assert whole.code == 3
    assert shell("number", "show", numbers[0]).code == 1
    done = shell("number", "upload", file)
    assert done.code == 3
    assert "number-unreadable" in done.out
    assert "'maybe' is neither TRUE nor FALSE." in done.out
    assert "2 of 4 rows were refused" in done.err
    upload_id = shell.json("number", "uploads")["items"][0]["upload_id"]
    rows = list(csv.DictReader(shell.text("number", "upload-report", upload_id).splitlines()))
    assert [(r["Line"], r["Outcome"]) for r in rows] == [
        ("2", "added"), ("3", "added"), ("4", "refused"), ("5", "refused"),
    ]  # fmt: skip
    refused = shell.json("number", "upload-report", upload_id, "--refused")["rows"]
    assert [(r["column"], r["value"]) for r in refused] == [("Phone Number", "abc"), ("Voice", "maybe")]
    out = tmp_path / "report.csv"
    shell.text("number", "upload-report", upload_id, "--out", str(out))
    assert out.read_text("utf-8").count("\n") == 5
    assert "is completed" in shell("number", "upload-watch", upload_id).out
    assert "UploadStarted" in shell.text("number", "upload-history", upload_id)
    assert shell.json("number", "upload-history", upload_id)["items"][-1]["event"] == "UploadCompleted"
    assert shell("number", "upload", file_of(tmp_path / "again.csv", *numbers)).code == 1


def test_then_an_upload_is_cancelled(shell: Shell, tmp_path: Path) -> None:
    """R3: before it is run; it never runs then."""
    file = file_of(tmp_path / "n.csv", *fresh(2), bad="SG,+,TRUE,FALSE,FALSE\n")
    kept = json.loads(shell("number", "upload", file, "--whole", "--json").out)
    upload_id = kept["upload_id"]
    assert shell.json("number", "upload-run", upload_id, "--dry-run")["status"] == "running"
    assert "is cancelled: 0 of 3 rows done" in shell.text("number", "upload-cancel", upload_id)
    again = shell("number", "upload-run", upload_id)
    assert again.code == 1
    assert "is cancelled" in again.err
    assert shell("number", "upload-watch", upload_id).code == 1


def test_then_the_sample_can_be_uploaded_and_a_wrong_file_is_refused(shell: Shell, tmp_path: Path) -> None:
    """R1, §9: as it is given; what is no file ends with 2, what is no such file with 1 and its sentence."""
    sample = tmp_path / "sample.csv"
    shell.text("number", "upload-sample", "--out", str(sample))
    assert shell.text("number", "upload-sample").replace("\r\n", "\n") == sample.read_bytes().decode().replace(
        "\r\n", "\n"
    )
    assert shell.json("number", "upload", str(sample))["added"] == 3
    assert shell("number", "upload", str(tmp_path / "none.csv")).code == 2
    sample.write_bytes(b"Country Code;Phone Number;Voice;SMS;Fax\nSG;31580001;TRUE;FALSE;FALSE\n")
    wrong = shell("number", "upload", str(sample))
    assert wrong.code == 1
    assert "semicolons" in wrong.err
