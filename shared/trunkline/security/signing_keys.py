"""The home's own signing keys: one that signs, older ones that still verify, read again when their files change (P1).

`keys/signing.json` is the private key, `keys/public.json` the set of public keys (a JWKS) that verify. A copy of a
service that only verifies needs `public.json` alone.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from trunkline.errors import Refused

PRIVATE: Final = "signing.json"
PUBLIC: Final = "public.json"
_UNTIL: Final = "verify_until"
"""Until when a replaced key verifies, in seconds since 1970; the key that signs has none."""


class NoSigningKey(Refused):
    """{folder} has no signing key, only public ones: issue tokens in the home that has it."""


class OwnKeys:
    """The keys of one home. Thread-safe; a rotation in another process counts from the next token on."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read the keys; the signing key is made where there is none, unless public keys say that it is elsewhere.

        Args:
            folder: `keys` of a home.
            now: the machine's clock.
        """
        self._folder, self._now = folder, now
        self._lock = threading.Lock()
        if (folder / PRIVATE).exists() or not (folder / PUBLIC).exists():
            signing_key(folder)
        self._read: tuple[object, OKPKey | None, list[tuple[OKPKey, float | None]]] = ((), None, [])

    def signing(self) -> OKPKey:
        """The key that signs.

        Raises:
            NoSigningKey: it is in another home.
        """
        key = self._current()[1]
        if key is None:
            raise NoSigningKey(folder=str(self._folder))
        return key

    def find(self, kid: object) -> list[OKPKey]:
        """The keys that a token with this `kid` may be signed with; every one where it names none."""
        _, signing, public = self._current()
        now = self._now().timestamp()
        keys = [signing] if signing is not None else []
        keys += [key for key, until in public if (until is None or now < until) and key.kid not in _kids(signing)]
        return [key for key in keys if kid is None or key.kid == kid]

    def _current(self) -> tuple[object, OKPKey | None, list[tuple[OKPKey, float | None]]]:
        seen = tuple(_stamp(self._folder / name) for name in (PRIVATE, PUBLIC))
        with self._lock:
            if self._read[0] != seen:
                self._read = (seen, _private(self._folder), _public(self._folder))
            return self._read


def rotate(folder: Path, overlap: timedelta, now: datetime) -> tuple[OKPKey, datetime]:
    """Replace the signing key; tokens that the old one signed are believed until the overlap ends.

    The new public key is published before the new private key signs, so no token comes before its key is known.

    Args:
        folder: `keys` of a home.
        overlap: how long the old key verifies; at least as long as the tokens it signed hold.
        now: the machine's instant.

    Returns:
        The new key, and until when the old one verifies.
    """
    with _alone(folder):
        old, new = signing_key(folder), new_key()
        until = now + overlap
        kept = [(key, ends) for key, ends in _public(folder) if key.kid != old.kid and (ends or 0) > now.timestamp()]
        _write_public(folder, [*kept, (old, until.timestamp()), (new, None)])
        _write(folder / PRIVATE, json.dumps(new.as_dict(private=True)), 0o600)
    return new, until


def publish(folder: Path) -> Path:
    """Write the public keys where that has not been done; their file."""
    with _alone(folder):
        key = signing_key(folder)
        known = _public(folder)
        if key.kid not in [other.kid for other, _ in known]:
            _write_public(folder, [*known, (key, None)])
    return folder / PUBLIC


def new_key() -> OKPKey:
    """A new Ed25519 key, named by its thumbprint."""
    return OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "Ed25519"}, auto_kid=True)


def signing_key(folder: Path) -> OKPKey:
    """The home's own Ed25519 key: read, or made and kept so that only its owner can read it (mode 0600)."""
    path = folder / PRIVATE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = _draft(path, json.dumps(new_key().as_dict(private=True)), 0o600)
        try:
            path.hardlink_to(draft)  # whole or not at all, and never over one that another process has made meanwhile
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return OKPKey.import_key(json.loads(path.read_text(encoding="utf-8")))


def _private(folder: Path) -> OKPKey | None:
    return signing_key(folder) if (folder / PRIVATE).exists() else None


def _public(folder: Path) -> list[tuple[OKPKey, float | None]]:
    """The public keys with the instants at which they end. A file that is no JWKS holds none."""
    try:
        listed = json.loads((folder / PUBLIC).read_text(encoding="utf-8"))["keys"]
        entries = [(entry, entry.pop(_UNTIL, None)) for entry in listed]
        return [(OKPKey.import_key(entry), until) for entry, until in entries if entry.get("crv") == "Ed25519"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, JoseError):
        return []


def _write_public(folder: Path, keys: list[tuple[OKPKey, float | None]]) -> None:
    listed: list[dict[str, Any]] = []
    for key, until in keys:
        listed.append({**key.as_dict(private=False), **({} if until is None else {_UNTIL: until})})
    _write(folder / PUBLIC, json.dumps({"keys": listed}), 0o644)


def _kids(key: OKPKey | None) -> tuple[Any, ...]:
    return () if key is None else (key.kid,)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder, os.O_RDONLY)
    try:
        flock(handle, LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, text: str, mode: int) -> None:
    _draft(path, text, mode).replace(path)


def _draft(path: Path, text: str, mode: int) -> Path:
    draft = path.with_name(f".{path.stem}-{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft
