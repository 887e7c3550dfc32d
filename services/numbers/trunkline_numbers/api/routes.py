"""All doors of numbers; fixed paths come before those with a number in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastapi import APIRouter

from trunkline_numbers.api import (
    allocations,
    assignments,
    attributes,
    bindings,
    number_actions,
    number_questions,
    numbers,
    ranges,
    reconciliation,
    refused_assignments,
    subscriptions,
    without_number,
)
from trunkline_numbers.api.policies import routes as policies
from trunkline_numbers.api.search import routes as search
from trunkline_numbers.api.uploads import history
from trunkline_numbers.api.uploads import routes as uploads

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceContext


def routes(context: ServiceContext) -> Sequence[APIRouter]:
    """The routers that the composition root names.

    Args:
        context: numbers.
    """
    fixed = (
        refused_assignments,
        subscriptions,
        assignments,
        policies,
        allocations,
        number_questions,
        search,
        ranges,
        uploads,
        history,
    )
    one_number = (numbers, number_actions, bindings, attributes)
    return [doors.router(context) for doors in (reconciliation, without_number, *fixed, *one_number)]
