"""Messages that a service cannot use, put in its way as a broker would."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

import msgspec

from trunkline.contracts import billing
from trunkline.contracts.cloudevents.envelope import encode
from trunkline.messaging.dead_letters.store import parked_page
from trunkline.messaging.records import IncomingRecord
from trunkline.runtime.service_runtime import ServiceRuntime

AT = datetime(2026, 3, 1, tzinfo=UTC)
_offsets = count()


def started(organization: str, number: str, subscription: str | None = None) -> IncomingRecord:
    """What billing says of a subscription of a number, as a record of its topic."""
    key = subscription or str(uuid4())
    data = billing.NumberStarted(subscription_id=key, organization_id=organization, number=number, sku="DID")
    return _record("billing.subscription.started", key, data)


def renewed(organization: str, subscription: str, until: datetime) -> IncomingRecord:
    """What billing says of a subscription's renewal."""
    data = billing.Renewed(subscription_id=subscription, organization_id=organization, renewed_until=until)
    return _record("billing.subscription.renewed", subscription, data)


def _record(name: str, key: str, data: object) -> IncomingRecord:
    contract = billing.CONTRACTS[name]
    headers, value = encode(
        contract,
        id=f"letter {uuid4()}",
        source="/billing",
        subject=key,
        time=AT,
        sequence=None,
        correlation_id=None,
        causation_id=None,
        data=data,
    )
    return IncomingRecord("kafka/test/B/0", contract.topic, 0, next(_offsets), key.encode(), headers, value)


def with_value(record: IncomingRecord, value: bytes | None) -> IncomingRecord:
    """The same with another value."""
    return msgspec.structs.replace(record, value=value)


def again(record: IncomingRecord) -> IncomingRecord:
    """The same once more, at a later place of its topic."""
    return msgspec.structs.replace(record, offset=next(_offsets))


def put_in_its_way(runtime: ServiceRuntime, *records: IncomingRecord) -> Sequence[int]:
    """Let a service hear records that it cannot use; the ids of the dead letters, in their order."""
    before = parked_page(runtime.store, limit=10_000)
    runtime.intake.accept(records)
    found = parked_page(runtime.store, after=before[-1].id if before else 0, limit=10_000)
    assert [p.offset for p in found] == [r.offset for r in records]
    return [p.id for p in found]
