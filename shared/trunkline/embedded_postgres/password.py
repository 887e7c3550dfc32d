"""The password of the embedded server where it runs as another account than who uses it.

Under root the server runs as an account that other programs have too. Its socket's folder is open to that account, so
the server believes nobody without the password, which lies in the home, readable by its owner alone. Where the server
runs as who uses it, the socket's private folder is protection enough.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from trunkline.embedded_postgres.data_directory import Place

ONLY_BY_PASSWORD: Final = "local all all scram-sha-256\n"  # noqa: S105 - a rule, and no password
"""The whole of `pg_hba.conf`."""
_FILE: Final = "password"


def needs_password(location: Place) -> bool:
    """Whether the server runs as another account than this process."""
    return location.uid != os.geteuid()


def believes_everybody(location: Place) -> bool:
    """Whether a cluster, created by an earlier release, lets anybody in who reaches its socket."""
    rules = (location.data / "pg_hba.conf").read_text(encoding="utf-8", errors="replace").splitlines()
    return any("trust" in rule.split() for rule in rules if not rule.lstrip().startswith("#"))


def read_password(folder: Path) -> str | None:
    """The password that lies in the database's folder of a home; None: it has none."""
    try:
        return (folder / _FILE).read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def make_password(folder: Path) -> str:
    """Make a password and write it down, readable by this account alone."""
    password = secrets.token_hex(24)
    draft = folder / f".{_FILE}-{secrets.token_hex(8)}"
    _write(draft, password)
    draft.replace(folder / _FILE)
    return password


@contextmanager
def given_password(location: Place, folder: Path) -> Iterator[tuple[str, ...]]:
    """The options by which `initdb` creates a cluster that demands the password, where it needs one.

    One round of SCRAM is enough for 192 random bits: more would only make every connection slower.
    """
    if not needs_password(location):
        yield ("--auth=trust",)
        return
    handed = location.data / ".password"
    handed.unlink(missing_ok=True)
    _write(handed, read_password(folder) or make_password(folder))
    os.chown(handed, location.uid, location.gid)
    try:
        yield ("--auth=scram-sha-256", f"--pwfile={handed}", "--set=scram_iterations=1")
    finally:
        handed.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
