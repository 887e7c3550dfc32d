"""When a number is allocated and taken back: down the tree, and no higher than it came from (R4, §10.4)."""

from __future__ import annotations

import pytest

from tests.numbers.facts import ACME, PARTNER, RESELLER, SISTER, STRANGER, SUB, THIRD_SUB, Tale, day
from trunkline_numbers.domain.number import errors as refusals
from trunkline_numbers.domain.number.events import NumberAllocated
from trunkline_numbers.domain.number.number import visible
from trunkline_numbers.domain.number.state import Number

OTHER_RESELLER = STRANGER.partner_id


def handed(at: float, holder: object, state: str = "available") -> NumberAllocated:
    party = holder if holder is None or holder == RESELLER else ACME
    return NumberAllocated(
        at=day(at),
        holder_id=party.id if party else None,  # type: ignore[attr-defined]
        holder_kind=party.kind if party else None,  # type: ignore[attr-defined]
        state=state,  # type: ignore[arg-type]
    )


def test_then_it_goes_from_the_platform_to_a_partner_to_its_organization_and_back() -> None:
    """R4: each level takes back what it gave; asked twice, nothing happens the second time."""
    tale = Tale().added(0).allocated(RESELLER, 1).then(handed(1, RESELLER))
    tale.allocated(RESELLER, 2).then_nothing()
    tale.allocated(ACME, 3, by=RESELLER).then(handed(3, ACME))
    assert tale.state.handed_on_by == PARTNER
    tale.taken_back(4, by=RESELLER).then(handed(4, RESELLER))
    tale.taken_back(5, by=RESELLER).then_nothing()
    tale.allocated(ACME, 6, by=RESELLER)
    tale.taken_back(7).then(handed(7, None))
    tale.taken_back(8).then_nothing()


def test_then_its_state_stays_as_it_is() -> None:
    """R4, §10.4: "assigned to an enterprise" is an allocation; what it serves goes on."""
    tale = Tale().added(0).holds(1).allocated(ACME, 2).then(handed(2, ACME, "assigned"))
    assert tale.state.state == "assigned"
    tale = Tale().added(0).locked(1).allocated(ACME, 2).then(handed(2, ACME, "locked"))
    assert tale.state.life == Tale().added(0).locked(1).state.life


def test_then_only_the_holders_branch_is_offered_it() -> None:
    """R4, N1: an organization its own, a partner's organizations what the partner holds, others nothing."""

    def offered(n: Number) -> list[bool]:
        return [visible(n, party) for party in (ACME, SISTER, STRANGER, RESELLER)]

    tale = Tale().added(0)
    assert offered(tale.state) == [True, True, True, True]
    assert offered(tale.allocated(RESELLER, 1).state) == [True, True, False, True]
    assert offered(tale.allocated(ACME, 2).state) == [True, False, False, False]
    tale.reserved(SISTER, 3).then_refused(refusals.NumberNotVisible)


def test_then_a_partner_hands_on_only_what_it_holds() -> None:
    """R4, P3: neither the platform's stock nor what an organization has already."""
    Tale().added(0).allocated(ACME, 1, by=RESELLER).then_refused(refusals.NumberNotYoursToAllocate)
    held = Tale().added(0).allocated(ACME, 1)
    held.allocated(SISTER, 2, by=RESELLER).then_refused(refusals.NumberNotYoursToAllocate)
    held.taken_back(3, by=RESELLER).then_refused(refusals.NumberNotYoursToTakeBack)


def test_then_it_must_be_taken_back_before_it_goes_elsewhere() -> None:
    """R4: nobody finds a number gone that is theirs to use."""
    tale = Tale().added(0).allocated(RESELLER, 1).allocated(STRANGER, 2)
    tale.then_refused(refusals.NumberHeldElsewhere)
    tale.taken_back(3).allocated(STRANGER, 4)
    assert tale.refused is None
    assert tale.state.holder_id == STRANGER.id


@pytest.mark.parametrize("kind", ["partner", "organization"])
def test_then_it_never_goes_above_who_brought_it_in(kind: str) -> None:
    """R4, R7: a partner's upload comes back to the partner, an organization's stays its own."""
    if kind == "partner":
        tale = Tale().added(0, uploader_id=PARTNER, uploader_kind="partner", holder=ACME)
        assert tale.taken_back(1).state.holder_id == PARTNER
        tale.taken_back(2).then_nothing()
        again = Tale().added(0, uploader_id=PARTNER, uploader_kind="partner", holder=ACME)
        assert again.taken_back(1, by=RESELLER).state.holder_id == PARTNER
    else:
        tale = Tale().added(0, uploader_id=ACME.id, uploader_kind="organization", holder=ACME)
        tale.taken_back(1).then_refused(refusals.NumberNotYoursToTakeBack)
        tale.taken_back(1, by=RESELLER).then_refused(refusals.NumberNotYoursToTakeBack)


@pytest.mark.parametrize("state", ["reserved", "assigned"])
def test_then_what_is_used_outside_the_new_branch_is_in_the_way(state: str) -> None:
    """R4: a reservation or an assignment must be the new holder's, or of its branch."""
    tale = Tale().added(0)
    tale = tale.reserved(ACME, 1) if state == "reserved" else tale.assigned(ACME, SUB, 1)
    for elsewhere in (STRANGER, SISTER):
        tale.allocated(elsewhere, 2).then_refused(refusals.NumberUsedOutside)
    tale.allocated(RESELLER, 3).then(handed(3, RESELLER, state))


def test_then_a_bound_number_is_not_taken_back() -> None:
    """§3, R5: before it is unbound."""
    tale = Tale().added(0).allocated(ACME, 1).serving(2).taken_back(3)
    tale.then_refused(refusals.NumberHasBinding)
    assert tale.unbound(4).taken_back(5).state.holder_id is None


def test_then_whoever_lost_it_last_cannot_claim_it_back() -> None:
    """§10.10: somebody has acted on it since its reservation ran out."""
    tale = Tale().added(0).holds(1).keeps(("terminated", 10)).settled(60)
    tale.allocated(STRANGER, 61).holds(62).then_refused(refusals.NumberNotVisible)
    assert tale.holds(63, party=STRANGER, of=THIRD_SUB).state.state == "assigned"
