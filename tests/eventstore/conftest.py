"""An inventory to step by hand."""

from tests.inventory import inventory

__all__ = ["inventory"]
