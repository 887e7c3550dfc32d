"""When numbers are named by a file or on standard input, and how the shell completes what is typed (O1)."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.end_to_end.shell import Shell
from tests.end_to_end.test_when_numbers_are_worked_with import WHY, Parties, new


def test_then_each_is_reserved_and_released_with_its_own_outcome(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O1: 0 where all were done, 3 where some were refused, 1 where all were; a single one is shown whole."""
    parties, first, second = Parties(shell), new(shell), new(shell)
    file = tmp_path / "numbers.txt"
    file.write_text(f"{first}\n\n{second}, {first}\n", encoding="utf-8-sig")
    reserve = ("number", "reserve", "--for", parties.org, *WHY)
    assert shell.json(*reserve, "--from", str(file), "--dry-run")["done"] == 2
    done = shell.json(*reserve, "--from", str(file))
    assert [(item["number"], item["state"]) for item in done["items"]] == [(first, "reserved"), (second, "reserved")]
    told = shell(*reserve, "--from", str(file))
    assert (told.code, "None of the 2 numbers was reserved." in told.err) == (1, True)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{first}\n"))
    assert shell.json("number", "release", *WHY, "--from", "-")["state"] == "available"
    told = shell("number", "release", first, second, *WHY)
    assert (told.code, first in told.out, "1 of 2 numbers were refused." in told.err) == (3, True, True)


def test_then_numbers_are_allocated_and_taken_back_out_of_a_file(shell: Shell, tmp_path: Path) -> None:
    """O1: all of them or none, as when they are typed."""
    parties, some = Parties(shell), [new(shell), new(shell)]
    file = tmp_path / "numbers.txt"
    file.write_text("\n".join(some))
    assert "holder" in shell.text("number", "allocate", "--from", str(file), "--to", parties.org)
    assert shell.json("number", "show", some[1])["holder_id"] == parties.org
    shell.json("number", "take-back", "--from", str(file))
    assert shell.json("number", "show", some[0])["holder_id"] is None


def test_then_a_file_that_is_none_is_refused(shell: Shell, tmp_path: Path) -> None:
    """O1: none named, not there, not text."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    to = ("--to", str(uuid4()))
    assert "Say which numbers" in shell("number", "allocate", *to).err
    assert "cannot be read" in shell("number", "allocate", "--from", str(tmp_path / "none"), *to).err
    told = shell("number", "allocate", "--from", str(tmp_path / "binary"), *to)
    assert (told.code, "no text in UTF-8" in told.err) == (2, True)


@pytest.mark.parametrize(
    ("typed", "place", "offered"), [("trunkline num", 1, "number"), ("trunkline number res", 2, "reserve")]
)
def test_then_the_shell_is_told_what_can_be_typed(typed: str, place: int, offered: str) -> None:
    """O1: `trunkline --install-completion` makes the shell ask so."""
    environment = os.environ | {"_TRUNKLINE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(place)}
    command = [sys.executable, "-c", "from trunkline.cli.main import main; main()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert offered in done.stdout.split()


def test_then_numbers_are_typed_as_their_country_writes_them(shell: Shell) -> None:
    """R1: by command, where the country is said; afterwards each is known by its international form."""
    written = {"US": "(415) 555-2671", "GB": "(020) 7946 0123", "DE": "030/12345678"}
    for country, number in written.items():
        shell.json("number", "add", number, "--vendor", "V", "--country", country, "--sku", "S")
    for e164 in ("+14155552671", "+442079460123", "+493012345678"):
        assert shell.json("number", "show", e164)["number"] == e164
    refused = shell("number", "add", "\u202a(020) 7946 0124\u202c", "--vendor", "V", "--country", "GB", "--sku", "S")
    assert refused.code == 1
    assert "U+202A (LEFT-TO-RIGHT EMBEDDING)" in refused.out + refused.err
