"""When an e-mail address comes in: it is one that mail can be sent to, or it is refused by name (P0, N5)."""

from __future__ import annotations

import json
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from trunkline.contracts import parties
from trunkline.contracts.cloudevents.errors import MessageDecodeError
from trunkline.contracts.cloudevents.message import read_data
from trunkline.email_address import EmailAddressInvalid, email_address, header_address
from trunkline.http.schemas import Email

REFUSED = [
    "a@[",
    ".a@b.example",
    "a.@b.example",
    "a..b@c.example",
    "a@b..c",
    "a@-b.example",
    "a@b-.example",
    "a@b.example.",
    "a@[127.0.0.1]",
    "a@127.0.0.1",
    "=?utf-8?q?a=40b.example=2c_c?=@d.example",
    "a\u200b@b.example",
    "a@b\u200d.example",
    "\u202ea@b.example",
    "a\u00a0b@c.example",
    '"a b"@c.example',
    "a@b@c.example",
    "a",
    "@b.example",
    "a@",
    "Ann <a@b.example>",
    "a@b.example, c@d.example",
    f"{'a' * 65}@b.example",
    f"a@{'b' * 64}.example",
]
WHERE = {
    "owner_email": ("party.partner.registered", {"partner_id": "0a9e0000-0000-4000-8000-000000000001", "name": "P"}),
    "billing_email": (
        "party.organization.registered",
        {"organization_id": "0a9e0000-0000-4000-8000-000000000001", "partner_id": None, "name": "O"},
    ),
    "email": (
        "party.identity.changed",
        {"identity_id": "0a9e0000-0000-4000-8000-000000000001"},
    ),
}


class Sent(BaseModel):
    email: Email


@pytest.mark.parametrize("text", REFUSED)
def test_what_mail_cannot_be_sent_to_is_refused_over_http_and_on_the_topic(text: str) -> None:
    """P0: one check at every entry, by the parser that later writes the header; the field is named."""
    with pytest.raises(EmailAddressInvalid):
        email_address(text)
    with pytest.raises(ValidationError):
        Sent(email=text)
    for field, (name, others) in WHERE.items():
        data: dict[str, Any] = others | {field: text} | ({"support_email": "s@b.example"} if "owner" in field else {})
        with pytest.raises(MessageDecodeError, match=field) as unreadable:
            read_data(parties.CONTRACTS[name], json.dumps(data).encode())
        assert unreadable.value.code == "data-invalid"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ann@acme.example", "ann@acme.example"),
        ("o'neil+bills@Acme.Example", "o'neil+bills@Acme.Example"),
        ("root@localhost", "root@localhost"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("zoë@例え.jp", "zoë@xn--r8jz45g.jp"),
    ],
)
def test_an_international_domain_is_kept_as_its_a_label(text: str, kept: str) -> None:
    """P0, N5: every server takes it; what is kept is taken again as it is."""
    assert email_address(text) == kept
    assert email_address(kept) == kept
    assert Sent(email=text).email == kept
    name, others = WHERE["billing_email"]
    data = json.dumps(others | {"billing_email": text}).encode()
    assert read_data(parties.CONTRACTS[name], data).billing_email == kept


def test_a_sender_is_one_address() -> None:
    """N5: TRUNKLINE_MAIL_FROM may have a display name."""
    assert header_address("Trunkline <no-reply@b.example>") == "no-reply@b.example"
    for text in ("", "Trunkline", "a@b.example, c@d.example", "a@["):
        with pytest.raises(EmailAddressInvalid):
            header_address(text)


@given(st.text(alphabet=st.sampled_from("ab.@-=?[]<>\",; \u200b\u00e9_+'\r\n(\\"), max_size=24))
def test_whatever_is_taken_is_one_recipient_as_written(text: str) -> None:
    """N5: no address that is taken becomes two, or another one, in the header."""
    try:
        kept = email_address(text)
    except EmailAddressInvalid:
        return
    local, _, domain = kept.rpartition("@")
    message = EmailMessage(policy=SMTP)
    message["To"] = Address(username=local, domain=domain)
    assert [found.addr_spec for found in message["To"].addresses] == [kept]
