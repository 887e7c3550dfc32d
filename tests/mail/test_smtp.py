"""When mail goes over SMTP: one mail's trouble is that mail's, and no password travels in the clear (N5)."""

from __future__ import annotations

import email
import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.policy import SMTPUTF8
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from trunkline.mail.outbox import MailRow, Result, Unreachable
from trunkline.mail.transports import Mailbox, SmtpServer
from trunkline.settings import SettingsError, load_settings

SENDER = "Trunkline <no-reply@trunkline.example>"
AT = datetime(2026, 3, 1, tzinfo=UTC)


class Server:
    """Answers as told; `closes`: after a refusal it hangs up, as some servers do."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.sender_answer = "250 OK"
        self.closes = False
        self.connections = 0
        self.accepted: list[str] = []

    async def handle_EHLO(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender_answer.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.sender_answer

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Sequence[str]
    ) -> str:
        if address in self.answers:
            if self.closes:
                server.transport.abort()
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.accepted += envelope.rcpt_tos
        return "250 taken"


@pytest.fixture(params=[True, False], ids=["smtputf8", "ascii"])
def utf8(request: pytest.FixtureRequest) -> bool:
    found: bool = request.param
    return found


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    with running(utf8=False) as found:
        yield found


class running:  # noqa: N801 - reads as a statement
    def __init__(self, *, utf8: bool) -> None:
        self.handler = Server()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.controller = Controller(self.handler, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=utf8)

    def __enter__(self) -> tuple[Server, str]:
        self.controller.start()
        return self.handler, f"smtp://127.0.0.1:{self.port}"

    def __exit__(self, *_: object) -> None:
        self.controller.stop()


def deliver(url: str, *recipients: str) -> dict[str, Result]:
    """What became of each; those not tried are left out."""
    found: dict[str, Result] = {}
    mails = [MailRow(r, r, "Dear", "It ends.\n", AT, "waiting", 0, AT, None, None) for r in recipients]
    SmtpServer(SecretStr(url), SENDER).deliver(mails, lambda mail, result: found.update({mail.key: result}))
    return found


@pytest.mark.parametrize("answer", ["450 busy", "550 no such user", "452 full", "421 go away", "553 never"])
@pytest.mark.parametrize("closes", [False, True])
def test_a_refused_recipient_does_not_slow_the_next(server: tuple[Server, str], answer: str, closes: bool) -> None:
    """N5: for now or for good, and also where the server hangs up over it."""
    handler, url = server
    handler.answers = {"bad@acme.example": answer}
    handler.closes = closes
    found = deliver(url, "ann@acme.example", "bad@acme.example", "zoe@acme.example")
    assert handler.accepted == ["ann@acme.example", "zoe@acme.example"]
    assert found["bad@acme.example"].error
    assert found["bad@acme.example"].final == (answer.startswith("55") and not closes)
    assert found["zoe@acme.example"] == Result()


def test_a_sender_that_is_refused_is_the_servers_trouble(server: tuple[Server, str]) -> None:
    """N5: no mail is given up for it."""
    handler, url = server
    handler.sender_answer = "550 who are you"
    with pytest.raises(Unreachable, match="550 who are you"):
        deliver(url, "ann@acme.example")


@pytest.mark.parametrize(
    "recipient", ["a@[", ".a@b.example", "=?utf-8?q?a=40b.example?=@c.example", "a\r\nb@c.example"]
)
def test_an_address_kept_from_before_fails_alone(server: tuple[Server, str], tmp_path: Path, recipient: str) -> None:
    """N5: stored before addresses were checked; never sent, with the reason, and the next one goes."""
    handler, url = server
    found = deliver(url, recipient, "zoe@acme.example")
    assert (found[recipient].final, handler.accepted) == (True, ["zoe@acme.example"])
    assert "cannot be written" in (found[recipient].error or "")
    kept: dict[str, Result] = {}
    mail = MailRow("k", recipient, "Dear", "b", AT, "waiting", 0, AT, None, None)
    Mailbox(tmp_path, SENDER).deliver([mail], lambda m, result: kept.update({m.key: result}))
    assert kept["k"].final


def test_an_international_address_is_sent_as_the_server_can(utf8: bool) -> None:
    """N5: the domain as its A-label; a local part in another script needs SMTPUTF8, else it fails at once by name."""
    with running(utf8=utf8) as (handler, url):
        found = deliver(url, "zoë@bücher.example", "ann@bücher.example")
    assert "ann@xn--bcher-kva.example" in handler.accepted
    assert found["zoë@bücher.example"].final is not utf8
    assert ("zoë@xn--bcher-kva.example" in handler.accepted) is utf8
    if not utf8:
        assert "cannot take this address" in (found["zoë@bücher.example"].error or "")


def test_the_mailbox_keeps_any_address_and_any_key(tmp_path: Path) -> None:
    """N5: keys that differ are files that differ, also where a file name cannot hold them."""
    box = Mailbox(tmp_path, SENDER)
    keys = ["a/b", "a_b", "a?b", "a*b", "x" * 400, "x" * 401, "reservation-ending/+65/2026-03-29T00:00:00Z"]
    mails = [MailRow(k, "zoë@bücher.example", "Dear", "b", AT, "waiting", 0, AT, None, None) for k in keys]
    box.deliver(mails, lambda _mail, result: None)
    assert len(list(tmp_path.iterdir())) == len(keys)
    assert box.path(keys[-1]).name == "reservation-ending_+65_2026-03-29T00:00:00Z.eml"
    read = email.message_from_bytes(box.path("a/b").read_bytes(), policy=SMTPUTF8)
    assert read["To"] == "zoë@xn--bcher-kva.example"


def test_starttls_is_demanded(server: tuple[Server, str]) -> None:
    """N5: a server without it gets no mail, rather than a plain one."""
    handler, url = server
    with pytest.raises(Unreachable):
        deliver(url.replace("smtp://", "smtp+starttls://"), "ann@acme.example")
    assert handler.accepted == []


def test_plain_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """N5: smtp:// does not start TLS even where the server offers it."""
    handler = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port, tls_context=context)
    controller.start()
    try:
        deliver(f"smtp://127.0.0.1:{port}", "ann@acme.example")
    finally:
        controller.stop()
    assert handler.accepted == ["ann@acme.example"]


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("smtp://user:secret@mail.example", False),
        ("smtp://user:secret@127.0.0.1", True),
        ("smtp://user:secret@[::1]:25", True),
        ("smtp://user:secret@localhost", True),
        ("smtp://user@mail.example", True),
        ("smtps://user:secret@mail.example", True),
        ("smtp+starttls://user:secret@mail.example", True),
    ],
)
def test_a_password_never_follows_a_plain_connection_to_another_machine(
    monkeypatch: pytest.MonkeyPatch, url: str, taken: bool
) -> None:
    """N5: the start is refused, without the secret in the sentence."""
    monkeypatch.setenv("TRUNKLINE_SMTP_URL", url)
    if taken:
        load_settings()
        SmtpServer(SecretStr(url), SENDER)
        return
    with pytest.raises(SettingsError, match="smtps://") as refused:
        load_settings()
    assert "secret" not in str(refused.value)
    with pytest.raises(ValueError, match="smtps://"):
        SmtpServer(SecretStr(url), SENDER)
