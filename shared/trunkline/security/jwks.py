"""The public keys of another issuer (JWKS), fetched in the background: no request waits for an issuer but the first.

Keys that were fetched serve until newer ones come, however long the issuer is away. They are fetched again when they
are five minutes old, and for a key id that is not known at most once in an interval; only one fetch runs at a time.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from trunkline.errors import Refused

Key = RSAKey | ECKey | OKPKey

_KEPT_S: Final = 300.0
_BETWEEN_S: Final = 5.0
_TOTAL_S: Final = 5.0
"""A fetch takes no longer than this in all, however slowly the answer drips."""
_LARGEST_BYTES: Final = 1_048_576
_KINDS: Final[dict[str, Any]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class IssuerUnreachable(Refused):
    """The keys of the token's issuer cannot be fetched now: {why}."""

    status: ClassVar[int] = 503


class _Fetch:
    """One fetch that runs."""

    def __init__(self) -> None:
        self.done = threading.Event()


class RemoteKeys:
    """One issuer's keys. Thread-safe; nothing waits while it holds the lock."""

    def __init__(
        self, url: str, monotonic: Callable[[], float] = time.monotonic, read: Callable[[str], bytes] | None = None
    ) -> None:
        """Fetch nothing yet.

        Args:
            url: where the JWKS is.
            monotonic: seconds that only grow.
            read: fetches a URL's body; None: over HTTP.
        """
        self._url = url
        self._monotonic = monotonic
        self._read_url = read or _read
        self._lock = threading.Lock()
        self._keys: list[Key] = []
        self._fetched: float | None = None
        self._tried: float | None = None
        self._running: _Fetch | None = None
        self._failure = "it has not answered yet"

    def find(self, kid: object) -> list[Key]:
        """The keys a token may be signed with: the one it names, or all where it names none.

        None where the issuer has no such key. A known key is answered at once, whatever its age. An unknown one, and
        the very first, waits for one fetch, if an interval has passed since the last one; else it is answered at once.

        Raises:
            IssuerUnreachable: there has never been an answer.
        """
        with self._lock:
            known = self._matching(kid)
            old = self._fetched is None or self._monotonic() - self._fetched > _KEPT_S
            fetch = self._begin() if old or not known else None
        if fetch is not None and not known:
            fetch.done.wait(_TOTAL_S + 1.0)
            with self._lock:
                known = self._matching(kid)
        with self._lock:
            if self._fetched is None:
                raise IssuerUnreachable(why=self._failure)
        return known

    def prefetch(self) -> None:
        """Fetch the keys beside what else is done, before anybody asks."""
        with self._lock:
            self._begin()

    def _matching(self, kid: object) -> list[Key]:
        return [key for key in self._keys if kid is None or key.kid == kid]

    def _begin(self) -> _Fetch | None:
        """Start a fetch beside the request, unless the last one began within the interval; None: nothing new comes.

        Requests that meet a running fetch do not wait for it: only the one that began it does.
        """
        now = self._monotonic()
        if self._running is not None or (self._tried is not None and now - self._tried < _BETWEEN_S):
            return None
        self._tried = now
        fetch = self._running = _Fetch()
        threading.Thread(target=self._fetch, args=(fetch, now), name="issuer keys", daemon=True).start()
        return fetch

    def _fetch(self, fetch: _Fetch, begun: float) -> None:
        keys: list[Key] | None = None
        failure = ""
        try:
            keys = _public_keys(self._read_url(self._url))
        except httpx.HTTPStatusError as error:
            failure = f"it answers {error.response.status_code}"
        except httpx.HTTPError as error:
            failure = type(error).__name__
        except Exception as error:  # noqa: BLE001 - whatever an issuer sends, its fetch ends here
            failure = str(error) or type(error).__name__
        with self._lock:
            if keys is None:
                self._failure = failure
            else:
                self._keys, self._fetched = keys, begun
            self._running = None
        fetch.done.set()


def _read(url: str) -> bytes:
    try:
        return asyncio.run(_read_within(url))
    except TimeoutError:
        raise ValueError(f"its answer takes longer than {_TOTAL_S:g} seconds") from None


async def _read_within(url: str) -> bytes:
    body = b""
    async with (
        asyncio.timeout(_TOTAL_S),
        httpx.AsyncClient(timeout=_TOTAL_S, follow_redirects=False) as client,
        client.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > _LARGEST_BYTES:
                raise ValueError("its answer is larger than 1 MiB")
    return body


def _public_keys(body: bytes) -> list[Key]:
    """Every usable key of a JWKS. Shared secrets, encryption keys and kinds not known here are left out."""
    try:
        listed = json.loads(body)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("its answer is no JWKS") from None
    keys: list[Key] = []
    for entry in listed if isinstance(listed, list) else []:
        kind = _KINDS.get(str(entry.get("kty"))) if isinstance(entry, dict) else None
        if kind is None or entry.get("use", "sig") != "sig":
            continue
        try:
            key = kind.import_key({k: v for k, v in entry.items() if k != "key_ops"})
        except (JoseError, ValueError, KeyError, TypeError):
            continue
        key.ensure_kid()
        keys.append(key)
    return keys
