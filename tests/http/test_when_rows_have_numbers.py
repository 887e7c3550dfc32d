"""When rows of a bulk assignment have numbers: asked of numbers, answered, compensated where refused (L10, L12, X5)."""

from __future__ import annotations

from tests.http.bulk import Office
from tests.http.world import World, created


async def office(world: World, *people: str, units: int = 10) -> Office:
    found = Office(world)
    await found.hire(*people)
    await found.buy(quantity=units)
    return found


async def test_then_a_number_that_can_be_had_is_bound(world: World) -> None:
    """L10, X5: with or without +; the row succeeds when numbers has said so."""
    of = await office(world, "Ada", "Bob")
    first, second = await of.buy_numbers(2)
    one = await of.draft(f"101,Ada,{first},", f"102,Bob,{second.removeprefix('+')},")
    assert await of.foreseen(one) == [None, None]
    assert (await of.assign(one))["succeeded"] == 2
    found = {x["ext_key"]: x["number"] for x in await of.extensions()}
    assert {key: (n["number"], n["status"]) for key, n in found.items()} == {
        "101": (first, "bound"),
        "102": (second, "bound"),
    }


async def test_then_a_number_that_cannot_be_had_costs_the_row_everything(world: World) -> None:
    """L10, L11, L12, P2: unknown, another organization's, one that rings elsewhere: no extension, no unit taken."""
    of = await office(world, "Ada", "Bob", "Cyd", "Dan", "Eve")
    await of.buy("team_chat", 10)
    good, taken = await of.buy_numbers(2)
    (foreign,) = world.numbers(1)
    created(await world.add(foreign, holder=world.west_org))
    unknown = world.numbers(1)[0]
    await of.assign(await of.draft(f"900,Eve,{taken},"))
    await of.numbers_are([foreign], "available")
    await of.numbers_are([taken], "assigned", bound=True)
    lines = [f"101,Ada,{unknown},", f"102,Bob,{foreign},", f"103,Cyd,{taken},", f"104,Dan,{good},"]
    one = await of.draft(*lines, addons=["team_chat"])
    expected = ["NUMBER_UNAVAILABLE"] * 3 + [None]
    assert await of.foreseen(one) == expected
    done = await of.assign(one)
    assert await of.codes(one) == expected
    assert (done["succeeded"], done["failed"]) == (1, 3)
    assert [x["ext_key"] for x in await of.extensions()] == ["104", "900"]
    assert (await of.free(), await of.free("team_chat")) == (8, 9)
    told = [row["reason"] for row in await of.report(one)]
    assert all(number in reason for number, reason in zip((unknown, foreign, taken), told, strict=False))
    assert world.west_org not in str(told)
    again = await of.draft("201,Ada,,", "101,Bob,,", addons=["team_chat"])
    assert (await of.assign(again))["succeeded"] == 2, "key and people are free again"


async def test_then_units_of_refused_rows_go_to_rows_that_were_short(world: World) -> None:
    """L10, L12, §10.3: in file order, as if each row had waited for the one before it."""
    of = await office(world, "Ada", "Bob", "Cyd", units=1)
    unknown = world.numbers(1)[0]
    one = await of.draft(f"101,Ada,{unknown},", "102,Bob,,", "103,Cyd,,")
    expected = ["NUMBER_UNAVAILABLE", None, "NO_BASE_LICENSE"]
    assert await of.foreseen(one) == expected
    await of.assign(one)
    assert await of.codes(one) == expected
    assert await of.free() == 0


async def test_then_a_number_twice_in_a_file_is_for_the_first_row(world: World) -> None:
    """L11: whatever form it has."""
    of = await office(world, "Ada", "Bob")
    (number,) = await of.buy_numbers(1)
    one = await of.draft(f"101,Ada,{number},", f"102,Bob,{number.removeprefix('+')},")
    assert await of.foreseen(one) == [None, "NUMBER_DUPLICATE"]
    await of.assign(one)
    assert await of.codes(one) == [None, "NUMBER_DUPLICATE"]


async def test_then_all_or_nothing_takes_back_what_was_bound(world: World) -> None:
    """L10, L12: a refusal that comes at last undoes every row; numbers is asked to unbind, units are free again."""
    of = await office(world, "Ada", "Bob", "Cyd")
    good, second = await of.buy_numbers(2)
    rival = await of.draft(f"900,Cyd,{second},")
    one = await of.draft(f"101,Ada,{good},", f"102,Bob,{second},")
    await of.assign(rival)
    # what licensing knows of the number is not asked in the run: numbers decides, and everything is taken back
    done = await of.assign(one, all_or_nothing=True)
    assert (done["succeeded"], done["failed"]) == (0, 2)
    assert set(await of.codes(one)) == {"ALL_OR_NOTHING", "NUMBER_UNAVAILABLE"}
    assert [x["ext_key"] for x in await of.extensions()] == ["900"]
    assert await of.free() == 9
    again = await of.draft(f"101,Ada,{good},")
    assert (await of.assign(again))["succeeded"] == 1


async def test_then_its_sample_has_a_free_number(world: World) -> None:
    """L7: and it runs through."""
    of = await office(world, "Ada", "Bob")
    (number,) = await of.buy_numbers(1)
    sample = await of.admin.get(f"{of.path}/samples/uuid")
    assert number in sample.text
    one = await of.draft()
    created(await of.send(one, sample.content))
    assert (await of.assign(one))["succeeded"] == 2
