"""The list of all public events (X1, X7)."""

from typing import Final

from trunkline.contracts import billing, licensing, numbers, parties

HEARD: Final = (*billing.CONTRACTS.values(), *parties.CONTRACTS.values())
SAID: Final = (
    *licensing.CONTRACTS.values(),
    licensing.STATE,
    *numbers.CONTRACTS.values(),
    numbers.STATE,
)
ALL: Final = (*HEARD, *SAID)
