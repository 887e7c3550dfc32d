"""What counts as an e-mail address, by the parser that later writes the header (P0, N5).

An address that comes in is one bare `local@domain`, without quoting, comments, display name or encoded words. A domain
in another script is kept as its A-label, which every mail server takes.
"""

from __future__ import annotations

import re
import unicodedata
from email.errors import NonASCIILocalPartDefect
from email.policy import SMTP
from typing import Final

import idna

LOCAL_BYTES: Final = 64
DOMAIN_CHARS: Final = 253
_LABEL: Final = re.compile(r"[0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?")
_ATOM: Final = re.compile(r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+")
_UNSEEN: Final = ("C", "Z")


class EmailAddressInvalid(ValueError):
    """A text is no e-mail address that mail can be sent to; the message is the reason, one clause."""


def email_address(text: str) -> str:
    """Give an address as it is kept: with its domain in ASCII.

    Raises:
        EmailAddressInvalid: it is none, or could only be written quoted.
    """
    for sign in text:
        if unicodedata.category(sign).startswith(_UNSEEN):
            raise EmailAddressInvalid(f"it holds a blank or an unseen sign (U+{ord(sign):04X})")
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise EmailAddressInvalid("it is not of the form name@domain")
    if "=?" in text or "?=" in text:
        raise EmailAddressInvalid("it looks like an encoded word (=?…?=)")
    _check_local(local)
    address = f"{local}@{_ascii_domain(domain)}"
    _check_header(address)
    return address


def header_address(text: str) -> str:
    """The bare address of a header such as `Trunkline <no-reply@example.com>`.

    Raises:
        EmailAddressInvalid: there is not exactly one, or it is none.
    """
    addresses = _parsed(text)
    if len(addresses) != 1:
        raise EmailAddressInvalid("it is not one e-mail address")
    return email_address(addresses[0])


def _check_local(local: str) -> None:
    if len(local.encode("utf-8", "surrogatepass")) > LOCAL_BYTES:
        raise EmailAddressInvalid(f"what stands before @ is longer than {LOCAL_BYTES} bytes")
    if not all(_ATOM.fullmatch(atom) for atom in local.split(".")):
        raise EmailAddressInvalid("what stands before @ has a dot too many or a sign that would need quoting")


def _ascii_domain(domain: str) -> str:
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            raise EmailAddressInvalid("its domain is no internationalized domain name") from None
    labels = domain.split(".")
    if len(domain) > DOMAIN_CHARS or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise EmailAddressInvalid("its domain is no domain name")
    return domain


def _check_header(address: str) -> None:
    """Hold an address against the parser of mail headers: it must come out as it went in, alone."""
    if _parsed(address) != [address]:
        raise EmailAddressInvalid("mail could not be addressed to it")


def _parsed(header: str) -> list[str]:
    try:
        parsed = SMTP.header_factory("To", header)
        # A local part in another script is no mistake: a server with SMTPUTF8 takes it.
        defects = [defect for defect in parsed.defects if not isinstance(defect, NonASCIILocalPartDefect)]
        return [] if defects else [found.addr_spec for found in parsed.addresses]
    except Exception as error:
        raise EmailAddressInvalid("mail could not be addressed to it") from error
