"""When mail is handed in: over SMTP at least once and under one id, into the mailbox exactly once (N5, N6)."""

from __future__ import annotations

import email
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr
from structlog.testing import capture_logs

from tests.inventory import Inventory
from trunkline.eventstore.failed_items import BACK_OFF
from trunkline.eventstore.unit_of_work import run
from trunkline.mail.outbox import Done, Mail, MailRow, MailSender, MailTransport, Result, Unreachable, post
from trunkline.mail.transports import Mailbox, SmtpServer, _short, open_post_office

SENDER = "Trunkline <no-reply@trunkline.example>"


class Server:
    """An SMTP server that refuses some addresses, and that can be down."""

    def __init__(self) -> None:
        self.accepted: list[Message] = []
        self.answers: dict[str, str] = {}
        self.breaks_on: str | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._controller: Controller | None = None

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"smtp://127.0.0.1:{self.port}")

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Sequence[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        if address == self.breaks_on:
            server.transport.abort()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.accepted.append(email.message_from_bytes(envelope.content or b""))
        return "250 taken"

    @property
    def recipients(self) -> list[str]:
        return [str(message["To"]) for message in self.accepted]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


class Outbox:
    """Mails in the store, and a sender with one post office."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.senders: list[MailSender] = []

    def sender(self, office: MailTransport) -> MailSender:
        self.senders.append(MailSender(self.inventory.store, self.inventory.clock, office))
        return self.senders[-1]

    def post(self, *names: str) -> None:
        mails = [Mail(f"test/+65/{name}", f"{name}@acme.example", f"Dear {name}", "It ends soon.\n") for name in names]
        run(self.inventory.store, self.inventory.clock.now, lambda uow: post(uow, mails))

    def row(self, name: str) -> MailRow:
        return next(mail for mail in self.inventory.mails() if mail.key == f"test/+65/{name}")


@pytest.fixture
def outbox(inventory: Inventory) -> Iterator[Outbox]:
    made = Outbox(inventory)
    yield made
    for sender in made.senders:
        sender.resign()


def test_each_is_sent_once_with_an_id_made_from_its_key(outbox: Outbox, server: Server) -> None:
    """N5: written twice under one key, it is one mail; the id would be the same again."""
    server.start()
    outbox.post("ann", "bob")
    outbox.post("ann")
    sender = outbox.sender(SmtpServer(server.url, SENDER))
    assert sender.step() == 2
    assert sender.step() == 0
    assert server.recipients == ["ann@acme.example", "bob@acme.example"]
    first = server.accepted[0]
    assert (first["From"], first["Subject"], first["Auto-Submitted"]) == (SENDER, "Dear ann", "auto-generated")
    assert first.get_payload() == "It ends soon.\r\n"
    ids = [str(m["Message-ID"]) for m in server.accepted]
    assert ids[0] != ids[1]
    assert all(i.endswith("@trunkline.example>") for i in ids)
    assert outbox.row("ann").state == "sent"
    assert outbox.row("ann").sent_at == outbox.inventory.clock.now()


def test_while_the_server_is_down_all_waits_and_then_goes(outbox: Outbox, server: Server) -> None:
    """N5: nothing is lost and nothing is sent twice; the pauses grow up to an hour."""
    outbox.post("ann", "bob")
    sender = outbox.sender(SmtpServer(server.url, SENDER))
    with capture_logs() as logs:
        for pause in (*BACK_OFF, BACK_OFF[-1]):
            fails_until(outbox, sender, server, pause)
    assert [entry["what"] for entry in logs] == ["where mail is handed in"], "O8: one line, however often it is tried"
    server.start()
    assert sender.step() == 2
    assert server.recipients == ["ann@acme.example", "bob@acme.example"]
    assert (outbox.row("ann").state, outbox.row("ann").last_error) == ("sent", None)


def fails_until(outbox: Outbox, sender: MailSender, server: Server, pause: timedelta) -> None:
    """The server is down, and up again just before the next try is due."""
    assert sender.step() == 0
    assert "does not take mail" in (outbox.row("bob").last_error or "")
    outbox.inventory.clock.advance(pause - timedelta(microseconds=1))
    server.start()
    assert sender.step() == 0  # not before its time, even if the server is back
    server.stop()
    outbox.inventory.clock.advance(timedelta(microseconds=1))


def test_one_bad_address_holds_up_nobody(outbox: Outbox, server: Server) -> None:
    """N5: refused for good is failed, refused for now is tried again, the others go."""
    server.answers = {"gone@acme.example": "550 no such user", "full@acme.example": "452 mailbox full"}
    server.start()
    outbox.post("ann", "full", "gone", "zoe")
    sender = outbox.sender(SmtpServer(server.url, SENDER))
    assert sender.step() == 3
    assert server.recipients == ["ann@acme.example", "zoe@acme.example"]
    assert (outbox.row("gone").state, outbox.row("gone").last_error) == ("failed", "550 no such user")
    assert (outbox.row("full").state, outbox.row("full").attempts) == ("waiting", 1)
    del server.answers["full@acme.example"]
    assert sender.step() == 0
    outbox.inventory.clock.advance(BACK_OFF[0])
    assert sender.step() == 1
    assert server.recipients[-1] == "full@acme.example"


def test_one_that_breaks_the_connection_lets_the_others_go_first(outbox: Outbox, server: Server) -> None:
    """N5: it is tried again later, behind them."""
    server.breaks_on = "bad@acme.example"
    server.start()
    outbox.post("ann", "bad", "zoe")
    sender = outbox.sender(SmtpServer(server.url, SENDER))
    assert sender.step() == 2, "the next one has a connection of its own, at once"
    outbox.inventory.clock.advance(BACK_OFF[0])
    sender.step()
    assert server.recipients == ["ann@acme.example", "zoe@acme.example"]
    assert outbox.row("bad").state == "waiting"


class Foreign:
    """Refuses one recipient in words that no database keeps, and takes the others."""

    def deliver(self, mails: Sequence[MailRow], done: Done) -> None:
        for mail in mails:
            bad = (mail.recipient or "").startswith("bad")
            done(mail, Result("550 bo\udceete\0 inconnue", final=True) if bad else Result())


def test_a_refusal_in_any_bytes_is_on_record_and_holds_up_nobody(outbox: Outbox) -> None:
    """N5, O8: a server may answer in Latin-1, or with a null character; neither is the next mail's fault."""
    outbox.post("ann", "bad", "zoe")
    assert outbox.sender(Foreign()).step() == 3
    assert [outbox.row(name).state for name in ("ann", "bad", "zoe")] == ["sent", "failed", "sent"]
    assert outbox.row("bad").last_error == "550 bo\\udceete␀ inconnue"


def test_an_answer_in_latin_1_is_read_as_such() -> None:
    """N5: as the SMTP client hands it over, with what is no UTF-8 as halves of surrogate pairs."""
    assert _short("bo\udceete inconnue") == "bo\u00eete inconnue"
    assert _short("x\ud83dy") == "x\ud83dy"
    assert _short("bo\u00eete\nand more") == "bo\u00eete"


def test_only_one_copy_sends(outbox: Outbox, tmp_path: Path) -> None:
    """N5: the other takes over when it goes."""
    outbox.post("ann")
    first, second = (outbox.sender(Mailbox(tmp_path, SENDER)) for _ in range(2))
    assert first.step() == 1
    outbox.post("bob")
    assert second.step() == 0
    first.resign()
    assert second.step() == 1


class Killed(BaseException):
    """The process ends here."""


class DiesAfter:
    """A post office whose process is killed when a mail was taken and not yet put on record."""

    def __init__(self, office: MailTransport) -> None:
        self._office = office

    def deliver(self, mails: Sequence[MailRow], done: Done) -> None:
        def killed(mail: MailRow, result: Result) -> None:
            raise Killed

        self._office.deliver(mails, killed)


def test_a_crash_between_leaves_one_file_in_the_mailbox(outbox: Outbox, tmp_path: Path) -> None:
    """N5: mailbox files, named by the key, are exactly once."""
    box = Mailbox(tmp_path / "mailbox", SENDER)
    outbox.post("ann", "bob")
    dying = outbox.sender(DiesAfter(box))
    with pytest.raises(Killed):
        dying.step()
    dying.resign()
    written = box.path("test/+65/ann").stat()
    assert outbox.sender(box).step() == 2
    assert box.path("test/+65/ann").stat() == written
    assert sorted(p.name for p in (tmp_path / "mailbox").iterdir()) == ["test_+65_ann.eml", "test_+65_bob.eml"]
    read = email.message_from_bytes(box.path("test/+65/bob").read_bytes())
    assert (read["To"], read["Subject"]) == ("bob@acme.example", "Dear bob")
    assert (tmp_path / "mailbox").stat().st_mode & 0o077 == 0


def test_a_crash_between_repeats_a_mail_under_the_same_id(outbox: Outbox, server: Server) -> None:
    """Over SMTP at least once."""
    server.start()
    outbox.post("ann")
    dying = outbox.sender(DiesAfter(SmtpServer(server.url, SENDER)))
    with pytest.raises(Killed):
        dying.step()
    dying.resign()
    assert outbox.sender(SmtpServer(server.url, SENDER)).step() == 1
    once, again = server.accepted
    assert once["Message-ID"] == again["Message-ID"]
    assert once["Date"] == again["Date"]


def test_a_mailbox_that_cannot_be_written_says_so(outbox: Outbox, tmp_path: Path) -> None:
    """N5: the mails wait, and show why."""
    (tmp_path / "mailbox").write_text("a file where the folder should be")
    outbox.post("ann")
    assert outbox.sender(Mailbox(tmp_path / "mailbox", SENDER)).step() == 0
    assert "cannot be written" in (outbox.row("ann").last_error or "")


def test_the_settings_choose_the_post_office(tmp_path: Path, server: Server) -> None:
    """Without TRUNKLINE_SMTP_URL mail is kept as files."""
    assert isinstance(open_post_office(None, SENDER, tmp_path), Mailbox)
    assert isinstance(open_post_office(server.url, SENDER, tmp_path), SmtpServer)


def test_a_password_is_not_in_what_is_recorded() -> None:
    """Secrets never reach a log or an error."""
    office = SmtpServer(SecretStr("smtp://user:secret@127.0.0.1:1"), SENDER)

    def nothing(mail: MailRow, result: Result) -> None:
        raise AssertionError

    at = datetime(2026, 3, 1, tzinfo=UTC)
    mail = MailRow("k", "ann@acme.example", "s", "b", at, "waiting", 0, at, None, None)
    with pytest.raises(Unreachable) as away:
        office.deliver([mail], nothing)
    assert "secret" not in str(away.value)
