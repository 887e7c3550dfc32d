"""The numbers and the subscriptions at one instant of the timeline, and what time and billing do to them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.convergence.facts import Fact, Hours, Sold
from tests.model.convergence.numbers import PERIODS, Line


@dataclass
class Bought:
    """One subscription. `wants` is the number it is to have, `has` the one it holds or that is kept after it."""

    id: str
    organization: str
    started: Hours
    product: str
    status: str = "active"
    wants: str = ""
    has: str | None = None
    refused: str | None = None
    waits_since: Hours | None = None
    quantity: int = 0
    plan: Hours = 0


class Inventory:
    """All numbers and subscriptions, as of the instant that the timeline has reached."""

    def __init__(self, sold: dict[str, Sold], quarantine: Hours) -> None:
        self.sold, self.quarantine = sold, quarantine
        self.lines: dict[str, Line] = {}
        self.open = False
        """Whether something happened that the rules leave open: a renewal of what was over (N4)."""
        self.bought: dict[str, Bought] = {}
        self.held: list[tuple[str, str, Hours, Hours]] = []
        self.waited: list[tuple[str, str, Hours, Hours]] = []
        self.taken_back: list[tuple[str, str, Hours, Hours]] = []
        """(subscription, number, from, to) of each time that a number was reserved again that had run out (D10.10)."""
        self._held_since: dict[tuple[str, str], Hours] = {}

    def line(self, number: str) -> Line:
        """The number; one that has no stream is absent."""
        return self.lines.setdefault(number, Line(number))

    # -- time -------------------------------------------------------------------------------------------------

    def settle(self, to: Hours) -> None:
        """What falls due up to an instant, in due order, each followed by whoever waits for it (N10, S6)."""
        while True:
            due = [(at, line.number) for line in self.lines.values() for at in self._dues(line) if at <= to]
            if not due:
                return
            at, number = min(due)
            self._fall_due(self.lines[number], at)
            self.serve(number, at)

    def _dues(self, line: Line) -> list[Hours]:
        return [at for at in (line.ends, line.quarantine) if at is not None]

    def _fall_due(self, line: Line, at: Hours) -> None:
        if line.ends != at:
            line.quarantine = None
        elif line.state == "reserved":
            # D10.10: only the reservation that follows an expiry or a termination can be taken back.
            lapsed = line.subscription if line.cause in ("expired", "terminated") else None
            paid_by = line.cover
            line.release(at, self.quarantine, lapsed)
            line.paid_by = paid_by
        else:
            line.back(at)

    # -- billing ----------------------------------------------------------------------------------------------

    def apply(self, fact: Fact) -> None:
        """A fact that counts, at its instant (§3, S6, N9)."""
        if fact.kind == "started":
            self.bought[fact.subscription] = Bought(
                fact.subscription,
                self.sold[fact.subscription].organization,
                fact.at,
                fact.product,
                wants=fact.number,
                quantity=fact.quantity,
                plan=fact.plan,
            )
        s = self.bought[fact.subscription]
        match fact.kind:
            case "started" if s.product == "number":
                self.claim(s, fact.at)
            case "swapped":
                self.stop_waiting(s, fact.at)
                s.wants = fact.number
                self.claim(s, fact.at)
            case "expired":
                s.status = "expired"
                self._end_of_service(s, "expired", fact.at)
            case "terminated":
                s.status = "terminated"
                self._end_of_service(s, "terminated", fact.at)
            case "reactivated":
                s.status = "active"
                self._back_in_service(s, fact.at)
            case "quantity_changed":
                s.quantity = fact.quantity
                self._uncover(s, fact.at)
            case "renewed" if s.product == "did_reservation":
                self.open = self.open or any(line.paid_by == s.id for line in self.lines.values())
                for line in self._covered(s):
                    line.ends = max(fact.until, line.free_until or 0)
            case _:
                pass
        self.settle(fact.at)

    def _covered(self, paying: Bought) -> list[Line]:
        """What a DID reservation pays for, in the order in which it was extended (N4)."""
        mine = [line for line in self.lines.values() if line.cover == paying.id]
        return sorted(mine, key=lambda line: line.extended or 0)

    def _uncover(self, paying: Bought, at: Hours) -> None:
        """Beyond what it pays for, the charged part ends: now, or at the end of the free period (N4)."""
        units = paying.quantity if paying.status == "active" else 0
        for line in self._covered(paying)[units:]:
            line.ends, line.cover = max(at, line.free_until or 0), None

    def _end_of_service(self, s: Bought, cause: str, at: Hours) -> None:
        self.stop_waiting(s, at)
        self._uncover(s, at)
        line = self.lines.get(s.has or "")
        ends = at + PERIODS[cause]
        if line is None:
            return
        if line.state == "assigned" and line.subscription == s.id:
            self._stop_holding(s, line.number, at)
            line.reserve(s.organization, s.id, cause, at, ends)
        elif line.state == "reserved" and line.subscription == s.id and line.ends is not None:
            # D10.5: a termination never shortens. X5: it removes a binding that was suspended.
            line.unbind(cause)
            if ends <= (line.free_until or line.ends):
                return
            # D10.12: the free part ends at the latest end of the facts; what is charged goes on to its own end (N4).
            line.cause, line.since, line.free_until = cause, at, ends
            line.ends = ends if line.cover is None else max(line.ends, ends)
        elif line.state == "available" and line.lapsed == s.id:
            line.reserve(s.organization, s.id, cause, at, ends)
            self.taken_back.append((s.id, line.number, at, ends))
        else:
            return
        self.serve(line.number, at)

    def _back_in_service(self, s: Bought, at: Hours) -> None:
        """The number that was kept comes back; then what it wants is decided as ever."""
        line = self.lines.get(s.has or "")
        kept = line is not None and (
            (line.state == "reserved" and line.subscription == s.id)
            or (line.state == "available" and line.lapsed == s.id)
        )
        if line is not None and kept:
            line.subscription = s.id
            self._hold(s, line, at)
        elif s.product == "number":
            s.has = None
        if s.product == "number":
            self.claim(s, at)

    # -- who has what -----------------------------------------------------------------------------------------

    def holding(self, s: Bought) -> Line | None:
        """The number that a subscription is assigned."""
        line = self.lines.get(s.has or "")
        return line if line is not None and line.state == "assigned" and line.subscription == s.id else None

    def why_not(self, line: Line | None, organization: str) -> str | None:
        """Why a subscription of an organization cannot be assigned a number; None where it can (§3, S6, R4, N15).

        That it must see the number is the guard of Available alone (§3): in another state, that is the reason.
        """
        if line is None or line.state == "absent":
            return "unknown"
        if line.state == "available" and line.holder not in (None, organization):
            return "not visible"
        if line.state == "available":
            return "quarantined" if line.quarantine is not None and line.last != organization else None
        if line.state == "reserved" and line.organization == organization:
            return None
        return {"reserved": "taken", "assigned": "taken", "locked": "locked", "deleted": "deleted"}[line.state]

    def claim(self, s: Bought, at: Hours) -> bool:
        """Give an active subscription the number it wants, in exchange for the one it has: both or neither (N9)."""
        line, mine = self.lines.get(s.wants), self.holding(s)
        if mine is not None and mine is line:
            self.stop_waiting(s, at)
            return True
        reason = self.why_not(line, s.organization)
        if line is None or reason is not None:
            s.refused = reason
            s.waits_since = at if s.waits_since is None else s.waits_since
            return False
        self.stop_waiting(s, at)
        self._hold(s, line, at)
        if mine is not None:
            self._stop_holding(s, mine.number, at)
            mine.reserve(s.organization, s.id, "swapped", at, at + PERIODS["swapped"])
            self.serve(mine.number, at)
        return True

    def serve(self, number: str, at: Hours) -> None:
        """Decide again whoever waits for a number, oldest start first (S6)."""
        while True:
            waiting = [s for s in self.bought.values() if s.refused is not None and s.wants == number]
            waiting.sort(key=lambda s: (s.started, self.sold[s.id].rank))
            if not any(self.claim(s, at) for s in waiting if s.status == "active"):
                return

    def _hold(self, s: Bought, line: Line, at: Hours) -> None:
        line.assign(s.id, s.organization, at)
        s.has = line.number
        self._held_since[s.id, line.number] = at

    def _stop_holding(self, s: Bought, number: str, at: Hours) -> None:
        self.held.append((s.id, number, self._held_since.pop((s.id, number)), at))

    def stop_waiting(self, s: Bought, at: Hours) -> None:
        if s.waits_since is not None:
            self.waited.append((s.id, s.wants, s.waits_since, at))
        s.refused = s.waits_since = None

    def close_books(self, now: Hours) -> None:
        """Note what is held and waited for to this day."""
        self.held += [(s, number, since, now + 1) for (s, number), since in self._held_since.items()]
        self.waited += [
            (s.id, s.wants, s.waits_since, now + 1) for s in self.bought.values() if s.waits_since is not None
        ]
