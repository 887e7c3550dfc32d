"""A file that goes out piece by piece: its making begins before the answer does, and ends with the request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from trunkline.files.pieces import PrefetchedStream


class StreamedFile(StreamingResponse):
    """A file, whose making ends with the request: an asker that has gone away holds nothing."""

    def __init__(self, pieces: PrefetchedStream, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        """Prepare the answer.

        Args:
            pieces: made in threads, one after the other.
            media_type: of the whole.
            headers: beside it.
        """
        super().__init__(pieces, headers=headers, media_type=media_type)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and close the pieces, whatever becomes of it: what the file's making holds, others wait for.

        A reader that takes nothing is cut off by its connection (`connection_deadlines.py`).
        """
        try:
            await super().__call__(scope, receive, send)
        finally:
            asyncio.get_running_loop().run_in_executor(None, self._pieces.close)
