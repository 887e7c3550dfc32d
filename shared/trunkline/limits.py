"""Bounds that decisions and contracts share."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

MOST_AHEAD: Final = timedelta(days=3_653)
"""Ten years: a message that is dated further ahead of the clock is a slip (D10.14)."""

PAST_KEPT: Final = 32
"""Entries of each of `swapped_out`, `covers` and `gaps` that a subscription's event carries: the newest ones."""
