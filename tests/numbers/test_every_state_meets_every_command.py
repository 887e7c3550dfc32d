"""When each command meets each state: what DOMAIN §3 does not allow is refused by name, and nothing is recorded."""

# ruff: noqa: E501 - a table is as wide as it is

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.numbers.facts import ACME, NOW, OTHER_SUB, PARTNERS, RESELLER, USER, Tale, outcome, states
from trunkline.errors import Refused
from trunkline_numbers.domain.number import attribute_commands as changing
from trunkline_numbers.domain.number import bindings as binding
from trunkline_numbers.domain.number import errors
from trunkline_numbers.domain.number import operator_commands as by_hand

COMMANDS: dict[str, Callable[[Tale], Tale]] = {
    "add": lambda n: n.added(NOW),
    "reserve": lambda n: n.reserved(ACME, NOW),
    "assign": lambda n: n.assigned(ACME, OTHER_SUB, NOW),
    "extend": lambda n: n.extended(ACME, 300, NOW),
    "uncover": lambda n: n.uncovered(NOW),
    "release": lambda n: n.released(NOW),
    "lock": lambda n: n.locked(NOW),
    "unlock": lambda n: n.unlocked(NOW),
    "delete": lambda n: n.deleted(NOW),
    "recover": lambda n: n.recovered(NOW),
    "legacy lock": lambda n: n.locked(NOW, legacy=True),
    "allocate": lambda n: n.allocated(ACME, NOW),
    "allocate to its partner": lambda n: n.allocated(RESELLER, NOW),
    "take back": lambda n: n.taken_back(NOW),
    "change": lambda n: n.changed(NOW, golden=True),
    "bind": lambda n: n.serving(NOW),
    "bind sms": lambda n: n.serving(NOW, "sms"),
    "unbind": lambda n: n.unbound(NOW),
}

# Who asks is the organization that a number is reserved for or assigned to, with another subscription of its own.
# `Upper`: the event that follows, without "Number" or "Reservation"; `+`: a reservation has
# ended and the number been released; `lower`: the refusal's code, without "number-"; `-`: nothing.
TABLE = """
state                     | add     | reserve       | assign           | extend                 | uncover  | release      | lock          | unlock     | delete        | recover
absent                    | Added   | unknown       | unknown          | unknown                | -        | unknown      | unknown       | unknown    | unknown       | unknown
available                 | present | Reserved      | Assigned         | not-reserved           | -        | not-reserved | Locked        | not-locked | Deleted       | not-deleted
available, lapsed         | present | Reserved      | Assigned         | not-reserved           | -        | not-reserved | Locked        | not-locked | Deleted       | not-deleted
available, quarantined    | present | in-quarantine | in-quarantine    | not-reserved           | -        | not-reserved | Locked        | not-locked | Deleted       | not-deleted
available, bound          | present | Reserved      | Assigned         | not-reserved           | -        | not-reserved | has-binding   | not-locked | has-binding   | not-deleted
available, held elsewhere | present | not-visible   | not-visible      | not-reserved           | -        | not-reserved | Locked        | not-locked | Deleted       | not-deleted
reserved                  | present | not-available | Assigned         | Extended               | -        | Released     | not-available | not-locked | not-available | not-deleted
reserved, for another     | present | not-available | held-for-another | reservation-of-another | -        | Released     | not-available | not-locked | not-available | not-deleted
reserved, for its partner | present | not-available | Assigned         | Extended               | -        | Released     | not-available | not-locked | not-available | not-deleted
reserved, expired         | present | not-available | Assigned         | Extended               | -        | Released     | not-available | not-locked | not-available | not-deleted
reserved, terminated      | present | not-available | Assigned         | Extended               | -        | Released     | not-available | not-locked | not-available | not-deleted
reserved, swapped         | present | not-available | Assigned         | Extended               | -        | Released     | not-available | not-locked | not-available | not-deleted
reserved, charged         | present | not-available | Assigned         | Extended               | Reserved | Released     | not-available | not-locked | not-available | not-deleted
reserved, only charged    | present | not-available | Assigned         | Extended               | Released | Released     | not-available | not-locked | not-available | not-deleted
reserved, partner charged | present | not-available | Assigned         | Extended               | Reserved | Released     | not-available | not-locked | not-available | not-deleted
reserved, overdue         | present | + Reserved    | + Assigned       | not-reserved           | +        | not-reserved | + Locked      | not-locked | + Deleted     | not-deleted
assigned                  | present | not-available | taken            | not-reserved           | -        | not-reserved | not-available | not-locked | not-available | not-deleted
locked                    | present | not-available | is-locked        | not-reserved           | -        | not-reserved | not-available | Unlocked   | Deleted       | not-deleted
locked, legacy            | present | not-available | is-locked        | not-reserved           | -        | not-reserved | not-available | Unlocked   | Deleted       | not-deleted
deleted                   | present | not-available | is-deleted       | not-reserved           | -        | not-reserved | not-available | not-locked | not-available | Recovered
"""

