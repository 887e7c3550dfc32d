"""When a number administrator does the day's work on the command line (N2, N5-N8, N13, R4-R6, R8-R10, O1, P3)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.shell import Shell, event, until_numbers_knows

_fresh = count(1)


class Parties:
    """A partner with an organization, and how they are told."""

    def __init__(self, shell: Shell) -> None:
        mails = ("--owner-email", "owner@partner.example", "--support-email", "help@partner.example")
        self.partner = str(shell.json("party", "register", "partner", "--name", "Meridian", *mails)["partner_id"])
        given = ("--name", "Harbour", "--billing-email", "bills@harbour.example", "--partner", self.partner)
        made = shell.json("party", "register", "organization", *given)
        self.org = until_numbers_knows(shell, made["organization_id"])

    def token(self, shell: Shell, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on it is this role that types."""
        party = self.partner if role == "partner-admin" else self.org
        issued = shell.json("token", "issue", "--role", role, "--party", party)
        monkeypatch.setenv("TRUNKLINE_TOKEN", issued["token"])


def eventually(look: Any, wanted: str) -> None:
    """Look until it is so; numbers hears of things a moment after licensing."""
    assert any(wanted in str(look()) for _ in range(1_000)), f"it never came to {wanted}"


def new(shell: Shell, *more: str) -> str:
    """A new number."""
    number = f"+442079461{next(_fresh):03d}"
    assert shell.json("number", "add", number, "--vendor", "V", "--country", "GB", "--sku", "S", *more)["added"] == 1
    return number


WHY = ("--remark", "asked for by phone")


def test_then_it_is_reserved_released_locked_unlocked_deleted_and_recovered(shell: Shell) -> None:
    """N2, N6, N8, §10.7: a table for people, JSON for programs, 0 where it is done."""
    parties, number = Parties(shell), new(shell)
    said = shell.text("number", "reserve", number, "--for", parties.partner, *WHY)
    assert "reserved" in said
    assert parties.partner in said
    assert shell.json("number", "release", number, *WHY)["state"] == "available"
    assert "locked" in shell.text("number", "lock", number, *WHY)
    assert shell.json("number", "unlock", number, *WHY)["state"] == "available"
    assert shell.json("number", "lock", number, "--legacy", *WHY)["ends_at"] is None
    assert shell.json("number", "delete", number, "--reason", "ported_out", *WHY)["cause"] == "ported_out"
    assert "available" in shell.text("number", "recover", number, *WHY)


def test_then_a_refusal_says_what_can_be_done(shell: Shell) -> None:
    """O1, §9: one sentence and 1; 2 where the command line is wrong; JSON has it in parts."""
    number = new(shell)
    shell.json("number", "delete", number, "--reason", "faulty", *WHY)
    done = shell("number", "lock", number, *WHY)
    assert done.code == 1
    assert done.err.startswith(f"{number} is deleted since ")
    assert done.err.strip().endswith("what can be done: recover.")
    told = shell("number", "lock", number, *WHY, "--json")
    assert (told.code, told.json["code"], told.json["errors"][0]["instead"]) == (1, "number-not-available", ["recover"])
    assert shell("number", "recover", number, "--remark", "  ").code == 1
    assert shell("number", "recover", number).code == 2
    assert shell("number", "delete", number, "--reason", "bored", *WHY).code == 2
    refused = shell("number", "reserve", number, "--for", "nobody", *WHY)
    assert (refused.code, refused.err.partition(",")[0]) == (1, "--for is 'nobody'")
    again = shell("number", "add", number, "--vendor", "V", "--country", "GB", "--sku", "S")
    assert "recover" in again.err


def test_then_a_dry_run_says_so_and_does_nothing(shell: Shell) -> None:
    """O1: for each verb that would change something."""
    parties, number = Parties(shell), new(shell)
    for argv in (
        ("reserve", number, "--for", parties.org, *WHY),
        ("lock", number, *WHY),
        ("delete", number, "--reason", "other", *WHY),
        ("change", number, "--golden"),
        ("allocate", number, "--to", parties.partner),
        ("take-back", number),
    ):
        said = shell.text("number", *argv, "--dry-run")
        assert said.startswith("Nothing was done. It would be so:")
    assert shell.json("number", "history", number)["total"] == 1
    another, listing = "+442079462009", ("--vendor", "V", "--country", "GB", "--sku", "S")
    said = shell.text("number", "add", another, *listing, "--dry-run")
    assert said.startswith("Nothing was done. It would be so:")
    assert another in said
    assert shell("number", "show", another).code == 1


