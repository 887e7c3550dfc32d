"""When somebody searches the inventory over HTTP: filters, pages, totals, and nothing of others (N11, N1, R10, P2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import uuid4

import pytest

from tests.http.shelf import Shelf
from tests.http.world import Caller, World, created, event, later, problem
from trunkline_numbers.queries import row_estimates, search


async def ask(by: Caller, **params: Any) -> Any:
    return created(await by.get("/numbers", params=params))


def names(found: Any) -> list[str]:
    return [n["number"] for n in found["items"]]


async def turned(by: Caller, **params: Any) -> list[Any]:
    """All pages of a search."""
    pages = [await ask(by, **params)]
    while pages[-1]["next"]:
        pages.append(await ask(by, **params, cursor=pages[-1]["next"]))
    return pages


async def test_every_filter_is_asked_alone_and_with_others(shelf: Shelf) -> None:
    """N11, R10: each finds the numbers that their own doors show so; together: those that meet both; all counted."""
    seen = await shelf.seen_by(shelf.world.admin)
    assert len(seen) == len(shelf.numbers)
    filters = shelf.filters(seen)
    alone = {name: {n["number"] for n in seen if meets(n)} for name, (_, meets) in filters.items()}
    assert all(alone.values()), {k for k, v in alone.items() if not v}
    base = {"vendor": shelf.vendor, "limit": 500}
    assert names(await ask(shelf.world.admin, **base)) == sorted(shelf.numbers)
    for name, (params, _) in filters.items():
        found = await ask(shelf.world.admin, **base, **params)
        assert set(names(found)) == alone[name], name
        assert (found["total"], found["total_is"]) == (len(alone[name]), "exact")
    pairs = [(a, b) for a, b in combinations(filters, 2) if filters[a][0].keys().isdisjoint(filters[b][0])]
    for one, other in pairs[::3]:  # each filter with a third of the others; any mix: numbers/
        found = await ask(shelf.world.admin, **base, **filters[one][0], **filters[other][0])
        assert names(found) == sorted(alone[one] & alone[other]), (one, other)


@pytest.mark.parametrize("who", ["support", "east", "west", "east_org", "west_org"])
async def test_everybody_finds_what_they_see_and_nothing_else(shelf: Shelf, who: str) -> None:
    """P2, P3, N1, R4: items, totals and what is shown agree with each number's own door; no filter finds more."""
    principal, world = shelf.askers[who], shelf.world
    seen = await shelf.seen_by(principal)
    found = await ask(principal, vendor=shelf.vendor, limit=500)
    assert found["items"] == seen
    assert found["total"] == len(seen)
    for name, (params, meets) in shelf.filters(seen).items():
        answer = await ask(principal, vendor=shelf.vendor, limit=500, **params)
        if name == "domain" and who.startswith("west"):
            assert names(answer) == []  # what is shown to another's portal is not told, nor counted
            continue
        assert names(answer) == [n["number"] for n in seen if meets(n)], name
        assert answer["total"] == len(answer["items"])
    if who != "support":
        others = (world.west, world.west_org) if who.startswith("east") else (world.east, world.east_org)
        for other in others:
            assert other not in str(found)
            for role in ("owner", "holder", "uploader"):
                assert (await ask(principal, **{role: other}))["total"] == 0


async def test_what_is_said_of_a_part_of_a_number(shelf: Shelf) -> None:
    """N11: `65`, `+65`, `+65*` are the same beginning, also with a URL's `+` that nobody escaped; `*888`, `*88*`."""
    mine = {"vendor": shelf.vendor, "limit": 500}
    whole = names(await ask(shelf.world.admin, **mine))
    for form in ("65", "+65", "+65*", "65*"):
        assert names(await ask(shelf.world.admin, **mine, pattern=form)) == whole
    bare = await shelf.world.admin.get(f"/numbers?vendor={shelf.vendor}&limit=500&pattern=+65*")
    assert names(created(bare)) == whole
    assert names(await ask(shelf.world.admin, **mine, pattern="+64")) == []
    last, middle = whole[3][-3:], whole[3][4:-3]
    assert names(await ask(shelf.world.admin, **mine, pattern=f"*{last}")) == [n for n in whole if n.endswith(last)]
    assert names(await ask(shelf.world.admin, **mine, pattern=f"*{middle}*")) == [n for n in whole if middle in n]