# What leaves the state as it is (R4, R5, R8): by the platform; the number can be called, and not be texted.
AS_IT_IS = """
state                     | legacy lock   | allocate         | allocate to its partner | take back        | change           | bind                | bind sms            | unbind
absent                    | unknown       | unknown          | unknown                 | unknown          | unknown          | unknown             | unknown             | unknown
available                 | Locked        | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
available, lapsed         | Locked        | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
available, quarantined    | Locked        | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
available, bound          | has-binding   | -                | held-elsewhere          | has-binding      | Changed          | binding-not-allowed | binding-not-allowed | not-bound
available, held elsewhere | Locked        | held-elsewhere   | held-elsewhere          | Allocated        | Changed          | binding-not-allowed | binding-not-allowed | not-bound
reserved                  | not-available | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
reserved, for another     | not-available | used-outside     | used-outside            | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
reserved, for its partner | not-available | used-outside     | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
reserved, expired         | not-available | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
reserved, terminated      | not-available | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
reserved, swapped         | not-available | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
reserved, charged         | not-available | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
reserved, only charged    | not-available | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
reserved, partner charged | not-available | used-outside     | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
reserved, overdue         | + Locked      | + Allocated      | + Allocated             | +                | + Changed        | binding-not-allowed | binding-not-allowed | not-bound
assigned                  | not-available | Allocated        | Allocated               | -                | Changed          | Bound               | binding-not-allowed | not-bound
locked                    | not-available | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
locked, legacy            | not-available | Allocated        | Allocated               | -                | Changed          | binding-not-allowed | binding-not-allowed | not-bound
deleted                   | not-available | not-in-inventory | not-in-inventory        | not-in-inventory | not-in-inventory | binding-not-allowed | binding-not-allowed | not-bound
"""


def cells() -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for table in (TABLE, AS_IT_IS):
        head, *rows = [line.split("|") for line in table.strip().splitlines()]
        commands = [word.strip() for word in head[1:]]
        found += [(row[0].strip(), c, cell.strip()) for row in rows for c, cell in zip(commands, row[1:], strict=True)]
    return found


def test_then_the_table_is_whole() -> None:
    """§3: every state by every command."""
    assert {(state, command) for state, command, _ in cells()} == {(s, c) for s in states() for c in COMMANDS}


@pytest.mark.parametrize(("state", "command", "expected"), cells())
def test_then_it_happens_or_is_refused_as_the_table_says(state: str, command: str, expected: str) -> None:
    """§3: anything else is refused with a reason, and nothing is recorded."""
    given = states()[state]
    before = given.state
    tale = COMMANDS[command](given)
    assert outcome(tale) == expected
    if tale.refused is not None:
        assert tale.state == before
        tale.then_refused(type(tale.refused))
        assert type(tale.refused).__module__ == errors.__name__


@pytest.mark.parametrize("state", states())
@pytest.mark.parametrize("command", ["reserve", "release", "lock", "legacy lock", "unlock", "delete", "recover"])
def test_then_it_needs_a_remark_in_every_state(state: str, command: str) -> None:
    """§1: must for reserve, release, lock, unlock, delete and recover."""
    given = states()[state]
    n, policy, now = given.state, given.policy, given.at(NOW)
    asked: dict[str, Callable[[str], object]] = {
        "reserve": lambda remark: by_hand.reserve(n, ACME, remark, policy, now),
        "release": lambda remark: by_hand.release(n, remark, policy, now),
        "lock": lambda remark: by_hand.lock(n, remark, policy, now),
        "legacy lock": lambda remark: by_hand.lock(n, remark, policy, now, legacy=True),
        "unlock": lambda remark: by_hand.unlock(n, remark, policy, now),
        "delete": lambda remark: by_hand.delete(n, "other", remark, policy, now),
        "recover": lambda remark: by_hand.recover(n, remark, now),
    }
    for remark in ("", "  \n "):
        with pytest.raises(errors.RemarkMissing):
            asked[command](remark)
    for remark in ("x" * 1001, "bell\a"):
        with pytest.raises(errors.RemarkUnreadable):
            asked[command](remark)


@pytest.mark.parametrize("state", states())
@pytest.mark.parametrize("command", ["allocate", "take back", "change", "bind", "unbind"])
def test_then_a_remark_is_welcome_but_must_be_readable(state: str, command: str) -> None:
    """§1: may for the rest; spaces are none."""
    given = states()[state]
    n, policy, now = given.state, given.policy, given.at(NOW)
    golden = changing.Changes(golden=True)
    asked: dict[str, Callable[[str], object]] = {
        "allocate": lambda remark: changing.allocate(n, ACME, None, PARTNERS.get, remark, policy, now),
        "take back": lambda remark: changing.take_back(n, None, remark, policy, now),
        "change": lambda remark: changing.change(n, golden, remark, policy, now),
        "bind": lambda remark: binding.bind(n, "trunk", USER, ACME.id, policy, now, remark=remark),
        "unbind": lambda remark: binding.unbind(n, "trunk", policy, now, remark=remark),
    }
    for unreadable in ("x" * 10_000, "bell\a", "\0"):
        with pytest.raises(errors.RemarkUnreadable):
            asked[command](unreadable)
    with suppress(Refused):
        assert all(getattr(event, "remark", None) is None for event in asked[command]("  \n "))  # type: ignore[attr-defined]
