"""When an operator deals with dead letters on the command line (O1, O5)."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from tests.end_to_end.shell import Shell, up
from tests.operate.letters import again, started
from trunkline.clock import SystemClock
from trunkline.eventstore.event_store import Store
from trunkline.messaging.dead_letters.store import parked_page
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.records import IncomingRecord
from trunkline_licensing.wiring import service as licensing


@pytest.fixture(scope="module")
def database(databases: Any) -> Iterator[str]:
    """Licensing's."""
    found = databases.create()
    yield found
    databases.drop(found)


@pytest.fixture(scope="module")
def service(databases: Any, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`trunkline up`, in whose database the tests put what a broker would have brought."""
    numbers = databases.create()
    with up(tmp_path_factory.mktemp("home"), database, numbers) as said:
        yield said
    databases.drop(numbers)


class Post:
    """Brings licensing what it cannot read."""

    def __init__(self, url: str) -> None:
        self._service = licensing()
        self.store = Store(url, self._service.codec())

    def bring(self, *records: IncomingRecord) -> list[str]:
        """The ids of the dead letters that come of it."""
        before = parked_page(self.store, limit=10_000)
        Inbox(self.store, self._service, SystemClock().now).accept(records)
        return [str(p.id) for p in parked_page(self.store, after=before[-1].id if before else 0)]


@pytest.fixture
def post(service: dict[str, Any], database: str) -> Iterator[Post]:
    found = Post(database)
    yield found
    found.store.close()


@pytest.fixture
def organization(shell: Shell) -> str:
    """One that licensing knows."""
    given = ("--name", "Harbour", "--billing-email", "billing@harbour.example")
    return str(shell.json("party", "register", "organization", *given)["organization_id"])


def halved(record: IncomingRecord) -> IncomingRecord:
    """The same with half its value."""
    value = record.value or b""
    return msgspec.structs.replace(record, value=value[: len(value) // 2])


def test_then_one_is_edited_from_a_file_and_takes_effect(
    shell: Shell, post: Post, organization: str, tmp_path: Path
) -> None:
    """O5: what would come of it, what came of it, and what it was before."""
    good = started(organization, "+442079460001")
    subscription = (good.key or b"").decode()
    (letter,) = post.bring(halved(good))
    whole = tmp_path / "whole.json"
    whole.write_bytes(good.value or b"")
    given = ("licensing", letter, "--value", str(whole), "--remark", "cut in half")
    told = shell.text("deadletter", "edit", *given, "--dry-run")
    assert told.startswith("Nothing was done.")
    assert f"SubscriptionActivated of subscription/{subscription}" in told
    assert f"SubscriptionActivated of subscription/{subscription}" in shell.text("deadletter", "edit", *given)
    assert shell.json("subscription", "show", subscription)["status"] == "active"
    shown = shell.text("deadletter", "show", "licensing", letter)
    assert "cut in half" in shown
    assert shown.index("retried as") < shown.index((good.value or b"").decode())
    assert letter in shell.text("deadletter", "list", "--status", "retried")
    done = shell("deadletter", "retry", "licensing", letter)
    assert (done.code, "was retried by" in done.err) == (1, True)
    assert ("deadletter retry", "done") in {(a["command"], a["outcome"]) for a in shell.json("audit")["items"]}


def test_then_a_header_is_set_and_a_value_comes_by_standard_input(
    shell: Shell, post: Post, organization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O5: by name; and from a pipe."""
    first, second = started(organization, "+442079460002"), started(organization, "+442079460003")
    strange = [(n, b"0.3" if n == "ce_specversion" else v) for n, v in first.headers]
    one, two = post.bring(msgspec.structs.replace(first, headers=strange), halved(second))
    edit = ("deadletter", "edit", "licensing")
    assert shell(*edit, one, "--header", "ce_specversion").code == 2
    assert shell(*edit, one, "--without-header", "ce_specversion").code == 1
    assert shell.json(*edit, one, "--header", "ce_specversion=1.0")["edited"] is True
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(second.value or b"")))
    assert shell.json(*edit, two, "--value", "-")["status"] == "retried"


