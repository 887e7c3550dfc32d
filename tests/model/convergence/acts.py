"""What people do with numbers, decided on how these stand at that instant (§3, R4, R5)."""

from __future__ import annotations

from tests.model.convergence.facts import Act
from tests.model.convergence.inventory import Bought, Inventory
from tests.model.convergence.numbers import LOCK, PERIODS, Binding, Line


class Acts:
    """Acts by hand on an inventory; `done` holds whether each was allowed, and the lines that it was decided on."""

    def __init__(self, stock: Inventory) -> None:
        self.stock = stock
        self.done: dict[Act, tuple[bool, tuple[Line, ...]]] = {}

    def do(self, act: Act) -> None:
        """Do it, or refuse it and change nothing; then serve whoever waits for what it changed."""
        line = self.stock.line(act.number)
        touched = [line, *([self.stock.line(act.old)] if act.old else [])]
        before = tuple(each.seen() for each in touched)
        allowed: bool = getattr(self, f"_{act.kind}")(line, act)
        self.done[act] = (allowed, before)
        if allowed:
            self.stock.serve(act.number, act.at)

    # -- the life cycle (§3) ----------------------------------------------------------------------------------

    def _add(self, line: Line, act: Act) -> bool:
        if line.state != "absent":
            return False
        line.state, line.since = "available", act.at
        return True

    def _reserve(self, line: Line, act: Act) -> bool:
        bound_to_other = line.binding is not None and line.binding.organization != act.party
        if line.state != "available" or bound_to_other or self.stock.why_not(line, act.party) is not None:
            return False
        line.reserve(act.party, None, "manual", act.at, act.at + PERIODS["manual"])
        return True

    def _release(self, line: Line, act: Act) -> bool:
        if line.state != "reserved":
            return False
        line.release(act.at, self.stock.quarantine)
        return True

    def _extend(self, line: Line, act: Act) -> bool:
        paying = self.stock.bought.get(act.subscription)
        if line.state != "reserved" or line.cover is not None or line.ends is None or paying is None:
            return False
        used = sum(each.cover == paying.id for each in self.stock.lines.values())
        if paying.status != "active" or paying.organization != line.organization or used >= paying.quantity:
            return False
        line.cover, line.extended, line.free_until = paying.id, act.at, line.ends
        line.ends += paying.plan
        return True

    def _lock(self, line: Line, act: Act) -> bool:
        if line.state != "available" or line.binding is not None:
            return False
        line.leave("locked", act.at, act.at + LOCK)
        return True

    def _unlock(self, line: Line, act: Act) -> bool:
        if line.state != "locked":
            return False
        line.back(act.at)
        return True

    def _delete(self, line: Line, act: Act) -> bool:
        if line.state not in ("available", "locked") or line.binding is not None:
            return False
        line.leave("deleted", act.at)
        return True

    def _recover(self, line: Line, act: Act) -> bool:
        if line.state != "deleted":
            return False
        line.back(act.at)
        return True

    # -- to subscriptions (N9, S6) ----------------------------------------------------------------------------

    def _active(self, act: Act) -> Bought | None:
        s = self.stock.bought.get(act.subscription)
        return s if s is not None and s.status == "active" and s.product == "number" else None

    def _assign(self, line: Line, act: Act) -> bool:
        s = self._active(act)
        has = self.stock.holding(s) if s is not None else None
        if s is None or has is not None:
            return has is line  # what it has already changes nothing
        return self._give(s, line, act)

    def _swap(self, line: Line, act: Act) -> bool:
        s = self._active(act)
        if s is None or self.stock.holding(s) is not self.stock.line(act.old) or act.old == act.number:
            return False
        return self._give(s, line, act)

    def _give(self, s: Bought, line: Line, act: Act) -> bool:
        if self.stock.why_not(line, s.organization) is not None:
            return False
        self.stock.stop_waiting(s, act.at)
        s.wants = line.number
        return self.stock.claim(s, act.at)

    # -- users (R5) and holders (R4) --------------------------------------------------------------------------

    def _bind(self, line: Line, act: Act) -> bool:
        organization = line.organization if line.state == "assigned" else line.holder
        if line.state not in ("assigned", "available") or organization is None or line.binding is not None:
            return False
        if line.state == "available" and self.stock.why_not(line, organization) is not None:
            return False
        line.binding, line.unbound = Binding(act.user, organization), None
        line.touched()
        return True

    def _unbind(self, line: Line, act: Act) -> bool:
        if line.binding is None:
            return False
        line.unbind("by_hand")
        return True

    def _allocate(self, line: Line, act: Act) -> bool:
        user = line.organization if line.state in ("assigned", "reserved") else None
        if line.state in ("absent", "deleted"):
            return False
        if line.holder == act.party:
            return True
        if line.holder is not None or user not in (None, act.party):
            return False
        line.holder = act.party
        line.touched()
        return True

    def _take_back(self, line: Line, act: Act) -> bool:
        if line.state in ("absent", "deleted"):
            return False
        if line.holder is None:
            return True
        if line.binding is not None:
            return False
        line.holder = None
        line.touched()
        return True
