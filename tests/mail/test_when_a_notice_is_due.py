"""When a notice is due: who is told, once, and never by a replay (N5, N6, O3)."""

from __future__ import annotations

from datetime import timedelta

from tests.inventory import ORG, PARTNER, RESELLER, Inventory, number
from trunkline.eventstore.log_subscriber import LogSubscriber
from trunkline_numbers.reactors import notice_mails


def told(inventory: Inventory) -> dict[str, str | None]:
    """Key -> recipient of every mail."""
    return {mail.key: mail.recipient for mail in inventory.mails()}


def pass_days(inventory: Inventory, days: float) -> None:
    inventory.wait(days)
    inventory.settle()
    inventory.tell()


def test_an_organization_is_told_at_its_billing_address(inventory: Inventory) -> None:
    """N5: seven days before its reservation ends."""
    inventory.introduce()
    inventory.add(number(1))
    inventory.reserve(number(1))
    pass_days(inventory, 21)
    assert told(inventory) == {f"reservation-ending/{number(1)}/2026-03-29T00:00:00Z": "billing@acme.example"}
    (mail,) = inventory.mails()
    assert mail.subject == f"The reservation of {number(1)} ends on 2026-03-29 00:00 UTC"
    assert "Acme" in mail.body


def test_a_partner_is_told_at_its_owners_address(inventory: Inventory) -> None:
    """N5: the reserver is a partner."""
    inventory.introduce()
    inventory.add(number(1))
    inventory.reserve(number(1), party=RESELLER)
    pass_days(inventory, 21)
    assert set(told(inventory).values()) == {"owner@resell.example"}


def test_support_is_told_before_and_when_a_lock_ends(inventory: Inventory) -> None:
    """N6: partner support of the branch that uploaded the number, and platform support; twice."""
    inventory.introduce()
    inventory.add(number(1), uploader_id=ORG)
    inventory.add(number(2), uploader_id=PARTNER)
    inventory.add(number(3))
    inventory.lock(number(1), number(2), number(3))
    pass_days(inventory, 21)
    pass_days(inventory, 7)
    both = {"partner": "help@resell.example", "platform": "help@top.example"}
    expected = {
        f"{kind}/{n}/2026-03-29T00:00:00Z/{side}": address
        for kind in ("lock-ending", "lock-expired")
        for n in (number(1), number(2), number(3))
        for side, address in both.items()
        if n != number(3) or side == "platform"
    }
    assert told(inventory) == expected


def test_a_notice_whose_end_has_passed_is_not_sent_but_that_a_lock_ended_is(inventory: Inventory) -> None:
    """N10: after an outage over the whole period."""
    inventory.introduce()
    inventory.add(number(1), number(2))
    inventory.reserve(number(1))
    inventory.lock(number(2))
    pass_days(inventory, 40)
    assert told(inventory) == {f"lock-expired/{number(2)}/2026-03-29T00:00:00Z/platform": "help@top.example"}


def test_an_unknown_address_is_on_record(inventory: Inventory) -> None:
    """N5: nobody is there to be told, which operators can see."""
    inventory.add(number(1))
    inventory.reserve(number(1))
    pass_days(inventory, 21)
    (mail,) = inventory.mails()
    assert (mail.recipient, mail.state, mail.last_error) == (None, "failed", "no address is known")


def test_no_replay_mails_again(inventory: Inventory) -> None:
    """O3, X3: neither a rebuilt view, nor a follower that begins again, nor another copy of the service."""
    inventory.introduce()
    inventory.add(number(1))
    inventory.reserve(number(1))
    pass_days(inventory, 21)
    before = inventory.mails()
    for name in inventory.projector.views:
        inventory.rebuild.rebuild(name)
    with inventory.store.connection() as conn:
        conn.execute(b"DELETE FROM notification_tracking")
    again = LogSubscriber(
        inventory.store, inventory.clock, notice_mails.FOLLOWER, notice_mails.NAMES, notice_mails.handle
    )
    inventory.notices.resign()
    assert again.step() == 1
    assert again.step() == 0
    again.resign()
    assert inventory.mails() == before


def test_two_copies_that_both_follow_write_each_mail_once(inventory: Inventory) -> None:
    """X3: the position is moved by compare-and-set with the mails; the one that comes late writes nothing."""

    class Everybody:
        def hold(self, duty: str) -> bool:
            return True

    inventory.introduce()
    followers = [
        LogSubscriber(
            inventory.store,
            inventory.clock,
            notice_mails.FOLLOWER,
            notice_mails.NAMES,
            notice_mails.handle,
            Everybody(),  # type: ignore[arg-type]
        )
        for _ in range(2)
    ]
    assert [one.step() for one in followers] == [0, 0]
    inventory.add(number(1))
    inventory.reserve(number(1))
    inventory.clock.advance(timedelta(days=21))
    inventory.settle()
    assert [one.step() for one in followers] == [1, 0]
    assert [one.step() for one in followers] == [0, 0]
    assert len(inventory.mails()) == 1
