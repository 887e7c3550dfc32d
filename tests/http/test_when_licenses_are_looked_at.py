"""When licenses are looked at: the overview, who uses which unit, the two reports (L18-L20, S5 as it shows)."""

from __future__ import annotations

import csv
import io
import re
from typing import Any
from uuid import uuid4

import pytest_asyncio

from tests.http.licensed import Licensed
from tests.http.world import World, created, event, problem
from trunkline.files.csv_reader import Layout, read_csv


@pytest_asyncio.fixture(loop_scope="session")
async def org(world: World) -> Licensed:
    return Licensed(world)


def figures(item: Any) -> list[int]:
    return [item[name] for name in ("purchased", "allocated", "free", "suspended")]


async def test_then_the_overview_counts_by_code_and_subscription(org: Licensed) -> None:
    """L20: per code purchased, allocated, free, suspended; expired ones count for nothing, and are restored (S5)."""
    old, new = await org.buy(quantity=2), str(uuid4())
    told = {"product": "license", "license_code": "phone_system", "quantity": 3, "reference": "PO7"}
    await org.bill("started", new, "2026-02-01T00:00:00Z", **told)
    await org.buy("team_chat", 1)
    await org.provision(3, "101")
    found = await org.licenses()
    assert list(found) == ["phone_system", "team_chat"]
    assert found["team_chat"]["name"] == "Team Chat"
    assert figures(found["phone_system"]) == [5, 3, 2, 0]
    assert [(s["subscription_id"], s["allocated"], s["free"]) for s in found["phone_system"]["subscriptions"]] == [
        (old, 2, 0),
        (new, 1, 2),
    ]
    await org.bill("expired", old, "2026-03-01T00:00:00Z")
    assert figures((await org.licenses())["phone_system"]) == [3, 3, 2, 2]
    suspended = await org.seen(org.path, suspended=True)
    assert [x["ext_key"] for x in suspended["items"]] == ["101", "102"]
    assert all(x["suspended"] for x in suspended["items"])
    await org.bill("reactivated", old, "2026-03-02T00:00:00Z")
    assert figures((await org.licenses())["phone_system"]) == [5, 3, 2, 0]
    assert (await org.seen(org.path, suspended=True))["total"] == 0


async def test_then_the_newest_units_beyond_a_lowered_quantity_are_named(org: Licensed) -> None:
    """L4, L20: nothing is withdrawn; new allocations are refused until there is room."""
    subscription = await org.buy(quantity=4)
    made = await org.provision(4, "101")
    await org.bill("quantity_changed", subscription, "2026-03-01T00:00:00Z", quantity=2)
    units = await org.seen(f"{org.root}/licenses/units", suspended=True)
    assert [u["ext_key"] for u in units["items"]] == ["103", "104"]
    refused = problem(await org.admin.post(org.path, {"count": 1, "start_from": "200"}), 409, "not-enough-licenses")
    assert refused["errors"][0]["pointer"] == "#/count"
    created(await org.admin("DELETE", f"{org.path}/{made[0]['extension_id']}"))
    assert figures((await org.licenses())["phone_system"]) == [2, 3, 0, 1]
    await org.bill("quantity_changed", subscription, "2026-03-02T00:00:00Z", quantity=9)
    assert figures((await org.licenses())["phone_system"]) == [9, 3, 6, 0]
    assert (await org.seen(org.path, suspended=True))["total"] == 0


async def test_then_what_hangs_on_a_terminated_subscription_is_withdrawn(org: Licensed) -> None:
    """S5: the add-on goes, then the extension, each with that cause on record."""
    base, chat = await org.buy(quantity=2), await org.buy("team_chat", 2)
    x, _ = await org.provision(2, "101", addons=["team_chat"])
    await org.bill("terminated", chat, "2026-03-01T00:00:00Z")
    assert (await org.seen(f"{org.path}/{x['extension_id']}"))["addons"] == []
    await org.bill("terminated", base, "2026-03-02T00:00:00Z")
    assert (await org.seen(org.path))["total"] == 0
    assert figures((await org.licenses())["phone_system"]) == [0, 0, 0, 0]
    stream = await org.world.admin.get(f"/licensing/operate/streams/extension/{x['extension_id']}")
    happened = [(e["type"], e["data"].get("cause"), e["data"].get("subscription_id")) for e in created(stream)["items"]]
    assert [h for h in happened if h[1]] == [
        ("licensing.ExtensionChanged", "terminated", chat),
        ("licensing.ExtensionDeleted", "terminated", base),
    ]


