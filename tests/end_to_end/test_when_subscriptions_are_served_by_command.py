"""When numbers are assigned, swapped and extended, and refusals dismissed, on the command line (N4, N9, S6, O1)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.end_to_end.shell import Shell, event
from tests.end_to_end.test_when_numbers_are_worked_with import WHY, Parties, clock, eventually, new, publish


def sold(shell: Shell, folder: Path, organization: str, **data: Any) -> str:
    """A subscription that billing tells of, with what it is for."""
    subscription = str(uuid4())
    publish(shell, folder, event("started", subscription, organization, clock(shell), **data))
    return subscription


def waits(shell: Shell) -> list[str]:
    return [refused["subscription_id"] for refused in shell.json("number", "refused", "--limit", "500")["items"]]


def test_then_who_waits_is_given_another_number_which_is_swapped(shell: Shell, tmp_path: Path) -> None:
    """S6, N9: given one, it waits no more; swapped, the old one is kept for a day; a refusal leaves with 1."""
    parties, first, second = Parties(shell), new(shell), new(shell)
    subscription = sold(shell, tmp_path, parties.org, product="number", number="+442079469001", sku="S")
    eventually(lambda: waits(shell), subscription)
    dry = shell.text("number", "assign", first, "--to", subscription, "--dry-run")
    assert "assigned" in dry
    assert shell.json("number", "show", first)["state"] == "available"
    assert "assigned" in shell.text("number", "assign", first, "--to", subscription, *WHY)
    eventually(lambda: subscription in waits(shell), "False")
    told = shell("number", "assign", second, "--to", subscription)
    assert (told.code, first in told.err) == (1, True)
    swap = ("number", "swap", first, second, "--of", subscription)
    shell.json("number", "lock", second, *WHY)
    told = shell(*swap)
    assert (told.code, second in told.err) == (1, True)
    assert shell.json("number", "show", first)["state"] == "assigned"
    shell.json("number", "unlock", second, *WHY)
    assert shell.json(*swap, "--dry-run")["new"]["state"] == "assigned"
    assert shell.json("number", "show", second)["state"] == "available"
    done = shell.json(*swap, *WHY)
    assert (done["old"]["state"], done["old"]["cause"], done["new"]["state"]) == ("reserved", "swapped", "assigned")
    assert shell("number", "swap", first, second, "--of", "nobody").code == 2


def test_then_a_refusal_is_dismissed(shell: Shell, tmp_path: Path) -> None:
    """S6: it waits no more, and the number stays free when it comes; a second time there is nothing to dismiss."""
    parties, number = Parties(shell), "+442079469002"
    subscription = sold(shell, tmp_path, parties.org, product="number", number=number, sku="S")
    eventually(lambda: waits(shell), subscription)
    dismiss = ("number", "refused", "--dismiss", subscription)
    assert "waits no more" in shell.text(*dismiss, "--dry-run")
    assert subscription in waits(shell)
    assert f"waits no more for {number}." in shell.text(*dismiss, *WHY)
    eventually(lambda: subscription in waits(shell), "False")
    assert shell(*dismiss).code == 1
    shell.json("number", "add", number, "--vendor", "V", "--country", "GB", "--sku", "S")
    assert shell.json("number", "show", number)["state"] == "available"


def test_then_a_reservation_is_extended(shell: Shell, tmp_path: Path) -> None:
    """N4: by the plan's thirty days, one number a unit."""
    parties, first, second = Parties(shell), new(shell), new(shell)
    for number in (first, second):
        shell.json("number", "reserve", number, "--for", parties.org, *WHY)
    payer = sold(shell, tmp_path, parties.org, product="did_reservation", quantity=1, plan_days=30)
    extend = ("number", "extend", first, "--by", payer)
    eventually(lambda: shell(*extend, "--dry-run").code, "0")
    assert not shell.json("number", "show", first)["charged"]
    found = shell.json(*extend, *WHY)
    ends, free_ends = (datetime.fromisoformat(found[name]) for name in ("ends_at", "free_ends_at"))
    assert (ends - free_ends, found["cover_id"]) == (timedelta(days=30), payer)
    told = shell("number", "extend", second, "--by", payer)
    assert (told.code, payer in told.err) == (1, True)
