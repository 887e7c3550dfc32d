"""Request bodies with a `Content-Encoding`: gzip is decoded while it is read, every other coding is refused (§9)."""

from __future__ import annotations

import zlib
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trunkline.http.problems import problem

_GZIP: Final = frozenset({"gzip", "x-gzip"})
_PIECE: Final = 65_536
"""Bytes that are handed on at once: whoever limits the body sees a piece before the next one is made."""


class ContentDecoding:
    """ASGI middleware: hands on the decoded body, so that all limits below it count decoded bytes."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. 415 for a coding other than gzip; 400, while it is read, for a body that is no gzip."""
        coding = Headers(scope=scope).get("content-encoding", "").strip().lower() if scope["type"] == "http" else ""
        if coding in ("", "identity"):
            await self._app(scope, receive, send)
        elif coding in _GZIP:
            hidden = (b"content-encoding", b"content-length", b"transfer-encoding")
            headers = [(name, value) for name, value in scope["headers"] if name not in hidden]
            decoded = {**scope, "headers": [*headers, (b"transfer-encoding", b"chunked")]}
            await self._app(decoded, _Gunzip(receive).receive, send)
        else:
            detail = f"The content coding {coding[:60]!r} is not taken; send the body as it is, or with gzip."
            refused = problem(scope, 415, "content-encoding-unsupported", detail, headers={"Accept-Encoding": "gzip"})
            await refused(scope, receive, send)


class _Gunzip:
    """A body that is decompressed piece by piece."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._decoder = _decoder()
        self._left = b""
        self._more = True
        self._ended = False

    async def receive(self) -> Message:
        """The next piece of the decoded body.

        Raises:
            HTTPException: 400: the body is not gzip, or ends too early.
        """
        if self._ended:  # what comes now is that the client goes
            return await self._receive()
        while self._more and not self._left:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._left = message.get("body", b"")
            self._more = message.get("more_body", False)
        piece = self._next()
        self._ended = not self._more and not self._left and not piece
        if self._ended and not self._decoder.eof:
            raise HTTPException(400)
        return {"type": "http.request", "body": piece, "more_body": not self._ended}

    def _next(self) -> bytes:
        if self._decoder.eof and self._left:  # gzip allows several members one after the other
            self._decoder = _decoder()
        try:
            piece = self._decoder.decompress(self._left, _PIECE)
        except zlib.error:
            raise HTTPException(400) from None
        self._left = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
        return piece


def _decoder() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)
