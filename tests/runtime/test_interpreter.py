"""The interpreter and the allocator of a service's process."""

from __future__ import annotations

import platform
import subprocess
import sys

PROGRAM = "from trunkline.application import limit_arenas; print(limit_arenas())"


def test_the_allocator_takes_the_number_of_arenas() -> None:
    """B13: with glibc; elsewhere it is left as it is. In a process of its own, as it holds for all of it."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(platform.libc_ver()[0] == "glibc")
