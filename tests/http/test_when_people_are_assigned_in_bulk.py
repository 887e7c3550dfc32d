"""When an administrator turns a file into extensions: every row its outcome, and the counts add up (L5, L10, L13)."""

from __future__ import annotations

from uuid import uuid4

from tests.http.bulk import HEADER, Office, rows
from tests.http.world import World, created, problem


async def office(world: World, *people: str, units: int = 10) -> Office:
    found = Office(world)
    await found.hire(*people)
    await found.buy(quantity=units)
    return found


async def test_then_good_rows_are_extensions_with_people_and_add_ons(world: World) -> None:
    """L7, L10, L13: what the file says is there afterwards."""
    of = await office(world, "Ada", "Bob")
    await of.buy("team_chat", 5)
    one = await of.draft(*rows(["Ada", "Bob"]), addons=["team_chat"])
    assert await of.foreseen(one) == [None, None]
    assert await of.extensions() == []
    done = await of.assign(one)
    assert (done["succeeded"], done["failed"], done["seconds_left"]) == (2, 0, 0)
    found = {x["ext_key"]: x for x in await of.extensions()}
    assert {key: x["user"]["user_id"] for key, x in found.items()} == {
        "101": of.people["Ada"],
        "102": of.people["Bob"],
    }
    assert all([a["code"] for a in x["addons"]] == ["team_chat"] for x in found.values())
    assert (await of.free(), await of.free("team_chat")) == (8, 3)
    assert {row["extension_id"] for row in await of.report(one)} == {x["extension_id"] for x in found.values()}


async def test_then_every_code_is_told_before_and_after_alike(world: World) -> None:
    """L8, L10, L11, L17, §10.3: one row for each code that needs no number; preflight says what the run then does."""
    of = await office(world, "Ada", "Bob", "Cyd", "Dan", "Eve", "Fay", "Gus", "Hal", units=5)
    await of.hire("Twin")
    await of.hire("Twin")
    await of.buy("team_chat", 1)
    before = await of.draft("900,Hal,,")
    await of.assign(before)
    lines = [
        ",Ada,,",
        "101,,,",
        "10,Ada,,",
        "900,Ada,,",
        "101,Nobody,,",
        "101,Twin,,",
        "108,Hal,,",
        "101,Ada,12x,",
        "101,Ada,,a-b",
        "107,Gus,,nosuch",
        "107,Ada,,",
        "102,Bob,,",
        "102,Cyd,,",
        "103,Cyd,,",
        "104,Bob,,",
        "105,Dan,,",
        "106,Eve,,",
        "109,Fay,,",
    ]
    expected = [
        "BLANK",
        "BLANK",
        "EXT_FORMAT",
        "EXT_DUPLICATE",
        "USER_UNKNOWN",
        "USER_AMBIGUOUS",
        "USER_ASSIGNED",
        "NUMBER_FORMAT",
        "REFERENCE_FORMAT",
        "REFERENCE_UNKNOWN",
        "EXT_DUPLICATE",
        None,
        "EXT_DUPLICATE",
        None,
        "USER_ASSIGNED",
        None,
        None,
        "NO_BASE_LICENSE",
    ]
    one = await of.draft(*lines)
    assert await of.foreseen(one) == expected
    done = await of.assign(one)
    assert await of.codes(one) == expected
    assert (done["succeeded"], done["failed"]) == (4, 14)
    assert await of.free() == 0


async def test_then_rows_carry_add_ons_of_their_own(world: World) -> None:
    """L7, L11, L17: as many columns as needed; each row fails by the code of its add-on."""
    of = await office(world, "Ada", "Bob", "Cyd", "Dan")
    await of.buy("team_chat", 1)
    await of.buy("license_center", 5)
    await of.buy("device_web_rtc", 5)
    header = "EXT KEY, number ,User,Addon License,addonlicense"
    lines = ["101,,Ada,team_chat,", "102,,Bob,team_chat,", "103,,Cyd,license_center,", "104,,Dan,teleport,"]
    one = await of.draft(*lines, header=header)
    expected = [None, "NO_ADDON_LICENSE(team_chat)", "ADDON_PREREQUISITE(license_center)", "ADDON_UNKNOWN(teleport)"]
    assert await of.foreseen(one) == expected
    await of.assign(one)
    assert await of.codes(one) == expected
    assert await of.free() == 9
    found = created(await of.admin.get(f"{one}/report?code=NO_ADDON_LICENSE"))
    assert [row["ext_key"] for row in found["items"]] == ["102"]
    two = await of.draft("201,,Bob,license_center,device_web_rtc", header=header)
    assert (await of.assign(two))["succeeded"] == 1


async def test_then_a_reference_chooses_the_subscription(world: World) -> None:
    """L4, L7: of the base unit; blank takes the oldest."""
    of = Office(world)
    await of.hire("Ada", "Bob", "Cyd")
    await of.buy(reference="ref1", quantity=2)
    second = await of.buy(reference="ref2", quantity=1)
    one = await of.draft("101,Ada,,ref2", "102,Bob,,", "103,Cyd,,ref2")
    await of.assign(one)
    assert await of.codes(one) == [None, None, "NO_BASE_LICENSE"]
    found = {x["ext_key"]: x["subscription_id"] for x in await of.extensions()}
    assert found["101"] == second
    assert found["102"] != second


