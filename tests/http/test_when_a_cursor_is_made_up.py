"""When a cursor is made up: that is told, of every list there is, whatever it says (DOMAIN §9)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.http.bulk import Office
from tests.http.world import World, created, problem
from trunkline.http import pagination

PLACES: list[list[str]] = [
    [],
    ["x"],
    ["-1"],
    ["٣"],
    ["1e3"],
    ["9" * 10],
    ["9" * 19],
    ["9" * 400],
    ["\x00"],
    ["x", "y"],
    ["9" * 10, "y"],
    ["y", "9" * 10],
    *([value, "y"] for value in ("2026-13-01", "2026-01-01", "2026-01-01T00:00:00")),
    *(
        pair
        for value in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "2026-W01-1T00:00:00+00:00")
        for pair in ([value, "y"], ["y", value], [value, "x", "y"])
    ),
    ["x", "y", "z"],
    ["9" * 10, "y", "z"],
    ["+6531580001", "1", "exact", "x", "y"],
    ["+6531580001", "9" * 19, "exact"],
    ["+6531580001", "1", "x"],
    ["", "", ""],
    ["x"] * 9,
]


async def what_there_is(world: World) -> dict[str, str]:
    """Something for each list to be about, by the name that its path has for it."""
    (number, other), office = world.numbers(2), Office(world)
    created(await world.add(number))
    file = f"Country Code,Phone Number,Voice,SMS,Fax\nSG,{other[3:]},TRUE,FALSE,FALSE\n".encode()
    params = {"vendor": "v", "sku": "s", "voice_carrier": "c"}
    csv = {"Content-Type": "text/csv"}
    upload = created(await world.admin("POST", "/numbers/uploads", content=file, headers=csv, params=params))
    await office.hire("Ann")
    draft, done = await office.draft("101,Ann,,"), await office.draft("102,Ann,,")
    await office.assign(done)
    return {
        "organization_id": world.east_org,
        "partner_id": world.east,
        "number": number,
        "upload_id": upload["upload_id"],
        "draft": draft.rpartition("/")[2],
        "done": done.rpartition("/")[2],
    }


def lists(world: World, known: dict[str, str]) -> Iterator[str]:
    """The path of every list that has pages."""
    for path, operations in world.app.openapi()["paths"].items():
        if any(given["name"] == "cursor" for given in operations.get("get", {}).get("parameters", [])):
            yield path.format(**known, bulk_id=known["done" if path.endswith("/report") else "draft"])


async def test_then_it_is_refused_and_nothing_falls_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """§9: with the right list's digest, too, a place that no item can have is no place to go on from."""
    known = await what_there_is(world)
    digest = pagination.blake2b(b"", digest_size=9)
    monkeypatch.setattr(pagination, "blake2b", lambda *_, **__: digest)
    paths = list(lists(world, known))
    assert len(paths) > 20
    for path in paths:
        codes = set()
        for sort in known_sorts(await world.admin.get(path, params={"sort": "none"})):
            for place in PLACES:
                raw = base64.urlsafe_b64encode(msgspec.json.encode([digest.hexdigest(), place]))
                asked = {"cursor": raw.decode()[:2000]} | ({"sort": sort} if sort else {})
                answer = await world.admin.get(path, params=asked)
                codes.add(answer.status_code)
                if answer.status_code != 200:
                    problem(answer, 422, "cursor-unreadable")
        assert 422 in codes, path


def known_sorts(answer: Any) -> list[str]:
    """What a list says that it can be sorted by; nothing where it has one order, or there is no such list."""
    if answer.status_code != 422 or answer.json()["code"] != "sort-unknown":
        return [""]
    known = re.search(r"it takes ([a-z_, ]+), with", answer.json()["detail"])
    assert known is not None
    return [name for sort in known[1].split(", ") for name in (sort, f"-{sort}")]
