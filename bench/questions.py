"""What is asked of a search: every filter there is, alone and in pairs, of values that the inventory has (N11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import Any

from bench.stock import Stock
from trunkline.eventstore.event_store import Store
from trunkline_numbers.domain.number.events import NumberAssigned
from trunkline_numbers.queries.digit_pattern import read_pattern
from trunkline_numbers.queries.filters import Conditions, Scope, Wanted, conditions
from trunkline_numbers.queries.inventory import Inventory
from trunkline_numbers.queries.page_window import Slice, where
from trunkline_numbers.queries.search import Total

PAGE = 50
DEEP = 999 * PAGE
"""So many numbers lie before the 1,000th page."""


def filters(stock: Stock) -> dict[str, dict[str, Any]]:
    """Each filter by a name, as fields of `Wanted`; common values and rare ones."""
    partners = list(stock.partners)
    assigned = next(e for _, life in stock.samples for e in life if isinstance(e, NumberAssigned))
    patterns = ("65", "+4479", "*888", "*88", "*88*", "*888*", "*8888*", "*31415*")
    states: tuple[Any, ...] = ("available", "reserved", "assigned", "locked", "deleted")
    capabilities: tuple[Any, ...] = ("voice", "fax", "sms")
    return {
        **{f"state {state}": {"states": (state,)} for state in states},
        **{f"pattern {text}": {"pattern": read_pattern(text)} for text in patterns},
        **{capability: {"capabilities": (capability,)} for capability in capabilities},
        "common sku": {"sku": "SG-0"},
        "rare sku": {"sku": "IS-7"},
        "vendor": {"vendor": "GB Carrier 1"},
        "country": {"country": "SG"},
        "routing": {"routing": "route-3"},
        "golden": {"golden": True},
        "not golden": {"golden": False},
        "ported in": {"ported_in": True},
        "domain": {"domain": stock.domain(partners[3])},
        "subscription": {"subscription": assigned.subscription_id},
        "owner": {"owner": assigned.organization_id},
        "holder": {"holder": partners[2]},
        "uploader": {"uploader": partners[5]},
        "bound": {"bound": True},
        "not bound": {"bound": False},
        "available since": {"available_since": stock.now - timedelta(days=365)},
    }


@dataclass(frozen=True)
class Question:
    """A search, and where its deep page begins.

    Attributes:
        after: the last number of the page before the 1,000th, or before the middle one of a shorter list; None: it has
            one page only.
        total: as the first page tells it.
    """

    name: str
    asked: Conditions
    after: str | None
    total: Total

    def first(self, inventory: Inventory) -> None:
        """Its first page."""
        inventory.first_page(self.asked, Slice(PAGE))

    def deep(self, inventory: Inventory) -> None:
        """A page far behind."""
        inventory.next_page(self.asked, Slice(PAGE, after=self.after), self.total)


def questions(store: Store, stock: Stock, scope: Scope | None, step: int = 1) -> Iterator[Question]:
    """Every filter alone, and every pair of filters of different kinds.

    Args:
        store: numbers'.
        stock: what is in it.
        scope: of the asker; None: the platform.
        step: every so many of them.
    """
    known, inventory = filters(stock), Inventory(store)
    pairs = [(a, b) for a, b in combinations(known, 2) if known[a].keys().isdisjoint(known[b])]
    for names in [*((name,) for name in known), *pairs][::step]:
        asked = conditions(Wanted(**{field: value for name in names for field, value in known[name].items()}), scope)
        _, total = inventory.first_page(asked, Slice(PAGE))
        after = _key_at(store, asked, min(DEEP / max(total.value, 1), 0.5)) if total.value > PAGE else None
        yield Question(" and ".join(names), asked, after, total)


def _key_at(store: Store, conditions: Conditions, share: float) -> str | None:
    """The number before which about that share of a list lies."""
    parts = [
        *((c.sql, c.params) for c in conditions.all),
        *(("v.key >= %s AND v.key < %s", r) for r in conditions.ranges),
    ]
    parts += [("v.key LIKE %s", (conditions.part.like,))] if conditions.part is not None else []
    text, params = where(parts)
    rows: Sequence[Any] = ()
    for sample in ("TABLESAMPLE SYSTEM (0.3) REPEATABLE (7)", "TABLESAMPLE SYSTEM (3) REPEATABLE (7)", ""):
        if len(rows) <= 10:  # too few to tell a share by; what is rare is found by its index
            rows = store.fetch(f"SELECT v.key FROM number_view_g1 v {sample}{text} ORDER BY v.key", params)
    return str(rows[int(len(rows) * share)][0]) if rows else None