async def test_pages_are_turned_by_a_cursor_in_either_direction(shelf: Shelf) -> None:
    """N11: each number once, in order; every page tells the same total; the last one has no cursor."""
    for sort in (None, "-number"):
        pages = await turned(shelf.world.admin, vendor=shelf.vendor, limit=5, **({"sort": sort} if sort else {}))
        assert [len(page["items"]) for page in pages] == [5, 5, 5, 5, 4]
        assert [n for page in pages for n in names(page)] == sorted(shelf.numbers, reverse=sort is not None)
        assert {(page["total"], page["total_is"]) for page in pages} == {(24, "exact")}
    asked: dict[str, Any] = {"vendor": shelf.vendor, "state": "available", "limit": 2}
    pages = await turned(shelf.world.admin, **asked, sort="-available_since")
    since = [n["since"] for page in pages for n in page["items"]]
    assert since == sorted(since, reverse=True)
    assert len(since) == pages[0]["total"] > 4


async def test_what_is_not_counted_is_marked(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """N11: exact up to the bound; beyond it estimated and marked so, on every page alike."""
    monkeypatch.setattr(row_estimates, "BLOCKS", 1)
    monkeypatch.setattr(search, "FEW", -1)
    assert (await ask(shelf.world.admin, vendor=shelf.vendor))["total_is"] == "exact"
    monkeypatch.setattr(search, "EXACT_TO", 23)
    pages = await turned(shelf.world.admin, vendor=shelf.vendor, limit=5)
    assert [n for page in pages for n in names(page)] == sorted(shelf.numbers)
    assert {page["total_is"] for page in pages} == {"estimate"}
    assert len({page["total"] for page in pages}) == 1
    assert pages[0]["total"] > 23
    monkeypatch.setattr(search, "EXACT_TO", 24)
    assert (await ask(shelf.world.admin, vendor=shelf.vendor))["total_is"] == "exact"


async def test_a_cursor_fits_only_its_own_search(shelf: Shelf) -> None:
    """N11, §9: not another filter, another sort, another asker, another list, nor a made-up one."""
    admin = shelf.world.admin
    cursor = (await ask(admin, vendor=shelf.vendor, limit=5))["next"]
    assert names(await ask(admin, vendor=shelf.vendor, limit=7, cursor=cursor))  # another size is no other search
    others: list[tuple[Caller, dict[str, Any]]] = [
        (admin, {"vendor": "another"}),
        (admin, {"vendor": shelf.vendor, "state": "available"}),
        (admin, {"vendor": shelf.vendor, "sort": "-number"}),
        (shelf.askers["east"], {"vendor": shelf.vendor}),
    ]
    for by, params in others:
        told = problem(await by.get("/numbers", params={**params, "cursor": cursor}), 422, "cursor-unreadable")
        assert told["errors"][0]["pointer"] == "#/cursor"
    for made_up in ("x", cursor[:-4], cursor + "AAAA", "W10"):
        problem(await admin.get("/numbers", params={"vendor": shelf.vendor, "cursor": made_up}), 422)
    listed = await admin.get("/numbers/refused", params={"cursor": cursor})
    problem(listed, 422, "cursor-unreadable")


@pytest.mark.parametrize(
    ("params", "code", "name"),
    [
        ({"limit": 0}, "request-invalid", "limit"),
        ({"limit": 501}, "request-invalid", "limit"),
        ({"limit": "many"}, "request-invalid", "limit"),
        ({"colour": "red"}, "request-invalid", "colour"),
        ({"state": "free"}, "request-invalid", "state"),
        ({"capability": "telex"}, "request-invalid", "capability"),
        ({"country": "Singapore"}, "request-invalid", "country"),
        ({"owner": "x"}, "request-invalid", "owner"),
        ({"golden": "perhaps"}, "request-invalid", "golden"),
        ({"available_since": "2026-01-01T00:00:00"}, "request-invalid", "available_since"),
        ({"available_for_days": -1}, "request-invalid", "available_for_days"),
        ({"pattern": "6*5"}, "pattern-unreadable", "pattern"),
        ({"pattern": "٦٥"}, "pattern-unreadable", "pattern"),
        ({"pattern": "1" * 16}, "pattern-unreadable", "pattern"),
        ({"sort": "colour"}, "sort-unknown", "sort"),
        ({"sort": "available_since"}, "sort-needs-available", "sort"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_its_place(
    shelf: Shelf, params: dict[str, Any], code: str, name: str
) -> None:
    """§9: a sentence, a code and which parameter; a filter that is not known is never passed over."""
    told = problem(await shelf.world.admin.get("/numbers", params=params), 422, code)
    assert [(e["in"], e["pointer"].split("/")[1]) for e in told["errors"]] == [("query", name)]
    if name not in ("limit", "sort"):
        problem(await shelf.world.admin.get("/numbers/export", params=params), 422, code)


async def test_who_sees_no_numbers_searches_none(shelf: Shelf) -> None:
    """P3: a member, a machine without the scope, nobody."""
    world = shelf.world
    for path in ("/numbers", "/numbers/export"):
        problem(await world.caller("member", world.east_org).get(path), 403, "not-allowed")
        problem(await world.caller("machine", scopes=("billing:write",)).get(path), 403)
        assert (await world.nobody().get(path)).status_code == 401


async def test_a_quarantine_is_shown_with_its_end(world: World) -> None:
    """N15, §10.9: an Available number that only its last holder can have yet; a search says so, and until when."""
    (number,), subscription = world.numbers(1), str(uuid4())
    try:
        created(await world.admin("PUT", "/numbers/policy", json={"policy": {"quarantine_days": {"SG": 30}}}))
        created(await world.add(number))
        began, gone = (later(-timedelta(days=d).total_seconds()).isoformat() for d in (9, 0))
        facts = {"product": "number", "number": number, "sku": "DID"}
        created(await world.bill(event("started", subscription, world.east_org, began, **facts)))
        created(await world.bill(event("terminated", subscription, world.east_org, gone)))
        await world.settle()
        released = await world.admin.post(f"/numbers/{number}/release", {"remark": "given back"})
        position = created(released) and released.headers["Trunkline-Position"]
        wait = {"Trunkline-Wait-For": position}
        answer = await world.admin.get("/numbers", params={"pattern": number, "state": "available"}, headers=wait)
        (shown,) = created(answer)["items"]
        since, until = (datetime.fromisoformat(shown[name]) for name in ("since", "quarantined_until"))
        assert until - since == timedelta(days=30)
        body = {"reserver_id": world.west_org, "remark": "r"}
        problem(await world.admin.post(f"/numbers/{number}/reserve", body), 409)
    finally:
        created(await world.admin("PUT", "/numbers/policy", json={"policy": {}}))


async def test_a_search_sees_what_its_asker_has_just_done(world: World) -> None:
    """N11: with Trunkline-Wait-For; and a number that has gone is not found where it was."""
    (number,) = world.numbers(1)
    created(await world.add(number))
    reserved = await world.admin.post(f"/numbers/{number}/reserve", {"reserver_id": world.east_org, "remark": "r"})
    created(reserved)
    wait = {"Trunkline-Wait-For": reserved.headers["Trunkline-Position"]}
    for state, found in (("reserved", [number]), ("available", [])):
        answer = await world.admin.get("/numbers", params={"pattern": number, "state": state}, headers=wait)
        assert names(created(answer)) == found
