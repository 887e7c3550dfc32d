"""All doors of licensing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastapi import APIRouter

from trunkline_licensing.api import (
    billing_events,
    bulk_report,
    bulk_runs,
    bulk_templates,
    bulk_users,
    extension_changes,
    extensions,
    held,
    identities,
    license_exports,
    licenses,
    organizations,
    partners,
    platform,
    provisioning,
    subscriptions,
    waiting_facts,
)

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceContext


def routes(node: ServiceContext) -> Sequence[APIRouter]:
    """The routers that the composition root names."""
    parties = (platform, partners, organizations, identities)
    bulk = (bulk_users, bulk_templates, bulk_runs, bulk_report)
    lines = (licenses, license_exports, provisioning, extension_changes, extensions)
    return [noun.router(node) for noun in (billing_events, subscriptions, *parties, *lines, *bulk, held, waiting_facts)]
