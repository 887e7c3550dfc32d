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
from trunkline_numbers.domain.party_replica import PARTY, PLATFORM, PartyHeard

FOLLOWER = "notices"
NAMES = tuple(stored_name(kind) for kind in (ReservationEnding, LockEnding, LockExpired))
"""The stored events that are told by mail."""


def react(work: UnitOfWork, page: Sequence[RecordedEvent]) -> None:
    """Write the mails of a page of `NAMES` events.

    Args:
        work: parties and numbers are read, mails written; nothing is recorded.
        page: as the log has them.
    """
    _load(work, page)
    post(work, [mail for event in page for mail in _mails(work, event)])


def _load(work: UnitOfWork, page: Iterable[RecordedEvent]) -> None:
    """Read whoever may have to be told, in three queries."""
    locks = [event.key for event in page if not isinstance(event.event, ReservationEnding)]
    reservers = [event.event.reserver_id for event in page if isinstance(event.event, ReservationEnding)]
    work.load((NUMBER, key) for key in locks)
    owners = [owner for key in locks for owner in _owners(work.state(NUMBER, key))]
    work.load((PARTY, key) for key in [PLATFORM, *reservers, *owners])
    above = [heard.partner_id for key in owners if (heard := _heard(work, key)) is not None]
    work.load((PARTY, key) for key in above if key is not None)


def judge(work: UnitOfWork, mails: Sequence[MailRow]) -> dict[str, Judgement]:
    """Whether mails that waited are still so, and to whom they go now (N10).

    An early notice is dropped once its end has passed, or where the number is not kept or locked until that end any
    more. The notice that a lock has ended always goes. Addresses are those of now.

    Args:
        work: parties and numbers are read; nothing is written.
        mails: of any kind; those that are no notices are left out of the answer.
    """
    notices = [(mail, notice) for mail in mails if (notice := _notice_of(mail.key)) is not None]
    work.load((NUMBER, notice.number) for _, notice in notices)
    numbers = [work.state(NUMBER, notice.number) for _, notice in notices]
    reservers = [n.life.reserver_id for n in numbers if isinstance(n.life, Reserved)]
    owners = [owner for n in numbers for owner in _owners(n)]
    work.load((PARTY, key) for key in [PLATFORM, *reservers, *owners])
    above = [heard.partner_id for key in owners if (heard := _heard(work, key)) is not None]
    work.load((PARTY, key) for key in above if key is not None)
    return {mail.key: _judged(work, mail, notice) for mail, notice in notices}


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


def _judged(work: UnitOfWork, mail: MailRow, notice: _Notice) -> Judgement:
    n = work.state(NUMBER, notice.number)
    if notice.kind == "lock-expired":
        return Judgement(_support_address(work, n, notice.side) or mail.recipient)
    wanted = Reserved if notice.kind == "reservation-ending" else Locked
    life = n.life
    if not isinstance(life, wanted) or life.ends_at != notice.at:
        return Judgement(mail.recipient, f"{notice.number} is {n.state} and not until {rfc3339(notice.at)} any more")
    if notice.at <= work.now:
        return Judgement(mail.recipient, f"its end, {rfc3339(notice.at)}, has passed")
    if isinstance(life, Reserved):
        return Judgement(_address_of_reserver(_heard(work, life.reserver_id)))
    return Judgement(_support_address(work, n, notice.side))


def _address_of_reserver(reserver: PartyHeard | None) -> str | None:
    if reserver is None:
        return None
    return reserver.billing_email if reserver.kind == "organization" else reserver.owner_email


def _support_address(work: UnitOfWork, n: Number, side: str) -> str | None:
    party = _partner_of(work, n) if side == "partner" else _heard(work, PLATFORM)
    return None if party is None else party.support_email


def _mails(work: UnitOfWork, event: RecordedEvent) -> Iterator[Mail]:
    match event.event:
        case ReservationEnding() as e:
            yield _reservation_ending(work, event.key, e)
        case LockEnding() as e:
            ends = _words(e.ends_at)
            subject = f"The lock of {event.key} ends on {ends}"
            body = f"{event.key} is locked until {ends}. Then it is available again, unless it is deleted before.\n"
            yield from _to_support(work, f"lock-ending/{event.key}/{rfc3339(e.ends_at)}", event.key, subject, body)
        case LockExpired() as e:
            ended = _words(e.at)
            subject = f"The lock of {event.key} has ended"
            body = f"The lock of {event.key} ended on {ended}. The number is available again.\n"
            yield from _to_support(work, f"lock-expired/{event.key}/{rfc3339(e.at)}", event.key, subject, body)


def _reservation_ending(work: UnitOfWork, number: str, e: ReservationEnding) -> Mail:
    """To the reserver: an organization at its billing address, a partner at its owner's (N5)."""
    heard = _heard(work, e.reserver_id)
    ends = _words(e.ends_at)
    return Mail(
        f"reservation-ending/{number}/{rfc3339(e.ends_at)}",
        _address_of_reserver(heard),
        f"The reservation of {number} ends on {ends}",
        f"{number} is reserved for {heard.name if heard else e.reserver_id} until {ends}.\n"
        "Then it is released, unless it is assigned or the reservation is extended before.\n",
    )


def _to_support(work: UnitOfWork, key: str, number: str, subject: str, body: str) -> Iterator[Mail]:
    """To the support of the partner in whose branch the number is, and to the platform's (N6)."""
    partner = _partner_of(work, work.state(NUMBER, number))
    platform = _heard(work, PLATFORM)
    address = platform.support_email if platform else None
    if partner is not None and partner.support_email != address:
        yield Mail(f"{key}/partner", partner.support_email, subject, body)
    yield Mail(f"{key}/platform", address, subject, body)


def _partner_of(work: UnitOfWork, n: Number) -> PartyHeard | None:
    """The partner whose branch holds the number, else the one whose branch uploaded it."""
    for owner in _owners(n):
        heard = _heard(work, owner)
        if heard is not None and heard.kind == "organization" and heard.partner_id is not None:
            heard = _heard(work, heard.partner_id)
        if heard is not None and heard.kind == "partner":
            return heard
    return None


def _owners(n: Number) -> list[str]:
    return [party for party in (n.holder_id, n.uploader_id) if party is not None]


def _heard(work: UnitOfWork, party_id: str) -> PartyHeard | None:
    return work.state(PARTY, party_id).heard


def _words(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
