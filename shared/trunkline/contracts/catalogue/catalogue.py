"""The list of all public events (X1, X7)."""

from typing import Final

from trunkline.contracts import billing, licensing, numbers, parties

RECEIVED: Final = (*billing.CONTRACTS.values(), *parties.CONTRACTS.values())
PUBLISHED: Final = (
    *licensing.CONTRACTS.values(),
    licensing.STATE,
    *numbers.CONTRACTS.values(),
    numbers.STATE,
)
ALL: Final = (*RECEIVED, *PUBLISHED)
