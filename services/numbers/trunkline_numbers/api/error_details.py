"""What an asker is told beside a refusal: how the number stands, with whom if they may know, and what can be done."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from trunkline.clock import rfc3339
from trunkline.errors import Refused
from trunkline.security.authorization import authorize, visible
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.number.errors import NumberHasBinding
from trunkline_numbers.domain.number.state import Assigned, Locked, Number, Reserved

_INSTEAD: Final = {
    "available": {"reserve": "reserve numbers", "assign": "assign numbers", "lock": "lock numbers"},
    "reserved": {"assign": "assign numbers", "extend": "reserve numbers", "release": "reserve numbers"},
    "assigned": {"swap": "assign numbers"},
    "locked": {"unlock": "lock numbers", "delete": "delete numbers"},
    "deleted": {"recover": "delete numbers"},
}
"""In each state the verbs that lead out of it, and the row of P3 that each stands in."""


def explained(refused: Refused, n: Number, visibility: Visibility, verb: str) -> Refused:
    """The refusal, with what its asker may know beside it; one of malformed input, or of a number unseen, as it is.

    Args:
        refused: what the decision said.
        n: the number as it stands.
        visibility: the asker's.
        verb: what was asked for.
    """
    if refused.status != Refused.status or not visible(visibility.branch, visibility.number(n)):
        return refused
    facts, words = _standing(n, visibility)
    if "state" not in refused.facts:
        words.insert(0, f"it is {n.state} since {rfc3339(facts['since'])}")
    if instead := _instead(refused, n, visibility, verb):
        words.append(f"what can be done: {', '.join(instead)}")
    explained = type(refused)(**refused.facts, **({"also": "; ".join(words)} if words else {}))
    error = {
        "in": "path",
        "pointer": "#/number",
        "value": n.number,
        "code": explained.code,
        "detail": explained.sentence,
    }
    explained.facts["errors"] = [{**error, "state": n.state, **facts, "instead": instead}]
    return explained


def _standing(n: Number, visibility: Visibility) -> tuple[dict[str, Any], list[str]]:
    """Since when it is so, until when, and for whom: as facts, and in words."""
    since: datetime = getattr(n.life, "since")  # noqa: B009 - what is visible is not absent
    facts: dict[str, Any] = {"since": since}
    words: list[str] = []
    match n.life:
        case Reserved() as r:
            facts["ends_at"] = r.ends_at
            if visibility.own(r.reserver_id):
                facts["reserver_id"] = r.reserver_id
                words.append(f"it is kept for {visibility.name(r.reserver_id)} until {rfc3339(r.ends_at)}")
        case Assigned() as a if visibility.own(a.organization_id):
            facts |= {"organization_id": a.organization_id, "subscription_id": a.subscription_id}
            words.append(f"it serves subscription {a.subscription_id} of {visibility.name(a.organization_id)}")
        case Locked() as lock:
            facts["ends_at"] = lock.ends_at
            words.append("the lock has no end" if lock.ends_at is None else f"until {rfc3339(lock.ends_at)}")
        case _:
            pass
    if n.holder_id is not None and visibility.own(n.holder_id):
        facts["holder_id"] = n.holder_id
        words.append(f"{visibility.name(n.holder_id)} holds it")
    return facts, words


def _instead(refused: Refused, n: Number, visibility: Visibility, verb: str) -> list[str]:
    """The verbs that this asker could use on the number as it stands."""
    if isinstance(refused, NumberHasBinding):
        return ["unbind"] if any(b.kind != "pbx" for b in n.bindings) and _may(visibility, n, "bind numbers") else []
    if verb == "add" and n.state != "deleted":
        return []  # whoever would add it looks for another one
    verbs = {v: action for v, action in _INSTEAD.get(n.state, {}).items() if v != verb and _may(visibility, n, action)}
    if visibility.branch.principal.sees_all and n.uploader_kind == "partner":
        verbs.pop("delete", None)  # R7
    return list(verbs)


def _may(visibility: Visibility, n: Number, action: str) -> bool:
    try:
        authorize(visibility.branch, action, visibility.number(n))
    except Refused:
        return False
    return True
