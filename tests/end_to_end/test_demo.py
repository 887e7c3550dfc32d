"""When the story of `make demo` is told: the facts it prints are those the rules promise (O6, N3, N5, N10, S3)."""

import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

DAY = timedelta(days=1)


def tell(*options: str) -> subprocess.CompletedProcess[str]:
    """The story, told by a process of its own, which leaves nothing behind among its temporary files."""
    command = [sys.executable, "-W", "error", "-c", "from trunkline.cli.main import main; main()", "demo", *options]
    with tempfile.TemporaryDirectory(prefix="story-") as temporary:
        Path(temporary).chmod(0o711)  # as the system's own folder is: under root the database runs as somebody else
        environment = {**os.environ, "TMPDIR": temporary}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert list(Path(temporary).iterdir()) == []
    return done


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """The story's facts, told once for all tests of this module."""
    done = tell("--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def of(told: dict[str, Any], number: str) -> dict[str, Any]:
    """The one reservation of a number, named by its last digit."""
    (found,) = [r for r in told["reservations"] if r["number"].endswith(number)]
    return dict(found)


@pytest.mark.parametrize(
    ("number", "cause", "days"), [("1", "expired", 56), ("2", "terminated", 28), ("3", "swapped", 1)]
)
def test_then_each_number_comes_free_to_the_instant(told: dict[str, Any], number: str, cause: str, days: int) -> None:
    """N3, N10: 56, 28 and 1 days, stamped with the due instant."""
    reservation = of(told, number)
    since, released = (datetime.fromisoformat(reservation[name]) for name in ("since", "released_at"))
    assert reservation["cause"] == cause
    assert released - since == days * DAY
    assert reservation["kept_seconds"] == days * 86_400
    assert reservation["released_at"] == reservation["ends_at"]


def test_then_notices_went_out_seven_days_before(told: dict[str, Any]) -> None:
    """N5: the organization at its billing e-mail, exactly seven days ahead; a day's reservation gets none."""
    for reservation in told["reservations"]:
        if reservation["cause"] == "swapped":
            assert reservation["notice_at"] is None
            assert reservation["told"] is None
        else:
            ends, notice = (datetime.fromisoformat(reservation[name]) for name in ("ends_at", "notice_at"))
            assert ends - notice == 7 * DAY
            assert reservation["told"].endswith(".example")
    assert [mail["state"] for mail in told["mail"]] == ["sent"] * 4


def test_then_the_one_reactivated_in_time_is_held_again(told: dict[str, Any]) -> None:
    """DOMAIN §3: Reserved (expired), reactivated: Assigned to the same organization."""
    reservation = of(told, "5")
    assert reservation["released_at"] is None
    assert reservation["restored_at"] < reservation["ends_at"]
    (held,) = [n["held"] for n in told["numbers"] if n["number"] == reservation["number"]]
    assert [(h["state"], h["party"]) for h in held[1:]] == [
        ("assigned", reservation["party"]),
        ("reserved", reservation["party"]),
        ("assigned", reservation["party"]),
    ]


def test_then_late_and_reversed_facts_end_the_same(told: dict[str, Any]) -> None:
    """S7, DOMAIN §10.10, §10.12: an expiry heard a week late, before its own start, counts from its own instant."""
    late, timely = of(told, "7"), of(told, "1")
    assert told["late"]["verdicts"] == ["waiting", "accepted"]
    assert told["late"]["heard_at"] > late["since"]
    assert [late[name] for name in ("since", "ends_at", "released_at")] == [
        timely[name] for name in ("since", "ends_at", "released_at")
    ]


def test_then_what_billing_repeats_has_no_effect(told: dict[str, Any]) -> None:
    """S3: everything heard twice more is a duplicate, and neither log grows."""
    assert told["repeated"] == {"deliveries": 24, "duplicates": 24, "new_events": 0}


def test_then_it_can_be_asked_how_it_was(told: dict[str, Any]) -> None:
    """N13: as of an instant in the middle of a reservation."""
    assert told["as_of"]["state"] == "reserved"
    assert told["as_of"]["party"] == of(told, "1")["party"]


def test_then_the_history_explains_every_state(told: dict[str, Any]) -> None:
    """N13: what happened to one number, in order, with who did it."""
    events = told["history"]["events"]
    assert [event["event"] for event in events] == [
        "NumberAdded",
        "NumberAssigned",
        "NumberReserved",
        "ReservationEnding",
        "ReservationExpired",
        "NumberReleased",
    ]
    assert all(event["actor"] for event in events)


def test_then_it_has_checked_itself(told: dict[str, Any]) -> None:
    """Every promise is on record with what was found, and three commands to try next."""
    assert told["kept"] is True
    assert all(promise["kept"] for promise in told["promises"])
    assert len(told["next"]) == 3


def test_then_people_read_the_same_facts() -> None:
    """O1: without a terminal there are no colour codes, and nothing on stderr."""
    done = tell()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    for fact in ("exactly 56 days after its expiry", "exactly 28 days", "exactly 1 day", "0 new events", "Try next"):
        assert fact in done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
