"""When billing says what nobody can use, to the real licensing over a real Kafka: each thing has its named outcome.

A good record stands right behind each bad one, in the same partition; it takes effect.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from deploy.local_servers.servers import Servers
from tests.conftest import start_broker
from tests.faults.topics import Saying
from tests.faults.world import World
from trunkline.contracts import billing, dead_letters, parties
from trunkline.contracts.cloudevents.envelope import MAX_VALUE_BYTES, encode
from trunkline.messaging.dead_letters.store import DeadLetter, parked_page
from trunkline.messaging.kafka.client import source_name

AT = datetime(2026, 3, 1, tzinfo=UTC)
_ids = count(1)
Spoil = Callable[[Saying], Saying]


@pytest.fixture(scope="module")
def world(servers: Servers) -> Iterator[World]:
    """A broker, a PostgreSQL, and licensing as its own command starts it."""
    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-poison-"))
        found = running.enter_context(World(Path(folder), start_broker(running, servers, "poison")))
        found.run("licensing")
        yield found


@pytest.fixture
def organization(world: World) -> str:
    """One that is registered."""
    key = str(uuid4())
    world.topics.send([_organization(key)])
    world.until(lambda: world.licensing.store.read_streams([f"party/{key}"]), "the organization")
    return key


def _organization(key: str) -> Saying:
    data = parties.OrganizationRegistered(
        organization_id=key, partner_id=None, name="Org", billing_email="billing@org.test"
    )
    return _record("party.organization.registered", key, data)


def _started(organization: str, number: str = "+6591234567", subscription: str | None = None) -> Saying:
    key = subscription or str(uuid4())
    data = billing.NumberStarted(subscription_id=key, organization_id=organization, number=number, sku="SG-LOCAL")
    return _record("billing.subscription.started", key, data)


def _record(name: str, key: str, data: Any) -> Saying:
    contract = {**billing.CONTRACTS, **parties.CONTRACTS}[name]
    headers, value = encode(
        contract,
        id=f"poison {next(_ids)}",
        source="/billing",
        subject=key,
        time=AT,
        sequence=None,
        correlation_id=None,
        causation_id=None,
        data=data,
    )
    return Saying(contract.topic, key.encode(), value, headers)


def _value(make: Callable[[bytes], bytes | None]) -> Spoil:
    return lambda good: good._replace(value=make(good.value or b""))


def _header(name: str, value: bytes | None) -> Spoil:
    return lambda good: good._replace(headers=[(n, value if n == name else v) for n, v in good.headers])


def _without(name: str) -> Spoil:
    return lambda good: good._replace(headers=[(n, v) for n, v in good.headers if n != name])


def _padded(value: bytes) -> bytes:
    """The same JSON, one byte longer than is taken."""
    return value + b" " * (MAX_VALUE_BYTES + 1 - len(value))


def _with_number_of_wrong_type(value: bytes) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(value), "number": 6591234567})


POISON: dict[str, tuple[Spoil, str]] = {
    "not JSON": (_value(lambda value: value[:-1]), "not-json"),
    "not UTF-8": (_value(lambda value: value.replace(b"SG-LOCAL", b"SG-\xff")), "not-utf8"),
    "another specversion": (_header("ce_specversion", b"0.3"), "spec-version"),
    "without id": (_without("ce_id"), "attribute-missing"),
    "an unknown type": (_header("ce_type", b"billing.subscription.forgotten"), "type-unknown"),
    "a field of a wrong type": (_value(_with_number_of_wrong_type), "data-invalid"),
    "no fields": (_value(lambda _: b"{}"), "data-invalid"),
    "a null value": (_value(lambda _: None), "value-missing"),
    "a null header": (_header("ce_id", None), "header-invalid"),
    "another subject than its data": (_header("ce_subject", b"somebody else"), "subject-mismatch"),
    "1 MiB and one byte": (_value(_padded), "too-large"),
}


@pytest.mark.parametrize("what", POISON)
def test_it_is_parked_whole_and_published_and_the_next_one_counts(world: World, organization: str, what: str) -> None:
    """X6: bytes, headers, place and reason in the table and on DeadLetters; nothing of it takes effect."""
    spoil, code = POISON[what]
    good = _started(organization)
    bad = spoil(_started(organization, subscription=_key(good)))
    (place, offset), _ = world.topics.send([bad, good])
    world.until(lambda: _types(world, good) == ["licensing.SubscriptionActivated"], "the good record")
    (parked,) = _parked(world, good)
    assert (parked.code, parked.status) == (code, "waiting")
    assert parked.reason.endswith(".")
    assert (parked.topic, parked.partition, parked.offset) == (*place, offset)
    assert parked.source == source_name(world.topics.cluster, *place)
    assert (parked.key, parked.value, parked.headers) == (bad.key, bad.value, list(bad.headers))
    assert _started_ids(world, good) == [dict(good.headers)["ce_id"]]
    world.until(lambda: _letters(world, good), "the dead letter")
    (letter,) = _letters(world, good)
    told = dead_letters.headers(
        topic=place[0],
        partition=place[1],
        offset=offset,
        code=code,
        reason=parked.reason,
        service="licensing",
        original=bad.headers,
    )
    assert (letter.key, letter.value, list(letter.headers)) == (bad.key, bad.value, told)


def test_what_just_fits_counts(world: World, organization: str) -> None:
    """X6: 1 MiB is taken."""
    good = _started(organization)
    world.topics.send([good._replace(value=_padded(good.value or b"")[:-1])])
    world.until(lambda: _types(world, good) == ["licensing.SubscriptionActivated"])
    assert _parked(world, good) == []


def test_an_unknown_organization_is_waited_for(world: World, organization: str) -> None:
    """S7: the fact is neither refused nor parked; once the organization is registered, it counts."""
    unknown = str(uuid4())
    early, good = _started(unknown), _started(organization)
    world.topics.send([early, good])
    world.until(lambda: _types(world, early) and _types(world, good))
    assert _types(world, early) == ["licensing.SubscriptionFactWaiting"]
    waiting = world.licensing.store.fetch(
        "SELECT awaited, reason FROM awaited WHERE waiter = %s", (f"subscription/{_key(early)}",)
    )
    assert waiting == [(f"party/{unknown}", f"organization {unknown} is not registered")]
    world.topics.send([_organization(unknown)])
    world.until(lambda: len(_types(world, early)) > 1)
    assert _types(world, early) == ["licensing.SubscriptionFactWaiting", "licensing.SubscriptionActivated"]
    assert world.licensing.store.fetch("SELECT 1 FROM awaited WHERE awaited = %s", (f"party/{unknown}",)) == []
    assert _parked(world, early) == []


def test_an_impossible_number_is_refused_on_record(world: World, organization: str) -> None:
    """X6, §9: a message that breaks a rule is no dead letter; it has a recorded outcome."""
    good = _started(organization)
    bad = _started(organization, number="+6512")
    world.topics.send([bad, good])
    world.until(lambda: _types(world, bad) and _types(world, good))
    assert _types(world, bad) == ["licensing.SubscriptionFactRefused"]
    assert _codes(world, bad) == ["number-impossible"]
    assert _types(world, good) == ["licensing.SubscriptionActivated"]
    assert _parked(world, bad) == []


def test_an_id_with_other_contents_is_quarantined(world: World, organization: str) -> None:
    """S3: it is reported, never applied."""
    first = _started(organization)
    world.topics.send([first, first._replace(value=(first.value or b"").replace(b"SG-LOCAL", b"SG-OTHER"))])
    event_id = dict(first.headers)["ce_id"] or b""
    query = "SELECT message FROM quarantined WHERE event_id = %s"
    world.until(lambda: world.licensing.store.fetch(query, (event_id.decode(),)))
    ((message,),) = world.licensing.store.fetch(query, (event_id.decode(),))
    assert "SG-OTHER" in message
    assert _types(world, first) == ["licensing.SubscriptionActivated"]


def _key(record: Saying) -> str:
    return (record.key or b"").decode()


def _events(world: World, record: Saying) -> list[tuple[str, Any]]:
    store = world.licensing.store
    rows = store.read_streams([f"subscription/{_key(record)}"])
    return [(name, store.codec.decode(name, state).data) for _, _, name, state in rows]


def _types(world: World, record: Saying) -> list[str]:
    return [name for name, _ in _events(world, record)]


def _codes(world: World, record: Saying) -> list[str]:
    return [event.code for _, event in _events(world, record)]


def _started_ids(world: World, record: Saying) -> list[bytes]:
    return [event.fact.id.encode() for _, event in _events(world, record)]


def _parked(world: World, record: Saying) -> list[DeadLetter]:
    return [parked for parked in parked_page(world.licensing.store, limit=1000) if parked.key == record.key]


def _letters(world: World, record: Saying) -> list[Any]:
    found = world.topics.read([dead_letters.TOPIC])
    return [letter for letters in found.values() for letter in letters if letter.key == record.key]
