"""All doors of licensing in one router."""

from __future__ import annotations

from fastapi import APIRouter

from trunkline.doors import Node
from trunkline_licensing.api import billing_events, identities, organizations, partners, platform, subscriptions


def routes(node: Node) -> APIRouter:
    """The router that the composition root names."""
    router = APIRouter()
    for noun in (billing_events, subscriptions, platform, partners, organizations, identities):
        router.include_router(noun.router(node))
    return router
