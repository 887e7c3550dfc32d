"""`trunkline-numbers`: this service alone, as a container starts it."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.cli.run.up import run_one
from trunkline_numbers.wiring import service


def main(argv: Sequence[str] | None = None) -> None:
    """Run numbers until told to stop.

    Args:
        argv: the arguments; None: the process's own.

    Raises:
        SystemExit: with the exit code, as every command of `trunkline`.
    """
    run_one("trunkline-numbers", service, argv)


if __name__ == "__main__":
    main()
