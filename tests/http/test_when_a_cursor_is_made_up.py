"""When a cursor is made up: that is told, of every list there is, whatever it says (DOMAIN §9)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from tests.http.world import World, problem
from trunkline import paging

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


def lists(world: World) -> Iterator[str]:
    """The path of every list that has pages, about what there is or about nothing at all."""
    known = {"organization_id": world.east_org, "partner_id": world.east, "number": world.numbers(1)[0]}
    for path, operations in world.app.openapi()["paths"].items():
        if any(given["name"] == "cursor" for given in operations.get("get", {}).get("parameters", [])):
            yield re.sub(r"\{(\w+)(:path)?\}", lambda found: known.get(found[1]) or str(uuid4()), path)


async def test_then_it_is_refused_and_nothing_falls_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """§9: with the right list's digest, too, a place that no item can have is no place to go on from."""
    digest = paging.blake2b(b"", digest_size=9)
    monkeypatch.setattr(paging, "blake2b", lambda *_, **__: digest)
    paths = list(lists(world))
    assert len(paths) > 20
    met: dict[str, set[int]] = {}
    for path in paths:
        sorts = known_sorts(await world.admin.get(path, params={"sort": "none"}))
        for place in PLACES:
            raw = base64.urlsafe_b64encode(msgspec.json.encode([digest.hexdigest(), place]))
            for sort in sorts:
                asked = {"cursor": raw.decode()[:2000]} | ({"sort": sort} if sort else {})
                answer = await world.admin.get(path, params=asked)
                met.setdefault(path, set()).add(answer.status_code)
                if answer.status_code not in (200, 404, 409):
                    problem(answer, 422, "cursor-unreadable")
    assert not {path: codes for path, codes in met.items() if codes == {200}}, "some place is refused by every list"


def known_sorts(answer: Any) -> list[str]:
    """What a list says that it can be sorted by; nothing where it has one order, or there is no such list."""
    if answer.status_code != 422 or answer.json()["code"] != "sort-unknown":
        return [""]
    known = re.search(r"it takes ([a-z_, ]+), with", answer.json()["detail"])
    assert known is not None
    return [name for sort in known[1].split(", ") for name in (sort, f"-{sort}")]
