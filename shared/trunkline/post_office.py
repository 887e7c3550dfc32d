"""The two post offices: an SMTP server, and the mailbox of files in the home."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib
from pydantic import SecretStr

from trunkline.mail import Done, MailRow, PostOffice, Result, Unreachable

_SECONDS = 30.0
_PERMANENT = 500


def open_post_office(url: SecretStr | None, sender: str, mailbox: Path) -> PostOffice:
    """The post office of the settings: SMTP where a server is named, else the mailbox."""
    return Mailbox(mailbox, sender) if url is None else SmtpServer(url, sender)


def written(mail: MailRow, sender: str) -> EmailMessage:
    """The message of a mail, the same whenever it is written: its id and date come from the key and the row."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = mail.recipient or ""
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.created_at)
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{sha256(mail.key.encode()).hexdigest()[:40]}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body)
    return message


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
            try:
                self._keep(mail)
            except OSError as error:
                raise Unreachable(f"the mailbox {self._folder} cannot be written: {error.strerror}") from None
            done(mail, Result())

    def path(self, key: str) -> Path:
        """The file of the mail with this key."""
        return self._folder / f"{re.sub(r'[^0-9A-Za-z+:.@-]', '_', key)}.eml"

    def _keep(self, mail: MailRow) -> None:
        path = self.path(mail.key)
        if path.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_suffix(".new")
        with beside.open("wb") as file:
            file.write(written(mail, self._sender).as_bytes())
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)


class SmtpServer:
    """An SMTP server; one connection for each page of mails."""

    def __init__(self, url: SecretStr, sender: str) -> None:
        """Prepare.

        Args:
            url: `smtp://`, `smtps://` or `smtp+starttls://`, with user and password where needed.
            sender: the From address.
        """
        self._parts = urlsplit(url.get_secret_value())
        self._sender = sender

    def deliver(self, mails: Sequence[MailRow], done: Done) -> None:
        """Hand in each mail; a recipient that is refused does not hold up the others.

        Raises:
            Unreachable: there is no connection, or it broke.
        """
        asyncio.run(self._deliver(mails, done))

    async def _deliver(self, mails: Sequence[MailRow], done: Done) -> None:
        parts = self._parts
        client = aiosmtplib.SMTP(
            hostname=parts.hostname,
            port=parts.port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=parts.scheme == "smtps",
            start_tls=True if parts.scheme == "smtp+starttls" else False if parts.scheme == "smtps" else None,
            timeout=_SECONDS,
        )
        try:
            await client.connect()
            for mail in mails:
                done(mail, await self._hand_in(client, mail, done))
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise Unreachable(f"{parts.hostname} does not take mail: {_short(error)}") from None
        finally:
            client.close()

    async def _hand_in(self, client: aiosmtplib.SMTP, mail: MailRow, done: Done) -> Result:
        """Try one mail. Errors about the connection come through; answers about this mail are a result."""
        try:
            await client.send_message(written(mail, self._sender))
        except aiosmtplib.SMTPRecipientsRefused as refused:
            await client.rset()
            return _answer(refused.recipients[0])
        except aiosmtplib.SMTPResponseException as answer:
            if answer.code == aiosmtplib.SMTPStatus.domain_unavailable:
                raise  # 421: the server is closing
            await client.rset()
            return _answer(answer)
        except (aiosmtplib.SMTPException, OSError) as broken:
            done(mail, Result(_short(broken)))  # it may be this mail that breaks it: let the others go first
            raise
        except (UnicodeError, ValueError) as error:
            return Result(f"the mail cannot be written: {_short(error)}", final=True)
        return Result()


def _answer(answer: aiosmtplib.SMTPResponseException) -> Result:
    return Result(f"{answer.code} {_short(answer.message)}", final=answer.code >= _PERMANENT)


def _short(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
