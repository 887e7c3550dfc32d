"""HTTP as the command line speaks it, on the standard library alone: other clients take longer to import than to run.

A connection serves one request: no request meets a connection that the server has closed meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlencode, urlsplit

_CONNECT_SECONDS: Final = 5.0
_PIECE: Final = 65_536
_SAFE_IN_PATH: Final = "/%:@!$&'()*+,;=~"
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ERROR: Final = 400


class TransportError(Exception):
    """No answer came, or not all of it; the message is for programs."""


class ConnectError(TransportError):
    """Nothing answers there."""


class Answer:
    """An answer whose body is read, or is still to be read."""

    def __init__(self, url: str, found: HTTPResponse) -> None:
        """Wrap what came.

        Attributes:
            url: what was asked.
            status_code, reason_phrase: of the answer.
            headers: by name, whatever its case.
            content: the body, once it was read.
        """
        self.url = url
        self.status_code, self.reason_phrase = found.status, found.reason
        self.headers = found.headers
        self.content = b""
        self._found = found

    @property
    def is_error(self) -> bool:
        """Whether it is a refusal, or the service's failure."""
        return self.status_code >= _ERROR

    def read(self) -> bytes:
        """The whole body. Raises TransportError."""
        self.content += b"".join(self.iter_bytes())
        return self.content

    def json(self) -> Any:
        """The body that was read, as JSON. Raises ValueError."""
        return json.loads(self.content)

    def iter_bytes(self) -> Iterator[bytes]:
        """The body as it comes. Raises TransportError."""
        with _transport():
            while piece := self._found.read1(_PIECE):
                yield piece
            self._check_whole()

    def iter_lines(self) -> Iterator[str]:
        """The body as it comes, line by line. Raises TransportError."""
        with _transport():
            while line := self._found.readline():
                yield line.decode("utf-8", "replace").rstrip("\r\n")
            self._check_whole()

    def _check_whole(self) -> None:
        """Raise IncompleteRead where the connection has ended before the body did."""
        if self._found.length:
            raise IncompleteRead(b"", self._found.length)


class HttpClient:
    """Sends requests, one after the other."""

    def __init__(self, headers: Mapping[str, str], *, timeout: float, trust_env: bool) -> None:
        """Prepare; nothing is reached.

        Args:
            headers: of every request.
            timeout: seconds in which each piece of an answer must come, where a request does not say otherwise.
            trust_env: go through the proxy that the environment names.
        """
        self._headers, self._timeout, self._trust_env = dict(headers), timeout, trust_env

    def request(self, method: str, url: str, **request: Any) -> Answer:
        """Ask, and read the whole answer; see `stream`."""
        with self.stream(method, url, **request) as answer:
            answer.read()
            return answer

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        content: bytes | None = None,
        timeout: float | None = -1.0,
    ) -> Iterator[Answer]:
        """Ask; the body is read by whoever asked, within the block.

        Args:
            method: of the request.
            url: http:// or https://.
            params: the query; a list is a parameter given several times.
            headers: beside those of every request.
            body: sent as JSON; None: none.
            content: sent as it is; None: none.
            timeout: seconds for each piece; None: as long as it takes; below 0: as the client has it.

        Raises:
            ConnectError, TransportError: no answer came.
        """
        sent = {**self._headers, "Connection": "close", **(headers or {})}
        if body is not None:
            content, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        with _transport():
            parts = urlsplit(url)
            connection, target = self._connection(parts, _target(parts, params or {}), sent)
        try:
            with _transport(ConnectError):
                connection.connect()
            with _transport():
                connection.sock.settimeout(self._timeout if timeout is not None and timeout < 0 else timeout)
                connection.request(method, target, content, sent)
                answer = Answer(url, connection.getresponse())
            yield answer
        finally:
            connection.close()

    def _connection(self, parts: SplitResult, target: str, headers: dict[str, str]) -> tuple[HTTPConnection, str]:
        host, port = parts.hostname or "", parts.port
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        proxy = _proxy(parts) if self._trust_env else None
        if proxy is None:
            return kind(host, port, timeout=_CONNECT_SECONDS), target
        connection = kind(proxy.hostname or "", proxy.port, timeout=_CONNECT_SECONDS)
        if parts.scheme == "https":
            connection.set_tunnel(host, port, headers=_proxy_login(proxy))
            return connection, target
        headers.update(_proxy_login(proxy))
        return connection, f"http://{parts.netloc}{target}"


@contextmanager
def _transport(kind: type[TransportError] = TransportError) -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        raise kind(type(error).__name__) from error


def _target(parts: SplitResult, params: Mapping[str, Any]) -> str:
    path = quote(_BARE_PERCENT.sub("%25", parts.path), safe=_SAFE_IN_PATH) or "/"
    query = "&".join(filter(None, (parts.query, urlencode(list(_pairs(params))))))
    return f"{path}?{query}" if query else path


def _pairs(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        several: Iterable[Any] = value if isinstance(value, list | tuple) else (value,)
        for each in several:
            yield name, str(each).lower() if isinstance(each, bool) else str(each)


def _proxy(parts: SplitResult) -> SplitResult | None:
    from urllib.request import getproxies, proxy_bypass

    found = getproxies().get(parts.scheme)
    if not found or proxy_bypass(parts.hostname or ""):
        return None
    return urlsplit(found if "//" in found else f"http://{found}")


def _proxy_login(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    from base64 import b64encode
    from urllib.parse import unquote

    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"}
