"""When an operator deals with messages that could not be read (O5, X3, X6, P6)."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from tests.http.world import InProcess, World, created, prepare_licensing, prepare_numbers, problem
from tests.operate.letters import AT, again, put_in_its_way, renewed, started, with_value
from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.messaging.message_handler import MessageHandler
from trunkline.messaging.records import IncomingRecord
from trunkline.runtime.service_runtime import ServiceRuntime
from trunkline.settings import Settings
from trunkline_licensing.wiring import service as licensing
from trunkline_numbers.wiring import service as numbers

PARKED = "/licensing/operate/parked"


def node(world: World) -> ServiceRuntime:
    return world.deployment.runtimes["licensing"]


async def retry(world: World, letter: int, body: dict[str, Any] | None = None, **query: Any) -> Any:
    return await world.admin.post(f"{PARKED}/{letter}/retry", body or {}, params=query)


async def discard(world: World, letter: int, remark: str = "of no use") -> Any:
    return await world.admin.post(f"{PARKED}/{letter}/discard", {"remark": remark})


async def shown(world: World, letter: int) -> Any:
    return created(await world.admin.get(f"{PARKED}/{letter}"))


async def audit(world: World) -> list[tuple[str, int, str]]:
    rows = created(await world.admin.get("/licensing/operate/audit"))["items"]
    settled = [row for row in reversed(rows) if row["command"] in ("deadletter retry", "deadletter discard")]
    return [(row["command"], row["arguments"]["id"], row["outcome"]) for row in settled]


def spoiled(record: IncomingRecord) -> IncomingRecord:
    return with_value(record, (record.value or b"")[:-1])


async def test_then_it_is_edited_and_takes_effect_as_if_it_had_come_so(world: World) -> None:
    """O5: its events are recorded, what came is kept beside what was made of it, and who did it is on record."""
    (number,) = world.numbers(1)
    good = started(world.east_org, number)
    (letter,) = put_in_its_way(node(world), spoiled(good))
    body = {"value": (good.value or b"").decode(), "remark": "billing lost its last brace"}
    done = created(await retry(world, letter, body))
    subscription = (good.key or b"").decode()
    assert done == {
        "id": letter,
        "status": "retried",
        "edited": True,
        "recorded": [{"stream": f"subscription/{subscription}", "type": "licensing.SubscriptionActivated"}],
        "waits_for": [],
        "put_aside": False,
    }
    found = created(await world.admin.get(f"/licensing/subscriptions/{subscription}"))
    assert (found["status"], found["number"]) == ("active", number)
    kept = await shown(world, letter)
    assert kept["value_text"] == (good.value or b"")[:-1].decode()
    assert not {"key", "value"} & kept.keys(), "the same bytes twice"
    assert kept["retried_as"]["value_text"] == body["value"]
    assert (kept["status"], kept["remark"]) == ("retried", body["remark"])
    assert kept["resolved_by"].startswith("user:")
    assert await audit(world) == [("deadletter retry", letter, "done")]


async def test_then_what_was_retried_and_comes_again_changes_nothing(world: World) -> None:
    """X3: redelivered by its topic, or retried when its event was heard already: one effect."""
    good = started(world.east_org, world.numbers(1)[0])
    first, second = put_in_its_way(node(world), spoiled(good), spoiled(again(good)))
    value = {"value": (good.value or b"").decode()}
    assert created(await retry(world, first, value))["recorded"]
    end = node(world).store.end_of_log()
    assert created(await retry(world, second, value)) | {"edited": True} == {
        "id": second, "status": "retried", "edited": True, "recorded": [], "waits_for": [], "put_aside": False,
    }  # fmt: skip
    assert node(world).intake.accept([again(good)]) == 1
    assert node(world).store.end_of_log() == end


async def test_then_what_says_something_else_under_a_known_id_is_put_aside(world: World) -> None:
    """S3, O5: it can be read now, and is quarantined as if it had come so; it is told."""
    first, second = world.numbers(2)
    good = started(world.east_org, first)
    node(world).intake.accept([good])
    (letter,) = put_in_its_way(node(world), spoiled(again(good)))
    end = node(world).store.end_of_log()
    done = created(await retry(world, letter, {"value": (good.value or b"").decode().replace(first, second)}))
    assert (done["put_aside"], done["recorded"], done["waits_for"]) == (True, [], [])
    assert node(world).store.end_of_log() == end
    (aside,) = created(await world.admin.get("/licensing/operate/quarantined"))["items"]
    assert second in aside["message"]


async def test_then_headers_are_set_and_taken_away_by_name(world: World) -> None:
    """O5: bytes that are no text survive an edit of others."""
    good = started(world.east_org, world.numbers(1)[0])
    headers = [("strange", b"\xff"), *((n, b"9.9" if n == "ce_specversion" else v) for n, v in good.headers)]
    bad = msgspec.structs.replace(good, headers=[*headers, ("ce_id", b"twice")])
    (letter,) = put_in_its_way(node(world), bad)
    refused = problem(await retry(world, letter, {"headers": {"ce_specversion": "1.0"}}), 409)
    assert refused["code"] == "dead-letter-still-unreadable"
    assert "ce_id" in refused["detail"]
    edit = {"headers": {"ce_specversion": "1.0", "ce_id": f"{uuid4()}", "more": None}}
    assert created(await retry(world, letter, edit))["recorded"]
    was = [[n, "\\xff" if v == b"\xff" else v.decode()] for n, v in headers if v is not None]
    now = [[n, edit["headers"].get(n, v)] for n, v in was]
    assert (await shown(world, letter))["retried_as"]["headers"] == now


async def test_then_bytes_go_as_base64(world: World) -> None:
    """O5, §9: and what is none is refused by name."""
    good = started(world.east_org, world.numbers(1)[0])
    (letter,) = put_in_its_way(node(world), with_value(good, b"\xff"))
    problem(await retry(world, letter, {"value_base64": "*"}), 422, "bytes-unreadable")
    problem(await retry(world, letter, {"value": "x", "value_base64": "eA=="}), 422, "request-invalid")
    encoded = base64.b64encode(good.value or b"").decode()
    assert created(await retry(world, letter, {"value_base64": encoded}))["status"] == "retried"


async def test_then_what_still_cannot_be_read_goes_on_waiting(world: World) -> None:
    """O5: refused with the reason, on record, and nothing else has changed."""
    (letter,) = put_in_its_way(node(world), spoiled(started(world.east_org, world.numbers(1)[0])))
    end = node(world).store.end_of_log()
    told = problem(await retry(world, letter), 409, "dead-letter-still-unreadable")
    assert "not-json" in told["detail"]
    assert (await shown(world, letter))["status"] == "waiting"
    assert node(world).store.end_of_log() == end
    assert await audit(world) == [("deadletter retry", letter, "refused: dead-letter-still-unreadable")]


async def test_then_a_dry_run_says_what_would_come_of_it(world: World) -> None:
    """O1, O5: events and refusals alike, and the letter waits as before."""
    good = started(world.east_org, world.numbers(1)[0])
    (letter,) = put_in_its_way(node(world), spoiled(good))
    problem(await retry(world, letter, dry_run=True), 409, "dead-letter-still-unreadable")
    answer = await retry(world, letter, {"value": (good.value or b"").decode()}, dry_run=True)
    assert [event["type"] for event in created(answer)["recorded"]] == ["licensing.SubscriptionActivated"]
    assert answer.headers["trunkline-dry-run"] == "true"
    assert (await shown(world, letter))["status"] == "waiting"
    assert created(await world.admin.get("/licensing/operate/doctor"))["parked"] == 1


async def test_then_a_fact_may_wait_once_it_can_be_read(world: World) -> None:
    """S7: the organization is not known yet; that is told."""
    unknown = str(uuid4())
    good = started(unknown, world.numbers(1)[0])
    (letter,) = put_in_its_way(node(world), spoiled(good))
    done = created(await retry(world, letter, {"value": (good.value or b"").decode()}))
    assert done["waits_for"] == [f"party/{unknown}"]


async def test_then_each_key_stays_in_order(world: World) -> None:
    """O5: the younger of a key waits until the older is retried or discarded; others do not."""
    start = started(world.east_org, world.numbers(1)[0])
    subscription = (start.key or b"").decode()
    renewals = [renewed(world.east_org, subscription, AT + timedelta(days=30 * n)) for n in (1, 2)]
    other = started(world.east_org, world.numbers(1)[0])
    first, second, third, apart = put_in_its_way(
        node(world), spoiled(start), *map(spoiled, renewals), spoiled(other)
    )  # fmt: skip
    values = [{"value": (r.value or b"").decode()} for r in (start, *renewals, other)]
    told = problem(await retry(world, third, values[2]), 409, "older-dead-letter-waits")
    assert told["errors"][0]["value"] == first
    created(await retry(world, apart, values[3]))
    created(await retry(world, first, values[0]))
    assert problem(await retry(world, third, values[2]), 409)["errors"][0]["value"] == second
    created(await discard(world, second))
    created(await retry(world, third, values[2]))
    found = created(await world.admin.get(f"/licensing/subscriptions/{subscription}"))
    assert found["renewed_until"] == (AT + timedelta(days=60)).isoformat().replace("+00:00", "Z")


async def test_then_those_without_a_key_have_no_order(world: World) -> None:
    """O5: nothing says that one belongs behind the other."""
    good = [started(world.east_org, world.numbers(1)[0]) for _ in range(2)]
    bad = [msgspec.structs.replace(spoiled(record), key=None) for record in good]
    _, second = put_in_its_way(node(world), *bad)
    created(await retry(world, second, {"value": (good[1].value or b"").decode()}))


async def test_then_it_is_dealt_with_once(world: World) -> None:
    """O5: of many at the same moment one is done and the others are told who was faster."""
    good = started(world.east_org, world.numbers(1)[0])
    (letter,) = put_in_its_way(node(world), spoiled(good))
    body = {"value": (good.value or b"").decode()}
    answers = await asyncio.gather(
        *(retry(world, letter, body) for _ in range(6)), *(discard(world, letter) for _ in range(6))
    )
    assert Counter(a.status_code for a in answers) == {200: 1, 409: 11}
    assert {a.json()["code"] for a in answers if a.is_error} == {"dead-letter-resolved"}
    outcomes = Counter(outcome for _, _, outcome in await audit(world))
    assert outcomes == {"done": 1, "refused: dead-letter-resolved": 11}
    status = (await shown(world, letter))["status"]
    processed = node(world).store.fetch("SELECT count(*) FROM inbox WHERE source = 'billing:/billing'")
    assert processed == [(status == "retried",)]


async def test_then_the_same_request_again_has_the_same_answer(world: World) -> None:
    """O5: under its Idempotency-Key, with one line in the audit."""
    good = started(world.east_org, world.numbers(1)[0])
    (letter,) = put_in_its_way(node(world), spoiled(good))
    body, key = {"value": (good.value or b"").decode()}, {"Idempotency-Key": str(uuid4())}
    answers = [await world.admin.post(f"{PARKED}/{letter}/retry", body, headers=key) for _ in range(2)]
    assert created(answers[0]) == created(answers[1])
    assert len(await audit(world)) == 1


async def test_then_what_is_given_up_is_kept_with_the_reason(world: World) -> None:
    """O5: it can be looked at, but not retried; without a reason nothing is given up."""
    (letter,) = put_in_its_way(node(world), spoiled(started(world.east_org, world.numbers(1)[0])))
    for remark in ("", " ", "a\0b", None):
        problem(await world.admin.post(f"{PARKED}/{letter}/discard", {"remark": remark}), 422)
    assert created(await discard(world, letter, " a test  of billing's"))["status"] == "discarded"
    problem(await retry(world, letter), 409, "dead-letter-resolved")
    kept = await shown(world, letter)
    assert (kept["status"], kept["remark"]) == ("discarded", "a test of billing's")
    assert await audit(world) == [
        ("deadletter discard", letter, "done"),
        ("deadletter retry", letter, "refused: dead-letter-resolved"),
    ]


async def test_then_lists_are_of_one_topic_code_and_status(world: World) -> None:
    """O5: and their cursors belong to what was asked."""
    good = [started(world.east_org, number) for number in world.numbers(3)]
    ids = put_in_its_way(node(world), spoiled(good[0]), with_value(good[1], None), spoiled(good[2]))
    created(await discard(world, ids[2]))

    async def listed(**chosen: Any) -> list[int]:
        found: list[int] = []
        cursor: str | None = None
        while True:
            params = {"limit": 1, **chosen} | ({"cursor": cursor} if cursor else {})
            page = created(await world.admin.get(PARKED, params=params))
            found += [item["id"] for item in page["items"]]
            if (cursor := page["next"]) is None:
                return found

    assert await listed() == list(ids)
    assert await listed(code="not-json") == [ids[0], ids[2]]
    assert await listed(code="not-json", status="waiting") == [ids[0]]
    assert await listed(topic="BillingSubscriptionEvents", status="discarded") == [ids[2]]
    assert await listed(topic="PartyEvents") == []
    for none in (0, -1, 10**9, 2**70):
        problem(await retry(world, none), 404, "nothing-there")
        problem(await discard(world, none), 404, "nothing-there")


@pytest.fixture
def urls(new_database: Any) -> tuple[str, str]:
    return new_database(prepare_licensing), new_database(prepare_numbers)


async def test_then_a_reaction_that_failed_is_tried_again(tmp_path: Path, urls: tuple[str, str]) -> None:
    """O5, X6: parked because what should have come of it failed; retried once the fault is mended."""
    faults = ["the fault"]
    whole = licensing()
    billing_heard = next(h for h in whole.message_handlers if "BillingSubscriptionEvents" in h.topics)

    def failing(uow: UnitOfWork, messages: Sequence[Message]) -> None:
        if faults:
            raise ValueError(faults[0])
        billing_heard.handle(uow, messages)

    hearings = tuple(MessageHandler(h.topics, failing) if h is billing_heard else h for h in whole.message_handlers)
    settings = Settings.model_validate(
        {"home": tmp_path, "licensing_database_url": urls[0], "numbers_database_url": urls[1]}
    )
    async with InProcess(settings, [replace(whole, message_handlers=hearings), numbers()]) as deployment:
        world = World(deployment)
        await world.fill()
        (letter,) = put_in_its_way(node(world), started(world.east_org, world.numbers(1)[0]))
        assert (await shown(world, letter))["code"] == "reaction-failed"
        told = problem(await retry(world, letter), 409, "dead-letter-still-fails")
        assert "ValueError: the fault" in told["detail"]
        faults.clear()
        done = created(await retry(world, letter))
        assert (done["status"], done["edited"], len(done["recorded"])) == ("retried", False, 1)


async def test_then_what_nobody_hears_any_more_can_only_be_discarded(world: World) -> None:
    """O5: a topic that a newer service has given up."""
    good = started(world.east_org, world.numbers(1)[0])
    (letter,) = put_in_its_way(node(world), spoiled(good))
    with node(world).store.connection() as conn:
        conn.execute("UPDATE parked SET topic = 'OldTopic' WHERE id = %s", (letter,))
    assert "OldTopic" in problem(await retry(world, letter), 409, "topic-unheard")["detail"]
    created(await discard(world, letter))
