"""When two running services are compared over their own doors, busy or tampered with (O7, P6).

What differs, and in how many ways, is shown with made-up facts in `test_when_the_two_are_held_against_each_other`.
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.end_to_end.shell import Done, Shell
from tests.http.world import created, problem
from tests.operate.home import Home, kept_as_if_expired, keyed, lose, named, released
from trunkline.cli.reconcile.output import ended
from trunkline.cli.reconcile.retry_until_settled import Report
from trunkline.cli.terminal.exit_codes import Partly
from trunkline.operations.reconciliation.records import MOST_KEYS
from trunkline_numbers.domain.number.bindings import unbind_extension
from trunkline_numbers.domain.policy import DEFAULT

# -- two that agree -----------------------------------------------------------------------------------------------


async def test_then_two_that_agree_are_found_to(home: Home) -> None:
    """O7: with numbers assigned, kept, swapped, given by hand, refused, bound, suspended, locked and deleted."""
    (_, expired), (one, swapped), (two, by_hand), (rings, _), (kept, suspended) = await home.sold(5)
    other, third, locked, gone = home.numbers(4)
    created(await home.add(other, third, locked, gone))
    await home.buy("+6531999999")
    await home.line(rings)
    await home.line(kept)
    await home.happens("expired", expired)
    await home.happens("expired", suspended)
    await home.happens("number_swapped", swapped, old_number=one, new_number=other)
    await home.quiet()
    body = {"subscription_id": by_hand, "old_number": two, "new_number": third}
    created(await home.admin.post("/numbers/swap", body))
    created(await home.admin.post(f"/numbers/{locked}/lock", {"remark": "r"}))
    created(await home.admin.post(f"/numbers/{gone}/delete", {"reason": "other", "remark": "r"}))
    report = await home.compared()
    assert report.agrees, report
    assert report.counted == {
        "subscription": 6,
        "active": 3,
        "without": 1,  # its number is reserved for another
        "assigned": 3,
        "reserved": 4,
        "binding": 2,
        "party": 4,
        "copy": 9,
    }


async def test_then_what_is_done_meanwhile_is_no_difference(home: Home) -> None:
    """O7: subscriptions start, expire and swap, and lines get numbers, while all is compared, again and again."""
    some = await home.sold(4)

    async def work() -> None:
        for number, key in some:
            await home.line(number)
            await home.happens("expired", key)
            await home.sold(3)

    async def look() -> list[Report]:
        return [await home.compared() for _ in range(4)]

    reports, _ = await asyncio.gather(look(), work())
    assert [report.differences for report in reports] == [[]] * 4
    assert (await home.compared()).agrees


async def test_then_nothing_is_concluded_before_it_is_heard(home: Home) -> None:
    """O7, O1, X4: what numbers has not heard yet is moving, which leaves with 3; heard, it agrees."""
    (number,) = home.numbers(1)
    created(await home.add(number))
    await home.quiet()  # the event of below is the only one that is not out
    async with home.inventory.turn:  # it consumes nothing meanwhile
        (key,) = await home.buy(number)
        report = await home.compared(patience=0.0)
    assert report.differences == []
    assert named(report.moving) == {("subscription", key), ("active", key)}
    assert {each.because for each in report.moving} == {"licensing has 1 events to say yet"}
    assert getattr(ended(report), "code", 0) == Partly.code
    assert (await home.compared()).agrees


# -- tampered with ------------------------------------------------------------------------------------------------


async def test_then_each_thing_that_one_side_has_lost_or_never_heard_is_named(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O7: events appended behind the other's back, messages that were lost, rows that were deleted; nothing else."""
    (freed, one), (served, deleted), (kept, two), (late, unheard), (rings, _), (copied, _) = await home.sold(6)
    extension = await home.line(rings)
    home.tamper(freed, released)
    home.tamper(kept, kept_as_if_expired)
    lose(monkeypatch, home.licensing, lambda r: r.topic == "NumberUnbound")
    home.tamper(rings, lambda n: unbind_extension(n, extension, DEFAULT, home.now))
    lose(monkeypatch, home.inventory, keyed(unheard, home.west_org))
    await home.happens("expired", unheard)
    created(await home.admin("PATCH", f"/licensing/organizations/{home.west_org}", json={"name": "Other"}))
    await home.quiet()
    with home.licensing.store.connection() as conn:
        conn.execute("DELETE FROM number_copy WHERE number = %s", (copied,))
        conn.execute("DELETE FROM subscription_view WHERE key = %s", (deleted,))
    with home.inventory.store.connection() as conn:
        conn.execute("DELETE FROM party_view WHERE key = %s", (home.west,))
    report = await home.compared()
    assert named(report.differences) == {
        ("active", one),
        *{("active", two), ("reserved", kept)},
        *{("subscription", unheard), ("assigned", late)},
        *{("subscription", deleted), ("assigned", served)},
        ("binding", extension),
        *{("party", home.west_org), ("party", home.west)},
        ("copy", copied),
    }
    assert report.moving == []
    (party,) = [each for each in report.differences if each.key == home.west_org]
    assert (party.licensing, party.numbers) == ("name Other", "name org")
    assert party.do == f"trunkline republish licensing --stream party/{home.west_org}"


