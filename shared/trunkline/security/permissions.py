"""The table of what each role may do, and with how much of its branch (P3, P4, P6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from trunkline.roles import Role, Scope

Reach = Literal["branch", "orgs", "uploaded", "held", "external", "own"]
"""What of its branch a role reaches with an action: `branch` all of it; `orgs` what is below its own party;
`uploaded` what the branch brought in; `held` what its own party holds or brought in; `external` all of it where
the organization is allowed external numbers (R6); `own` what serves the asker as a person (P4)."""

Row = Mapping[Role, Reach]

# Platform roles and machines without a party have the whole tree as their branch.
_EVERYONE: Final[Row] = {
    "platform-admin": "branch",
    "platform-support": "branch",
    "partner-admin": "branch",
    "org-admin": "branch",
    "machine": "branch",
}
_CHIEFS: Final[Row] = {"platform-admin": "branch", "partner-admin": "branch", "org-admin": "branch"}
_SELLERS: Final[Row] = {"platform-admin": "branch", "partner-admin": "orgs"}

ACTIONS: Final[Mapping[str, Row]] = {
    # P3, row by row
    "see numbers": _EVERYONE,
    "add numbers": {"platform-admin": "branch", "partner-admin": "branch", "org-admin": "external"},
    "reserve numbers": {"platform-admin": "branch", "platform-support": "branch", "partner-admin": "branch"},
    "assign numbers": _SELLERS,
    "allocate numbers": _SELLERS,
    "lock numbers": {"platform-admin": "branch", "platform-support": "branch", "partner-admin": "uploaded"},
    "delete numbers": {"platform-admin": "branch", "partner-admin": "uploaded", "org-admin": "uploaded"},
    "change numbers": {"platform-admin": "branch", "partner-admin": "held"},
    "bind numbers": {"platform-admin": "branch", "partner-admin": "orgs", "org-admin": "branch"},
    "allow external numbers": _SELLERS,
    "change policies": {"platform-admin": "branch"},
    # what the platform's import brings in: locks without end (N7), trunks' own forms of a number (R9)
    "import legacy records": {"platform-admin": "branch"},
    # P4, and the directory of P0
    "see parties": _EVERYONE,
    "change the platform": {"platform-admin": "branch"},
    "change partners": {"platform-admin": "branch"},
    "register organizations": {"platform-admin": "branch", "partner-admin": "branch"},
    "change organizations": _CHIEFS,
    "move organizations": {"platform-admin": "branch"},
    "change identities": _CHIEFS,
    "see subscriptions": _EVERYONE,
    "see licenses": _EVERYONE,
    "see extensions": {**_EVERYONE, "member": "own"},
    "change licenses": _CHIEFS,
    "publish billing events": {"platform-admin": "branch", "machine": "branch"},
    # P6
    "operate": {"platform-admin": "branch", "platform-support": "branch", "machine": "branch"},
}

NEEDS_SCOPE: Final[Mapping[str, Scope]] = {
    "publish billing events": "billing:write",
    "see numbers": "projections:read",
    "see parties": "projections:read",
    "see subscriptions": "projections:read",
    "see licenses": "projections:read",
    "see extensions": "projections:read",
}
