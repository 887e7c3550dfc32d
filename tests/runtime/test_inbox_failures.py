"""When PostgreSQL refuses what one message brings about: that one is parked, its siblings are processed (X6, O8)."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from importlib.resources import files

import pytest

from tests.messaging.ear import event, id_of
from trunkline.clock import SystemClock
from trunkline.contracts import billing
from trunkline.contracts.cloudevents.envelope import Message
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.schema import migrate, read_migrations
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.messaging.inbox import PART, Inbox
from trunkline.messaging.message_handler import MessageHandler
from trunkline.messaging.records import IncomingRecord
from trunkline.service_definition import ServiceDefinition

TOPIC = "Somewhere"
LONG = "".join(random.Random(7).choices(string.printable[:90], k=20_000))
"""Longer than any index of PostgreSQL takes, also compressed: an OperationalError, as for a server that is away."""


def prepare(url: str) -> None:
    migrate(url, read_migrations(files("trunkline.eventstore") / "migrations"))


def service(bad: str) -> ServiceDefinition:
    def handle(uow: UnitOfWork, messages: Sequence[Message]) -> None:
        claims = [(LONG if message.id == bad else message.id, message.subject) for message in messages]
        uow.write("INSERT INTO claims (claim, stream_id) VALUES (%s, %s)", claims)

    return ServiceDefinition(
        name="licensing",
        deciders=(),
        message_handlers=(MessageHandler({TOPIC: billing.CONTRACTS}, handle),),
        published=lambda _: None,
        publishes=(),
        settle=lambda _work, _streams: None,
    )


@pytest.mark.parametrize("count", [5, PART + 5], ids=["one transaction", "several that overlap"])
def test_then_it_is_parked_and_the_others_go_on(new_database: Callable[..., str], count: int) -> None:
    """X6, O8: the database is not taken for being away, which would try the same batch for ever."""
    sent = [event(TOPIC, f"00000000-0000-4000-8000-{place:012d}") for place in range(count)]
    bad = id_of(sent[2])
    made = service(bad)
    store = Store(new_database(prepare), made.codec())
    records = [IncomingRecord("source", TOPIC, 0, n, r.key, r.headers, r.value) for n, r in enumerate(sent)]
    intake = Inbox(store, made, SystemClock().now)
    assert intake.accept(records) == count
    claims = {claim for (claim,) in store.fetch("SELECT claim FROM claims")}
    assert claims == {id_of(record) for record in sent} - {bad}
    assert store.fetch("SELECT kafka_offset, code FROM parked") == [(2, "reaction-failed")]
    assert intake.accept(records) == 0
    store.close()
