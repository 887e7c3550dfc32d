"""Mail: written down with the event that calls for it, sent afterwards, retried until it is (N5, N6).

Over SMTP at least once, under a Message-ID made from the key, so that a repetition is seen as one; into the home's
mailbox exactly once. One copy of a service sends. Just before, the service judges whether the mail is still so (N10).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from trunkline.availability import Availability
from trunkline.clock import Clock
from trunkline.errors import Refused
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.failed_items import BACK_OFF, cause_of, concerns_item
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.security.authorization import NothingThere
from trunkline.text import storable

PAGE = 100

MailState = Literal["waiting", "sent", "failed", "dropped", "discarded"]
"""`dropped`: what it announced is not so any more; `discarded`: a person has given it up."""


class Mail(msgspec.Struct, frozen=True, gc=False):
    """One mail to one recipient.

    Attributes:
        key: what it announces and to whom, such as `reservation-ending/+6512345678/2026-04-01T00:00:00Z`: never
            sent twice.
        recipient: an address; None where none is known, so that it is on record as failed.
    """

    key: str
    recipient: str | None
    subject: str
    body: str


class MailRow(msgspec.Struct, frozen=True, gc=False):
    """A mail as the table has it."""

    key: str
    recipient: str | None
    subject: str
    body: str
    created_at: datetime
    state: MailState
    attempts: int
    next_try_at: datetime | None
    last_error: str | None
    sent_at: datetime | None


class Judgement(NamedTuple):
    """What a mail that waits is worth now.

    Attributes:
        recipient: to whom it goes now; None where no address is known.
        dropped: why it is not sent any more; None: it is.
    """

    recipient: str | None
    dropped: str | None = None


Judge = Callable[[UnitOfWork, Sequence[MailRow]], Mapping[str, Judgement]]
"""Looks at mails just before they are sent; a key that is left out goes as it was written."""


@dataclass(frozen=True)
class Result:
    """What became of a try. `error` None: it was sent; `final`: trying again cannot help; `dropped`: nor need it."""

    error: str | None = None
    final: bool = False
    dropped: bool = False


class Unreachable(Exception):
    """The post office is closed: nothing of this page was tried from here on."""


class MailTransport(Protocol):
    """Where mail is handed in: an SMTP server, or the home's mailbox."""

    def deliver(self, mails: Sequence[MailRow], done: Done) -> None:
        """Hand in one mail after another, and say what became of each at once.

        Raises:
            Unreachable: with a sentence; the rest of the mails was not tried.
        """
        ...


class Done(Protocol):
    """Takes what became of a mail."""

    def __call__(self, mail: MailRow, result: Result) -> None:
        """Put the result on record."""
        ...


def post(uow: UnitOfWork, mails: Sequence[Mail]) -> None:
    """Write mails down in a piece of work; a key that is there already is left alone."""
    uow.write(
        "INSERT INTO mail (key, recipient, subject, body, created_at, state, next_try_at, last_error)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (key) DO NOTHING",
        [
            (m.key, m.recipient, m.subject, m.body, uow.now, "waiting", uow.now, None)
            if m.recipient
            else (m.key, None, m.subject, m.body, uow.now, "failed", None, "no address is known")
            for m in mails
        ],
    )


_FIELDS = ", ".join(MailRow.__struct_fields__)


def list_mail(
    store: Store, limit: int = 100, state: str | None = None, before: tuple[datetime, str] | None = None
) -> list[MailRow]:
    """Mails, newest first.

    Args:
        store: whose.
        limit: how many at most.
        state: only those in this state.
        before: (created_at, key) of the last one already seen.
    """
    where, params = ["true"], list[object]()
    if state is not None:
        where.append("state = %s")
        params.append(state)
    if before is not None:
        where.append("(created_at, key) < (%s, %s)")
        params += before
    rows = store.fetch(
        f"SELECT {_FIELDS} FROM mail WHERE {' AND '.join(where)} ORDER BY created_at DESC, key DESC LIMIT %s",
        (*params, limit),
    )
    return [MailRow(*row) for row in rows]


def find_mail(store: Store, key: str) -> MailRow | None:
    """One mail by its key."""
    rows = store.fetch(f"SELECT {_FIELDS} FROM mail WHERE key = %s", (key,))
    return MailRow(*rows[0]) if rows else None


class MailNotWaiting(Refused):
    """The mail {key} is {state}, so it cannot be {verb}: only one that is waiting, failed or discarded can."""


def retry_mail(uow: UnitOfWork, key: str) -> None:
    """Let a mail be tried again at once.

    Raises:
        NothingThere: there is no such mail.
        MailNotWaiting: it was sent, or is not worth sending any more.
    """
    _resolve(uow, key, "retried", "state = 'waiting', next_try_at = %s", uow.now)


def discard_mail(uow: UnitOfWork, key: str, remark: str) -> None:
    """Give a mail up: it stays on record and is never sent unless it is retried. Raises as `retry_mail`."""
    _resolve(uow, key, "discarded", "state = 'discarded', next_try_at = NULL, last_error = %s", f"discarded: {remark}")


def _resolve(uow: UnitOfWork, key: str, verb: str, change: str, value: object) -> None:
    found = uow.fetch("SELECT state FROM mail WHERE key = %s", (key,))
    if not found:
        raise NothingThere(key=key)
    ((state,),) = found
    if state in ("sent", "dropped"):
        raise MailNotWaiting(key=key, state=state, verb=verb)
    uow.write(f"UPDATE mail SET {change} WHERE key = %s AND state NOT IN ('sent', 'dropped')", [(value, key)])


