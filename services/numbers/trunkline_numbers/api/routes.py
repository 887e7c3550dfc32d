"""All doors of numbers; fixed paths come before those with a number in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastapi import APIRouter

from trunkline_numbers.api import (
    acting,
    allocating,
    asking,
    assigning,
    binding,
    changing,
    held,
    numbers,
    policies,
    ranges,
    refused,
    search,
    subscriptions,
    upload_history,
    uploads,
    without_number,
)

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceContext


def routes(node: ServiceContext) -> Sequence[APIRouter]:
    """The routers that the composition root names.

    Args:
        node: numbers.
    """
    fixed = (refused, subscriptions, assigning, policies, allocating, asking, search, ranges, uploads, upload_history)
    one_number = (numbers, acting, binding, changing)
    return [doors.router(node) for doors in (held, without_number, *fixed, *one_number)]