async def test_then_a_parked_message_explains_what_it_has_left_undone(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O7, X6: it was heard, and nothing came of it; which dead letter it is, is told."""
    ((number, key),) = await home.sold(1)
    lose(monkeypatch, home.inventory, keyed(key), value=b"{")
    await home.happens("expired", key)
    report = await home.compared()
    assert named(report.differences) == {("subscription", key), ("assigned", number)}
    told = {(each.because, each.do.partition(";")[0]) for each in report.differences}
    assert told == {("numbers has parked a SubscriptionExpired about it", "trunkline deadletter show numbers 1")}


async def test_then_a_party_that_is_waited_for_explains_what_waits(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """O7, S7: the customer that numbers never heard of is named, and is why its subscription has no number."""
    (number,) = home.numbers(1)
    created(await home.add(number))
    home.east_org = str(uuid4())
    lose(monkeypatch, home.inventory, keyed(home.east_org))
    body = {"organization_id": home.east_org, "partner_id": home.east, "name": "New", "billing_email": "b@o.example"}
    created(await home.admin.post("/licensing/organizations", body))
    (key,) = await home.buy(number)
    report = await home.compared()
    assert {each.kind: (each.key, each.because) for each in report.differences} == {
        "party": (home.east_org, None),
        "active": (key, f"numbers waits to hear of party/{home.east_org}"),
    }


async def test_then_over_a_broker_what_came_to_nothing_is_named_until_it_is_said_again(
    far_apart: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O7, O4, X6: all that stands in the topics is heard first; what is advised then brings the two together."""
    home = far_apart
    ((number, key),) = await home.sold(1)
    assert (await home.compared()).agrees
    with monkeypatch.context() as patch:
        lose(patch, home.inventory, keyed(key), value=b"{")
        await home.happens("expired", key)
        report = await home.compared()
    assert named(report.differences) == {("subscription", key), ("assigned", number)}
    republish = {"stream": f"subscription/{key}"}
    assert (await home.admin.post("/licensing/operate/republish", republish)).text.count('"result"') == 1
    assert (await home.compared()).agrees


# -- the doors and the command ------------------------------------------------------------------------------------


async def test_then_things_can_be_asked_for_by_name(home: Home) -> None:
    """O7, §9: so many at once, those that are there; the first line is about all of them."""
    (number, key), (_, other) = await home.sold(2)
    for service, subject, keys in (("licensing", "subscriptions", (key, other)), ("numbers", "numbers", (number,))):
        path = f"/{service}/operate/held/{subject}"
        whole = (await home.admin.get(path)).text.splitlines()
        some = (await home.admin.get(path, params={"key": [*keys, "nothing"]})).text.splitlines()
        assert (len(whole), len(some)) == (3, 1 + len(keys))
        assert (whole[0], some[0]) == ('{"rows":2}', '{"rows":null}')
        assert set(some[1:]) <= set(whole[1:])
        problem(await home.admin.get(path, params={"key": ["x"] * (MOST_KEYS + 1)}), 422)
        problem(await home.admin.get(path, params={"key": "\0"}), 422)
    settled = created(await home.admin.get("/numbers/operate/settled", params={"seconds": 20}))
    assert (settled["unsaid"], settled["heard"]) == (0, True)
    assert settled["end"] <= home.inventory.store.end_of_log()


async def test_then_the_command_says_how_they_agree_and_what_differs(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """O7, O1: below the checks a line for each kind, and what differs below that; it leaves with 1 if anything does."""
    monkeypatch.setenv("TRUNKLINE_HOME", str(home.deployment.settings.home))
    monkeypatch.setenv("TRUNKLINE_URL", home.deployment.address)
    shell = Shell(capsys)

    async def typed(*more: str) -> Done:
        return await asyncio.to_thread(shell, "doctor", "--reconcile", *more)

    ((number, key),) = await home.sold(1)
    well = await typed()
    assert (well.code, well.err) == (0, "")
    assert "1 assigned numbers: all agree\n" in well.out
    assert (await typed("--json")).json["reconciled"]["agrees"] is True
    home.tamper(number, released)
    differs = await typed()
    assert (differs.code, differs.err) == (1, "1 differences between the services.\n")
    assert "1 active subscriptions of a number: 1 differ\n" in differs.out
    assert f"\nWhat differs:\nactive {key}, since 2026-01-01 00:00:00Z\n" in differs.out
    assert f"  licensing  active with {number} since 2026-01-01T00:00:00Z\n" in differs.out
    assert f"  do         trunkline number history {number}; trunkline number assign {number} --to {key}" in differs.out
    told = await typed("--json")
    found = told.json["reconciled"]["differences"]
    assert (told.code, told.json["well"], [(d["kind"], d["key"]) for d in found]) == (1, False, [("active", key)])
