"""What a number is, to search by: attributes that its life does not touch, in a narrow table of its own (N11, R10).

Beside `number_view`, which is written anew with every reservation: a reservation would otherwise pay for a dozen
indexes that it does not change. This view follows three events only. It finds candidates; what is shown, and whether
the asker may see it, is in `number_view`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from trunkline.eventstore.decider import Decider
from trunkline.projections.single_stream import single_stream_projection
from trunkline_numbers.domain.number.events import Listing, NumberAdded, NumberAllocated, NumberChanged

COLUMNS = {
    "country": "text NOT NULL",
    "sku": "text NOT NULL",
    "vendor": "text NOT NULL",
    "routing": "text",
    "voice": "boolean NOT NULL",
    "sms": "boolean NOT NULL",
    "fax": "boolean NOT NULL",
    "golden": "boolean NOT NULL",
    "ported_in": "boolean NOT NULL",
    "domains": "text[] NOT NULL",
    "uploader_id": "text",
    "holder_id": "text",
    "backward": 'text COLLATE "C" NOT NULL',
    "threes": "int2[] NOT NULL",
}
"""Beside `key` and what every such view has.

`backward`: its digits from the last to the first, for patterns like `*888`. `threes`: every three digits that follow
each other in it, for patterns like `*888*`.
"""


class Listed(msgspec.Struct, frozen=True):
    """What this view remembers of a number."""

    number: str
    listing: Listing = Listing(country="", sku="", vendor="")
    uploader_id: str | None = None
    holder_id: str | None = None


def evolve(n: Listed, event: Any) -> Listed:
    """The newest attributes count."""
    match event:
        case NumberAdded():
            return Listed(n.number, event.listing, event.uploader_id, event.holder_id)
        case NumberChanged():
            return Listed(n.number, event.listing, n.uploader_id, n.holder_id)
        case NumberAllocated():
            return Listed(n.number, n.listing, n.uploader_id, event.holder_id)
        case _:
            return n


LISTED: Final[Decider[Listed]] = Decider("number", Listed, evolve, (NumberAdded, NumberAllocated, NumberChanged))


def threes(digits: str) -> list[int]:
    """Every three digits that follow each other, each once."""
    return list({int(digits[index : index + 3]) for index in range(len(digits) - 2)})


def _row(n: Listed) -> tuple[Any, ...]:
    listing, digits = n.listing, n.number[1:]
    return (
        listing.country,
        listing.sku,
        listing.vendor,
        listing.routing,
        listing.voice,
        listing.sms,
        listing.fax,
        listing.golden,
        listing.ported_in,
        list(listing.domains),
        n.uploader_id,
        n.holder_id,
        digits[::-1],
        threes(digits),
    )


VIEW = single_stream_projection(
    "listing_view",
    1,
    LISTED,
    Listed,
    COLUMNS,
    _row,
    indexes=(
        "(country, key)",
        "(sku, key)",
        "(vendor, key)",
        "(routing, key) WHERE routing IS NOT NULL",
        "(uploader_id, key) WHERE uploader_id IS NOT NULL",
        "(holder_id, key) WHERE holder_id IS NOT NULL",
        "(key) WHERE voice",
        "(key) WHERE sms",
        "(key) WHERE fax",
        "(key) WHERE golden",
        "(key) WHERE ported_in",
        "(backward)",
        "USING gin (domains)",
        "USING gin (threes)",
    ),
)
