"""All doors of licensing in one router."""

from __future__ import annotations

from fastapi import APIRouter

from trunkline.doors import Node
from trunkline_licensing.api import (
    billing_events,
    bulk_report,
    bulk_runs,
    bulk_templates,
    bulk_users,
    extension_changes,
    extensions,
    identities,
    licenses,
    organizations,
    partners,
    platform,
    provisioning,
    subscriptions,
)


def routes(node: Node) -> APIRouter:
    """The router that the composition root names."""
    router = APIRouter()
    parties = (platform, partners, organizations, identities)
    bulk = (bulk_users, bulk_templates, bulk_runs, bulk_report)
    for noun in (billing_events, subscriptions, *parties, licenses, provisioning, extension_changes, extensions, *bulk):
        router.include_router(noun.router(node))
    return router
