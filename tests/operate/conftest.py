"""Both services with all their doors."""

from tests.http.conftest import bare, world

__all__ = ["bare", "world"]