async def test_then_units_are_found_by_license_user_and_extension(org: Licensed) -> None:
    """L20: search by license, user, extension."""
    for code, count in (("phone_system", 3), ("team_chat", 2), ("call_recording", 1)):
        await org.buy(code, count)
    ada = await org.person("Ada Lovelace")
    first, second = await org.provision(2, "101", user_ids=[ada], addons=["team_chat"])
    await org.patch(second["extension_id"], addons=["team_chat", "call_recording"])
    path = f"{org.root}/licenses/units"

    async def found(**params: Any) -> list[tuple[str, str]]:
        page = await org.seen(path, **params)
        assert page["total"] == len(page["items"])
        return [(u["ext_key"], u["license_code"]) for u in page["items"]]

    chats = [("101", "team_chat"), ("102", "team_chat")]
    assert await found(license="team_chat") == chats
    assert await found(user=ada) == await found(user="lovelace") == [("101", "phone_system"), ("101", "team_chat")]
    assert await found(user="%") == []
    assert await found(extension="102") == [("102", c) for c in ("call_recording", "phone_system", "team_chat")]
    assert await found(extension=first["extension_id"], license="team_chat") == chats[:1]
    pages = [await org.seen(path, limit=2)]
    while pages[-1]["next"]:
        pages.append(await org.seen(path, limit=2, cursor=pages[-1]["next"]))
    assert len([u for page in pages for u in page["items"]]) == pages[0]["total"] == 5


async def test_then_extensions_are_searched_and_paged(org: Licensed) -> None:
    """L20, L15: by key, name, person, license; in the order of keys, either way."""
    await org.buy(quantity=5)
    ada = await org.person("Ada_Lovelace")
    made = await org.provision(5, "998", user_ids=[ada])
    await org.patch(made[1]["extension_id"], directory_name="Front desk")
    for params, keys in (
        ({"q": "ada_"}, ["998"]),
        ({"q": "front"}, ["999"]),
        ({"q": "00"}, ["1000", "1001", "1002"]),
        ({"ext_key": "1001"}, ["1001"]),
        ({"user_id": ada}, ["998"]),
        ({"sort": "-ext_key", "limit": 2}, ["1002", "1001"]),
    ):
        assert [x["ext_key"] for x in (await org.seen(org.path, **params))["items"]] == keys, params


async def test_then_extensions_go_out_as_a_file_that_is_safe(org: Licensed) -> None:
    """L18, §9: the fields, the exact file name, no cell that a spreadsheet would execute, numbers that come back."""
    for code in ("phone_system", "team_chat", "device_web_rtc"):
        await org.buy(code, 2)
    evil = await org.person("=HYPERLINK(1)")
    first, _ = await org.provision(2, "101", user_ids=[evil], addons=["team_chat", "device_web_rtc"])
    (number,) = org.world.numbers(1)
    await org.patch(first["extension_id"], number=number)
    answer = await org.get(f"{org.path}/export")
    name = rf'attachment; filename="{org.org}_\d{{8}}T\d{{6}}Z_license_phonesystem_provisioned_extension\.csv"'
    assert re.fullmatch(name, answer.headers["content-disposition"])
    header, *lines = csv.reader(io.StringIO(answer.text))
    assert header == ["Ext Key", "Number", "User", "Addon License details"]
    details = "Web Phone (device_web_rtc); Team Chat (team_chat)"
    assert lines[1] == ["102", "", "", details]
    assert lines[0][2] == "'=HYPERLINK(1)"
    layout = Layout("report", ("Ext Key", "Number", "User", "Addon License details"))
    (back, _) = read_csv(answer.content, layout, max_bytes=10_000)
    assert back.cells["User"] == "=HYPERLINK(1)"
    assert back.cells["Number"] in (number, "")  # by now numbers may have refused it


async def test_then_numbers_that_serve_nobody_are_listed_and_go_out(org: Licensed, world: World) -> None:
    """L19: every number assigned to the organization and without a binding; the exact file name."""
    number, foreign = world.numbers(2)
    created(await world.add(number, foreign))
    subscription, other = str(uuid4()), str(uuid4())
    sold = {"product": "number", "sku": "DID"}
    created(await world.bill(event("started", subscription, org.org, number=number, **sold)))
    created(await world.bill(event("started", other, world.west_org, number=foreign, **sold)))
    await world.settle()
    path = f"{org.root}/licenses/available-numbers"
    items: list[Any] = []
    while not items:
        await world.settle()
        items = (await org.seen(path))["items"]
    assert [(i["number"], i["subscription_id"], i["sku"], i["country"]) for i in items] == [
        (number, subscription, "DID", "SG")
    ]
    answer = await org.get(f"{path}/export")
    name = rf'attachment; filename="{org.org}_\d{{8}}T\d{{6}}Z_license_phonesystem_available_number\.csv"'
    assert re.fullmatch(name, answer.headers["content-disposition"])
    header, line = csv.reader(io.StringIO(answer.text))
    assert header == ["Number", "Subscription", "SKU", "Country", "Capabilities", "Assigned Since"]
    assert line[:5] == [f"'{number}", subscription, "DID", "SG", "voice"]


async def test_then_nobody_outside_sees_any_of_it(org: Licensed, world: World) -> None:
    """P2, P4: 404 outside the branch; members see no overview and no reports."""
    await org.buy()
    outsider, member = world.caller("org-admin", world.west_org), world.caller("member", org.org)
    for path in (
        "/licenses",
        "/licenses/units",
        "/licenses/available-numbers",
        "/licenses/available-numbers/export",
        "/extensions",
        "/extensions/export",
    ):
        problem(await org.get(org.root + path, outsider), 404, "party-unknown")
        if path != "/extensions":
            problem(await org.get(org.root + path, member), 403, "not-allowed")
