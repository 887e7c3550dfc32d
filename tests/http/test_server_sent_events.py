"""When work is watched (R3, L13): an event for each change, and an end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from trunkline.errors import Refused
from trunkline.http import server_sent_events
from trunkline.http.server_sent_events import Snapshot, event_stream


class Document(BaseModel):
    """How far something is."""

    rows: int


class NoLongerSeen(Refused):
    """It is not in the branch."""


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_sent_events, "_POLL_SECONDS", 0)


def at(rows: int, version: int | None = None, *, done: bool = False, last: str | None = None) -> Snapshot:
    return Snapshot(Document(rows=rows), done=done, version=version, last_event=last)


async def sent(*snapshots: Snapshot | Refused, stopping: bool = False) -> list[str]:
    """What a client receives, block by block."""
    left: Iterator[Snapshot | Refused] = iter(snapshots)

    def read() -> Snapshot:
        found = next(left)
        if isinstance(found, Refused):
            raise found
        return found

    response = event_stream(read, lambda: stopping)
    assert response.media_type == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    text = "".join([bytes(chunk).decode() async for chunk in response.body_iterator])
    assert text == "" or text.endswith("\n\n")
    return text.split("\n\n")[:-1]


async def test_then_each_change_is_an_event_until_it_is_done() -> None:
    """R3: what has not changed is not sent again."""
    assert await sent(at(0, 1), at(0, 1), at(5, 2), at(9, 3, done=True)) == [
        'id: 1\nevent: progress\ndata: {"rows":0}',
        'id: 2\nevent: progress\ndata: {"rows":5}',
        'id: 3\nevent: progress\ndata: {"rows":9}',
    ]


async def test_then_the_end_may_have_an_event_of_its_own() -> None:
    """L13: also where it was done before it was watched."""
    assert await sent(at(3, done=True, last="completed")) == [
        'event: progress\ndata: {"rows":3}',
        'event: completed\ndata: {"rows":3}',
    ]


async def test_then_it_ends_with_the_right_to_see_it() -> None:
    """P2: the principal is authorized at each look."""
    assert await sent(at(1), NoLongerSeen()) == ['event: progress\ndata: {"rows":1}']


async def test_then_it_ends_when_the_service_stops() -> None:
    """Not before the client has what there is."""
    assert await sent(at(1), stopping=True) == ['event: progress\ndata: {"rows":1}']


async def test_then_a_comment_keeps_a_quiet_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies close what is silent."""
    monkeypatch.setattr(server_sent_events, "_SILENT_POLLS", 2)
    assert await sent(at(1), at(1), at(1), at(1), at(2, done=True)) == [
        'event: progress\ndata: {"rows":1}',
        ": still running",
        'event: progress\ndata: {"rows":2}',
    ]
