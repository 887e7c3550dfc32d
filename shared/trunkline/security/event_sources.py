"""Which `source` a principal may give its events: no two principals share the ids of one source by chance (S3, P2)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import ClassVar, Final

from trunkline.errors import Refused
from trunkline.security.principal import Principal

_RESERVED: Final = ("user:", "/trunkline/")
"""How events name people, and what Trunkline itself publishes."""


class SourceForeign(Refused):
    """The source {value!r} is not one that this token may use; {takes}."""

    status: ClassVar[int] = 403


def check_sources(principal: Principal, sources: Iterable[str], platform_sources: Collection[str]) -> None:
    """Refuse events under a source that is not bound to who sends them.

    A token of a party uses the sources that it names, and none of the platform's. A token of the platform uses those
    that it names; where it names none, those of the platform, which are any unless the settings list them.

    Args:
        principal: who sends.
        sources: of its events.
        platform_sources: `TRUNKLINE_BILLING_SOURCES`; empty: not listed.

    Raises:
        SourceForeign: at the first such source. Whether anybody else has used it is not looked up.
    """
    for source in dict.fromkeys(sources):
        if source.startswith(_RESERVED):
            takes = f"those that begin with {' or '.join(_RESERVED)} are Trunkline's own"
        elif principal.sources:
            takes = f"it takes {', '.join(sorted(principal.sources))}"
            if source in principal.sources and (principal.sees_all or source not in platform_sources):
                continue
        elif not principal.sees_all:
            takes = "a token of one party names its sources: `trunkline token issue --source URI`"
        else:
            takes = f"it takes {', '.join(sorted(platform_sources))}"
            if not platform_sources or source in platform_sources:
                continue
        raise SourceForeign(value=source, takes=takes, pointer="#/source")
