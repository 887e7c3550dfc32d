"""The two post offices: an SMTP server, and the mailbox of files in the home."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib
from pydantic import SecretStr

from trunkline.email_address import email_address, header_address
from trunkline.hosts import is_loopback
from trunkline.mail.outbox import Done, MailRow, MailTransport, Result, Unreachable

_SECONDS = 30.0
_PERMANENT = 500
_BROKEN_IN_A_ROW = 2
_NAME_CHARS = 150
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def open_post_office(url: SecretStr | None, sender: str, mailbox: Path) -> MailTransport:
    """The post office of the settings: SMTP where a server is named, else the mailbox."""
    return Mailbox(mailbox, sender) if url is None else SmtpServer(url, sender)


def written(mail: MailRow, sender: str) -> EmailMessage:
    """The message of a mail, the same whenever it is written: its id and date come from the key and the row.

    Raises:
        ValueError: its recipient is no address, or a header cannot hold what it is to hold.
    """
    local, _, domain = email_address(mail.recipient or "").rpartition("@")
    message = EmailMessage(policy=SMTP if local.isascii() else SMTPUTF8)
    message["From"] = sender
    message["To"] = Address(username=local, domain=domain)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.created_at)
    host = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{sha256(mail.key.encode()).hexdigest()[:40]}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body)
    return message


def _try_to_write(mail: MailRow, sender: str) -> EmailMessage | Result:
    """The message, or why it can never be written."""
    try:
        return written(mail, sender)
    except Exception as error:  # noqa: BLE001 - the library raises IndexError and others on what it cannot write
        return Result(f"the mail cannot be written: {_short(error)}", final=True)


class Mailbox:
    """A folder with one file for each mail, named by its key: writing it twice leaves one."""

    def __init__(self, folder: Path, sender: str) -> None:
        """Use a folder, which is made when the first mail comes."""
        self._folder = folder
        self._sender = sender

    def deliver(self, mails: Sequence[MailRow], done: Done) -> None:
        """Write each mail beside its place and move it there, so that a file is always whole.

        Raises:
            Unreachable: the folder cannot be written.
        """
        for mail in mails:
            message = _try_to_write(mail, self._sender)
            if isinstance(message, Result):
                done(mail, message)
                continue
            try:
                self._keep(mail.key, message.as_bytes())
            except OSError as error:
                raise Unreachable(f"the mailbox {self._folder} cannot be written: {error.strerror}") from None
            done(mail, Result())

    def path(self, key: str) -> Path:
        """The file of the mail with this key. Keys that a file name cannot hold, or not alone, end in their digest."""
        plain = key.replace("/", "_")
        name = re.sub(r"[^0-9A-Za-z+:.@_-]", "_", plain)
        if name != plain or "_" in key or len(name) > _NAME_CHARS:
            name = f"{name[:_NAME_CHARS]}-{sha256(key.encode()).hexdigest()[:16]}"
        return self._folder / f"{name}.eml"

    def _keep(self, key: str, message: bytes) -> None:
        path = self.path(key)
        if path.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_suffix(".new")
        with beside.open("wb") as file:
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)


class SmtpServer:
    """An SMTP server; one connection for each page of mails, another one where a mail has broken it."""

    def __init__(self, url: SecretStr, sender: str) -> None:
        """Prepare.

        Args:
            url: `smtps://` (TLS), `smtp+starttls://` (demands STARTTLS) or `smtp://` (plain), with user and password
                where needed.
            sender: the From header.

        Raises:
            ValueError: a password would be sent in the clear to another machine; the sender is no address.
        """
        self._parts = urlsplit(url.get_secret_value())
        if self._parts.password and self._parts.scheme == "smtp" and not is_loopback(self._parts.hostname):
            raise ValueError("a password needs smtps:// or smtp+starttls:// unless the host is this machine")
        self._sender = sender
        self._from = header_address(sender)

    def deliver(self, mails: Sequence[MailRow], done: Done) -> None:
        """Hand in each mail; what is wrong with one does not hold up the others.

        Raises:
            Unreachable: there is no connection, it takes no mail of ours, or it broke twice in a row.
        """
        asyncio.run(self._deliver(mails, done))

    async def _deliver(self, mails: Sequence[MailRow], done: Done) -> None:
        client: aiosmtplib.SMTP | None = None
        broken = 0
        try:
            for mail in mails:
                message = _try_to_write(mail, self._sender)
                if isinstance(message, Result):
                    done(mail, message)
                    continue
                client = client or await self._connect()
                result, usable = await self._hand_in(client, message, email_address(mail.recipient or ""))
                done(mail, result)
                broken = 0 if usable else broken + 1
                if broken == _BROKEN_IN_A_ROW:
                    raise self._away(result.error)
                if not usable:
                    client.close()
                    client = None
        finally:
            if client is not None:
                client.close()

    async def _connect(self) -> aiosmtplib.SMTP:
        parts = self._parts
        client = aiosmtplib.SMTP(
            hostname=parts.hostname,
            port=parts.port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=parts.scheme == "smtps",
            start_tls=parts.scheme == "smtp+starttls",
            timeout=_SECONDS,
        )
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise self._away(error) from None
        return client

    async def _hand_in(self, client: aiosmtplib.SMTP, message: EmailMessage, recipient: str) -> tuple[Result, bool]:
        """Try one mail; what became of it, and whether the connection can take another one.

        Raises:
            Unreachable: it is not this mail that the server refuses, but us.
        """
        try:
            await client.send_message(message, sender=self._from, recipients=[recipient])
        except aiosmtplib.SMTPSenderRefused as refused:
            raise self._away(f"{refused.code} {refused.message}") from None
        except aiosmtplib.SMTPNotSupported as error:
            return Result(f"the server cannot take this address: {_short(error)}", final=True), await _reset(client)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            return _answer(refused.recipients[0]), await _reset(client)
        except aiosmtplib.SMTPResponseException as answer:
            closing = answer.code == aiosmtplib.SMTPStatus.domain_unavailable  # 421
            return _answer(answer), not closing and await _reset(client)
        except (aiosmtplib.SMTPException, OSError) as broken:
            return Result(_short(broken)), False  # it may be this mail that breaks it: let the others go first
        except (UnicodeError, ValueError) as error:
            return Result(f"the mail cannot be written: {_short(error)}", final=True), await _reset(client)
        return Result(), True

    def _away(self, why: object) -> Unreachable:
        return Unreachable(f"{self._parts.hostname} does not take mail: {_short(why)}")


async def _reset(client: aiosmtplib.SMTP) -> bool:
    """End a transaction that was refused; False: the server has closed the connection over it."""
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        return False
    return True


def _answer(answer: aiosmtplib.SMTPResponseException) -> Result:
    return Result(f"{answer.code} {_short(answer.message)}", final=answer.code >= _PERMANENT)


def _short(error: object) -> str:
    """One line. An answer that is no UTF-8, whose bytes the client hands over as surrogates, is read as Latin-1."""
    text = str(error)
    if _SURROGATE.search(text):
        with suppress(UnicodeEncodeError):  # others are no bytes of an answer
            text = text.encode("utf-8", "surrogateescape").decode("latin-1")
    return (text.splitlines() or [type(error).__name__])[0][:300]
