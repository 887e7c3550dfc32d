"""When something is said of a party: registered, changed, removed, in any order (P0, S7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.errors import Refused
from trunkline_licensing.domain.party import directory
from trunkline_licensing.domain.party.directory import (
    IDENTITY,
    PARTY,
    Others,
    Party,
    due,
    evolve,
    fall_due,
    next_due,
    retry,
)
from trunkline_licensing.domain.party.errors import DomainTaken
from trunkline_licensing.domain.party.events import (
    IdentityChanged,
    IdentityFactWaiting,
    IdentityRegistered,
    IdentityRemoved,
    OrganizationChanged,
    OrganizationRegistered,
    PartyFactRefused,
    PartyFactScheduled,
    PartyFactWaiting,
)
from trunkline_licensing.domain.party.facts import (
    Change,
    Identity,
    IdentityChanges,
    Organization,
    OrganizationChanges,
    Partner,
    PartnerChanges,
    PartyFact,
    Platform,
    PlatformChanges,
    Registration,
    Removal,
)

ACME = Organization(partner_id="p", name="Acme", billing_email="b@acme.example")
RESELLER = Partner(name="R", owner_email="o@r.example", support_email="s@r.example", domains=("r.example",))
ANN = Identity(organization_id="org", name="Ann", email="ann@acme.example", role="owner")
NOBODY = Others(known={}, taken={})
KNOWN = Others(known={"p": "partner", "org": "organization"}, taken={})


def at(n: float) -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=n)


def message(kind: type[PartyFact], n: int, sequence: int | None = None, **own: Any) -> PartyFact:
    own = {"source": "/crm", "id": f"{kind.__name__}-{n}-{sequence}", **own}
    return kind(at=at(n), sequence=sequence, **own)


def renamed(n: int, name: str, sequence: int | None = None) -> PartyFact:
    return message(Change, n, sequence, changes=OrganizationChanges(name=name))


def after(p: Party, events: Iterable[Any]) -> Party:
    for event in events:
        p = evolve(p, event)
    return p


def tell(p: Party, fact: PartyFact, others: Others, now: float = 1_000) -> Sequence[Any]:
    return directory.tell(p, fact, others, at(now))


def told(*facts: PartyFact, others: Others = KNOWN, party: Party | None = None) -> Party:
    p = party or PARTY.initial("org")
    for fact in facts:
        p = after(p, tell(p, fact, others))
    return p


REGISTERED = message(Registration, 0, details=ACME)


def test_then_it_is_known_from_its_registration_on() -> None:
    """P0."""
    [event] = tell(PARTY.initial("org"), REGISTERED, KNOWN)
    assert event == OrganizationRegistered(at=at(0), fact=REGISTERED, after=ACME)
    assert told(REGISTERED).kind == "organization"


def test_then_a_change_changes_what_it_names_and_nothing_else() -> None:
    """P0: a null partner is a value, an absent one is none."""
    change = message(Change, 1, changes=OrganizationChanges(partner_id=None, allow_external_numbers=True))
    [event] = tell(told(REGISTERED), change, KNOWN)
    assert isinstance(event, OrganizationChanged)
    assert set(event.applied) == {"partner_id", "allow_external_numbers"}
    assert event.after == Organization(
        partner_id=None, name="Acme", billing_email="b@acme.example", allow_external_numbers=True
    )


@pytest.mark.parametrize("numbered", [True, False])
def test_then_an_older_change_that_comes_late_changes_only_what_no_newer_one_did(numbered: bool) -> None:
    """P0: sequence or else time orders, field by field."""
    p = told(
        message(Registration, 0, 1 if numbered else None, details=ACME), renamed(3, "New", 3 if numbered else None)
    )
    both = OrganizationChanges(name="Old", billing_email="old@acme.example")
    [event] = tell(p, message(Change, 2, 2 if numbered else None, changes=both), KNOWN)
    assert isinstance(event, OrganizationChanged)
    assert (event.after.name, event.after.billing_email) == ("New", "old@acme.example")
    [refused] = tell(p, renamed(1, "Older", 1 if numbered else None), KNOWN)
    assert isinstance(refused, PartyFactRefused)
    assert refused.code == "change-outdated"


def test_then_a_change_before_the_registration_waits_for_it() -> None:
    """S7."""
    change = renamed(1, "New")
    [event] = tell(PARTY.initial("org"), change, KNOWN)
    assert event == PartyFactWaiting(at=at(1), fact=change, awaits="party/org")
    p = told(change, REGISTERED)
    assert p.details is not None
    assert (p.details.name, p.waiting) == ("New", ())


def test_then_an_organization_waits_for_its_partner() -> None:
    """S7: a person's command is answered at once instead."""
    [event] = tell(PARTY.initial("org"), REGISTERED, NOBODY)
    assert isinstance(event, PartyFactWaiting)
    assert event.awaits == "party/p"
    p = told(REGISTERED, renamed(1, "New"), others=NOBODY)
    assert retry(p, NOBODY) == []
    p = after(p, retry(p, KNOWN))
    assert p.details is not None
    assert (p.details.name, p.waiting) == ("New", ())


