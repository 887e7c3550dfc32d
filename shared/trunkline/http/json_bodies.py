"""Texts of requests that nothing here can hold (DOMAIN §9).

JSON can escape half a surrogate pair, which cannot be written as UTF-8: neither stored, nor repeated. It is
refused with its JSON pointer before any operation runs. NUL is refused by the fields that have rules for text; where
one without such a rule reaches PostgreSQL, which cannot store it, the refusal names its place too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import psycopg
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")
_NUL: Final = "\x00"


class UnusableText(HTTPException):
    """A request has a text that cannot be used.

    Attributes:
        part: `body`, `query` or `path`.
        pointer: the place in that part.
        reason: what is wrong there, without a subject.
    """

    def __init__(self, part: str, pointer: str, reason: str) -> None:
        super().__init__(422)
        self.part, self.pointer, self.reason = part, pointer, reason


def read_json(body: bytes) -> Any:
    """Parse a JSON request body, which is UTF-8 and nothing else.

    Args:
        body: the bytes as sent.

    Raises:
        UnicodeDecodeError, RecursionError, json.JSONDecodeError: it is not UTF-8, too deep, or not JSON.
        UnusableText: a key or a string has half a surrogate pair.
    """
    text = body.decode()
    value = json.loads(text)
    if "\\u" in text:  # unescaped, half a pair is not UTF-8
        for found, steps in _texts(value):
            if half := _HALF_PAIR.search(found):
                reason = f"it has U+{ord(half[0]):04X}, half of a surrogate pair, at character {half.start() + 1}"
                raise UnusableText("body", pointer(steps), reason)
    return value


def _texts(value: Any) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Every key and string of a JSON value with its place; iterative, since JSON nests deeper than Python calls."""
    stack: list[tuple[Any, tuple[str | int, ...]]] = [(value, ())]
    while stack:
        found, at = stack.pop()
        if isinstance(found, str):
            yield found, at
        elif isinstance(found, dict):
            for key, inner in found.items():
                yield key, (*at, key)
                stack.append((inner, (*at, key)))
        elif isinstance(found, list):
            stack.extend((inner, (*at, index)) for index, inner in enumerate(found))


def pointer(steps: tuple[str | int, ...]) -> str:
    """A JSON pointer (RFC 6901) as a fragment; what cannot be written is escaped as in JSON."""
    return "#" + "".join(f"/{writable(str(step)).replace('~', '~0').replace('/', '~1')}" for step in steps)


def writable(text: str) -> str:
    """A text in which half surrogates are escaped as in JSON, so that it can be written as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


class JsonRequest(Request):
    """A request whose JSON body is read by `read_json`."""

    async def json(self) -> Any:
        """The body as JSON. Raises what `read_json` raises."""
        if not hasattr(self, "_json"):
            self._json = read_json(await self.body())
        return self._json


class JsonRoute(APIRoute):
    """An operation that refuses a text which nothing here can hold, with its place."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The operation behind the checks."""
        handle = super().get_route_handler()

        async def handle_checked(request: Request) -> Response:
            checked = JsonRequest(request.scope, request.receive)
            try:
                return await handle(checked)
            except psycopg.DataError:
                if (found := await _with_nul(checked)) is not None:
                    raise found from None
                raise

        return handle_checked


async def _with_nul(request: JsonRequest) -> UnusableText | None:
    """The first text of a request that has NUL."""
    texts = [("path", pointer((name,)), str(text)) for name, text in request.path_params.items()]
    texts += [("query", pointer((name,)), text) for name, text in request.query_params.multi_items()]
    if hasattr(request, "_json"):
        texts += [("body", pointer(steps), text) for text, steps in _texts(await request.json())]
    for part, where, text in texts:
        if _NUL in text:
            return UnusableText(part, where, f"it has U+0000 (NUL) at character {text.index(_NUL) + 1}")
    return None
