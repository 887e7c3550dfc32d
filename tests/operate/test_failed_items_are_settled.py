"""When a running service has set something aside: operators see it, retry it or give it up (O8, P6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.http.world import World, created, problem
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.runtime.service_runtime import ServiceRuntime
from trunkline_numbers.domain.party_replica import PARTY

OPERATE = "/numbers/operate"
PATIENCE = 90.0


def node(world: World) -> ServiceRuntime:
    return world.deployment.runtimes["numbers"]


async def until(look: Callable[[], object]) -> None:
    """Look again and again until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(look):  # noqa: ASYNC110 - nothing tells when to look
            await asyncio.sleep(0.02)


def mails(world: World) -> dict[str, str]:
    return dict(node(world).store.fetch("SELECT key, state FROM mail"))


def spoil_address(world: World, organization: str) -> None:
    """The billing address as it could be stored before addresses were checked."""
    import msgspec

    from trunkline.eventstore.recorded_event import Causation

    def decide(uow: UnitOfWork) -> None:
        known: Any = uow.state(PARTY, organization).details
        spoilt = msgspec.structs.replace(known, sequence=known.sequence + 1, billing_email="a@[")
        uow.record(PARTY, organization, [spoilt], Causation("test", "test", "test"))

    node(world).run(decide)


async def test_a_mail_that_cannot_be_written_stops_nothing(world: World) -> None:
    """O8, N5: its notice falls due beside another one; that one goes, and both services stay ready."""
    bad, good = world.numbers(2)
    created(await world.add(bad, good))
    for number, org in ((bad, world.east_org), (good, world.west_org)):
        created(await world.admin.post(f"/numbers/{number}/reserve", {"reserver_id": org, "remark": "kept"}))
    await asyncio.to_thread(spoil_address, world, world.east_org)
    created(await world.admin.post(f"{OPERATE}/clock/advance", {"by": "22d"}))
    await until(lambda: sorted(mails(world).values()) == ["failed", "sent"])
    failed = next(key for key, state in mails(world).items() if state == "failed")
    assert bad in failed
    shown = created(await world.admin.get(f"{OPERATE}/mail/{failed}"))
    assert "cannot be written" in shown["last_error"]
    assert (await world.nobody().get("/readyz")).status_code == 200

    problem(await world.admin.post(f"{OPERATE}/mail/{failed}/discard", {}), 422)
    done = created(await world.admin.post(f"{OPERATE}/mail/{failed}/discard", {"remark": "told by phone"}))
    assert done == {"key": failed, "state": "discarded"}
    created(await world.admin.post(f"{OPERATE}/mail/{failed}/retry", {}))
    await until(lambda: mails(world)[failed] == "failed")
    sent = next(key for key, state in mails(world).items() if state == "sent")
    problem(await world.admin.post(f"{OPERATE}/mail/{sent}/retry", {}), 409, "mail-not-waiting")
    problem(await world.admin.post(f"{OPERATE}/mail/none/retry", {}), 404)
    problem(await world.caller("partner-admin", world.east).post(f"{OPERATE}/mail/{failed}/retry", {}), 403)
    commands = [row["command"] for row in created(await world.admin.get(f"{OPERATE}/audit"))["items"]]
    assert [c for c in commands if c.startswith("mail")].count("mail retry") >= 2


async def test_what_loops_set_aside_is_seen_everywhere_and_settled(world: World) -> None:
    """O8: a list, `/readyz`, the figures of doctor, metrics; retried at once, passed over, given up, on record."""
    store = node(world).store
    at = node(world).clock.now()
    rows = [("relay", "number/+1", 3), ("deadlines", "number/+2", 1), ("projection/number_view_g1", "number/+3", 9)]
    with store.connection() as conn:
        for loop, key, position in rows:
            conn.execute(
                "INSERT INTO failed_items VALUES (%s, %s, %s, 'ValueError: x', 2, %s, %s, %s, 'waiting')",
                (loop, key, position, at, at, at.replace(year=2998)),
            )
    listed = created(await world.admin.get(f"{OPERATE}/failed-items"))["items"]
    assert [(i["loop"], i["key"], i["cause"]) for i in listed] == sorted((lo, k, "ValueError: x") for lo, k, _ in rows)
    ready = (await world.nobody().get("/readyz")).json()
    assert ready["ready"]
    assert "1 item of the loop 'relay' is set aside" in ready["degraded"]["numbers"]
    facts = created(await world.admin.get(f"{OPERATE}/doctor"))
    assert facts["failed_items"] == {"relay": 1, "deadlines": 1, "projection/number_view_g1": 1}
    metrics = (await world.nobody().get("/metrics")).text
    assert 'trunkline_failed_items{loop="projection",service="numbers"} 1.0' in metrics

    async def do(what: str, loop: str, key: str, **more: Any) -> Any:
        return await world.admin.post(f"{OPERATE}/failed-items/{what}", {"loop": loop, "key": key} | more)

    problem(await do("discard", rows[2][0], "number/+3", remark="no"), 409, "projection-needs-every-event")
    problem(await do("retry", "relay", "number/+9"), 404)
    problem(await do("discard", "relay", "number/+1"), 422)
    dry = await world.admin.post(
        f"{OPERATE}/failed-items/discard?dry_run=true", {"loop": "deadlines", "key": "number/+2", "remark": "x"}
    )
    assert created(dry)["status"] == "discarded"
    assert created(await do("discard", "relay", "number/+1", remark="told them"))["status"] == "skipped"
    assert created(await do("discard", "deadlines", "number/+2", remark="gone"))["status"] == "discarded"
    found = {
        key: (position, status)
        for key, position, status in store.fetch("SELECT key, position, status FROM failed_items")
    }
    assert found["number/+1"] == (4, "waiting")
    assert found["number/+2"] == (1, "discarded")
    assert created(await do("retry", "deadlines", "number/+2"))["status"] == "waiting"
    created(await do("retry", rows[2][0], "number/+3"))
    (due,) = store.fetch("SELECT count(*) FROM failed_items WHERE next_try_at <= %s", (node(world).clock.now(),))
    assert due == (3,)
    commands = [row["command"] for row in created(await world.admin.get(f"{OPERATE}/audit"))["items"]]
    assert commands.count("failed-item discard") >= 3
