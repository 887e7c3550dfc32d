"""How a command ends when it did not do what was asked: an exit code and one sentence, never a traceback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

DONE: Final = 0


class Ended(Exception):
    """The command could not do what was asked; the message is for a person.

    `document` is what `--json` prints of it.
    """

    code: ClassVar[int] = 1

    def __init__(self, sentence: str, document: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.document: Mapping[str, Any] = document or {"detail": sentence}


class Refused(Ended):
    """It was refused, or it failed."""

    code: ClassVar[int] = 1


class Misused(Ended):
    """The command line, a setting or a file is not what the command takes."""

    code: ClassVar[int] = 2


class Partly(Ended):
    """Some of it was done and some refused; what was told before says which."""

    code: ClassVar[int] = 3


class Unreachable(Ended):
    """Something that is needed does not answer."""

    code: ClassVar[int] = 4
