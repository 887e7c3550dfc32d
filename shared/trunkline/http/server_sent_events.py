"""Server-sent events about work that goes on: its document whenever it has changed, until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel
from starlette.responses import StreamingResponse

from trunkline.errors import Refused

MEDIA_TYPE: Final = "text/event-stream"
_POLL_SECONDS: Final = 0.25
_SILENT_POLLS: Final = 40
"""Ten seconds without an event: a comment then keeps proxies from closing the connection."""
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True)
class Snapshot:
    """The work at one instant.

    Attributes:
        document: the data of the event `progress`.
        done: no other snapshot follows.
        version: the `id` of the event; None: it has none.
        last_event: the name of one more event with the document, once it is done.
    """

    document: BaseModel
    done: bool
    version: int | None = None
    last_event: str | None = None


def event_stream(read: Callable[[], Snapshot], stopping: Callable[[], object]) -> StreamingResponse:
    """Answer with the events.

    Args:
        read: gives the work as it is; called in a thread, and authorizes the principal each time, so that one whose
            rights end sees no more of it. A refusal ends the stream.
        stopping: whether the service is about to stop, or cannot work.
    """
    return StreamingResponse(_events(read, stopping), media_type=MEDIA_TYPE, headers=_HEADERS)


async def _events(read: Callable[[], Snapshot], stopping: Callable[[], object]) -> AsyncIterator[bytes]:
    sent: Snapshot | None = None
    silent = 0
    while True:
        try:
            found = await asyncio.to_thread(read)
        except Refused:
            return
        if found != sent:
            sent, silent = found, 0
            yield _event("progress", found)
        elif (silent := silent + 1) % _SILENT_POLLS == 0:
            yield b": still running\n\n"
        if found.done and found.last_event is not None:
            yield _event(found.last_event, found)
        if found.done or stopping():
            return
        await asyncio.sleep(_POLL_SECONDS)


def _event(name: str, snapshot: Snapshot) -> bytes:
    version = "" if snapshot.version is None else f"id: {snapshot.version}\n"
    return f"{version}event: {name}\ndata: {snapshot.document.model_dump_json()}\n\n".encode()
