"""Partners and organizations as they are typed: by name, by UUID, or by the beginning of it (O1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trunkline.cli.terminal.exit_codes import Refused, Unreachable

if TYPE_CHECKING:
    from trunkline.cli.client.api_client import ApiClient

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MOST: Final = 1_000
_MOST_SHOWN: Final = 10
_MOST_ASKED: Final = 20
NAMED: Final = "its name, its UUID, or how the UUID begins"


@dataclass(frozen=True)
class Named:
    """Marks a parameter whose text names a party: a command gets the party's id.

    Attributes:
        kinds: what it may be: `organization`, `partner`, or both.
    """

    kinds: tuple[str, ...]


ORGANIZATION: Final = Named(("organization",))
PARTNER: Final = Named(("partner",))
PARTY: Final = Named(("organization", "partner"))


def party_id(remote: ApiClient, named: Named, text: str, option: str) -> str:
    """The id of the party that a text names.

    Args:
        remote: where it is looked up, as far as whoever asks may see; a whole UUID is not.
        named: what it may be.
        text: as typed.
        option: what it was typed for.

    Raises:
        Refused: there is none, or several.
    """
    if not text or _UUID.fullmatch(text):
        return text.lower()
    found = [(kind, party) for kind in named.kinds for party in _found(remote, kind, text)]
    exact = [(kind, party) for kind, party in found if party["name"].casefold() == text.casefold()]
    begins = [(kind, party) for kind, party in found if _id(kind, party).startswith(text.lower())]
    meant = exact or begins
    if len(meant) == 1:
        return _id(*meant[0])
    what = " or ".join(named.kinds)
    if not meant:
        near = f" Similar: {_listed(found)}." if found else ""
        raise Refused(f"{option} is {text!r}, and no {what} is called so or has a UUID that begins so.{near}")
    raise Refused(f"{option} is {text!r}, which {len(meant)} parties have: {_listed(meant)}. Give the UUID of one.")


def with_name(remote: ApiClient, party_id: str) -> str:
    """A party as people read it: its name, and its id in brackets; the id alone where no name can be seen."""
    for kind in PARTY.kinds:
        try:
            return f"{remote.get(f'/licensing/{kind}s/{party_id}')['name']} ({party_id})"
        except (Refused, Unreachable):
            continue
    return party_id


def with_names(remote: ApiClient, party_ids: Iterable[str | None]) -> dict[str | None, str | None]:
    """The parties of a table as people read them, each asked for once, or all at once where there are many.

    Args:
        remote: where they are looked up, as far as whoever asks may see.
        party_ids: of the rows; None: a row has none.

    Returns:
        Each of `party_ids` -> its name, and its id in brackets; the id alone where no name can be seen.
    """
    wanted = {party_id for party_id in party_ids if party_id is not None}
    if len(wanted) <= _MOST_ASKED:
        return {None: None} | {party_id: with_name(remote, party_id) for party_id in wanted}
    found: dict[str | None, str | None] = {None: None} | {party_id: party_id for party_id in wanted}
    for kind in PARTY.kinds:
        with suppress(Refused, Unreachable):
            for party in remote.page_through(f"/licensing/{kind}s", _MOST)["items"]:
                if (party_id := _id(kind, party)) in wanted:
                    found[party_id] = f"{party['name']} ({party_id})"
    return found


def _found(remote: ApiClient, kind: str, text: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = remote.page_through(f"/licensing/{kind}s", _MOST, search=text)["items"]
    return items


def _id(kind: str, party: dict[str, Any]) -> str:
    return str(party[f"{kind}_id"])


def _listed(found: list[tuple[str, dict[str, Any]]]) -> str:
    shown = [f"{party['name']} ({_id(kind, party)})" for kind, party in found[:_MOST_SHOWN]]
    return ", ".join(shown) + (f" and {len(found) - _MOST_SHOWN:,} more" if len(found) > _MOST_SHOWN else "")
