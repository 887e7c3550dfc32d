"""When what licensing holds and what numbers holds are held against each other: what differs is named (O7).

Here the facts of both are made up; over running services see `test_when_two_running_services_are_compared`.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.operate.inventories import (
    STORIES,
    T0,
    Inventory,
    assigned,
    extension,
    kept,
    rings,
    served,
    sold,
    terms,
)
from tests.operate.tampering import TAMPERINGS
from trunkline.cli.reconcile.compare import COMPARING, Pair, side_by_side
from trunkline.cli.reconcile.difference import Difference, Kind
from trunkline.cli.reconcile.retry_until_settled import Report, Unsettled, reconcile
from trunkline.operations.reconciliation import records

KEY, OTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


def compared(subject: records.Subject, licensing: Any, numbers: Any, key: str = KEY) -> list[Difference]:
    return COMPARING[subject].compare(key, licensing, numbers)


def one(found: list[Difference]) -> Difference:
    (difference,) = found
    return difference


# -- one thing, as both sides have it -----------------------------------------------------------------------------


def test_then_two_lists_are_read_side_by_side_each_key_once() -> None:
    """O7: sorted lists become one, whatever is missing on either side; neither is ever whole in memory."""
    left = [sold(key, terms()) for key in ("a", "c", "d")]
    right = [served(key, None) for key in ("b", "c", "e")]
    pairs = [(key, one is not None, other is not None) for key, one, other in side_by_side(iter(left), iter(right))]
    assert pairs == [("a", True, False), ("b", False, True), ("c", True, True), ("d", True, False), ("e", False, True)]
    assert list(side_by_side([], [])) == []


def test_then_an_active_subscription_without_its_number_is_named_with_what_each_side_says() -> None:
    """O7, S6: neither assigned nor refused; since when, and what to do."""
    at = terms(number="+6531580001")
    found = one(compared("subscriptions", sold(KEY, at), served(KEY, at)))
    assert (found.kind, found.key, found.since) == ("active", KEY, T0)
    assert found.licensing == "active with +6531580001 since 2026-01-01T00:00:00Z"
    assert found.numbers == "it has no number; no refusal of its number is on record"
    assert f"trunkline number assign +6531580001 --to {KEY}" in found.do


def test_then_what_was_never_heard_is_said_again() -> None:
    """O7, O4: where numbers has not heard what licensing says now, that is what to do about the number too."""
    now = terms(number="+6531580001")
    before = replace(now, status="expired", expired_at=T0)
    heard, active = compared("subscriptions", sold(KEY, now), served(KEY, before))
    assert (heard.kind, active.kind) == ("subscription", "active")
    assert (heard.licensing, heard.numbers) == (
        "status active, expired_at none",
        "status expired, expired_at 2026-01-01T00:00:00Z",
    )
    assert {heard.do, active.do} == {f"trunkline republish licensing --stream subscription/{KEY}"}


def test_then_a_number_that_serves_what_licensing_does_not_know_is_named() -> None:
    """O7: assigned to a subscription that is not there, or has ended."""
    nobodys = one(compared("subscriptions", None, served(KEY, None, assigned("+6531580001"))))
    assert (nobodys.kind, nobodys.key) == ("assigned", "+6531580001")
    assert nobodys.licensing == f"there is no subscription {KEY}"
    at = terms("expired", number="+6531580001")
    ended = one(compared("subscriptions", sold(KEY, at), served(KEY, at, assigned("+6531580001"))))
    assert f"subscription {KEY} of organization o is expired with +6531580001" in ended.licensing
    assert ended.since == at.expired_at


def test_then_a_number_kept_from_its_active_subscription_is_named() -> None:
    """O7, N3: reserved since its subscription lost it, which licensing says it has."""
    at = terms(number="+6531580001")
    active, reserved = compared("subscriptions", sold(KEY, at), served(KEY, at, kept("+6531580001", "expired")))
    assert (active.kind, reserved.kind, reserved.key) == ("active", "reserved", "+6531580001")
    assert reserved.numbers.startswith("reserved since 2026-01-02T00:00:00Z")


@pytest.mark.parametrize("excuse", ["refused", "dismissed"])
def test_then_what_is_on_record_is_no_difference(excuse: str) -> None:
    """S6, N9: a refusal, a dismissal; and the old number stays while the swap waits. Two numbers are one too many."""
    at = terms(number="+6531580002")
    refusal = records.Refusal(number="+6531580002", code="number-taken", since=T0)
    more: Any = {"refused": refusal} if excuse == "refused" else {"dismissed": "+6531580002"}
    old = assigned("+6531580001")
    assert compared("subscriptions", sold(KEY, at), served(KEY, at, **more)) == []
    assert compared("subscriptions", sold(KEY, at), served(KEY, at, old, **more)) == []
    both = compared("subscriptions", sold(KEY, at), served(KEY, at, old, assigned("+6531580003"), **more))
    assert {found.kind for found in both} == {"active", "assigned"}


def test_then_the_number_that_a_person_gave_stands_until_billing_names_another() -> None:
    """N9: what numbers was told by hand is not licensing's to know; a newer word of billing's that was lost, is."""
    at = terms(number="+6531580001")
    by_hand = served(KEY, at, kept("+6531580001", "swapped"), assigned("+6531580002"), named="+6531580002")
    assert compared("subscriptions", sold(KEY, at), by_hand) == []
    newer = sold(KEY, replace(at, number="+6531580003"))
    assert {found.kind for found in compared("subscriptions", newer, by_hand)} == {"subscription", "active", "assigned"}


def test_then_a_binding_is_told_by_number_person_and_request() -> None:
    """O7, R5, X5: each side as far as it says anything; the messages about it are republished from both."""
    x = extension(KEY, number="+6531580001")
    found = one(compared("extensions", x, rings(x, user_id="somebody")))
    assert (found.kind, found.key, found.about) == ("binding", KEY, (KEY, "+6531580001"))
    assert found.licensing == "bound: +6531580001 by request 2 for user u of organization o"
    assert found.numbers == "assigned: +6531580001 by request 2 for user somebody of organization o"
    assert found.do.endswith("trunkline republish numbers --stream number/+6531580001")
    assert one(compared("extensions", None, rings(x))).licensing == "no number is on it"
    assert one(compared("extensions", x, None)).numbers == "nothing rings there"


def test_then_what_is_only_asked_for_needs_no_answer_yet() -> None:
    """X5: it may be refused, or not answered in time; one that numbers has given must have been heard."""
    asked = extension(KEY, "requested")
    assert compared("extensions", asked, None) == []
    assert one(compared("extensions", asked, rings(asked))).licensing.startswith("requested: ")


# -- all there is -------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 12))
def test_then_two_that_agree_do_not_differ(seed: int, size: int) -> None:
    """O7: whatever has happened to subscriptions, extensions, parties and numbers."""
    assert Inventory(Random(seed), size).differences() == []


@pytest.mark.parametrize("what", TAMPERINGS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 6))
def test_then_one_change_behind_the_back_of_the_other_is_named_and_nothing_else(
    what: str, seed: int, size: int
) -> None:
    """O7: exactly the differences that are about it, on either side, wherever it is."""
    chance, tampering = Random(seed), TAMPERINGS[what]
    inventory = Inventory(chance, size)
    things = inventory.things[tampering.subject]
    key = inventory.add(tampering.subject, chance.choice(tampering.stories))
    before = things[key]
    things[key] = tampering.do(before)
    found = inventory.differences()
    assert {(each.kind, each.key) for each in found} == tampering.names(key, before, things[key]), found
    assert all(each.do and each.about and each.licensing != each.numbers for each in found)


def test_then_every_story_is_tampered_with() -> None:
    """The one above would be blind where nothing is ever changed."""
    assert {story for t in TAMPERINGS.values() if t.subject == "subscriptions" for story in t.stories} == {*STORIES}


# -- looking again ------------------------------------------------------------------------------------------------


class Told:
    """Both sides, at one instant after the other: each exchange leads to the next; the last one stays."""

    def __init__(self, *instants: list[Pair], settles: bool = True) -> None:
        self._instants, self._at, self._settles = instants, -1, settles

    def _now(self) -> list[Pair]:
        return self._instants[min(max(self._at, 0), len(self._instants) - 1)]

    def everything(self, subject: records.Subject) -> Iterator[Pair]:
        return iter(self._now() if subject == "subscriptions" else [])

    def some(self, subject: records.Subject, keys: list[str]) -> Iterator[Pair]:
        return (pair for pair in self.everything(subject) if pair[0] in keys)

    def exchange(self) -> None:
        if not self._settles:
            raise Unsettled("numbers has not heard all")
        self._at += 1


AT = terms(number="+6531580001")
AGREES: list[Pair] = [(KEY, sold(KEY, AT), served(KEY, AT, assigned("+6531580001")))]
LOST: list[Pair] = [(KEY, sold(KEY, AT), served(KEY, AT))]


def moved(version: int) -> list[Pair]:
    return [(KEY, sold(KEY, AT), replace(served(KEY, AT), version=version))]


def named(found: list[Difference]) -> list[tuple[Kind, str]]:
    return [(each.kind, each.key) for each in found]


def test_then_what_was_on_its_way_is_no_difference() -> None:
    """O7: the reading itself saw it differ; once each had heard the other it agreed."""
    report = reconcile(Told(LOST, AGREES))
    assert report == Report({"subscription": 1, "active": 1}, [], [], {})
    assert report.agrees


def test_then_what_stays_the_same_while_all_is_heard_is_a_difference() -> None:
    """O7: at two looks alike, with all that was said before the first heard before the second."""
    report = reconcile(Told(LOST))
    assert (named(report.differences), report.moving) == ([("active", KEY)], [])
    assert not report.agrees


def test_then_what_changes_is_looked_at_once_more() -> None:
    """O7: it is judged when it stands still, either way."""
    assert reconcile(Told(moved(1), moved(2), moved(3), AGREES)).agrees
    assert named(reconcile(Told(moved(1), moved(2), moved(3))).differences) == [("active", KEY)]


def test_then_what_never_stands_still_is_moving() -> None:
    """O7: said so, and not called a difference."""
    report = reconcile(Told(*(moved(version) for version in range(9))), looks=3)
    (moving,) = report.moving
    assert (report.differences, moving.because, report.agrees) == ([], "it was another at every look", False)


def test_then_nothing_is_concluded_while_not_all_is_heard() -> None:
    """O7, X4: what would be a difference is told as moving, with what is missing."""
    report = reconcile(Told(LOST, settles=False))
    assert report.differences == []
    assert [(each.key, each.because) for each in report.moving] == [(KEY, "numbers has not heard all")]


def test_then_memory_is_bounded_whatever_differs() -> None:
    """O7: what is more is counted by its kind, so that nobody takes it for well."""
    many = [(key, sold(key, AT), served(key, AT)) for key in (KEY, OTHER, f"{OTHER}x")]
    report = reconcile(Told(many), most=1)
    assert (named(report.differences), report.unjudged) == ([("active", KEY)], {"active": 2})
