"""Refused: the one error a decision raises. Its docstring is its message, its class name its code."""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar

from trunkline.clock import rfc3339

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Refused(Exception):
    """The request was refused."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    """HTTP status of the refusal: 409 unless the class says otherwise (404 unknown, 422 malformed, …)."""

    def __init_subclass__(cls) -> None:
        """Give every refusal a stable code: `NumberNotAvailable` is `number-not-available`."""
        if "code" not in cls.__dict__:
            cls.code = _HUMP.sub("-", cls.__name__).lower()

    def __init__(self, **facts: object) -> None:
        """Keep the facts that fill the message's blanks.

        Args:
            facts: the values named in the docstring's `{…}`, and any others that a caller may show.
                `also` is what the asker is told beside it, as the end of the same sentence.
        """
        self.facts = facts
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """One sentence: what was refused, where and why; instants in it are RFC 3339."""
        text = " ".join((type(self).__doc__ or type(self).code).split())
        facts = {k: rfc3339(v) if isinstance(v, datetime) else v for k, v in self.facts.items()}
        also = facts.get("also")
        return f"{text.format(**facts).removesuffix('.')}; {also}." if also else text.format(**facts)


class EndsProcess(Exception):
    """What no restart of a loop mends: somebody must decide. Subclasses name the case."""
