"""One organization with people, numbers and licenses for all of them, and a file that assigns them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.servers import Databases
from bench.speech import Ids, billed, party
from bench.world import Subscription, _add_numbers, _parties, _start, hear, open_store, outbox, settle
from trunkline.contracts import billing, parties
from trunkline.messaging.records import OutgoingRecord
from trunkline_licensing.wiring import service as licensing_service
from trunkline_numbers.wiring import service as numbers_service

ADDONS = ("team_chat", "device_web_rtc")


@dataclass(frozen=True)
class Office:
    """Two prepared databases, to be copied.

    Attributes:
        licensing_url, numbers_url: nobody is connected to them.
        file: a row for each person, with a number.
    """

    licensing_url: str
    numbers_url: str
    organization_id: str
    size: int
    file: bytes


def build(databases: Databases, size: int) -> Office:
    """Make the organization through the services' own intakes.

    Args:
        databases: where.
        size: how many people, each with a number to get.
    """
    ids = Ids(6)
    at = (datetime.now(UTC) - timedelta(days=30)).replace(microsecond=0)
    partner, organization = ids(), ids()
    numbers = [f"+65{61_000_000 + place}" for place in range(size)]
    licensing, numbering = licensing_service(), numbers_service()
    office = Office(databases.create(), databases.create(), organization, size, _file(numbers))
    store, numbers_store = open_store(office.licensing_url, licensing), open_store(office.numbers_url, numbering)
    hear(store, licensing, _parties(ids, at, partner, [organization]), "parties")
    hear(store, licensing, [_person(ids, at, organization, place) for place in range(size)], "people")
    _add_numbers(numbers_store, numbers, at)
    bought = [_start(ids, at, Subscription(ids(), organization, number)) for number in numbers]
    licenses = [_licenses(ids, at, organization, code, size) for code in ("phone_system", *ADDONS)]
    hear(store, licensing, [*bought, *licenses], "starts")
    hear(numbers_store, numbering, list(outbox(store, licensing, 0)), "licensing")
    settle(databases, store, licensing)
    settle(databases, numbers_store, numbering)
    return office


def _file(numbers: list[str]) -> bytes:
    rows = (f"{10_000 + place},{_name(place)},{number},\r\n" for place, number in enumerate(numbers))
    return f"Ext Key,User's Name,Number,Subscription Reference\r\n{''.join(rows)}".encode()


def _name(index: int) -> str:
    return f"Person {index:05}"


def _person(ids: Ids, at: datetime, organization: str, index: int) -> OutgoingRecord:
    data = parties.IdentityRegistered(
        identity_id=ids(), organization_id=organization, name=_name(index), email="p@customer.example", role="member"
    )
    return party("identity", ids, at, data)


def _licenses(ids: Ids, at: datetime, organization: str, code: str, quantity: int) -> OutgoingRecord:
    data = billing.LicenseStarted(
        subscription_id=ids(), organization_id=organization, license_code=code, quantity=quantity
    )
    return billed("started", ids, at, 1, data)
