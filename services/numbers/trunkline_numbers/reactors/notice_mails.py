"""A notice is due: write the mail that tells it (N5, N6).

A mail that waited is judged again when it is sent (`judge`). This follows the service's own log, beside the views: no
rebuild and no replay ever mails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from trunkline.clock import instant, rfc3339
from trunkline.eventstore.recorded_event import RecordedEvent, stored_name
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.mail.outbox import Judgement, Mail, MailRow, post
from trunkline_numbers.domain.number.events import LockEnding, LockExpired, ReservationEnding
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Locked, Number, Reserved
from trunkline_numbers.domain.party_replica import PARTY, PLATFORM, PartyReceived

FOLLOWER = "notices"
NAMES = tuple(stored_name(kind) for kind in (ReservationEnding, LockEnding, LockExpired))
"""The stored events that are told by mail."""


def handle(uow: UnitOfWork, page: Sequence[RecordedEvent]) -> None:
    """Write the mails of a page of `NAMES` events.

    Args:
        uow: parties and numbers are read, mails written; nothing is recorded.
        page: as the log has them.
    """
    _load(uow, page)
    post(uow, [mail for event in page for mail in _mails(uow, event)])


def _load(uow: UnitOfWork, page: Iterable[RecordedEvent]) -> None:
    """Read whoever may have to be told, in three queries."""
    locks = [event.key for event in page if not isinstance(event.event, ReservationEnding)]
    reservers = [event.event.reserver_id for event in page if isinstance(event.event, ReservationEnding)]
    uow.load((NUMBER, key) for key in locks)
    owners = [owner for key in locks for owner in _owners(uow.state(NUMBER, key))]
    uow.load((PARTY, key) for key in [PLATFORM, *reservers, *owners])
    above = [details.partner_id for key in owners if (details := _heard(uow, key)) is not None]
    uow.load((PARTY, key) for key in above if key is not None)


def judge(uow: UnitOfWork, mails: Sequence[MailRow]) -> dict[str, Judgement]:
    """Whether mails that waited are still so, and to whom they go now (N10).

    An early notice is dropped once its end has passed, or where the number is not kept or locked until that end any
    more. The notice that a lock has ended always goes. Addresses are those of now.

    Args:
        uow: parties and numbers are read; nothing is written.
        mails: of any kind; those that are no notices are left out of the answer.
    """
    notices = [(mail, notice) for mail in mails if (notice := _notice_of(mail.key)) is not None]
    uow.load((NUMBER, notice.number) for _, notice in notices)
    numbers = [uow.state(NUMBER, notice.number) for _, notice in notices]
    reservers = [n.life.reserver_id for n in numbers if isinstance(n.life, Reserved)]
    owners = [owner for n in numbers for owner in _owners(n)]
    uow.load((PARTY, key) for key in [PLATFORM, *reservers, *owners])
    above = [details.partner_id for key in owners if (details := _heard(uow, key)) is not None]
    uow.load((PARTY, key) for key in above if key is not None)
    return {mail.key: _judged(uow, mail, notice) for mail, notice in notices}


class _Notice(NamedTuple):
    """What the key of a mail says."""

    kind: str
    number: str
    at: datetime
    side: str


def _notice_of(key: str) -> _Notice | None:
    kind, _, rest = key.partition("/")
    number, _, rest = rest.partition("/")
    at, _, side = rest.partition("/")
    if kind not in ("reservation-ending", "lock-ending", "lock-expired"):
        return None
    return _Notice(kind, number, instant(at), side)


def _judged(uow: UnitOfWork, mail: MailRow, notice: _Notice) -> Judgement:
    n = uow.state(NUMBER, notice.number)
    if notice.kind == "lock-expired":
        return Judgement(_support_address(uow, n, notice.side) or mail.recipient)
    wanted = Reserved if notice.kind == "reservation-ending" else Locked
    life = n.life
    if not isinstance(life, wanted) or life.ends_at != notice.at:
        return Judgement(mail.recipient, f"{notice.number} is {n.state} and not until {rfc3339(notice.at)} any more")
    if notice.at <= uow.now:
        return Judgement(mail.recipient, f"its end, {rfc3339(notice.at)}, has passed")
    if isinstance(life, Reserved):
        return Judgement(_address_of_reserver(_heard(uow, life.reserver_id)))
    return Judgement(_support_address(uow, n, notice.side))


def _address_of_reserver(reserver: PartyReceived | None) -> str | None:
    if reserver is None:
        return None
    return reserver.billing_email if reserver.kind == "organization" else reserver.owner_email


def _support_address(uow: UnitOfWork, n: Number, side: str) -> str | None:
    party = _partner_of(uow, n) if side == "partner" else _heard(uow, PLATFORM)
    return None if party is None else party.support_email


def _mails(uow: UnitOfWork, event: RecordedEvent) -> Iterator[Mail]:
    match event.event:
        case ReservationEnding() as e:
            yield _reservation_ending(uow, event.key, e)
        case LockEnding() as e:
            ends = _words(e.ends_at)
            subject = f"The lock of {event.key} ends on {ends}"
            body = f"{event.key} is locked until {ends}. Then it is available again, unless it is deleted before.\n"
            yield from _to_support(uow, f"lock-ending/{event.key}/{rfc3339(e.ends_at)}", event.key, subject, body)
        case LockExpired() as e:
            ended = _words(e.at)
            subject = f"The lock of {event.key} has ended"
            body = f"The lock of {event.key} ended on {ended}. The number is available again.\n"
            yield from _to_support(uow, f"lock-expired/{event.key}/{rfc3339(e.at)}", event.key, subject, body)


def _reservation_ending(uow: UnitOfWork, number: str, e: ReservationEnding) -> Mail:
    """To the reserver: an organization at its billing address, a partner at its owner's (N5)."""
    details = _heard(uow, e.reserver_id)
    ends = _words(e.ends_at)
    return Mail(
        f"reservation-ending/{number}/{rfc3339(e.ends_at)}",
        _address_of_reserver(details),
        f"The reservation of {number} ends on {ends}",
        f"{number} is reserved for {details.name if details else e.reserver_id} until {ends}.\n"
        "Then it is released, unless it is assigned or the reservation is extended before.\n",
    )


def _to_support(uow: UnitOfWork, key: str, number: str, subject: str, body: str) -> Iterator[Mail]:
    """To the support of the partner in whose branch the number is, and to the platform's (N6)."""
    partner = _partner_of(uow, uow.state(NUMBER, number))
    platform = _heard(uow, PLATFORM)
    address = platform.support_email if platform else None
    if partner is not None and partner.support_email != address:
        yield Mail(f"{key}/partner", partner.support_email, subject, body)
    yield Mail(f"{key}/platform", address, subject, body)


def _partner_of(uow: UnitOfWork, n: Number) -> PartyReceived | None:
    """The partner whose branch holds the number, else the one whose branch uploaded it."""
    for owner in _owners(n):
        details = _heard(uow, owner)
        if details is not None and details.kind == "organization" and details.partner_id is not None:
            details = _heard(uow, details.partner_id)
        if details is not None and details.kind == "partner":
            return details
    return None


def _owners(n: Number) -> list[str]:
    return [party for party in (n.holder_id, n.uploader_id) if party is not None]


def _heard(uow: UnitOfWork, party_id: str) -> PartyReceived | None:
    return uow.state(PARTY, party_id).details


def _words(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
