"""When a number has fallen due and no timer has run: who waits for it comes before whoever comes now (S6, N10)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from tests.model.desk import Desk, prepare
from tests.numbers.facts import ACME, KEY, OTHER_PARTNER, OTHER_SUB, SISTER, STRANGER, SUB, THIRD_SUB, day
from tests.numbers.world import Licensing, World, in_memory
from trunkline.clock import FixedClock
from trunkline.contracts import licensing
from trunkline.contracts.cloudevents.message import Message
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.state import Assigned
from trunkline_numbers.domain.party_replica import PartyReceived
from trunkline_numbers.message_handlers import binding_requests

B = "+6522222222"


def reserved_and_awaited() -> tuple[World, Licensing]:
    """A number reserved for a stranger until day 28; a subscription waits for it since day 10. The timer is late."""
    world = in_memory().knows(SISTER.id).knows(OTHER_PARTNER, STRANGER.id, partner_id=OTHER_PARTNER)
    world.adds(KEY).by_hand(lambda n, now: by_hand.reserve(n, STRANGER, "kept", world.policy, now), KEY)
    waiting = Licensing()
    world.moves_to(10).hears(waiting.started(10))
    assert world.waits_for() == "number-held-for-another"
    return world.moves_to(30), waiting


def served(world: World) -> None:
    """The one that waited has the number since the instant at which the reservation ended."""
    life = world.number().life
    assert isinstance(life, Assigned)
    assert (life.subscription_id, life.since) == (SUB, day(28))
    assert world.waits_for() is None


@pytest.mark.parametrize("started", [5, 12, 29])
def test_then_a_newcomer_does_not_win_against_who_waits(started: float) -> None:
    """S6, N10: a fact, even with an older start, is decided after what fell due before now."""
    world, _ = reserved_and_awaited()
    world.hears(Licensing(OTHER_SUB).started(started))
    served(world)
    assert world.waits_for(OTHER_SUB) == "number-taken"


def test_then_a_batch_of_newcomers_does_not_win_either() -> None:
    """S6: the waiting one is served once, before all messages of the batch."""
    world, _ = reserved_and_awaited()
    world.hears(Licensing(OTHER_SUB).started(11), Licensing(THIRD_SUB, SISTER.id).started(12))
    served(world)


def test_then_a_command_is_decided_after_the_one_that_waits_was_served() -> None:
    """S6, §3."""
    world, _ = reserved_and_awaited()
    with pytest.raises(by_hand.NumberNotAvailable):
        world.by_hand(lambda n, now: by_hand.reserve(n, STRANGER, "again", world.policy, now), KEY)
    world.passes_to(30)
    served(world)


def test_then_a_binding_request_is_answered_for_the_one_that_waited() -> None:
    """S6, X5: the number is Assigned to the organization when its extension asks for it."""
    world, _ = reserved_and_awaited()
    asked = licensing.NumberBindingRequested(
        extension_id=str(uuid4()), organization_id=ACME.id, number=KEY, user_id=None, generation=1
    )
    message = Message(
        "1", licensing.SOURCE, "NumberBindingRequested", asked.extension_id, day(30), 1, None, None, asked
    )
    world.place.run(lambda uow: binding_requests.handle(uow, [message]))
    served(world)
    assert [b.extension_id for b in world.number().bindings] == [asked.extension_id]


def test_then_what_the_waiting_one_gives_up_goes_to_the_next_that_waits() -> None:
    """S6, N9: a swap that waited frees the old number, which another subscription waits for in its turn."""
    swapping = Licensing(OTHER_SUB)
    world = in_memory().knows(OTHER_PARTNER, STRANGER.id, partner_id=OTHER_PARTNER).adds(KEY, B)
    world.by_hand(lambda n, now: by_hand.reserve(n, STRANGER, "kept", world.policy, now), KEY)
    world.hears(swapping.started(0, B)).moves_to(5).hears(swapping.swapped(5, KEY))
    last = Licensing(THIRD_SUB, STRANGER.id)
    world.moves_to(6).hears(last.started(6, B)).moves_to(30)
    world.hears(Licensing(SUB).started(30))  # names the first number
    assert world.picture() == ("assigned", OTHER_SUB)
    assert world.picture(B) == ("assigned", THIRD_SUB)
    life = world.number(B).life
    assert isinstance(life, Assigned)
    assert life.since == day(29)


def test_then_what_fell_due_is_recorded_as_the_timers_work() -> None:
    """N10, N13: whoever comes first, the cause of the end is that it fell due."""
    world, _ = reserved_and_awaited()
    world.hears(Licensing(OTHER_SUB).started(30))
    events = [type(event).__name__ for stream, event in world.place.log if stream == f"number/{KEY}"]  # type: ignore[attr-defined]
    assert events[-3:] == ["ReservationExpired", "NumberReleased", "NumberAssigned"]


# -- the same over HTTP -----------------------------------------------------------------------------------------------


@pytest.fixture
def desk(databases: Any, tmp_path: Any) -> Iterator[Desk]:
    """Numbers behind its doors; timers run only when a test says so."""
    url = databases.create(prepare)
    found = Desk(url, tmp_path, FixedClock(day(0)))
    for key in (ACME.id, STRANGER.id):
        said = PartyReceived(at=day(0), sequence=1, kind="organization", name="O", billing_email="b@o.example")
        found.knows((key, said))
    found.knows(
        ("platform", PartyReceived(at=day(0), sequence=1, kind="platform", name="P", support_email="p@p.example"))
    )
    yield found
    found.close()
    databases.drop(url)


fresh = count(31_400_000)


def numbers_due(desk: Desk, many: int) -> tuple[Any, list[str], list[Licensing]]:
    """Numbers reserved until day 28 for a stranger, each awaited since day 10; now it is day 30."""
    admin = desk.caller("platform-admin")
    numbers = [f"+65{next(fresh)}" for _ in range(many)]
    added = admin("POST", "/numbers", {"numbers": numbers, "vendor": "v", "country": "SG", "sku": "s"})
    assert added.status_code == 200, added.text
    for number in numbers:
        admin("POST", f"/numbers/{number}/reserve", {"reserver_id": STRANGER.id, "remark": "kept"})
    desk.clock.advance(day(10) - day(0))
    waiting = [Licensing(str(uuid4())) for _ in numbers]
    desk.hears([s.started(10, number) for s, number in zip(waiting, numbers, strict=True)])
    desk.clock.advance(day(30) - day(10))
    return admin, numbers, waiting


def test_then_reads_show_what_timers_will_record(desk: Desk) -> None:
    """S6, N10, N13: one number, as of an instant, who held it, a list, and what is known of the subscription."""
    admin, (number,), (waiting,) = numbers_due(desk, 1)

    def seen() -> list[Any]:
        at = {"at": "2026-01-29T12:00:00Z"}
        looked_up = admin("POST", "/numbers/lookup", {"numbers": [number]}).json()["numbers"][0]["found"]
        held = admin("GET", f"/numbers/{number}/held-by", params=at).json()
        as_of = admin("GET", f"/numbers/{number}", params={"as_of": at["at"]}).json()
        told = admin("GET", f"/numbers/subscriptions/{waiting.id}").json()
        return [admin("GET", f"/numbers/{number}").json(), looked_up, held, as_of, told]

    before = seen()
    assert before[0]["subscription_id"] == before[2]["subscription_id"] == waiting.id
    assert before[4]["refused"] is None
    desk.timers_run()
    assert seen() == before


def test_then_facts_dated_before_the_number_was_added_count_from_then(desk: Desk) -> None:
    """N13, §10.10: the same answer now, as of any instant, and in the history, which goes forward."""
    admin = desk.caller("platform-admin")
    number = f"+65{next(fresh)}"
    desk.clock.advance(day(10) - day(0))
    admin("POST", "/numbers", {"numbers": [number], "vendor": "v", "country": "SG", "sku": "s"})
    s = Licensing(str(uuid4()))
    desk.clock.advance(day(12) - day(10))
    desk.hears([s.started(0, number)])
    then = "2026-01-11T00:00:00Z"
    for shown in (admin("GET", f"/numbers/{number}"), admin("GET", f"/numbers/{number}", params={"as_of": then})):
        assert (shown.json()["state"], shown.json()["since"]) == ("assigned", then)
    assert admin("GET", f"/numbers/{number}", params={"as_of": "2026-01-10T23:59:59Z"}).status_code == 404
    history = admin("GET", f"/numbers/{number}/history").json()
    for field in ("at", "occurred_at"):
        assert [item[field] for item in history["items"]] == sorted(item[field] for item in history["items"])
    desk.hears([s.renewed(11)])
    assert admin("GET", f"/numbers/{number}/history").json() == history


@pytest.mark.parametrize("received_before", [0, 1, 2])
def test_then_a_subscription_that_ended_before_the_number_was_added_never_had_it(
    desk: Desk, received_before: int
) -> None:
    """S6, X4, §10.10: until it is added a number is unknown, whether the facts are received before or after that."""
    admin = desk.caller("platform-admin")
    number, s = f"+65{next(fresh)}", Licensing(str(uuid4()))
    facts = [s.started(0, number), s.expired(5)]
    desk.clock.advance(day(10) - day(0))
    desk.hears(facts[:received_before])
    admin("POST", "/numbers", {"numbers": [number], "vendor": "v", "country": "SG", "sku": "s"})
    desk.clock.advance(day(12) - day(10))
    desk.hears(facts[received_before:])
    shown = admin("GET", f"/numbers/{number}").json()
    assert (shown["state"], shown["since"], shown["ends_at"]) == ("available", "2026-01-11T00:00:00Z", None)


@pytest.mark.parametrize("verb", ["reserve", "lock", "assign", "swap", "allocate", "release"])
def test_then_every_command_finds_the_number_taken(desk: Desk, verb: str) -> None:
    """S6: single numbers, swaps and several at once; the answer is the same as after the timer."""
    admin, numbers, waiting = numbers_due(desk, 2)
    other = Licensing(str(uuid4()))
    free = f"+65{next(fresh)}"
    admin("POST", "/numbers", {"numbers": [free], "vendor": "v", "country": "SG", "sku": "s"})
    desk.hears([other.started(30, free)])
    answers = []
    for number in numbers:
        remark = {"remark": "now"}
        path, body = {
            "reserve": (f"/numbers/{number}/reserve", {"reserver_id": STRANGER.id, **remark}),
            "lock": (f"/numbers/{number}/lock", remark),
            "release": (f"/numbers/{number}/release", remark),
            "assign": (f"/numbers/{number}/assign", {"subscription_id": other.id, **remark}),
            "swap": (
                "/numbers/swap",
                {"subscription_id": other.id, "old_number": free, "new_number": number, **remark},
            ),
            "allocate": ("/numbers/allocate", {"numbers": [number], "holder_id": STRANGER.id, **remark}),
        }[verb]
        answer = admin("POST", path, body)
        answers.append((answer.status_code, answer.json()["code"]))
        desk.timers_run()  # for the second number the timer comes first
    assert answers[0] == answers[1]
    assert answers[0][0] == 409
    for number, s in zip(numbers, waiting, strict=True):
        assert admin("GET", f"/numbers/{number}").json()["subscription_id"] == s.id
