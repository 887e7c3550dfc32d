"""What billing says of some subscriptions over 100 days, and a picture of what came of it that two runs can compare.

Every story has ids, numbers and days of its own, so that many can be told in one world, one after the other. In the
picture ids have the names that the story gave them, and instants count from its beginning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pprint import pformat
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec

from tests.faults.topics import Place, Saying
from tests.faults.world import Part, World
from trunkline.contracts import billing, parties
from trunkline.contracts.cloudevents.envelope import encode
from trunkline.contracts.contract import Contract
from trunkline.eventstore.recorded_event import Causation, RecordedEvent, recorded
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.messaging.outbox_relay import read_page
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.policy import DEFAULT

DAY = timedelta(days=1)
STARTS, DAY_10, DAY_20, DUE = 3, 5, 7, 8
"""Steps of a story: all subscriptions start; most end, or change their number; some come back; notices are due."""
_FIRST = datetime(2040, 1, 1, tzinfo=UTC)
_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAMED = re.compile(rf"{_ID}|\+\d{{8,15}}|\d{{4}}-\d\d-\d\dT[\d:.]+Z|\d{{4}}-\d\d-\d\d \d\d:\d\d UTC")
_SOURCE = "/billing"


@dataclass(frozen=True)
class Picture:
    """What came of a story. Two of them are equal, or a fault was to be seen.

    Attributes:
        streams: service and stream -> type, data and instants of its events.
        inbox: how many of the messages each service counts as heard.
        mail: the mails that were delivered, and to whom.
    """

    streams: dict[str, list[Any]]
    inbox: int
    quarantined: int
    mail: list[str]

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(len(events) for events in self.streams.values())


class Story:
    """One story. `tell` has it happen in a world; the checks and the `picture` come after it."""

    def __init__(self, world: World, number: int, size: int = 50) -> None:
        """Prepare.

        Args:
            world: where it happens.
            number: of the story; none may be told twice in a world.
            size: how many subscriptions.
        """
        self.world = world
        self.size = size
        self.begins = _FIRST + number * 120 * DAY
        self._number = number
        self.names: dict[str, str] = {}
        self.partner = self._id("partner")
        self.organizations = [self._id(f"organization {n}") for n in range(2)]
        self.subscriptions = [self._id(f"subscription {n}") for n in range(size)]
        self.held = [self._telephone(f"number {n}", n) for n in range(size)]
        self.spare = [self._telephone(f"spare {n}", size + n) for n in range(size)]
        self._sequences: Counter[int] = Counter()
        self._said: list[Saying] = []
        self._topics_began: dict[Place, int] = {}
        self.messages = 0

    def _id(self, name: str) -> str:
        made = str(uuid5(NAMESPACE_OID, f"story {self._number} {name}"))
        self.names[made] = name
        return made

    def _telephone(self, name: str, n: int) -> str:
        made = f"+4930{self._number:04}{n:04}"
        self.names[made] = name
        return made

    # -- what is said -----------------------------------------------------------------------------------------

    def tell(self) -> None:
        """All of it: after each step the world comes to rest, so that a run differs from another by its faults only."""
        for _ in self.steps():
            self.world.until_quiet()

    def steps(self) -> Iterator[None]:
        """The story, step by step; whoever asks for the next one sees to it that the world is at rest."""
        self._topics_began = self.world.topics.ends([*self.world.licensing.says, *self.world.numbers.says])
        self.world.set_clock(self.begins)
        self._add_numbers()
        partner, *organizations = self._parties()
        self._say([partner])  # alone, so that no organization waits for it in one run and not in the other
        yield
        self._say(organizations)
        yield
        yield from self._at(1, [self.started(n, 1) for n in range(self.size)])
        tens = range(self.size)
        yield from self._at(
            10,
            [self.expired(n, 10) for n in tens if n % 5 == 0]
            + [self.terminated(n, 10) for n in tens if n % 5 == 1]
            + [self.swapped(n, 10) for n in tens if n % 5 == 2]
            + [self.renewed(n, 10) for n in tens if n % 5 == 3]
            + self._again(),
        )
        yield from self._at(
            20,
            [self.reactivated(n, 20) for n in tens if n % 10 == 0]
            + [self.terminated(n, 20) for n in tens if n % 10 == 5]
            + [self.expired(n, 20) for n in tens if n % 5 == 2]
            + self._again()
            + self._changed_under_its_id(),
        )
        for day in (32, 60, 71, 80):  # notices of what ends on 38, 66 and 76; the ends; all is over
            yield from self._at(day, [])

    def _at(self, day: int, sayings: Sequence[Saying]) -> Iterator[None]:
        """First what has fallen due, then what is said: what comes of both together depends on who is faster."""
        self.world.set_clock(self.begins + day * DAY + DAY / 2)
        yield
        if sayings:
            self._say(sayings)
            yield

    def _say(self, sayings: Sequence[Saying]) -> None:
        """Send, every third twice."""
        self.world.topics.send(again for n, saying in enumerate(sayings) for again in [saying] * (1 + (n % 3 == 0)))
        self._said += sayings
        self.messages += len(sayings)

    def _again(self) -> list[Saying]:
        """Some of what was said before, as it was."""
        return [saying for saying in self._said[::4] if saying.topic == billing.TOPIC]

    def _changed_under_its_id(self) -> list[Saying]:
        """The first two starts again, with another number."""
        starts = [saying for saying in self._said if b"SG-LOCAL" in (saying.value or b"")][:2]
        return [s._replace(value=(s.value or b"").replace(b"SG-LOCAL", b"SG-OTHER")) for s in starts]

    def _add_numbers(self) -> None:
        listing = Listing(country="DE", sku="SG-LOCAL", vendor="Vendor")
        part = self.world.numbers

        def decide(uow: UnitOfWork) -> None:
            uow.load((NUMBER, key) for key in (*self.held, *self.spare))
            for key in (*self.held, *self.spare):
                added = by_hand.add(uow.state(NUMBER, key), listing, None, None, DEFAULT, self.begins)
                uow.record(NUMBER, key, added, Causation("test", "test", "test"))

        run(part.store, lambda: self.begins, decide)

    def _parties(self) -> list[Saying]:
        partner = parties.PartnerRegistered(
            partner_id=self.partner, name="Partner", owner_email="owner@p.test", support_email="support@p.test"
        )
        told = [self._record(parties.CONTRACTS["party.partner.registered"], "partner", self.partner, 0, partner)]
        for n, key in enumerate(self.organizations):
            data = parties.OrganizationRegistered(
                organization_id=key, partner_id=self.partner, name=f"Org {n}", billing_email=f"billing@o{n}.test"
            )
            told.append(self._record(parties.CONTRACTS["party.organization.registered"], f"org {n}", key, 0, data))
        return told

    def started(self, n: int, day: int) -> Saying:
        """Subscription n starts on its number."""
        return self._fact(n, day, "started", billing.NumberStarted, number=self.held[n], sku="SG-LOCAL")

    def expired(self, n: int, day: int) -> Saying:
        """It expires."""
        return self._fact(n, day, "expired", billing.Expired)

    def reactivated(self, n: int, day: int) -> Saying:
        """It is reactivated."""
        return self._fact(n, day, "reactivated", billing.Reactivated)

    def terminated(self, n: int, day: int) -> Saying:
        """It is terminated."""
        return self._fact(n, day, "terminated", billing.Terminated)

    def renewed(self, n: int, day: int) -> Saying:
        """It is paid for another 30 days."""
        return self._fact(n, day, "renewed", billing.Renewed, renewed_until=self.begins + (day + 30) * DAY)

    def swapped(self, n: int, day: int) -> Saying:
        """It gets another number."""
        numbers = {"old_number": self.held[n], "new_number": self.spare[n]}
        return self._fact(n, day, "number_swapped", billing.NumberSwapped, **numbers)

    def _fact(self, n: int, day: int, fact: str, kind: Any, **fields: Any) -> Saying:
        self._sequences[n] += 1
        key = self.subscriptions[n]
        data = kind(subscription_id=key, organization_id=self.organizations[n % 2], **fields)
        return self._record(billing.CONTRACTS[f"billing.subscription.{fact}"], f"{fact} {n}", key, day, data, n)

    def _record(
        self, contract: Contract, name: str, key: str, day: int, data: Any, subscription: int | None = None
    ) -> Saying:
        sequence = None if subscription is None else self._sequences[subscription]
        headers, value = encode(
            contract,
            id=self._id(f"{name} said on day {day}"),
            source=_SOURCE,
            subject=key,
            time=self.begins + day * DAY,
            sequence=sequence,
            correlation_id=None,
            causation_id=None,
            data=data,
        )
        return Saying(contract.topic, key.encode(), value, headers)

    # -- what came of it --------------------------------------------------------------------------------------

    def picture(self) -> Picture:
        """What came of it, in the story's own names."""
        streams: dict[str, list[Any]] = {}
        for part in self.world.parts.values():
            for event in self._events(part):
                shown = [type(event.event).TYPE, self._named(msgspec.to_builtins(event.event)), event.meta.actor]
                stream = f"{part.service.name}: {event.stream_id.partition('/')[0]}/{self.names[event.key]}"
                streams.setdefault(stream, []).append(
                    [*shown, self._named(msgspec.to_builtins(event.meta.occurred_at))]
                )
        store = self.world.licensing.store
        ids = list(self.names)
        return Picture(
            streams=streams,
            inbox=store.fetch("SELECT count(*) FROM inbox WHERE id = ANY(%s)", (ids,))[0][0],
            quarantined=store.fetch("SELECT count(*) FROM quarantined WHERE event_id = ANY(%s)", (ids,))[0][0],
            mail=self._mail(),
        )

    def _events(self, part: Part) -> list[RecordedEvent]:
        ids = [decider.stream(key) for decider in part.service.deciders for key in self.names]
        rows = part.store.fetch(
            "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
            " WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version",
            (ids,),
        )
        return [recorded(part.store.codec, row) for row in rows]

    def _mail(self) -> list[str]:
        """The files of the mailbox that are about this story, with their recipients."""
        found = []
        for path in (self.world.home / "mailbox").iterdir():
            if any(number in path.name for number in _NUMBER.findall(path.name) if number in self.names):
                to = next(line for line in path.read_text().splitlines() if line.startswith("To:"))
                found.append(f"{self._named(path.name)} {to}")
        return sorted(found)

    def _named(self, value: Any) -> Any:
        match value:
            case str():
                return _NAMED.sub(lambda found: self._name(found[0]), value)
            case dict():
                return {key: self._named(one) for key, one in value.items()}
            case list() | tuple():
                return [self._named(one) for one in value]
            case _:
                return value

    def _name(self, text: str) -> str:
        if text in self.names:
            return self.names[text]
        if "T" not in text and " " not in text:
            return text
        at = datetime.fromisoformat(text.replace(" UTC", "Z").replace(" ", "T"))
        since = at - self.begins
        # What is stamped with the clock's present instant is compared by its day.
        return str(since) if at.microsecond == 0 else f"in day {since.days}"

    # -- what must hold besides -------------------------------------------------------------------------------

    def shows(self, clean: Picture) -> None:
        """What came of it is what came of another run, and it is consistent in itself."""
        came = self.picture()
        for stream in sorted(clean.streams.keys() | came.streams.keys()):
            here, there = came.streams.get(stream), clean.streams.get(stream)
            assert here == there, f"{stream}:\n{pformat(here, width=200)}\ninstead of\n{pformat(there, width=200)}"
        assert came == clean
        self.check()

    def check(self) -> None:
        """Topics, deadlines, mail and dead letters agree with the streams."""
        for part in self.world.parts.values():
            self._check_topics(part)
            self._check_deadlines(part)
            parked = part.store.fetch("SELECT code, reason FROM parked WHERE key = ANY(%s)", (self._keys(),))
            assert parked == []
        keys = (
            "^(reservation-ending|lock-ending|lock-expired)/(" + "|".join(map(re.escape, self.held + self.spare)) + ")/"
        )
        mail = self.world.numbers.store.fetch("SELECT key, state FROM mail WHERE key ~ %s", (keys,))
        assert {state for _, state in mail} <= {"sent"}
        assert len(mail) == len(self._mail())

    def _keys(self) -> list[bytes]:
        return [key.encode() for key in self.names]

    def _check_topics(self, part: Part) -> None:
        """X2: on each topic, for each key, what the log says, in its order, once the repetitions are left out."""
        expected: dict[tuple[str, bytes], dict[bytes, Any]] = {}
        for outgoing in _outgoing(part, min(event.position for event in self._events(part))):
            if outgoing.key.decode() in self.names:
                said = expected.setdefault((outgoing.topic, outgoing.key), {})
                said[_ce_id(outgoing.headers)] = (sorted(outgoing.headers), outgoing.value)
        heard: dict[tuple[str, bytes], dict[bytes, Any]] = {}
        for (topic, _), records in self.world.topics.read(part.says, self._topics_began).items():
            for record in records:
                if record.key.decode() in self.names:
                    said = heard.setdefault((topic, record.key), {})
                    content = (sorted(record.headers), record.value)
                    assert said.setdefault(_ce_id(record.headers), content) == content
        assert heard.keys() == expected.keys()
        for place, said in expected.items():
            assert list(heard[place]) == list(said)
            assert heard[place] == said

    def _check_deadlines(self, part: Part) -> None:
        """N10: the table is what the streams say."""
        timed = {d.category: d for d in part.service.deciders if d.due is not None}
        streams: dict[str, list[RecordedEvent]] = {}
        for event in self._events(part):
            if event.stream_id.partition("/")[0] in timed:
                streams.setdefault(event.stream_id, []).append(event)
        wanted = {}
        for stream_id, events in streams.items():
            decider = timed[stream_id.partition("/")[0]]
            assert decider.due is not None
            wanted[stream_id] = decider.due(decider.fold(events[0].key, [event.event for event in events]))
        rows = part.store.fetch("SELECT key, due_at FROM deadlines WHERE key = ANY(%s)", (list(wanted),))
        assert dict(rows) == {key: due for key, due in wanted.items() if due is not None}


_NUMBER = re.compile(r"\+\d{8,15}")


def _outgoing(part: Part, first: int) -> Iterator[Any]:
    after = first - 1
    while (page := read_page(part.store, part.service, after)) is not None:
        yield from page.outgoing
        after = page.end


def _ce_id(headers: Any) -> bytes:
    found: bytes = dict(headers)["ce_id"]
    return found
