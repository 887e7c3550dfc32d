"""When a file of billing's events is published: it takes the lines that validating accepts, named alike (S1, O1)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.end_to_end.shell import Shell, event
from tests.end_to_end.test_command_line import assigned, eventually, file_of, now, organization, partner

Lines = list[dict[str, Any] | str]


def lines_of(shell: Shell) -> Lines:
    """Good and bad ones in turn, each bad one for another reason."""
    org, subscription = organization(shell, partner(shell)), str(uuid4())
    at = now(shell) - timedelta(days=30)
    started = event("started", subscription, org, at, product="license", license_code="phone_system", quantity=1)
    number = {"product": "number", "number": "+999123", "sku": "S"}
    deep = "[" * 1_022 + "]" * 1_022
    return [
        "not json",
        started,
        '"a text"',
        started | {"type": "billing.subscription.eaten", "id": "eaten"},
        event("started", str(uuid4()), org, at, **number),
        started,
        f'{{"id": "deep", "data": {deep}}}',
        started | {"time": at.isoformat(), "data": started["data"] | {"quantity": 2}},
        event("terminated", str(uuid4()), org, at + timedelta(days=4_000)),
        started | {"id": "large", "data": started["data"] | {"padding": "x" * 1_048_577}},
        event("expired", subscription, org, at + timedelta(days=1)),
    ]


def test_then_publish_takes_what_validate_accepts(shell: Shell, tmp_path: Path) -> None:
    """S1, S3, O1: the same lines under the same codes and ids, in the order of the file."""
    file = file_of(tmp_path / "events", *lines_of(shell))
    validated, published = (shell("billing", verb, file, "--json") for verb in ("validate", "publish"))
    assert (validated.code, published.code) == (3, 3)
    found = [
        [(f["line"], f["code"], f["id"]) for f in done.json["findings"] if f["code"] != "duplicate"]
        for done in (validated, published)
    ]
    assert found[0] == found[1]
    assert [line for line, _, _ in found[0]] == [1, 3, 4, 5, 7, 8, 9, 10]
    assert [id_ for _, code, id_ in found[0] if code in ("type-unknown", "too-large")] == ["eaten", "large"]
    verdicts = ("accepted", "duplicate", "refused", "quarantined", "unreadable")
    assert [validated.json[v] for v in verdicts] == [published.json[v] for v in verdicts] == [2, 1, 2, 1, 5]


def test_then_a_warning_is_shown_beside_its_line(shell: Shell, tmp_path: Path) -> None:
    """S1: accepted, and worth a look: the command ends well."""
    org, at = organization(shell, partner(shell)), now(shell) - timedelta(days=1)
    strange = event("started", str(uuid4()), org, at, product="license", license_code="tpyo", quantity=1)
    told = shell.json("billing", "publish", file_of(tmp_path / "events", strange))
    assert (told["accepted"], told["findings"]) == (1, [])
    assert [(w["line"], w["id"], w["code"]) for w in told["warnings"]] == [(1, strange["id"], "license-code-unknown")]


def test_then_a_termination_in_ten_days_counts_in_ten_days(shell: Shell, tmp_path: Path) -> None:
    """§10.14: nothing before its instant in either service, and by the timer then, from that instant on."""
    e164, subscription, org = assigned(shell, tmp_path)
    at = now(shell) + timedelta(days=10)
    end = event("terminated", subscription, org, at)
    told = shell.json("billing", "publish", file_of(tmp_path / "end", end))
    assert (told["scheduled"], told["findings"][0]["code"]) == (1, "scheduled")
    shown = shell.json("subscription", "show", subscription)
    assert (shown["status"], [f["id"] for f in shown["scheduled"]]) == ("active", [end["id"]])
    assert "scheduled" in shell.text("subscription", "show", subscription)
    assert shell.json("number", "show", e164)["state"] == "assigned"
    assert shell.json("doctor", "--reconcile")["reconciled"]["differences"] == []
    shell.json("clock", "advance", "11d")
    eventually(lambda: shell.json("number", "show", e164)["state"] == "reserved")
    shown = shell.json("subscription", "show", subscription)
    assert (shown["status"], shown["scheduled"]) == ("terminated", [])
    assert datetime.fromisoformat(shown["terminated_at"]) == at
    ends_at = shell.json("number", "show", e164)["ends_at"]
    assert datetime.fromisoformat(ends_at) == at + timedelta(days=28)
    as_of = shell.json("number", "show", e164, "--as-of", (at - timedelta(seconds=1)).isoformat())
    assert as_of["state"] == "assigned"
