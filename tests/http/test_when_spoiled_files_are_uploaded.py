"""When files of numbers are spoiled by chance: refused in a sentence, or read row by row, nothing half done (§9)."""

from __future__ import annotations

import random

import pytest

from tests.http.world import World
from tests.numbers.bad_files import good_file, outcome, spoiled


@pytest.mark.parametrize("seed", range(4))
def test_each_is_refused_by_name_or_read_row_by_row(seed: int) -> None:
    """R3, §9: `python -m tests.numbers.bad_files` does the same at any scale."""
    chance = random.Random(seed)
    outcomes = {outcome(spoiled(good_file(chance), chance)) for _ in range(400)}
    assert {"read", "column-unknown", "not-utf8", "quote-open"} <= outcomes


async def test_what_is_refused_leaves_nothing_behind(world: World) -> None:
    """R3, §9: over HTTP never a 5xx; a file that is refused leaves no event and no row, one that is read no number."""
    chance = random.Random(9)
    store = world.deployment.runtimes["numbers"].store
    tables = "SELECT (SELECT count(*) FROM uploads), (SELECT count(*) FROM upload_chunks)"
    statuses: set[int] = set()
    for place in range(120):
        data = spoiled(good_file(chance), chance)
        before = (store.end_of_log(), *store.fetch(tables)[0])
        if place % 3:
            sent = {"content": data, "headers": {"Content-Type": "text/csv"}}
        else:
            sent = {"files": {"file": ("f.csv", data, "text/csv")}}
        answer = await world.admin("POST", "/numbers/uploads", **sent)
        statuses.add(answer.status_code)
        after = (store.end_of_log(), *store.fetch(tables)[0])
        if answer.status_code == 201:
            assert after == (before[0] + 1, before[1] + 1, before[2] + 1)
            assert answer.json()["good"] + answer.json()["bad"] == answer.json()["rows"]
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"].endswith(".")
            assert after == before
    assert statuses == {201, 422}


async def test_a_form_that_is_spoiled_is_no_more_than_refused(world: World) -> None:
    """§9: whatever becomes of its boundaries and headers."""
    chance = random.Random(5)
    form = (
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.csv\"\r\nContent-Type: text/csv\r\n\r\n"
        b"Country Code,Phone Number,Voice,SMS,Fax\r\nSG,31580001,TRUE,FALSE,FALSE\r\n"
        b"\r\n--b\r\nContent-Disposition: form-data; name=\"sku\"\r\n\r\nDID\r\n--b--\r\n"
    )  # fmt: skip
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    statuses: set[int] = set()
    for _ in range(120):
        answer = await world.admin("POST", "/numbers/uploads", content=spoiled(form, chance), headers=headers)
        statuses.add(answer.status_code)
        if answer.status_code != 201:
            assert answer.json()["detail"].endswith("."), answer.text
    assert statuses == {201, 422}