def test_then_a_second_registration_that_waited_is_closed_too() -> None:
    """X6: everything has a recorded outcome, and nothing waits for ever."""
    again = message(Registration, 1, details=ACME)
    p = told(REGISTERED, again, others=NOBODY)
    events = retry(p, KNOWN)
    assert [getattr(event, "code", None) for event in events] == [None, "said-before"]
    assert after(p, events).waiting == ()


def test_then_a_person_waits_for_the_organization() -> None:
    """S7."""
    [event] = tell(IDENTITY.initial("ann"), message(Registration, 0, details=ANN), NOBODY)
    assert isinstance(event, IdentityFactWaiting)
    assert event.awaits == "party/org"


def test_then_a_removal_is_final() -> None:
    """P0: also one that is heard first."""
    registration, removal = message(Registration, 0, details=ANN), message(Removal, 5)
    p = told(registration, removal, party=IDENTITY.initial("ann"))
    assert (p.removed, p.claims) == (True, frozenset())
    assert tell(p, message(Removal, 6), KNOWN) == []
    for fact in (message(Change, 6, changes=IdentityChanges(name="Anna")), message(Registration, 7, details=ANN)):
        [event] = tell(p, fact, KNOWN)
        assert event.code == "identity-is-removed"
    early = told(removal, registration, party=IDENTITY.initial("ann"))
    assert (early.removed, early.waiting) == (True, ())


def test_then_an_organization_has_one_owner() -> None:
    """P0: exactly one; a second one waits until the first is none any more, in whatever order a handover is heard."""
    taken = Others(known=KNOWN.known, taken={"owner:org": "identity/ann"})
    [event] = tell(IDENTITY.initial("bob"), message(Registration, 0, details=ANN), taken)
    assert event.awaits == "identity/ann"
    member = message(
        Registration, 0, details=Identity(organization_id="org", name="B", email="b@b.example", role="member")
    )
    p = told(member, party=IDENTITY.initial("bob"), others=taken)
    promoted = message(Change, 1, changes=IdentityChanges(role="owner"))
    [waits] = tell(p, promoted, taken)
    assert waits.awaits == "identity/ann"
    [event] = retry(after(p, [waits]), KNOWN)
    assert isinstance(event, IdentityChanged)
    assert after(p, [event]).claims == {"owner:org"}


def test_then_a_portal_domain_belongs_to_one_party() -> None:
    """P0: platform or partner; whoever asks for it by hand is refused, a message waits until it is given up."""
    taken = Others(known={}, taken={"domain:r.example": "party/p1"})
    [event] = tell(PARTY.initial("p2"), message(Registration, 0, details=RESELLER), taken)
    assert event.awaits == "party/p1"
    with pytest.raises(DomainTaken, match="belongs to another party"):
        tell(PARTY.initial("p2"), Registration(at=at(0), details=RESELLER), taken)
    p = told(message(Registration, 0, details=RESELLER), party=PARTY.initial("p"))
    assert p.claims == {"domain:r.example"}
    assert tell(p, message(Change, 1, changes=PartnerChanges(name="R2")), taken)[0].after.name == "R2"


def test_then_the_platform_is_a_party_too() -> None:
    """P0."""
    platform = Platform(name="T", support_email="s@t.example", owner_email="o@t.example")
    p = told(Registration(at=at(0), details=platform), party=PARTY.initial("platform"))
    p = told(Change(at=at(1), changes=PlatformChanges(support_email="help@t.example")), party=p)
    assert p.details == Platform(name="T", support_email="help@t.example", owner_email="o@t.example")


@pytest.mark.parametrize(
    ("fact", "code", "status"),
    [
        (Change(at=at(1), changes=OrganizationChanges(name="N")), "party-unknown", 404),
        (Removal(at=at(1)), "party-unknown", 404),
        (Registration(at=at(1), details=ACME), "party-above-unknown", 422),
    ],
)
def test_then_a_command_is_refused_where_a_message_would_wait(fact: PartyFact, code: str, status: int) -> None:
    """P0, §9: somebody is there to read the answer."""
    with pytest.raises(Refused) as refused:
        tell(PARTY.initial("org"), fact, NOBODY)
    assert (refused.value.code, refused.value.status) == (code, status)


def test_then_a_command_asked_twice_says_nothing_the_second_time() -> None:
    """P0: registered again with the same data, changed to what it is."""
    p = told(Registration(at=at(0), details=ACME), Change(at=at(1), changes=OrganizationChanges(name="New")))
    assert tell(p, Registration(at=at(2), details=ACME), KNOWN) == []
    assert tell(p, Change(at=at(2), changes=OrganizationChanges(name="New")), KNOWN) == []
    with pytest.raises(Refused) as refused:
        tell(
            p,
            Registration(at=at(2), details=Organization(partner_id=None, name="X", billing_email="x@x.example")),
            KNOWN,
        )
    assert refused.value.code == "already-registered"
    with pytest.raises(Refused) as refused:
        tell(p, Change(at=at(2), changes=PartnerChanges(name="X")), KNOWN)
    assert refused.value.code == "kind-mismatch"


