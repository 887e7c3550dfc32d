"""Header values of CloudEvents in binary mode over HTTP, as the protocol binding reads them (X1, S1, §9)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.contracts.cloudevents.envelope import MessageDecodeError
from trunkline.contracts.cloudevents.http_binding import attributes

_SAFE = range(0x21, 0x7F)


def value(sent: bytes) -> str:
    ((name, found),) = attributes([(b"ce-id", sent), (b"content-type", b"application/json")])
    assert name == "ce_id"
    return found.decode()


@pytest.mark.parametrize(("sent", "meant"), [
    (b"plain-1", "plain-1"),
    (b"a%20b", "a b"),
    (b"caf%C3%A9", "café"),
    (b"caf%c3%a9", "café"),
    ("café".encode(), "café"),
    (b'"quoted"', "quoted"),
    (b'"a \\"b\\" \\\\c"', 'a "b" \\c'),
    (b'"caf%C3%A9 %22"', 'café "'),
    (b"100%", "100%"),
    (b"%2525", "%25"),
    (b'a"b', 'a"b'),
    (b'""', ""),
])  # fmt: skip
def test_then_a_value_is_unquoted_and_percent_decoded_once(sent: bytes, meant: str) -> None:
    """X1: never as Latin-1, never twice."""
    assert value(sent) == meant


@pytest.mark.parametrize("sent", [b"a%FF", b"a%FE", b"\xe9", b'"open', b'"', b'"a"b"', b'"a\\"'])
def test_then_what_is_no_utf8_or_not_closed_is_refused(sent: bytes) -> None:
    """S3: two values that differ are never taken for one."""
    with pytest.raises(MessageDecodeError) as refused:
        value(sent)
    assert refused.value.code == "header-invalid"
    assert "ce-id" in refused.value.reason


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_then_every_text_comes_through_as_the_binding_encodes_it(text: str) -> None:
    """X1: percent-encoded as the binding says, quoted or not."""
    encoded = b"".join(
        bytes((byte,)) if byte in _SAFE and byte not in b'"%' else b"%%%02X" % byte for byte in text.encode()
    )
    assert value(encoded) == text
    assert value(b'"' + encoded.replace(b"\\", b"\\\\") + b'"') == text
