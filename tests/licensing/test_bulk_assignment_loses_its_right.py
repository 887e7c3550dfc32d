"""When who began a bulk assignment loses the right to it while it runs (L13, P2, P4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.licensing.desk import ORG, Desk
from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.recorded_event import Causation
from trunkline_licensing.application.bulk_assignment import run

PARTNER, OTHER = str(uuid4()), str(uuid4())
ADMIN = str(uuid4())
PEOPLE = ("Ada", "Bob", "Cleo", "Dan")
TODAY = 99
BY_PARTNER = Causation("user:p", "c", "c", "partner-admin", PARTNER)
BY_PERSON = Causation(f"user:{ADMIN}", "c", "c", "org-admin", ORG, ADMIN)

ROWS = [(str(101 + n), name, "") for n, name in enumerate(PEOPLE)]


@pytest.fixture
def desk(licensing: Any, say: Callable[..., Message], monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The organization of a partner, with an administrator, and two rows to a batch."""
    monkeypatch.setattr(run, "CHUNK", 2)
    addresses = {"owner_email": "o@p.example", "support_email": "s@p.example"}
    licensing.receive(*(say("party.partner.registered", key, name=key, **addresses) for key in (PARTNER, OTHER)))
    organization = {"partner_id": PARTNER, "name": "Acme", "billing_email": "b@acme.example"}
    found = Desk(licensing, say, say("party.organization.registered", ORG, **organization))
    found.hire(*PEOPLE)
    person = {"organization_id": ORG, "name": "Admin", "email": "a@acme.example", "role": "admin"}
    licensing.receive(say("party.identity.registered", ADMIN, **person))
    found.buy(10)
    yield found
    found.close()


def moved(say: Callable[..., Message]) -> Message:
    return say("party.organization.changed", ORG, TODAY, partner_id=OTHER)


def left(say: Callable[..., Message]) -> Message:
    return say("party.identity.removed", ADMIN, TODAY)


def demoted(say: Callable[..., Message]) -> Message:
    return say("party.identity.changed", ADMIN, TODAY, role="member")


CASES = [(BY_PARTNER, moved), (BY_PERSON, left), (BY_PERSON, demoted)]
LOST = pytest.mark.parametrize(("cause", "change"), CASES, ids=["moved", "left", "demoted"])


@LOST
def test_then_the_rows_that_are_left_fail(desk: Desk, say: Any, cause: Causation, change: Any) -> None:
    """L11, L13, P2, P4: what was done by then stays; the code says why the others were not."""
    key = desk.assign(ROWS, cause=cause)
    desk.runner.step()
    desk.licensing.receive(change(say))
    desk.run()
    assert desk.codes(key) == [None, None, "RIGHT_LOST", "RIGHT_LOST"]
    b = desk.state(key)
    assert (b.status, b.succeeded, b.failed, b.short, desk.free()) == ("completed", 2, 2, 0, 8)


@LOST
def test_then_all_or_nothing_is_nothing(desk: Desk, say: Any, cause: Causation, change: Any) -> None:
    """L10, P2: what was done by then is taken back."""
    key = desk.assign(ROWS, cause=cause, all_or_nothing=True)
    desk.runner.step()
    desk.licensing.receive(change(say))
    desk.run()
    assert desk.codes(key) == ["ALL_OR_NOTHING", "ALL_OR_NOTHING", "RIGHT_LOST", "RIGHT_LOST"]
    assert (desk.state(key).status, desk.free()) == ("completed", 10)


def test_then_rows_short_of_a_unit_fail_too(desk: Desk, say: Any) -> None:
    """L10, P2: they are not tried again, and rows whose number is asked for have their answer still."""
    desk.buy(1, "team_chat")
    rows = [("101", "Ada", "+6531580001"), ("102", "Bob", ""), ("103", "Cleo", "")]
    key = desk.assign(rows, cause=BY_PARTNER, addons=("team_chat",))
    desk.runner.step()
    desk.runner.step()
    assert (desk.state(key).waiting, desk.state(key).short) == (1, 2)
    desk.licensing.receive(moved(say))
    desk.answer(desk.asked(), refuse=["+6531580001"])
    desk.run()
    codes = desk.codes(key)
    assert codes[0] is not None
    assert codes[1:] == ["RIGHT_LOST", "RIGHT_LOST"]
    b = desk.state(key)
    assert (b.status, b.failed, b.short, b.waiting) == ("completed", 3, 0, 0)
    assert desk.free() == 10


def test_then_what_no_principal_began_goes_on(desk: Desk, say: Any) -> None:
    """X7: events of a release that did not record the role say nothing to hold against the directory."""
    key = desk.assign(ROWS)
    desk.runner.step()
    desk.licensing.receive(moved(say))
    desk.run()
    assert desk.codes(key) == [None] * 4
