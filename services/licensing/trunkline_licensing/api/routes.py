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
    license_exports,
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
    lines = (licenses, license_exports, provisioning, extension_changes, extensions)
    for noun in (billing_events, subscriptions, *parties, *lines, *bulk):
        router.include_router(noun.router(node))
    return router