def test_then_numbers_are_allocated_and_taken_back(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """R4, P3: several at once, with commas or spaces; the partner hands them on; what is in the way is named."""
    parties, first, second = Parties(shell), new(shell), new(shell)
    assert shell.json("number", "allocate", f"{first},{second}", "--to", parties.partner)["changed"] == 2
    with monkeypatch.context() as partners:
        parties.token(shell, "partner-admin", partners)
        assert parties.org in shell.text("number", "allocate", first, second, "--to", parties.org)
        assert shell.json("number", "take-back", first)["numbers"][0]["holder_id"] == parties.partner
    shell.json("number", "bind", second, "--kind", "trunk", "--user", str(uuid4()))
    refused = shell("number", "take-back", first, second)
    assert refused.code == 1
    assert f"{second} stand in the way" in refused.err
    assert shell.json("number", "show", first)["holder_id"] == parties.partner


def test_then_it_is_changed_bound_and_unbound(shell: Shell) -> None:
    """R5, R8, R9, R10: what is named changes; the user is shown; the trunk's form from an import."""
    parties, user = Parties(shell), str(uuid4())
    number = new(shell, "--holder", parties.org)
    said = shell.text("number", "change", number, "--sms", "--golden", "--routing", "gb-1", "--sku", "S2", *WHY)
    assert "golden" in said
    assert shell.json("number", "change", number, "--routing", "", "--no-golden")["routing"] is None
    shown = shell.json("number", "change", number, "--domain", "a.example", "--domain", "b.example")
    assert shown["domains"] == ["a.example", "b.example"]
    assert shell.json("number", "change", number, "--domain", "")["domains"] == []
    assert shell("number", "change", number).code == 2
    said = shell.text("number", "bind", number, "--kind", "trunk", "--user", user, "--trunk-form", "+441001")
    assert f"trunk {user} as +441001" in said
    assert "+441002" in shell.text("number", "change", number, "--trunk-form", "+441002")
    assert shell("number", "change", number, "--voice-carrier", "other").code == 1
    assert shell.json("number", "unbind", number, "--kind", "trunk", *WHY)["bindings"] == []


def test_then_an_organization_binds_an_external_number(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """R6: added, allocated and bound in one command, where it may."""
    parties = Parties(shell)
    number, given = "+442079462001", ("--kind", "trunk", "--user", str(uuid4()))
    external = ("--external", "--country", "GB", "--vendor", "V")
    with monkeypatch.context() as orgs:
        parties.token(shell, "org-admin", orgs)
        assert shell("number", "bind", number, *given, *external).code == 1
    shell.json("party", "change", "organization", parties.org, "--allow-external-numbers")
    parties.token(shell, "org-admin", monkeypatch)
    eventually(lambda: shell("number", "bind", number, *given, *external, "--dry-run").code, "0")
    assert shell.json("number", "bind", number, *given, *external)["holder_id"] == parties.org
    assert shell("number", "bind", number, *given, "--country", "GB").code == 2
    assert shell("number", "bind", "+442079462002", *given, "--external").code == 2


def test_then_the_past_is_one_command_each(shell: Shell, tmp_path: Path) -> None:
    """N13: who held it, was it recycled, many at once; the history has remark, who, and billing's own event."""
    parties, number, subscription = Parties(shell), new(shell), str(uuid4())
    facts = {"product": "number", "number": number, "sku": "S"}
    started = event("started", subscription, parties.org, clock(shell), **facts)
    publish(shell, tmp_path, started)
    eventually(lambda: shell.json("number", "show", number)["state"], "assigned")
    then = clock(shell).isoformat()
    terminated = event("terminated", subscription, parties.org, clock(shell))
    publish(shell, tmp_path, terminated)
    eventually(lambda: shell.json("number", "show", number)["state"], "reserved")
    shell.json("number", "release", number, "--remark", "given back")
    said = shell.text("number", "held-by", number, "--at", then)
    assert f"Harbour ({parties.org})" in said
    assert subscription in said
    assert "has been recycled since" in shell.text("number", "recycled", number, "--since", then)
    assert shell.json("number", "recycled", number, "--since", then)["turns"][0]["what"] == "released"
    assert "has not been recycled" in shell.text("number", "recycled", number, "--since", clock(shell).isoformat())
    history = shell.text("number", "history", number)
    for told in (started["id"], terminated["id"], "given back", "remark", "cause", "/trunkline/licensing", "user:"):
        assert told in history
    rows = shell.json("number", "lookup", number, "+442079469999")
    assert (rows["found"], rows["unknown"]) == (1, 1)
    assert "unknown" in shell.text("number", "lookup", f"{number},+442079469999")
    assert shell("number", "held-by", number, "--at", "yesterday").code == 2


def test_then_the_reserver_is_told_before_the_end(shell: Shell) -> None:
    """N5, N6, N7: a partner at its owner's address, an organization at its billing one; a legacy lock tells nobody."""
    parties = Parties(shell)
    numbers = {who: new(shell) for who in ("partner", "org", "legacy")}
    shell.json("number", "reserve", numbers["partner"], "--for", parties.partner, *WHY)
    shell.json("number", "reserve", numbers["org"], "--for", parties.org, *WHY)
    shell.json("number", "lock", numbers["legacy"], "--legacy", *WHY)
    shell.json("clock", "advance", "22d")

    def told() -> dict[str, str]:
        mails = shell.json("mail", "list", "--limit", "1000")["items"]
        return {name: m["recipient"] for m in mails for name, number in numbers.items() if number in m["key"]}

    eventually(lambda: len(told()), "2")
    assert told() == {"partner": "owner@partner.example", "org": "bills@harbour.example"}
    shell.json("clock", "advance", "7d")
    eventually(lambda: shell.json("number", "show", numbers["partner"])["state"], "available")
    assert shell.json("number", "show", numbers["legacy"])["state"] == "locked"


def clock(shell: Shell) -> datetime:
    """What time it is for the services."""
    return datetime.fromisoformat(shell.json("clock", "show")["numbers"]["now"]).astimezone(UTC)


def publish(shell: Shell, folder: Path, *events: dict[str, Any]) -> None:
    """Let billing say something."""
    file = folder / f"{uuid4()}.jsonl"
    file.write_text("".join(f"{json.dumps(e)}\n" for e in events), "utf-8")
    assert shell.json("billing", "publish", str(file))["accepted"] == len(events)
