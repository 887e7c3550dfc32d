"""When a file of billing's events is validated: what would not take effect is named, and nothing is sent (S1, O1)."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.shell import Shell

SUBSCRIPTION, ORGANIZATION = "3f0e4a52-1111-4222-8333-000000000001", "3f0e4a52-1111-4222-8333-000000000002"
GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/billing",
    "type": "billing.subscription.started",
    "subject": SUBSCRIPTION,
    "time": "2026-03-01T00:00:00Z",
    "data": {
        "subscription_id": SUBSCRIPTION,
        "organization_id": ORGANIZATION,
        "product": "number",
        "number": "+442079460001",
        "sku": "GB-LONDON",
    },
}
DATA: dict[str, Any] = GOOD["data"]


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Commands typed where nothing runs."""
    monkeypatch.setenv("TRUNKLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRUNKLINE_URL", "http://127.0.0.1:9")
    return Shell(capsys)


def without(name: str) -> dict[str, Any]:
    """The good event without an attribute."""
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"not json", "not-json"),
        (b'"a text"', "attribute-invalid"),
        (b"\xff\xfe{}", "not-utf8"),
        (without("specversion"), "spec-version"),
        (without("id"), "attribute-missing"),
        (without("time"), "attribute-missing"),
        (without("data"), "value-missing"),
        (GOOD | {"specversion": "0.3"}, "spec-version"),
        (GOOD | {"type": "billing.subscription.eaten"}, "type-unknown"),
        (GOOD | {"time": "2026-03-01T00:00:00"}, "attribute-invalid"),
        (GOOD | {"sequence": -1}, "attribute-invalid"),
        (GOOD | {"subject": ORGANIZATION}, "subject-mismatch"),
        (GOOD | {"data": DATA | {"number": "6512345678"}}, "data-invalid"),
        (GOOD | {"data": DATA | {"product": "boat"}}, "data-invalid"),
        (GOOD | {"data": DATA | {"organization_id": "me"}}, "data-invalid"),
        (GOOD | {"data": DATA | {"padding": "x" * 1_048_577}}, "too-large"),
        (GOOD | {"data": DATA | {"sku": "OTHER"}}, "quarantined"),
    ],
)
def test_then_a_line_that_would_not_be_accepted_is_named(shell: Shell, tmp_path: Path, line: Any, code: str) -> None:
    """X6, S3: its number, its code as the service has it, and a sentence; 3, for the other line is good."""
    file = tmp_path / "events.jsonl"
    bad = line if isinstance(line, bytes) else json.dumps(line).encode()
    file.write_bytes(b"\n" + json.dumps(GOOD).encode() + b"\r\n\n" + bad + b"\n")
    done = shell("billing", "validate", str(file), "--json")
    assert done.code == 3
    (finding,) = done.json["findings"]
    assert (finding["line"], finding["code"]) == (4, code)
    assert finding["reason"].endswith(".")
    assert done.json["accepted"] == 1
    assert f"  {code}" in shell("billing", "validate", str(file)).out


def test_then_a_line_said_again_does_no_harm(shell: Shell, tmp_path: Path) -> None:
    """S3: the same (source, id) with the same contents takes effect once, in whatever order its keys come."""
    file = tmp_path / "events.jsonl"
    again = dict(reversed(GOOD.items()))
    file.write_text(f"{json.dumps(GOOD)}\n{json.dumps(again)}", "utf-8")
    told = shell.json("billing", "validate", str(file))
    assert (told["accepted"], told["duplicate"]) == (1, 1)
    assert "line 1" in told["findings"][0]["reason"]


def test_then_a_file_with_a_byte_order_mark_is_read(shell: Shell, tmp_path: Path) -> None:
    """DOMAIN §9: UTF-8 with or without BOM."""
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(GOOD), "utf-8-sig")
    assert shell.text("billing", "validate", str(file)) == "1 events: 1 accepted.\n"


def test_then_standard_input_is_read_for_a_dash(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: `-` reads standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(GOOD).encode())))
    assert shell.json("billing", "validate", "-")["accepted"] == 1


def test_then_a_file_without_events_is_wrong_usage(shell: Shell, tmp_path: Path) -> None:
    """O1: nothing to look at is a mistake of the command line."""
    (tmp_path / "empty").write_text("\n \n", "utf-8")
    assert shell("billing", "validate", str(tmp_path / "empty")).code == 2


def test_then_nothing_good_ends_with_1(shell: Shell, tmp_path: Path) -> None:
    """O1: 1 where all of it is wrong."""
    (tmp_path / "bad").write_text("{}\n[]\n", "utf-8")
    assert shell("billing", "validate", str(tmp_path / "bad")).code == 1
