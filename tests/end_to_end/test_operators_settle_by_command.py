"""What was set aside, mails, state topics and differences are settled by typed commands (O7, O8)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.end_to_end.shell import Shell, event, up

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FAR = NOW.replace(year=2998)
ITEM = "INSERT INTO failed_items VALUES (%s, %s, %s, 'ValueError: x', 2, %s, %s, %s, 'waiting')"
MAIL = (
    "INSERT INTO mail (key, recipient, subject, body, created_at, state, last_error)"
    " VALUES (%s, 'a@b.example', 'Your number', 'It ends.', %s, 'failed', 'refused: 550')"
)


@pytest.fixture(scope="module")
def numbers_url(databases: Any) -> Iterator[str]:
    """The database of numbers, to be spoilt by a test."""
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture(scope="module")
def licensing_url(databases: Any) -> Iterator[str]:
    """The database of licensing, likewise."""
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture(scope="module")
def service(licensing_url: str, numbers_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`trunkline up` on them."""
    with up(tmp_path_factory.mktemp("home"), licensing_url, numbers_url) as said:
        yield said


def test_then_what_was_set_aside_is_listed_retried_and_given_up(shell: Shell, numbers_url: str) -> None:
    """O8, P6: a typed remark is kept; `--dry-run` changes nothing; what is unknown is refused."""
    with psycopg.connect(numbers_url) as conn:
        for loop, key, position in (("relay", "number/+1", 3), ("deadlines", "number/+2", 1)):
            conn.execute(ITEM, (loop, key, position, NOW, NOW, FAR))
    listed = shell.text("failed-item", "list")
    assert "number/+1" in listed
    assert "ValueError: x" in listed
    assert [i["key"] for i in shell.json("failed-item", "list", "--loop", "deadlines")["items"]] == ["number/+2"]
    dead = ("numbers", "deadlines", "number/+2")
    assert "Nothing was done" in shell.text("failed-item", "discard", *dead, "--remark", "gone", "--dry-run")
    assert "number/+2 is discarded" in shell.text("failed-item", "discard", *dead, "--remark", "gone")
    assert "number/+2" in shell.text("failed-item", "list", "--status", "discarded")
    assert "tried again" in shell.text("failed-item", "retry", *dead)
    assert "goes on behind" in shell.text("failed-item", "discard", "numbers", "relay", "number/+1", "--remark", "told")
    assert shell("failed-item", "retry", "numbers", "relay", "number/+9").code == 1
    assert shell("failed-item", "discard", *dead).code == 2
    assert "failed-item discard" in shell.text("audit")


def test_then_a_mail_is_retried_and_given_up(shell: Shell, numbers_url: str) -> None:
    """O8: by the key that `mail list` shows, with slashes and signs in it."""
    key = "number/+442079460009/ending/1"
    with psycopg.connect(numbers_url) as conn:
        conn.execute(MAIL, (key, NOW))
    assert key in shell.text("mail", "list")
    assert shell("mail", "discard", key).code == 2
    assert f"{key} is discarded" in shell.text("mail", "discard", key, "--remark", "told by phone")
    assert "told by phone" in shell.text("mail", "show", key)
    assert f"{key} is tried again" in shell.text("mail", "retry", key)
    assert shell("mail", "retry", "number/none").code == 1


def test_then_state_topics_need_a_broker_to_be_refilled(shell: Shell) -> None:
    """X1: without one there is nothing to fill, and the refusal says so."""
    refused = shell("topics", "refill")
    assert refused.code == 1
    assert refused.err.strip().endswith(".")
    assert "broker" in refused.err


def test_then_differences_are_repaired(shell: Shell, licensing_url: str, tmp_path: Path) -> None:
    """O7: what licensing keeps of a number is spoilt; it is found, stated again by its owner, and agrees then."""
    made = shell.json("party", "register", "organization", "--name", "Harbour", "--billing-email", "b@h.example")
    number, org, subscription = "+442079460008", made["organization_id"], str(uuid4())
    shell.json("number", "add", number, "--vendor", "V", "--country", "GB", "--sku", "S")
    sold = event("started", subscription, org, datetime.now(UTC), product="number", number=number, sku="S")
    (tmp_path / "sold.jsonl").write_text(json.dumps(sold) + "\n")
    shell.json("billing", "publish", str(tmp_path / "sold.jsonl"))
    while shell.json("doctor", "--reconcile")["reconciled"]["differences"]:
        continue  # numbers is still assigning it
    with psycopg.connect(licensing_url) as conn:
        spoilt = conn.execute(
            "UPDATE number_copy SET state = 'locked', version = 999999 WHERE number = %s", (number,)
        ).rowcount
    assert spoilt == 1
    found = shell("doctor", "--reconcile")
    assert found.code == 1, found.out
    assert number in found.out
    repaired = shell("doctor", "--reconcile", "--repair")
    assert repaired.code == 0, repaired.out + repaired.err
    assert "agrees now" in repaired.out
    assert shell("doctor", "--reconcile").code == 0
    assert shell("doctor", "--repair").code == 2
