"""When a notice has waited: it goes only if it is still so, to whom it concerns now (N10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.inventory import BY_HAND, ORG, RESELLER, Inventory, number, prepare
from trunkline.eventstore.failed_items import BACK_OFF
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.mail.outbox import (
    Done,
    Mail,
    MailNotWaiting,
    MailRow,
    MailSender,
    Result,
    discard_mail,
    post,
    retry_mail,
)
from trunkline.security.authorization import NothingThere
from trunkline_numbers.domain.party_replica import PARTY
from trunkline_numbers.reactors import notice_mails


class Office:
    """Takes every mail, and is closed at first."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str | None]] = []

    def deliver(self, mails: Sequence[MailRow], done: Done) -> None:
        for mail in mails:
            self.taken.append((mail.key, mail.recipient))
            done(mail, Result())

    @property
    def kinds(self) -> list[str]:
        return sorted(key.partition("/")[0] for key, _ in self.taken)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def sender(inventory: Inventory, office: Office) -> Iterator[MailSender]:
    made = MailSender(inventory.store, inventory.clock, office, judge=notice_mails.judge)
    yield made
    made.resign()


def pass_days(inventory: Inventory, days: float) -> None:
    inventory.wait(days)
    inventory.settle()
    inventory.tell()


def states(inventory: Inventory) -> dict[str, str]:
    return {mail.key.partition("/")[0]: mail.state for mail in inventory.mails()}


def start(inventory: Inventory) -> None:
    """The notice of a reservation that ends on day 28 is written on day 21."""
    inventory.introduce()
    inventory.add(number(1))
    inventory.reserve(number(1))
    pass_days(inventory, 21)


def released(inventory: Inventory) -> None:
    inventory.release(number(1))


def reserved_anew(inventory: Inventory) -> None:
    inventory.release(number(1))
    inventory.wait(1)
    inventory.reserve(number(1), party=RESELLER)


def over(inventory: Inventory) -> None:
    inventory.wait(8)


@pytest.mark.parametrize("meanwhile", [released, reserved_anew, over], ids=lambda m: m.__name__)
def test_it_is_dropped_on_record_when_it_is_not_so_any_more(
    inventory: Inventory, sender: MailSender, office: Office, meanwhile: Callable[[Inventory], None]
) -> None:
    """N10: also before the timer that ends the reservation has run."""
    start(inventory)
    meanwhile(inventory)
    sender.step()
    assert office.taken == []
    (mail,) = inventory.mails()
    assert (mail.state, mail.attempts, mail.next_try_at) == ("dropped", 0, None)
    assert mail.last_error


def test_that_a_lock_has_ended_is_sent_however_late(inventory: Inventory, sender: MailSender, office: Office) -> None:
    """N6, N10: its early notice is not."""
    inventory.introduce()
    inventory.add(number(1))
    inventory.lock(number(1))
    pass_days(inventory, 21)
    pass_days(inventory, 40)
    sender.step()
    assert [key.partition("/")[0] for key, _ in office.taken] == ["lock-expired"]
    assert states(inventory) == {"lock-ending": "dropped", "lock-expired": "sent"}


def test_it_goes_to_the_address_of_now(inventory: Inventory, sender: MailSender, office: Office) -> None:
    """N5: an address was missing or wrong, and was mended while the mail waited or had failed."""
    inventory.add(number(1))
    inventory.reserve(number(1))
    pass_days(inventory, 21)
    (before,) = inventory.mails()
    assert before.state == "failed"
    inventory.introduce()
    run(inventory.store, inventory.clock.now, lambda uow: retry_mail(uow, before.key))
    sender.step()
    assert office.taken == [(before.key, "billing@acme.example")]
    assert inventory.mails()[0].recipient == "billing@acme.example"


