"""All doors of numbers in one router; fixed paths come before those with a number in them."""

from __future__ import annotations

from fastapi import APIRouter

from trunkline.doors import Node
from trunkline_numbers.api import (
    acting,
    allocating,
    asking,
    assigning,
    binding,
    changing,
    numbers,
    policies,
    ranges,
    refused,
    search,
    subscriptions,
    upload_history,
    uploads,
)


def routes(node: Node) -> APIRouter:
    """The router that the composition root names.

    Args:
        node: numbers.
    """
    router = APIRouter()
    router.include_router(refused.router(node))
    router.include_router(subscriptions.router(node))
    router.include_router(assigning.router(node))
    router.include_router(policies.router(node))
    router.include_router(allocating.router(node))
    router.include_router(asking.router(node))
    router.include_router(search.router(node))
    router.include_router(ranges.router(node))
    router.include_router(uploads.router(node))
    router.include_router(upload_history.router(node))
    router.include_router(numbers.router(node))
    router.include_router(acting.router(node))
    router.include_router(binding.router(node))
    router.include_router(changing.router(node))
    return router
