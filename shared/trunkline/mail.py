"""Mail: written down with the event that calls for it, sent afterwards, retried until it is (N5, N6).

Over SMTP at least once, under a Message-ID made from the key, so that a repetition is seen as one; into the home's
mailbox exactly once. One copy of a service sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

import msgspec

from trunkline.clock import Clock
from trunkline.duties import Duties
from trunkline.store import Store
from trunkline.work import Work

BACK_OFF = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 3600))
"""Between two tries; the last one is repeated."""
PAGE = 100


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
    state: Literal["waiting", "sent", "failed"]
    attempts: int
    next_try_at: datetime | None
    last_error: str | None
    sent_at: datetime | None


@dataclass(frozen=True)
class Result:
    """What became of a try. `error` None: it was sent; `final`: trying again cannot help."""

    error: str | None = None
    final: bool = False


class Unreachable(Exception):
    """The post office is closed: nothing of this page was tried from here on."""


class PostOffice(Protocol):
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


def post(work: Work, mails: Sequence[Mail]) -> None:
    """Write mails down in a piece of work; a key that is there already is left alone."""
    work.write(
        "INSERT INTO mail (key, recipient, subject, body, created_at, state, next_try_at, last_error)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (key) DO NOTHING",
        [
            (m.key, m.recipient, m.subject, m.body, work.now, "waiting", work.now, None)
            if m.recipient
            else (m.key, None, m.subject, m.body, work.now, "failed", None, "no address is known")
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


class MailSender:
    """Hands waiting mail to the post office. Synchronous: run it in a thread."""

    def __init__(self, store: Store, clock: Clock, office: PostOffice, duties: Duties | None = None) -> None:
        """Prepare.

        Args:
            store: where the mail lies.
            clock: the service's.
            office: takes the mail.
            duties: the process's duties; None makes its own.
        """
        self._store = store
        self._clock = clock
        self._office = office
        self._duties = duties or Duties(store.url)
        self._closed = 0
        self._opens_at: datetime | None = None

    def step(self) -> int:
        """Try the mails that are due; how many were sent or given up, 0 where there are none or another copy sends."""
        if not self._duties.hold("mail"):
            return 0
        now = self._clock.now()
        if self._opens_at is not None and now < self._opens_at:
            return 0
        due = self._due(now)
        settled = 0

        def done(mail: MailRow, result: Result) -> None:
            nonlocal settled
            settled += result.error is None or result.final
            self._record(mail, result)

        if not due:
            return 0
        try:
            self._office.deliver(due, done)
        except Unreachable as away:
            self._close(due, str(away))
        else:
            self._closed, self._opens_at = 0, None
        return settled

    def resign(self) -> None:
        """Let another copy of the service do it."""
        self._duties.resign()

    def next_try(self) -> datetime | None:
        """When something is to be tried next; None: nothing waits."""
        found: datetime | None = self._store.fetch("SELECT min(next_try_at) FROM mail WHERE state = 'waiting'")[0][0]
        return found if found is None or self._opens_at is None else max(found, self._opens_at)

    def _due(self, now: datetime) -> list[MailRow]:
        rows = self._store.fetch(
            f"SELECT {_FIELDS} FROM mail WHERE state = 'waiting' AND next_try_at <= %s"
            " ORDER BY next_try_at, key LIMIT %s",
            (now, PAGE),
        )
        return [MailRow(*row) for row in rows]

    def _record(self, mail: MailRow, result: Result) -> None:
        """What became of one mail; at once, since a lost record of a mail sent would send it again."""
        now = self._clock.now()
        if result.error is None:
            change, values = "state = 'sent', sent_at = %s, next_try_at = NULL, last_error = NULL", (now,)
        elif result.final:
            change, values = "state = 'failed', next_try_at = NULL, last_error = %s", (result.error,)  # type: ignore[assignment]
        else:
            wait = BACK_OFF[min(mail.attempts, len(BACK_OFF) - 1)]
            change, values = "next_try_at = %s, last_error = %s", (now + wait, result.error)  # type: ignore[assignment]
        with self._store.connection() as conn:
            conn.execute(
                f"UPDATE mail SET attempts = attempts + 1, {change} WHERE key = %s AND state = 'waiting'".encode(),
                (*values, mail.key),
            )

    def _close(self, due: Sequence[MailRow], why: str) -> None:
        """Nobody answers: wait before knocking again, the longer the more often; the mails show why they wait."""
        self._opens_at = self._clock.now() + BACK_OFF[min(self._closed, len(BACK_OFF) - 1)]
        self._closed += 1
        with self._store.connection() as conn:
            conn.execute(
                b"UPDATE mail SET last_error = %s WHERE key = ANY(%s) AND state = 'waiting'",
                (why, [mail.key for mail in due]),
            )
