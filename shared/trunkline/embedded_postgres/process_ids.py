"""What a process id read from a file still stands for: ids are given out again."""

import os
from pathlib import Path

_PROC = Path("/proc")


def runs_with(pid: int, argument: str) -> bool:
    """Whether process `pid` runs and was started with `argument` among its arguments.

    A zombie does not count. Where the system shows no arguments, being alive is taken for a yes.
    """
    if not (_PROC / "self" / "cmdline").exists():
        return _alive(pid)
    try:
        arguments = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(argument) in arguments


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