def test_one_that_cannot_be_judged_holds_up_no_other(inventory: Inventory, office: Office) -> None:
    """O8: it is tried again later, with its cause."""

    def judge(uow: UnitOfWork, mails: Sequence[MailRow]) -> dict[str, Any]:
        if any(mail.key == "b" for mail in mails):
            raise LookupError("mine")
        return {}

    sender = MailSender(inventory.store, inventory.clock, office, judge=judge)
    mails = [Mail(key, f"{key}@acme.example", "s", "b") for key in "abc"]
    run(inventory.store, inventory.clock.now, lambda uow: post(uow, mails))
    sender.step()
    sender.resign()
    assert [key for key, _ in office.taken] == ["a", "c"]
    waiting = next(mail for mail in inventory.mails() if mail.key == "b")
    assert (waiting.state, waiting.attempts, waiting.last_error) == ("waiting", 1, "LookupError: mine")


def test_an_office_that_breaks_on_one_mail_goes_on_with_the_next(inventory: Inventory) -> None:
    """O8: whatever it raises, that mail has tried, and the others go."""

    class Breaks(Office):
        def deliver(self, mails: Sequence[MailRow], done: Done) -> None:
            for mail in mails:
                if mail.key == "b":
                    raise IndexError("string index out of range")
                super().deliver([mail], done)

    office = Breaks()
    sender = MailSender(inventory.store, inventory.clock, office)
    mails = [Mail(key, f"{key}@acme.example", "s", "b") for key in "abc"]
    run(inventory.store, inventory.clock.now, lambda uow: post(uow, mails))
    assert [sender.step() for _ in range(3)] == [1, 1, 0]
    sender.resign()
    assert [key for key, _ in office.taken] == ["a", "c"]


def test_a_person_retries_and_discards(inventory: Inventory, sender: MailSender, office: Office) -> None:
    """O8: a discarded one is not sent unless it is retried; what was sent is not sent again."""
    start(inventory)
    (mail,) = inventory.mails()

    def do(decide: Callable[[UnitOfWork], None]) -> None:
        run(inventory.store, inventory.clock.now, decide)

    do(lambda uow: discard_mail(uow, mail.key, "told by phone"))
    sender.step()
    assert office.taken == []
    assert inventory.mails()[0].last_error == "discarded: told by phone"
    do(lambda uow: retry_mail(uow, mail.key))
    sender.step()
    assert office.kinds == ["reservation-ending"]
    with pytest.raises(MailNotWaiting):
        do(lambda uow: retry_mail(uow, mail.key))
    with pytest.raises(NothingThere):
        do(lambda uow: discard_mail(uow, "no such", "x"))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=st.lists(st.sampled_from(["reserve", "release", "lock", "5", "8", "send", "move"]), max_size=14))
def test_no_early_notice_goes_that_is_not_so(databases: Any, story: list[str]) -> None:
    """N10: whatever people do while the server is away, each early notice that goes is true at that instant."""
    url = databases.create(prepare)
    inventory = Inventory(url)
    wrong: list[str] = []

    class Checks(Office):
        def deliver(self, mails: Sequence[MailRow], done: Done) -> None:
            for mail in mails:
                life: Any = inventory.state(number(1)).life
                ends = getattr(life, "ends_at", None)
                if "-ending" in mail.key and (ends is None or ends <= inventory.clock.now()):
                    wrong.append(mail.key)
            super().deliver(mails, done)

    sender = MailSender(inventory.store, inventory.clock, Checks(), judge=notice_mails.judge)
    try:
        inventory.introduce()
        inventory.add(number(1))
        for step in story:
            state = inventory.state(number(1)).state
            if step == "send":
                sender.step()
            elif step.isdigit():
                pass_days(inventory, int(step))
            elif step == "move":
                party = inventory_party(inventory)
                run(inventory.store, inventory.clock.now, lambda uow, p=party: uow.record(PARTY, ORG, [p], BY_HAND))
            elif step == "release" and state == "reserved":
                inventory.release(number(1))
            elif state == "available" and step in ("reserve", "lock"):
                (inventory.reserve if step == "reserve" else inventory.lock)(number(1))
        inventory.clock.advance(max(BACK_OFF))
        sender.step()
        assert wrong == []
    finally:
        sender.resign()
        inventory.close()
        databases.drop(url)


def inventory_party(inventory: Inventory) -> Any:
    """The organization with another address."""
    import msgspec

    uow = UnitOfWork(inventory.store, inventory.clock.now())
    heard: Any = uow.state(PARTY, ORG).details
    return msgspec.structs.replace(heard, sequence=heard.sequence + 1, billing_email="other@acme.example")