def test_then_all_of_a_kind_are_retried_and_what_fails_holds_up_its_key_alone(
    shell: Shell, post: Post, organization: str
) -> None:
    """O5, O1: each with what came of it; 3 where some were refused, and they go on waiting."""
    good = [started(organization, f"+44207946010{n}") for n in range(3)]
    ids = post.bring(halved(good[0]), halved(good[1]), halved(again(good[0])))
    with post.store.connection() as conn:  # as if a newer service could read these
        for letter, record in ((ids[1], good[1]), (ids[2], good[0])):
            conn.execute("UPDATE parked SET value = %s WHERE id = %s", (record.value, letter))
    chosen = ("deadletter", "retry", "--all", "--code", "not-json")
    for dry in (("--dry-run",), ()):
        done = shell(*chosen, *dry, "--json")
        assert done.code == 3
        assert {i["id"]: (i["status"], i.get("code")) for i in done.json["items"]} == {
            int(ids[0]): ("refused", "dead-letter-still-unreadable"),
            int(ids[1]): ("retried", None),
            int(ids[2]): ("refused", "older-dead-letter-waits"),
        }
    assert [i["id"] for i in shell.json("deadletter", "list")["items"]] == [int(ids[0]), int(ids[2])]
    gone = shell.json("deadletter", "discard", "licensing", ids[0], "--remark", "sent again by billing")
    assert (gone["discarded"], gone["refused"]) == (1, 0)
    assert "SubscriptionActivated" in shell.text("deadletter", "retry", "--all")
    assert shell.text("deadletter", "list") == "No dead letters.\n"
    assert shell.text("deadletter", "retry", "--all") == "No dead letters.\n"


def test_then_a_dry_run_knows_what_the_command_itself_would_have_done_before(
    shell: Shell, post: Post, organization: str
) -> None:
    """O1, O5: of one key the second is only held up by a first that would not be retried."""
    good = started(organization, "+442079460200")
    ids = post.bring(halved(good), halved(again(good)))
    with post.store.connection() as conn:
        conn.execute("UPDATE parked SET value = %s WHERE id = ANY(%s)", (good.value, [int(i) for i in ids]))
    told = shell.json("deadletter", "retry", "licensing", *reversed(ids), "--dry-run")
    assert [(i["status"], i.get("after")) for i in told["items"]] == [("retried", None), ("retried", int(ids[0]))]
    assert f"after {ids[0]}" in shell.text("deadletter", "retry", "--all", "--dry-run")
    assert shell.json("deadletter", "retry", "licensing", *ids)["retried"] == 2


@pytest.mark.parametrize(
    "argv",
    [
        ("retry",),
        ("retry", "licensing"),
        ("retry", "licensing", "1", "--all"),
        ("retry", "licensing", "1", "--topic", "T"),
        ("discard", "licensing", "1"),
        ("edit", "licensing", "1"),
        ("edit", "licensing", "1", "--value", "/nowhere"),
    ],
    ids=" ".join,
)
def test_then_what_is_not_meant_is_wrong_usage(shell: Shell, post: Post, argv: tuple[str, ...]) -> None:
    """O1: 2, and it says what is missing."""
    post.bring(halved(started(str(uuid4()), "+442079460300")))
    done = shell("deadletter", *argv)
    assert done.code == 2
    assert done.err


def test_then_the_editor_is_opened_on_what_came(
    shell: Shell, post: Post, organization: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """O5: what is saved there is retried; nothing saved, nothing done."""
    good = started(organization, "+442079460400")
    value = json.loads(good.value or b"")
    bad = msgspec.structs.replace(good, value=json.dumps(value | {"number": 442079460400}).encode())
    (letter,) = post.bring(bad)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setenv("EDITOR", "true")
    done = shell("deadletter", "edit", "licensing", letter)
    assert (done.code, "Nothing was saved" in done.err) == (1, True)
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nsed -i \'s/: 442079460400/: "+442079460400"/\' "$1"\ntouch -d \'+5 seconds\' "$1"\n')
    script.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(script))
    assert shell.json("deadletter", "edit", "licensing", letter)["edited"] is True
