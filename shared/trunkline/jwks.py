"""The public keys of another issuer, fetched by JWKS: kept for five minutes, fetched again for an unknown key."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from trunkline.refusal import Refused

Key = RSAKey | ECKey | OKPKey

_KEPT_S: Final = 300.0
_BETWEEN_S: Final = 5.0
_TIMEOUT_S: Final = 5.0
_LARGEST_BYTES: Final = 1_048_576
_KINDS: Final[dict[str, Any]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class IssuerUnreachable(Refused):
    """The keys of the token's issuer cannot be fetched now: {why}."""

    status: ClassVar[int] = 503


class RemoteKeys:
    """One issuer's keys. A key that is not known may be a new one: the set is fetched again, at most every 5 s."""

    def __init__(self, url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Fetch nothing yet.

        Args:
            url: where the JWKS is.
            monotonic: seconds that only grow.
        """
        self._url = url
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: list[Key] = []
        self._fetched: float | None = None
        self._tried: float | None = None
        self._failure = ""

    def find(self, kid: object) -> list[Key]:
        """The keys a token may be signed with: the one it names, or all where it names none.

        None where the issuer has no such key. Keys that were fetched before stay good while the issuer is
        unreachable.

        Raises:
            IssuerUnreachable: there has never been an answer.
        """
        with self._lock:
            now = self._monotonic()
            old = self._fetched is None or now - self._fetched > _KEPT_S
            new = kid is not None and all(key.kid != kid for key in self._keys)
            if (old or new) and (self._tried is None or now - self._tried >= _BETWEEN_S):
                self._tried = now
                self._fetch(now)
            if self._fetched is None:
                raise IssuerUnreachable(why=self._failure)
            return [key for key in self._keys if kid is None or key.kid == kid]

    def _fetch(self, now: float) -> None:
        try:
            self._keys = _public_keys(_read(self._url))
            self._fetched = now
        except httpx.HTTPStatusError as error:
            self._failure = f"it answers {error.response.status_code}"
        except httpx.HTTPError as error:
            self._failure = type(error).__name__
        except ValueError as error:
            self._failure = str(error)


def _read(url: str) -> bytes:
    with httpx.stream("GET", url, timeout=_TIMEOUT_S, follow_redirects=False) as answer:
        answer.raise_for_status()
        body = b""
        for chunk in answer.iter_bytes():
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
