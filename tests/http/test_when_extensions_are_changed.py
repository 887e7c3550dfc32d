"""When extensions are changed or deleted: what changes hands is answered, and all of a command is done or nothing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.http.licensed import Licensed
from tests.http.world import World, created, problem


@pytest_asyncio.fixture(loop_scope="session")
async def org(world: World) -> Licensed:
    found = Licensed(world)
    await found.buy(quantity=4)
    return found


async def one(org: Licensed, **more: Any) -> Any:
    return (await org.provision(1, "101", **more))[0]


async def test_then_key_and_name_are_others_and_the_key_is_free(org: Licensed) -> None:
    """L15: edit the key and the directory name; the old key can be had by another one."""
    x = await one(org)
    changed = await org.patch(x["extension_id"], ext_key="200", directory_name="Front desk")
    assert changed["extension"] | {"ext_key": "101", "directory_name": None} == x
    assert changed["freed"] == {"ext_key": "101", "user_id": None, "licenses": [], "number": None}
    await org.provision(1, "101")
    told = problem(await org.admin("PATCH", f"{org.path}/{x['extension_id']}", json={"ext_key": "101"}), 409)
    assert told["code"] == "ext-duplicate"
    assert (await org.patch(x["extension_id"], directory_name=None))["extension"]["directory_name"] is None


@pytest.mark.parametrize(("name", "length"), [("é" * 101, 101), ("a\nb", 3), ("\x00", 1)])
async def test_then_a_name_has_100_characters_at_most(org: Licensed, name: str, length: int) -> None:
    """L15, §9: the 101st is refused, and what no line can hold; the 100th is not."""
    x = await one(org)
    where = f"{org.path}/{x['extension_id']}"
    told = problem(await org.admin("PATCH", where, json={"directory_name": name}), 422, "name-too-long")
    assert str(length) in told["detail"]
    changed = await org.patch(x["extension_id"], directory_name="é" * 100)
    assert changed["extension"]["directory_name"] == "é" * 100


async def test_then_another_person_is_served_or_nobody(org: Licensed) -> None:
    """L15, L2: change of user; the one before is free for another extension."""
    ada, ben = await org.person("Ada"), await org.person("Ben")
    x = await one(org, user_ids=[ada])
    changed = await org.patch(x["extension_id"], user_id=ben)
    assert changed["extension"]["user"]["name"] == "Ben"
    assert changed["freed"]["user_id"] == ada
    await org.provision(1, "102", user_ids=[ada])
    assert (await org.patch(x["extension_id"], user_id=None))["freed"]["user_id"] == ben
    await org.provision(1, "103", user_ids=[ben])


async def test_then_addons_change_hands(org: Licensed) -> None:
    """L3, L15: only purchased ones with a free unit; what one gives up another can have, in one call too."""
    desktop, phones = await org.buy("device_desktop_app", 1), await org.buy("device_ip_phone", 2)
    first, second = await org.provision(2, "101")
    given = await org.patch(first["extension_id"], addons=["device_desktop_app", "device_ip_phone"])
    assert [(a["code"], a["subscription_id"]) for a in given["extension"]["addons"]] == [
        ("device_desktop_app", desktop),
        ("device_ip_phone", phones),
    ]
    none_left = await org.admin(
        "PATCH", f"{org.path}/{second['extension_id']}", json={"addons": ["device_desktop_app"]}
    )
    assert problem(none_left, 409, "no-addon-license")["errors"][0]["pointer"] == "#/addons"
    never_bought = {"addons": ["team_chat"]}
    problem(
        await org.admin("PATCH", f"{org.path}/{second['extension_id']}", json=never_bought), 409, "no-addon-license"
    )
    taken = await org.patch(first["extension_id"], addons=["device_ip_phone"])
    assert taken["freed"]["licenses"] == ["device_desktop_app"]
    await org.patch(second["extension_id"], addons=["device_desktop_app"])
    assert (await org.licenses())["device_desktop_app"]["allocated"] == 1


async def test_then_addons_of_several_are_changed_at_once_or_not_at_all(org: Licensed) -> None:
    """L3: several extensions in one call; every conflict listed, nothing half done."""
    await org.buy("device_web_rtc", 2)
    await org.buy("team_chat", 9)
    made = [x["extension_id"] for x in await org.provision(4, "101")]
    stranger = str(uuid4())
    where = f"{org.path}/addons"
    told = problem(await org.admin.post(where, {"extension_ids": [made[0], stranger], "add": ["team_chat"]}), 404)
    assert [e["pointer"] for e in told["errors"]] == ["#/extension_ids/1"]
    told = problem(await org.admin.post(where, {"extension_ids": made, "add": ["device_web_rtc", "team_chat"]}), 409)
    assert [(e["pointer"], e["code"]) for e in told["errors"]] == [
        ("#/extension_ids/2", "no-addon-license"),
        ("#/extension_ids/3", "no-addon-license"),
    ]
    assert (await org.licenses())["team_chat"]["allocated"] == 0
    created(await org.admin.post(where, {"extension_ids": made[:2], "add": ["device_web_rtc"]}))
    moved = created(await org.admin.post(where, {"extension_ids": made[:2], "remove": ["device_web_rtc"]}))
    assert moved["freed"] == {key: ["device_web_rtc"] for key in made[:2]}
    both = {"extension_ids": made, "addons": ["team_chat"], "add": ["device_web_rtc"]}
    problem(await org.admin.post(where, both), 422, "addons-said-twice")


async def test_then_contact_center_names_what_it_lacks(org: Licensed) -> None:
    """L17, §10.13: base, the add-on and a device; refused with its name, also when the device is taken away later."""
    for code in ("license_center", "device_ip_phone", "device_mobile_app"):
        await org.buy(code, 2)
    x = await one(org)
    where = f"{org.path}/{x['extension_id']}"
    told = problem(await org.admin("PATCH", where, json={"addons": ["license_center"]}), 409, "addon-prerequisite")
    for named in ("IP Phone (device_ip_phone)", "Mobile (", "Desktop (", "Web Phone ("):
        assert named in told["detail"]
    await org.patch(x["extension_id"], addons=["license_center", "device_ip_phone"])
    problem(await org.admin("PATCH", where, json={"addons": ["license_center"]}), 409, "addon-prerequisite")
    remove = {"extension_ids": [x["extension_id"]], "remove": ["device_ip_phone"]}
    told = problem(await org.admin.post(f"{org.path}/addons", remove), 409, "addon-prerequisite")
    assert "Contact Center" in told["detail"]
    await org.patch(x["extension_id"], addons=["license_center", "device_mobile_app"])
    await org.patch(x["extension_id"], addons=["device_mobile_app"])
    await org.patch(x["extension_id"], addons=[])


async def test_then_the_role_there_follows_the_role_in_the_organization(org: Licensed) -> None:
    """P5: owner and admin are Supervisor, members Agent, also when the role changes later."""
    for code in ("license_center", "device_ip_phone"):
        await org.buy(code, 3)
    addons = ["license_center", "device_ip_phone"]
    people = [await org.person("Own", "owner"), await org.person("Adm", "admin"), await org.person("Mem", "member")]
    made = await org.provision(3, "101", user_ids=people, addons=addons)
    assert [x["contact_center"]["role"] for x in made] == ["Supervisor", "Supervisor", "Agent"]
    promoted = {"role": "admin"}
    created(await org.admin("PATCH", f"{org.root}/identities/{people[2]}", json=promoted))
    listed = await org.seen(org.path)
    assert {x["contact_center"]["role"] for x in listed["items"]} == {"Supervisor"}
    units = (await org.seen(f"{org.root}/licenses/units"))["items"]
    there = {(u["license_code"], u["contact_center_role"]) for u in units}
    assert there == {("phone_system", None), ("device_ip_phone", None), ("license_center", "Supervisor")}
    assert (await org.get(f"{org.path}/export")).text.count("Contact Center (license_center), Supervisor") == 3
    without = await org.patch(made[0]["extension_id"], addons=[])
    assert without["extension"]["contact_center"] is None


async def test_then_a_number_is_asked_for_and_given_back(org: Licensed) -> None:
    """L16, X5: the change asks numbers; removing or changing it frees it, and so does deleting."""
    x = await one(org)
    where = f"{org.path}/{x['extension_id']}"
    (number, other) = org.world.numbers(2)
    for wrong in ("abc", "+0123", "12", "+65 31580101", "١٢٣٤"):
        problem(await org.admin("PATCH", where, json={"number": wrong}), 422, "number-format")
    asked = await org.patch(x["extension_id"], number=number[1:])
    assert asked["extension"]["number"]["number"] == number
    again = await org.patch(x["extension_id"], number=other)
    assert again["extension"]["number"]["number"] == other
    gone = created(await org.admin("DELETE", where))
    assert gone["extension"] is None
    assert gone["freed"]["licenses"] == ["phone_system"]


async def test_then_deleting_frees_everything(org: Licensed) -> None:
    """L15: base unit, add-on units, key and person; twice is once."""
    await org.buy("team_chat", 1)
    ada = await org.person("Ada")
    x = await one(org, user_ids=[ada], addons=["team_chat"])
    where = f"{org.path}/{x['extension_id']}"
    gone = created(await org.admin("DELETE", where))
    assert gone["freed"] == {
        "ext_key": "101",
        "user_id": ada,
        "licenses": ["phone_system", "team_chat"],
        "number": None,
    }
    problem(await org.admin("DELETE", where), 404, "extension-unknown")
    problem(await org.get(where), 404, "extension-unknown")
    assert {code: item["allocated"] for code, item in (await org.licenses()).items()} == {
        "phone_system": 0,
        "team_chat": 0,
    }
    await one(org, user_ids=[ada], addons=["team_chat"])


async def test_then_if_match_holds_the_version(org: Licensed) -> None:
    """If-Match: of two that read the same version, one changes it."""
    x = await one(org)
    where = f"{org.path}/{x['extension_id']}"
    tag = (await org.get(where)).headers["etag"]
    first = await org.admin("PATCH", where, json={"directory_name": "a"}, headers={"If-Match": tag})
    assert first.headers["etag"] != tag
    problem(await org.admin("PATCH", where, json={"directory_name": "b"}, headers={"If-Match": tag}), 412)
    problem(await org.admin("DELETE", where, headers={"If-Match": tag}), 412, "version-mismatch")
    problem(await org.admin.post(where + "/assign", {"user_id": await org.person()}, headers={"If-Match": tag}), 412)
    dry = created(await org.admin("DELETE", where, params={"dry_run": "true"}))
    assert dry["freed"]["ext_key"] == "101"
    assert (await org.get(where)).status_code == 200


async def test_then_everything_in_the_way_of_one_change_is_told(org: Licensed) -> None:
    """L15, §9: each with its place; nothing is done."""
    x = await one(org)
    body = {"ext_key": "1", "directory_name": "x" * 101, "user_id": str(uuid4()), "number": "?"}
    told = problem(await org.admin("PATCH", f"{org.path}/{x['extension_id']}", json=body), 409, "some-refused")
    assert [e["pointer"] for e in told["errors"]] == ["#/ext_key", "#/directory_name", "#/user_id", "#/number"]
    assert await org.seen(f"{org.path}/{x['extension_id']}") == x


async def test_then_a_person_who_leaves_gives_up_the_extension(org: Licensed) -> None:
    """L2, P0: removed from the directory, they are served no more; the extension stays."""
    ada = await org.person("Ada")
    x = await one(org, user_ids=[ada])
    created(await org.admin("DELETE", f"{org.root}/identities/{ada}"))
    after = await org.seen(f"{org.path}/{x['extension_id']}")
    assert after == x | {"user": None}
    assert (await org.seen(org.path, assigned=False))["total"] == 1
