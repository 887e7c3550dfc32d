"""What licensing is made of: every stream, reaction, view and door in one table."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from trunkline.contracts import billing, parties
from trunkline.contracts.licensing import CONTRACTS
from trunkline.migrate import read_migrations
from trunkline.recorded import stored_name
from trunkline.service import Hearing, Service
from trunkline_licensing.api.catalogue import catalogue
from trunkline_licensing.api.routes import routes
from trunkline_licensing.bulk_assignment import BULK
from trunkline_licensing.extension import EXTENSION
from trunkline_licensing.license_pool import POOL
from trunkline_licensing.organization import IDENTITY, PARTY
from trunkline_licensing.published import PRIVATE, published
from trunkline_licensing.reactions import billing_heard, deadline_due, party_heard
from trunkline_licensing.reactions.bulk_runner import Runner
from trunkline_licensing.reactions.provisioning import ANSWER_WITHIN
from trunkline_licensing.subscription import SUBSCRIPTION
from trunkline_licensing.views.bulk_view import VIEW as BULK_VIEW
from trunkline_licensing.views.extension_view import VIEW as EXTENSION_VIEW
from trunkline_licensing.views.identity_view import VIEW as IDENTITY_VIEW
from trunkline_licensing.views.party_view import VIEW as PARTY_VIEW
from trunkline_licensing.views.pool_view import VIEW as POOL_VIEW
from trunkline_licensing.views.subscription_view import VIEW as SUBSCRIPTION_VIEW

if TYPE_CHECKING:
    from trunkline.node import Node


def _bulk(node: Node) -> Callable[[], int]:
    """Bulk assignments in progress go on, chunk after chunk, and hear what numbers answers (L13)."""
    return Runner(node, catalogue(node), ANSWER_WITHIN, node.duties).step


def service() -> Service:
    """Licensing, whole (entry point `trunkline.services`)."""
    return Service(
        name="licensing",
        deciders=(SUBSCRIPTION, PARTY, IDENTITY, POOL, EXTENSION, BULK),
        hearings=(
            Hearing({parties.TOPIC: parties.CONTRACTS}, party_heard.react),
            Hearing({billing.TOPIC: billing.CONTRACTS}, billing_heard.react),
        ),
        published=published,
        private=frozenset(map(stored_name, PRIVATE)),
        says=tuple(CONTRACTS.values()),
        settle=deadline_due.react,
        views=(SUBSCRIPTION_VIEW, PARTY_VIEW, IDENTITY_VIEW, POOL_VIEW, EXTENSION_VIEW, BULK_VIEW),
        followers={"bulk": _bulk},
        routes=routes,
        migrations=tuple(read_migrations(files("trunkline_licensing") / "migrations")),
    )
