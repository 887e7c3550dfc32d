"""Roles and scopes of callers, and the platform's own key among the parties (P1)."""

from __future__ import annotations

from typing import Final, Literal, get_args

Role = Literal["platform-admin", "platform-support", "partner-admin", "org-admin", "member", "machine"]
Scope = Literal["billing:write", "projections:read", "operate"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
PLATFORM: Final = "platform"
"""The platform's own key among the parties."""
