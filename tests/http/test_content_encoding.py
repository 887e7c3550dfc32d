"""Request bodies that are compressed (§9): gzip is decoded within the body's limit, other codings are refused."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.http.world import World, created, event, problem

PATH = "/licensing/billing-events"
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
GZIP = BATCH | {"Content-Encoding": "gzip"}


def batch(world: World, count: int) -> bytes:
    facts = {"product": "license", "license_code": "team_chat", "quantity": 1}
    return json.dumps([event("started", str(uuid4()), world.east_org, **facts) for _ in range(count)]).encode()


async def test_then_gzip_is_the_same_request(world: World) -> None:
    """S1: in one piece, in small pieces, in several members; sent again it is a duplicate."""
    body = batch(world, 300)

    async def pieces() -> AsyncIterator[bytes]:
        packed = gzip.compress(body)
        for at in range(0, len(packed), 777):
            yield packed[at : at + 777]

    assert created(await world.admin("POST", PATH, content=gzip.compress(body), headers=GZIP))["accepted"] == 300
    assert created(await world.admin("POST", PATH, content=pieces(), headers=GZIP))["duplicate"] == 300
    members = gzip.compress(body[:5000]) + gzip.compress(body[5000:])
    assert created(await world.admin("POST", PATH, content=members, headers=GZIP))["duplicate"] == 300
    assert created(await world.admin("POST", PATH, content=body, headers=BATCH))["duplicate"] == 300


async def test_then_no_more_is_decoded_than_the_operation_takes(world: World) -> None:
    """413: 32 MiB of blanks that are 32 KiB when compressed."""
    bomb = gzip.compress(b" " * (32 * 1_048_576))
    assert len(bomb) < 65_536
    problem(await world.admin("POST", PATH, content=bomb, headers=GZIP), 413, "body-too-large")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", gzip.compress(b"[]" * 50, mtime=0)[:-9], gzip.compress(b"[]", mtime=0) + b"more"],
    ids=["empty", "plain", "cut", "with more"],
)
async def test_then_what_is_no_gzip_is_refused(world: World, body: bytes) -> None:
    """400: nothing of it takes effect."""
    problem(await world.admin("POST", PATH, content=body, headers=GZIP), 400, "request-unreadable")


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd", "gzip, gzip", "made-up"])
async def test_then_another_coding_is_refused_by_name(world: World, coding: str) -> None:
    """415, with what is taken."""
    body = zlib.compress(batch(world, 1))
    answer = await world.admin("POST", PATH, content=body, headers=BATCH | {"Content-Encoding": coding})
    assert coding in problem(answer, 415, "content-encoding-unsupported")["detail"]
    assert answer.headers["accept-encoding"] == "gzip"


async def test_then_a_file_may_be_compressed_on_its_way(world: World) -> None:
    """R1: an upload whose body is gzip is the upload of the file."""
    (number,) = world.numbers(1)
    table = f"Country Code,Phone Number,Voice,SMS,Fax\nSG,{number},TRUE,FALSE,FALSE\n".encode()
    headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    answer = await world.admin("POST", "/numbers/uploads", content=gzip.compress(table), headers=headers)
    assert created(answer)["good"] == 1
