"""The deadlines of an HTTP connection: its peer sends the head of a request in time, and takes what is sent (T6).

The body of a request has its own deadline (`app.py`), since it is read by whoever answers the request.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 30.0
"""From the connection, or from the first byte after an answer, to the end of the head of a request."""
SEND_SECONDS: Final = 30.0
"""In which a peer takes `LEAST_BYTES`, or all that is there for it."""
LEAST_BYTES: Final = 65_536


class DeadlineProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, on a connection that is ended where its peer misses a deadline.

    To the application a connection that is ended here is one whose peer has gone away.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Prepare; the arguments are those that uvicorn gives to a protocol."""
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Wait for the first head."""
        super().connection_made(transport)
        # Whatever cannot be handed to the system at once counts as not taken, a small answer too.
        transport.set_write_buffer_limits(high=0)
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._end_without_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._cancel_head_timer()
        self._cancel_send_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; whatever is not the whole head of a request yet has its deadline from its first byte."""
        super().data_received(data)
        if self._is_answering():
            self._cancel_head_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._end_without_head)

    def pause_writing(self) -> None:
        """Something waits for the peer to take it."""
        super().pause_writing()
        self._await_taking()

    def resume_writing(self) -> None:
        """All has been taken."""
        self._cancel_send_timer()
        super().resume_writing()

    def _is_answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete

    def _end_without_head(self) -> None:
        self._head_timer = None
        self.transport.abort()

    def _await_taking(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._send_timer = self.loop.call_later(SEND_SECONDS, self._end_or_go_on, left)

    def _end_or_go_on(self, before: int) -> None:
        self._send_timer = None
        if before - self.transport.get_write_buffer_size() < LEAST_BYTES:
            self.transport.abort()
        else:
            self._await_taking()

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _cancel_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None