names = st.sampled_from(("A", "B", "C"))
emails = names.map(lambda name: f"{name}@x.example")
changes = st.one_of(
    st.builds(lambda name: OrganizationChanges(name=name), names),
    st.builds(lambda email: OrganizationChanges(billing_email=email), emails),
    st.builds(lambda name, email: OrganizationChanges(name=name, billing_email=email), names, emails),
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_then_any_order_ends_in_the_same_party(data: st.DataObject) -> None:
    """P0 in the spirit of X4: each field keeps its newest value."""
    numbered = data.draw(st.booleans())
    facts = [message(Registration, 0, 0 if numbered else None, details=ACME)]
    for n, change in enumerate(data.draw(st.lists(changes, max_size=6)), 1):
        facts.append(message(Change, n % 4, n if numbered else None, changes=change, id=str(n)))
    whole = told(*data.draw(st.permutations(facts)))
    assert whole.details == told(*facts).details
    assert whole.waiting == ()


def test_then_the_registration_of_a_person_carries_all_of_them() -> None:
    """P0."""
    [event] = tell(IDENTITY.initial("ann"), message(Registration, 0, details=ANN), KNOWN)
    assert isinstance(event, IdentityRegistered)
    [gone] = tell(after(IDENTITY.initial("ann"), [event]), message(Removal, 3), KNOWN)
    assert isinstance(gone, IdentityRemoved)
    assert gone.after == ANN


# -- dated ahead ------------------------------------------------------------------------------------------------------


def settled(p: Party, now: float) -> Party:
    """With every scheduled message whose instant has come."""
    while (fact := next_due(p, at(now))) is not None:
        p = after(p, fall_due(p, fact, KNOWN))
    return p


def test_then_a_change_dated_ahead_counts_from_its_instant() -> None:
    """§10.14: scheduled, on record as of its arrival; then it counts, newer than what was changed by hand meanwhile."""
    p = told(REGISTERED)
    [event] = tell(p, renamed(10, "Later"), KNOWN, 5)
    assert isinstance(event, PartyFactScheduled)
    p = after(p, [event])
    assert (event.at, p.details, due(p)) == (at(5), ACME, at(10))
    assert tell(p, renamed(10, "Later"), KNOWN, 5) == []
    p = after(p, tell(p, Change(at=at(6), changes=OrganizationChanges(name="By hand")), KNOWN, 6))
    assert (settled(p, 9.9), due(settled(p, 10))) == (p, None)
    details = settled(p, 10).details
    assert isinstance(details, Organization)
    assert details.name == "Later"


def test_then_a_scheduled_change_can_be_overtaken_by_a_later_one() -> None:
    """§10.14: by one that is numbered after it; it is refused as outdated when its instant comes."""
    p = after(told(REGISTERED), tell(told(REGISTERED), renamed(10, "Scheduled", 2), KNOWN, 1))
    p = after(p, tell(p, renamed(3, "Newest", 3), KNOWN, 3))
    fact = next_due(p, at(10))
    assert fact is not None
    [event] = fall_due(p, fact, KNOWN)
    assert isinstance(event, PartyFactRefused)
    assert (event.code, after(p, [event]).scheduled) == ("change-outdated", ())


def test_then_a_message_more_than_ten_years_ahead_is_refused() -> None:
    """§10.14: a slip."""
    [event] = tell(told(REGISTERED), renamed(4_000, "Never"), KNOWN, 0)
    assert isinstance(event, PartyFactRefused)
    assert (event.code, event.at) == ("too-far-ahead", at(0))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_then_changes_end_alike_whenever_they_arrive(data: st.DataObject) -> None:
    """§10.14, X4: before or after their instants, in any order, twice or once."""
    numbered = data.draw(st.booleans())
    facts = [
        REGISTERED,
        *(renamed(n, f"Name {n}", n if numbered else None) for n in range(1, 5)),
        message(
            Change, 3, 3 if numbered else None, id="mail", changes=OrganizationChanges(billing_email="c@a.example")
        ),
    ]
    order = data.draw(st.permutations([*facts, *data.draw(st.lists(st.sampled_from(facts), max_size=3))]))
    p, now, seen = PARTY.initial("org"), 0.0, set[str | None]()
    for fact in order:
        now += data.draw(st.floats(0, 1))
        p = settled(p, now)
        if fact.id not in seen:  # the inbox hears a message once
            p = after(p, tell(p, fact, KNOWN, now))
        seen.add(fact.id)
        assert all(known.at > at(now) for known in p.scheduled)
    assert settled(p, 10).details == told(*facts).details
