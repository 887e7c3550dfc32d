"""When operators look at a running service and act on it (O2, O3, O6, P6)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.http.world import InProcess, World, created, prepare_licensing, prepare_numbers, problem
from trunkline.application import Application
from trunkline.messaging.dead_letters.store import park
from trunkline.messaging.records import IncomingRecord
from trunkline.operations.sandbox_clock import DurationUnreadable, SandboxClock, duration
from trunkline.runtime.service_runtime import ServiceRuntime
from trunkline.settings import Settings

OPERATE = "/numbers/operate"
NUMBER = "+6531580001"


def node(world: World) -> ServiceRuntime:
    return world.deployment.runtimes["numbers"]


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def commands(world: World) -> list[dict[str, Any]]:
    """What operators did, the newest first, without that they came."""
    return [row for row in await listed(world, "audit") if row["command"] != "login"]


async def listed(world: World, path: str) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        body = created(
            await world.admin.get(f"{OPERATE}/{path}", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        )
        assert len(body["items"]) <= 2
        items += body["items"]
        cursor = body["next"]
    return items


async def test_a_stream_is_readable_with_its_causes_now_and_as_of_then(world: World) -> None:
    """O2, N13: what, when, who and why; nothing of it before its instant."""
    created(await world.add(NUMBER))
    body = created(await world.admin.get(f"{OPERATE}/streams/number/{NUMBER}"))
    (added,) = body["items"]
    assert (added["type"], added["stream"], added["version"]) == ("numbers.NumberAdded", f"number/{NUMBER}", 1)
    assert added["actor"].startswith("user:")
    assert added["correlation_id"] == added["causation_id"]
    assert added["data"]["listing"]["sku"] == "DID"
    before = datetime.fromisoformat(added["occurred_at"]) - timedelta(seconds=1)
    answer = await world.admin.get(f"{OPERATE}/streams/number/{NUMBER}", params={"as_of": before.isoformat()})
    problem(answer, 404, "nothing-there")
    problem(await world.admin.get(f"{OPERATE}/streams/number/+999"), 404)
    answer = await world.admin.get(f"{OPERATE}/streams/number/{NUMBER}", params={"as_of": "2026-03-01T00:00:00"})
    problem(answer, 422, "instant-without-zone")


async def test_the_log_can_be_followed(world: World) -> None:
    """O2: each event once, in order, whatever the page."""
    created(await world.add(NUMBER, "+6531580002"))
    after, seen = 0, []
    while True:
        body = created(await world.admin.get(f"{OPERATE}/log", params={"after": after, "limit": 2}))
        if not body["items"]:
            break
        seen += [item["position"] for item in body["items"]]
        after = body["after"]
    assert seen == sorted(set(seen))
    assert seen[-1] == body["end"] == node(world).store.end_of_log()


async def test_everything_here_needs_operate(world: World) -> None:
    """P6: neither another role nor another scope will do, whatever the door."""
    callers = [
        world.caller("platform-admin"),
        world.caller("org-admin", world.east_org, scopes=("operate",)),
        world.caller("partner-admin", world.east, scopes=("operate",)),
        world.caller("machine", scopes=("billing:write", "projections:read")),
    ]
    paths = [path for path in world.app.openapi()["paths"].items() if "/operate/" in path[0]]
    assert len(paths) >= 30
    for path, operations in paths:
        concrete = re.sub(r"{\w+}", "1", path.replace("{name}", "number_view"))
        for method in operations:
            for caller in callers:
                problem(await caller(method.upper(), concrete, json={"by": "1d", "at": "2030-01-01T00:00:00Z"}), 403)
            problem(await world.nobody()(method.upper(), concrete), 401)


async def test_a_view_is_rebuilt_verified_and_rolled_back_while_the_service_runs(world: World) -> None:
    """O3, P6: with progress, the outcome, and on record."""
    created(await world.add(NUMBER, "+6531580002"))
    rebuilt = lines(await world.admin.post(f"{OPERATE}/projections/number_view/rebuild"))
    assert rebuilt[0]["progress"]["phase"] == "folding"
    assert (rebuilt[-1]["result"]["rows"], rebuilt[-1]["result"]["differences"]) == (2, 0)
    verified = lines(await world.admin.post(f"{OPERATE}/projections/number_view/verify"))
    assert verified[-1]["result"]["differences"] == 0
    rolled = lines(await world.admin.post(f"{OPERATE}/projections/number_view/rollback"))
    assert rolled[-1]["result"]["generation"] == 1
    problem(await world.admin.post(f"{OPERATE}/projections/nothing/rebuild"), 404, "projection-unknown")
    shown = created(await world.admin.get(f"{OPERATE}/projections"))
    active = {p["name"]: p for p in shown if p["status"] == "active"}
    assert set(active) == {"number_view", "listing_view", "subscription_view", "party_view"}
    assert all(p["version"] == p["code_version"] for p in active.values())
    told = [(row["command"], row["arguments"]["name"], row["outcome"]) for row in await commands(world)]
    assert told == [
        ("projection rebuild", "nothing", "refused: projection-unknown"),
        ("projection rollback", "number_view", "done"),
        ("projection verify", "number_view", "done"),
        ("projection rebuild", "number_view", "done"),
    ]


async def test_the_clock_of_a_sandbox_is_moved_and_time_does_its_work(world: World) -> None:
    """O6: the clock runs on from there, never back; what falls due happens, each move is on record."""
    created(await world.add(NUMBER))
    start = created(await world.admin.get(f"{OPERATE}/clock"))
    assert (start["sandbox"], start["ahead_seconds"]) == (True, 0)
    would_be = created(await world.admin.post(f"{OPERATE}/clock/advance?dry_run=true", {"by": "49d12h"}))
    assert would_be["ahead_seconds"] == pytest.approx(49.5 * 86_400, abs=60)
    back = await world.admin.post(f"{OPERATE}/clock/set?dry_run=true", {"at": "2020-01-01T00:00:00Z"})
    problem(back, 409, "clock-never-goes-back")
    assert created(await world.admin.get(f"{OPERATE}/clock"))["ahead_seconds"] == 0
    moved = created(await world.admin.post(f"{OPERATE}/clock/advance", {"by": "49d12h"}))
    assert moved["ahead_seconds"] == 49.5 * 86_400
    instant = (datetime.fromisoformat(moved["now"]) + timedelta(days=1)).isoformat()
    moved = created(await world.admin.post(f"{OPERATE}/clock/set", {"at": instant}))
    assert moved["now"] >= instant.replace("+00:00", "Z")
    back = await world.admin.post(f"{OPERATE}/clock/set", {"at": start["now"]})
    problem(back, 409, "clock-never-goes-back")
    problem(await world.admin.post(f"{OPERATE}/clock/advance", {"by": "a while"}), 422, "duration-unreadable")
    problem(await world.admin.post(f"{OPERATE}/clock/advance", {"by": "999999d"}), 422, "clock-too-far")
    problem(await world.admin.post(f"{OPERATE}/clock/set", {"at": "2031-01-01T00:00:00"}), 422)
    assert [row["outcome"] for row in await commands(world)] == [
        "refused: request-invalid",
        "refused: clock-too-far",
        "refused: duration-unreadable",
        "refused: clock-never-goes-back",
        "done",
        "done",
        "refused: clock-never-goes-back",
    ]
    other = SandboxClock(node(world).store)
    assert abs(other.now() - node(world).clock.now()) < timedelta(minutes=1)


@pytest.fixture
async def real(tmp_path: Path, new_database: Callable[..., str]) -> AsyncIterator[Application]:
    """A deployment that is no sandbox."""
    settings = Settings(
        home=tmp_path,
        licensing_database_url=SecretStr(new_database(prepare_licensing)),
        numbers_database_url=SecretStr(new_database(prepare_numbers)),
    )
    async with InProcess(settings) as deployment:
        yield deployment


async def test_outside_a_sandbox_the_clock_stays(real: InProcess) -> None:
    """O6: refused, with what would have to be set."""
    world = World(real)
    body = problem(await world.admin.post(f"{OPERATE}/clock/advance", {"by": "1d"}), 409, "no-sandbox")
    assert "TRUNKLINE_SANDBOX" in body["detail"]
    assert created(await world.admin.get(f"{OPERATE}/clock"))["sandbox"] is False


async def test_mail_parked_messages_and_who_waits_can_be_seen(world: World) -> None:
    """N5, O5, X6, S7: lists page without a gap; one of each can be read whole."""
    numbers = node(world)

    def fill(work: Any) -> None:
        for place in range(3):
            key, value, headers = b"k", b"\xff" if place else b"text", [("ce_id", None), ("h", b"\xfe")]
            park(
                work,
                IncomingRecord("local/licensing", "T", 0, place, key, headers, value),
                "not-json",
                "It is no JSON.",
            )
            work.wait(f"party/{place}", "subscription/s", work.now, "not known yet")
        rows = [(f"reservation-ending/+65/{n}", "a@b.example", "s", "b", work.now, "sent") for n in range(5)]
        work.write(
            "INSERT INTO mail (key, recipient, subject, body, created_at, state) VALUES (%s, %s, %s, %s, %s, %s)", rows
        )

    numbers.run(fill)
    parked = await listed(world, "parked")
    assert [p["offset"] for p in parked] == [0, 1, 2]
    assert (parked[0]["value_text"], parked[1]["value_text"]) == ("text", None)
    assert base64.b64decode(parked[1]["value_base64"]) == b"\xff"
    one = created(await world.admin.get(f"{OPERATE}/parked/{parked[1]['id']}"))
    assert one | {"published": True} == parked[1] | {"published": True}  # told on DeadLetters now or in a moment
    for none in (999, -(2**70), 2**70):
        problem(await world.admin.get(f"{OPERATE}/parked/{none}"), 404, "nothing-there")
    assert {w["awaited"] for w in await listed(world, "waiting")} == {"party/0", "party/1", "party/2"}
    mails = await listed(world, "mail")
    assert sorted(m["key"] for m in mails) == [f"reservation-ending/+65/{n}" for n in range(5)]
    whole = created(await world.admin.get(f"{OPERATE}/mail/reservation-ending/+65/3"))
    assert whole["recipient"] == "a@b.example"
    problem(await world.admin.get(f"{OPERATE}/mail/none"), 404, "nothing-there")
    assert await listed(world, "quarantined") == []


async def test_the_figures_tell_how_the_service_is(world: World) -> None:
    """O7: what doctor judges."""
    created(await world.add(NUMBER))
    facts = created(await world.admin.get(f"{OPERATE}/doctor"))
    assert facts["service"] == "numbers"
    assert facts["end"] >= 1
    assert facts["deadlines"] == {"count": 0, "overdue": 0, "next_due": None, "overdue_seconds": 0.0}
    assert created(await world.admin.get(f"{OPERATE}/deadlines"))["count"] == 0
    assert created(await world.admin.post(f"{OPERATE}/deadlines/rebuild"))["rows"] == 0
    assert (facts["parked"], facts["waiting"], facts["mail_failed"]) == (0, 0, 0)


async def test_nothing_that_is_sent_makes_a_door_fall_over(world: World) -> None:
    """§9: null characters, foreign cursors, places that are none."""
    for path in ("streams/number/%00", "streams/%00/x", "mail/%00", "parked/999999999999999999999", "log?after=-1"):
        assert 400 <= (await world.admin.get(f"{OPERATE}/{path}")).status_code < 500
    first = created(await world.admin.get("/numbers/operate/mail"))
    assert first["next"] is None
    for cursor in ("x", "bm9uc2Vuc2U", base64.urlsafe_b64encode(b'["abc",["x"]]').decode()):
        problem(await world.admin.get(f"{OPERATE}/audit", params={"cursor": cursor}), 422, "cursor-unreadable")
    answer = await world.admin.post(f"{OPERATE}/clock/advance", {"by": "\0"})
    problem(answer, 422, "duration-unreadable")
    answer = await world.admin.post(f"{OPERATE}/projections/%00/rebuild")
    problem(answer, 404, "projection-unknown")


@pytest.mark.parametrize("text", ["", "d", "-1d", "1", "1w", "1d ", "1 d", "٣d", "1.5d", "9" * 40 + "d"])
def test_a_length_of_time_is_read_strictly(text: str) -> None:
    """§9: what is meant is told in the sentence."""
    with pytest.raises(DurationUnreadable, match="49d"):
        duration(text)


def test_lengths_of_time_add_up() -> None:
    """O6: a day is 24 hours."""
    assert duration("1d12h30m5s") == timedelta(days=1, hours=12, minutes=30, seconds=5)
