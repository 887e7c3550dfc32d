"""When an event is written, it goes out in binary mode with everything a reader needs (X1)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from trunkline.contracts import dead_letters, licensing, numbers
from trunkline.contracts.cloudevents.envelope import decode, encode

AT = datetime(2026, 5, 20, 9, 0, 0, 5, tzinfo=UTC)
CONTRACT = numbers.CONTRACTS["NumberUnlocked"]
DATA = numbers.NumberUnlocked(number="+6561234567", state="available", unlocked_at=AT)


def written(time: datetime, sequence: int | None = 7, cause: str | None = "c") -> dict[str, bytes]:
    headers, _ = encode(
        CONTRACT,
        id="id-1",
        subject=DATA.number,
        time=time,
        sequence=sequence,
        correlation_id=cause,
        causation_id=cause,
        data=DATA,
    )
    return dict(headers)


def test_then_the_headers_are_these() -> None:
    """X1: names, source, schema with its version, times with Z."""
    assert written(AT) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_type": b"NumberUnlocked",
        "ce_dataschema": b"NumberUnlocked.v1.json",
        "ce_id": b"id-1",
        "ce_source": b"/trunkline/numbers",
        "ce_subject": b"+6561234567",
        "ce_time": b"2026-05-20T09:00:00.000005Z",
        "ce_sequence": b"7",
        "ce_correlationid": b"c",
        "ce_causationid": b"c",
    }


def test_then_what_is_not_known_is_left_out() -> None:
    """X1: optional attributes are absent rather than blank."""
    left = set(written(AT)) - set(written(AT, None, None))
    assert left == {"ce_sequence", "ce_correlationid", "ce_causationid"}


def test_then_time_goes_out_in_utc_or_not_at_all() -> None:
    """X1: another offset is converted, a naive time is a mistake of ours."""
    assert written(AT.astimezone(timezone(timedelta(hours=8)))) == written(AT)
    with pytest.raises(ValueError, match="no offset"):
        written(AT.replace(tzinfo=None))


def test_then_the_platform_has_a_fixed_subject() -> None:
    """X1: there is one platform, so it needs no identifier to be a key."""
    contract = licensing.CONTRACTS["PlatformChanged"]
    data = licensing.Platform(name="Lion", support_email="a@b", owner_email="a@b", domains=())
    headers, value = encode(
        contract,
        id="id-1",
        subject="platform",
        time=AT,
        sequence=1,
        correlation_id=None,
        causation_id=None,
        data=data,
    )
    assert contract.subject_of(data) == "platform"
    assert decode(headers, value, licensing.CONTRACTS).data == data


def test_then_a_dead_letter_keeps_the_original_headers_behind_its_own() -> None:
    """X6: parked with its place, its reason and all that came with it."""
    told = dead_letters.headers(
        topic="BillingSubscriptionEvents",
        partition=3,
        offset=41,
        code="not-json",
        reason="Why.",
        service="licensing",
        original=[("ce_id", None), ("dl_topic", b"\xff")],
    )
    assert [name for name, _ in told[:6]] == list(dead_letters.HEADERS)
    assert told[:3] == [
        ("dl_topic", b"BillingSubscriptionEvents"), ("dl_partition", b"3"), ("dl_offset", b"41"),
    ]  # fmt: skip
    assert told[6:] == [("ce_id", None), ("dl_topic", b"\xff")]