class MailSender:
    """Hands waiting mail to the post office. Synchronous: run it in a thread."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        office: MailTransport,
        leader_election: LeaderElection | None = None,
        judge: Judge | None = None,
    ) -> None:
        """Prepare.

        Args:
            store: where the mail lies.
            clock: the service's.
            office: takes the mail.
            leader_election: the process's; None makes its own.
            judge: the service's: whether a mail is still worth sending, and to whom; None: always, as written.
        """
        self._store = store
        self._clock = clock
        self._office = office
        self._leader_election = leader_election or LeaderElection(store.url)
        self._judge = judge
        self._server = Availability("where mail is handed in")
        self._closed = 0
        self._opens_at: datetime | None = None

    def step(self) -> int:
        """Try the mails that are due; how many were sent or given up, 0 where there are none or another copy sends.

        A mail that fails is tried again later, or never where that cannot help; the others go on.
        """
        if not self._leader_election.hold("mail"):
            return 0
        now = self._clock.now()
        if self._opens_at is not None and now < self._opens_at:
            return 0
        due = self._due(now)
        if not due:
            return 0
        left = {mail.key: mail for mail in due}
        settled = 0

        def done(mail: MailRow, result: Result) -> None:
            nonlocal settled
            settled += result.error is None or result.final or result.dropped
            left.pop(mail.key, None)
            self._record(mail, result)

        try:
            self._office.deliver(self._judged(due, done), done)
        except Unreachable as away:
            self._server.mark_lost(away)
            self._close(list(left.values()), str(away))
        except Exception as error:
            if not concerns_item(error) or not left:
                raise
            done(next(iter(left.values())), Result(cause_of(error)))  # mails are tried in order: it was the first left
        else:
            self._server.mark_restored()
            self._closed, self._opens_at = 0, None
        return settled

    def resign(self) -> None:
        """Let another copy of the service do it."""
        self._leader_election.resign()

    def _due(self, now: datetime) -> list[MailRow]:
        rows = self._store.fetch(
            f"SELECT {_FIELDS} FROM mail WHERE state = 'waiting' AND next_try_at <= %s"
            " ORDER BY next_try_at, key LIMIT %s",
            (now, PAGE),
        )
        return [MailRow(*row) for row in rows]

    def _judged(self, due: Sequence[MailRow], done: Done) -> list[MailRow]:
        """The mails to send of those that are due, each to whom it concerns now; the others are settled here."""
        judged = self._judgements(due, done)
        mails: list[MailRow] = []
        for mail in due:
            judgement = judged.get(mail.key, Judgement(mail.recipient))
            if judgement is _FAILED:
                continue
            if judgement.dropped is not None:
                done(mail, Result(judgement.dropped, dropped=True))
            elif judgement.recipient is None:
                done(mail, Result("no address is known", final=True))
            else:
                mails.append(msgspec.structs.replace(mail, recipient=judgement.recipient))
        return mails

    def _judgements(self, due: Sequence[MailRow], done: Done) -> Mapping[str, Judgement]:
        """All judged at once, one after another where that fails: one that cannot be judged is tried again later."""
        if self._judge is None:
            return {}
        try:
            return self._judge(UnitOfWork(self._store, self._clock.now()), due)
        except Exception as error:
            if not concerns_item(error):
                raise
            if len(due) == 1:
                done(due[0], Result(cause_of(error)))
                return {due[0].key: _FAILED}
        found: dict[str, Judgement] = {}
        for mail in due:
            found.update(self._judgements([mail], done))
        return found

    def _record(self, mail: MailRow, result: Result) -> None:
        """What became of one mail; at once, since a lost record of a mail sent would send it again."""
        now = self._clock.now()
        error = None if result.error is None else storable(result.error)  # a server answers in any bytes
        values: tuple[object, ...] = (error,)
        if result.error is None:
            change, values = "state = 'sent', sent_at = %s, next_try_at = NULL, last_error = NULL", (now,)
        elif result.dropped:
            change = "state = 'dropped', next_try_at = NULL, last_error = %s"
        elif result.final:
            change = "state = 'failed', next_try_at = NULL, last_error = %s"
        else:
            wait = BACK_OFF[min(mail.attempts, len(BACK_OFF) - 1)]
            change, values = "next_try_at = %s, last_error = %s", (now + wait, error)
        with self._store.connection() as conn:
            conn.execute(
                f"UPDATE mail SET attempts = attempts + %s, recipient = %s, {change}"
                " WHERE key = %s AND state = 'waiting'".encode(),
                (0 if result.dropped else 1, mail.recipient, *values, mail.key),
            )

    def _close(self, left: Sequence[MailRow], why: str) -> None:
        """Nobody answers: wait before the next try, the longer the more often; the mails show why they wait."""
        self._opens_at = self._clock.now() + BACK_OFF[min(self._closed, len(BACK_OFF) - 1)]
        self._closed += 1
        with self._store.connection() as conn:
            conn.execute(
                b"UPDATE mail SET last_error = %s WHERE key = ANY(%s) AND state = 'waiting'",
                (storable(why), [mail.key for mail in left]),
            )


_FAILED: Final = Judgement(None, "it could not be judged")
