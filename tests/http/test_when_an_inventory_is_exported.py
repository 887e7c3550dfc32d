"""When somebody exports the inventory over HTTP: three formats, read by other programs, and in again (N11, P2, §9)."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import datetime
from typing import Any

import openpyxl
import pytest

from tests.http.shelf import Shelf
from tests.http.world import Caller, created, problem
from trunkline.files.export_slots import MOST_EXPORTS

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/jsonl",
}
SAME = (
    *("state", "cause", "holder_id", "uploader_id", "organization_id", "reserver_id"),
    *("subscription_id", "country", "sku", "vendor", "routing", "golden", "ported_in", "domains"),
)
"""What JSON lines call as a search does."""


async def export(by: Caller, form: str, **params: Any) -> bytes:
    """A file, under its type and name."""
    answer = await by.get("/numbers/export", params={"format": form, **params})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == TYPES[form]
    name = answer.headers["content-disposition"].partition('filename="')[2].rstrip('"')
    assert name.startswith("numbers_2")
    assert name.endswith(f"Z.{form}")
    return answer.content


def instant_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


@pytest.mark.parametrize("who", ["platform", "east", "west", "east_org", "west_org"])
async def test_every_format_has_what_a_search_finds(shelf: Shelf, who: str) -> None:
    """N11, P2: the same numbers in the same order, with the same filters, whoever asks; no others named."""
    by, world = shelf.askers[who], shelf.world
    for wanted in ({}, {"state": "available"}, {"capability": "sms", "golden": True}, {"pattern": "*1*"}):
        params = {"vendor": shelf.vendor, **wanted}
        shown = created(await by.get("/numbers", params={**params, "limit": 500}))["items"]
        lines = [json.loads(line) for line in (await export(by, "jsonl", **params)).splitlines()]
        assert [line["number"] for line in lines] == [n["number"] for n in shown]
        for line, n in zip(lines, shown, strict=True):
            assert {name: line[name] for name in SAME} == {name: n[name] for name in SAME}
            for name in ("since", "ends_at", "quarantined_until"):
                assert instant_of(line[name]) == instant_of(n[name])
            assert line["bound"] is bool(n["bindings"])
    table = rows_of(await export(by, "csv", vendor=shelf.vendor))
    book = openpyxl.load_workbook(io.BytesIO(await export(by, "xlsx", vendor=shelf.vendor)))
    assert book.active is not None
    header, *sheet = book.active.iter_rows(values_only=True)
    for line, row in zip(table, sheet, strict=True):
        cells = dict(zip(header, row, strict=True))
        assert line["Phone Number"] == f"'{cells['Phone Number']}"
        assert line["Vendor"] == f"'{shelf.vendor}"
        assert cells["Vendor"] == shelf.vendor, "a text, not a formula"
        assert line["Golden"] == str(cells["Golden"]).upper()
    if who not in ("platform", "support"):
        others = (world.west, world.west_org) if who.startswith("east") else (world.east, world.east_org)
        assert not [other for other in others if other.encode() in await export(by, "csv")]


async def test_what_was_exported_is_uploaded_again(shelf: Shelf) -> None:
    """§9, R1: each row is read as the number it was; under other numbers all of the file comes back the same."""
    by = shelf.world.admin
    data = await export(by, "csv", vendor=shelf.vendor, layout="upload")
    send = {"headers": {"Content-Type": "text/csv"}, "params": {"dry_run": True}}
    told = created(await by("POST", "/numbers/uploads", content=data, **send))
    assert (told["rows"], told["good"]) == (24, 0)
    assert {row["code"] for row in told["bad_rows"]} == {"number-present"}, "there, and for no other reason"
    fresh = shelf.world.numbers(24)
    for old, new in zip([row["Phone Number"][1:] for row in rows_of(data)], fresh, strict=True):
        data = data.replace(old.encode(), new.encode())
    upload = created(await by("POST", "/numbers/uploads", content=data, headers=send["headers"]))
    assert upload["good"] == 24, upload["bad_rows"]
    answer = await by.post(f"/numbers/uploads/{upload['upload_id']}/run")
    while created(answer)["status"] == "running":
        answer = await by.get(f"/numbers/uploads/{upload['upload_id']}")
    again = {row["Phone Number"][1:]: row for row in rows_of(await _after(by, shelf, fresh))}
    for row, new in zip(rows_of(data), fresh, strict=True):
        assert again[new] == row


async def _after(by: Caller, shelf: Shelf, fresh: list[str]) -> bytes:
    """The export once the view has the newest number."""
    while True:
        data = await export(by, "csv", vendor=shelf.vendor, layout="upload")
        if all(number.encode() in data for number in fresh):
            return data


async def test_only_so_many_exports_run_at_once(shelf: Shelf) -> None:
    """N11: one more is told to come back; a turn comes back when its asker has gone away."""
    by = shelf.world.admin
    begun = [asyncio.Event() for _ in range(MOST_EXPORTS)]
    slow = [asyncio.create_task(_never_read(shelf, started)) for started in begun]
    for started in begun:
        await started.wait()
    problem(await by.get("/numbers/export", params={"vendor": shelf.vendor}), 503, "exports-busy")
    for reader in slow:
        reader.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    while (answer := await by.get("/numbers/export", params={"vendor": shelf.vendor})).status_code != 200:
        problem(answer, 503, "exports-busy")


async def _never_read(shelf: Shelf, begun: asyncio.Event) -> None:
    """An export whose asker takes the first bytes and no more."""
    token = shelf.world.tokens.issue("platform-admin")
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"host", b"trunkline")]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/numbers/export", "raw_path": b"/numbers/export", "query_string": b"format=csv", "headers": headers,
        "server": ("trunkline", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            begun.set()
            await asyncio.Event().wait()

    await shelf.world.app(scope, receive, send)


async def test_what_cannot_be_exported_is_refused_before_a_byte_is_sent(shelf: Shelf) -> None:
    """§9: another format or layout, a page's parameters; as a problem, not as a file."""
    for wrong in ({"format": "pdf"}, {"layout": "wide"}, {"limit": 5}, {"cursor": "x"}, {"sort": "number"}):
        told = problem(await shelf.world.admin.get("/numbers/export", params=wrong), 422, "request-invalid")
        assert told["errors"][0]["pointer"] == f"#/{next(iter(wrong))}"