async def test_then_what_is_taken_between_preflight_and_run_fails_alone(world: World) -> None:
    """L10, L11: a person, an extension, a number taken meanwhile; the others go through, and the counts add up."""
    of = await office(world, "Ada", "Bob", "Cyd", "Dan", "Eve", "Fay")
    (number,) = await of.buy_numbers(1)
    one = await of.draft(*rows(["Ada", "Bob", "Cyd"]), f"104,Dan,{number},")
    assert await of.foreseen(one) == [None] * 4
    rival = await of.draft("500,Ada,,", "102,Eve,,", f"501,Fay,{number},")
    assert (await of.assign(rival))["succeeded"] == 3
    done = await of.assign(one)
    assert await of.codes(one) == ["USER_ASSIGNED", "EXT_DUPLICATE", None, "NUMBER_UNAVAILABLE"]
    assert (done["succeeded"], done["failed"]) == (1, 3)
    assert [row["reason"] for row in await of.report(one)][:2] == [
        "Ada has an extension already; nobody has two.",
        "The ext key 102 is in use in this organization already.",
    ]
    assert {x["ext_key"] for x in await of.extensions()} == {"102", "103", "500", "501"}
    assert await of.free() == 6


async def test_then_all_or_nothing_is_nothing_where_one_fails(world: World) -> None:
    """L10: nothing is made, no unit is taken, and each row says why."""
    of = await office(world, "Ada", "Bob")
    one = await of.draft("101,Ada,,", "102,Nobody,,", "103,Bob,,")
    done = await of.assign(one, all_or_nothing=True)
    assert (done["succeeded"], done["failed"]) == (0, 3)
    assert await of.codes(one) == ["ALL_OR_NOTHING", "USER_UNKNOWN", "ALL_OR_NOTHING"]
    assert await of.extensions() == []
    assert await of.free() == 10
    good = await of.draft(*rows(["Ada", "Bob"]))
    assert (await of.assign(good, all_or_nothing=True))["succeeded"] == 2


async def test_then_it_can_be_watched_to_its_end(world: World) -> None:
    """L13: server-sent events: progress, and completed at last."""
    of = await office(world, "Ada")
    one = await of.draft("101,Ada,,")
    problem(await of.admin.get(f"{one}/watch"), 409, "bulk-assignment-is-draft")
    created(await of.admin.post(f"{one}/assign", {}))
    answer = await of.admin.get(f"{one}/watch")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert set(events) == {"progress", "completed"}
    assert events[-1] == "completed"


async def test_then_its_report_is_a_file_too(world: World) -> None:
    """L13: CSV with the codes; a cell that a spreadsheet would execute is made harmless."""
    of = await office(world, "Ada")
    one = await of.draft("101,Ada,,", "102,=cmd(),,")
    await of.assign(one)
    answer = await of.admin.get(f"{one}/report?format=csv")
    head, first, second = answer.text.splitlines()
    assert head.startswith("Row,File,Line,Ext Key,User,Number,Subscription Reference,Addon Licenses,Outcome,Code")
    assert ",101,Ada," in first
    assert ",'=cmd()," in second
    assert ",USER_UNKNOWN," in second
    assert "attachment" in answer.headers["content-disposition"]


async def test_then_each_sample_runs_through_as_it_is(world: World) -> None:
    """L7: downloaded, uploaded, assigned; of an organization without people it is the documents' own."""
    of = Office(world)
    documented = (await of.admin.get(f"{of.path}/samples/name")).text.splitlines()
    assert documented[:3] == [HEADER, "101,Tony,'+6512345678,", "102,Jane,,"]
    await of.buy(quantity=20)
    await of.buy("call_recording", 20)
    await of.hire("Ada", "Bob", "Cyd", "Dan", "Eve", "Fay")
    for layout in ("name", "uuid", "addons"):
        sample = await of.admin.get(f"{of.path}/samples/{layout}")
        assert sample.headers["content-type"].startswith("text/csv")
        one = await of.draft()
        created(await of.send(one, sample.content))
        assert (await of.assign(one))["succeeded"] == 2, await of.report(one)


async def test_then_lists_search_by_name_and_uuid(world: World) -> None:
    """L5: part of either, whatever the case; signs of the search language mean themselves."""
    of = Office(world)
    made = {name: await of.draft(name=name) for name in ("Tower 1", "Annex", "100%")}

    async def found(search: str) -> set[str]:
        headers = {"Trunkline-Wait-For": of.position()}
        answer = await of.admin.get(of.path, params={"search": search}, headers=headers)
        return {item["name"] for item in created(answer)["items"]}

    assert await found("tow") == {"Tower 1"}
    assert await found("%") == {"100%"}
    assert await found(made["Annex"].rpartition("/")[2].upper()) == {"Annex"}
    assert await found(str(uuid4())) == set()


async def test_then_a_copy_has_name_and_add_ons_and_no_people(world: World) -> None:
    """L14: in every status, marked as a copy."""
    of = await office(world, "Ada")
    one = await of.draft("101,Ada,,", addons=["team_chat"])
    copies = [created(await of.admin.post(f"{one}/duplicate"))]
    await of.assign(one)
    copies.append(created(await of.admin.post(f"{one}/duplicate")))
    for copy in copies:
        assert (copy["name"], copy["addons"], copy["status"], copy["total"]) == (
            "Copy of Tower",
            ["team_chat"],
            "draft",
            0,
        )
        assert copy["copied_from"] == one.rpartition("/")[2]
