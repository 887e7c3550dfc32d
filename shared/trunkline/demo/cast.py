"""Who plays in the story: a partner, two of its customers, and eight numbers out of the range kept for fiction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

_STORY: Final = UUID("6f2b6f0e-1b57-4b5e-9a54-0c9f6d1f7a11")


def story_id(name: str) -> str:
    """The id of somebody or something in the story: the same whenever it is told."""
    return str(uuid5(_STORY, name))


@dataclass(frozen=True)
class Organization:
    """A customer."""

    name: str
    billing_email: str

    @property
    def id(self) -> str:
        """Its UUID."""
        return story_id(self.name)


PARTNER_NAME: Final = "Meridian Telecom"
PARTNER_ID: Final = story_id(PARTNER_NAME)
PARTNER: Final[dict[str, Any]] = {
    "partner_id": PARTNER_ID,
    "name": PARTNER_NAME,
    "owner_email": "owner@meridian.example",
    "support_email": "support@meridian.example",
    "domains": ["portal.meridian.example"],
}
BAKERY: Final = Organization("Harbour Bakery", "billing@harbour.example")
CLINIC: Final = Organization("Lantern Clinic", "accounts@lantern.example")
ORGANIZATIONS: Final = (BAKERY, CLINIC)

NUMBERS: Final = tuple(f"+44207946000{index}" for index in range(1, 9))
EXPIRING, TERMINATED, SWAPPED, SWAPPED_IN, RETURNING, KEPT, LATE, SPARE = NUMBERS
LISTING: Final = {"vendor": "Northern Carrier", "country": "GB", "sku": "GB-LONDON", "holder_id": PARTNER_ID}


def name_of(party_id: str | None) -> str | None:
    """What a party of the story is called; None: nobody's."""
    return {PARTNER_ID: PARTNER_NAME, **{o.id: o.name for o in ORGANIZATIONS}}.get(party_id or "")


def short(number: str) -> str:
    """A number as the story says it: its last four digits."""
    return f"…{number[-4:]}"
