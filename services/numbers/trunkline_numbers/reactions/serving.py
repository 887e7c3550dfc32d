"""Serving a subscription: each of its numbers is moved to where the subscription's state says it belongs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from trunkline.recorded import Cause
from trunkline.refusal import Refused
from trunkline.stream import Event
from trunkline.work import Loaded, Work
from trunkline_numbers.number import NUMBER, Available, Lapsed, Life, Party, Reserved
from trunkline_numbers.number_events import NumberAssigned, NumberReserved
from trunkline_numbers.number_following import Hold, Target, follow, owned
from trunkline_numbers.party import PARTY, PLATFORM, as_party
from trunkline_numbers.policy import Policy
from trunkline_numbers.subscription import (
    SUBSCRIPTION,
    Subscription,
    after_giving_up,
    end_refusal,
    forgo,
    given_up,
    had_from,
    is_dismissed,
    named_since,
    numbers_of,
    refuse,
    wanted,
)
from trunkline_numbers.subscription_events import SubscriptionServed

_last_above: dict[str, str] = {}
"""Organization -> the party above it when it was read last: tells what to read with it, never what is so."""
_MOST_REMEMBERED = 100_000


def likely_parties(organization_ids: Iterable[str]) -> set[str]:
    """Organizations and, as far as they were read before, what is above them: to be read in one query."""
    ids = set(organization_ids)
    return ids | {_last_above[key] for key in ids if key in _last_above}


def load_parties(work: Work, organization_ids: Iterable[str]) -> None:
    """Read organizations and the partners they belong to, in two queries at most."""
    ids = set(organization_ids)
    work.load((PARTY, key) for key in ids)
    copies = {key: heard for key in ids if (heard := work.state(PARTY, key).heard) is not None}
    above = {key: heard.partner_id or PLATFORM for key, heard in copies.items()}
    work.load((PARTY, key) for key in above.values())
    if len(_last_above) > _MOST_REMEMBERED:
        _last_above.clear()
    _last_above.update(above)


def party_of(work: Work, organization_id: str) -> Party | None:
    """An organization as number decisions see it; None where it, or its partner, is not known yet (S7)."""
    copy = work.state(PARTY, organization_id)
    above = (copy.heard.partner_id or PLATFORM) if copy.heard else None
    return as_party(copy, work.state(PARTY, above) if above else None)


@dataclass(slots=True)
class Serving:
    """One subscription being served: because of something heard of it, or because what it waited for has changed."""

    work: Work
    subscription_id: str
    loaded: Loaded[Subscription]
    party: Party
    cause: Cause
    policy: Policy
    remark: str | None = None

    @property
    def state(self) -> Subscription:
        """What numbers knows of the subscription, up to the last thing recorded."""
        return self.loaded.state

    def serve(self) -> None:
        """Move the named number, then those given up; while a swap is refused, stay with the old one (N9)."""
        heard = self.state.heard
        assert heard is not None
        assert heard.number is not None
        stays = None if self._claim(heard.number) else self._old_one()
        for number in given_up(self.state):
            if number != stays:
                self._try(number, after_giving_up(self.state, number))

    def _claim(self, number: str) -> bool:
        """Move the number the subscription names; a refusal goes on record and waits (S6). Whether it has it."""
        target = wanted(self.state, number)
        if isinstance(target, Hold) and is_dismissed(self.state, number):
            return False
        try:
            has = self._move(number, target)
        except Refused as refused:
            if self.state.refused is not None and self.state.refused.number != number:
                self._end_refusal()
            self._note(refuse(self.state, number, refused.code, refused.sentence, self.work.now))
            if isinstance(target, Hold):
                started = self.state.heard.started_at if self.state.heard else self.work.now
                self.work.wait(NUMBER.stream(number), self.loaded.stream_id, started, refused.code)
                return False
            has = False
        self._end_refusal()
        return has

    def _end_refusal(self) -> None:
        refused = self.state.refused
        if refused is not None:
            self._note(end_refusal(self.state, self.work.now))
            self.work.stop_waiting(NUMBER.stream(refused.number), self.loaded.stream_id)

    def _old_one(self) -> str | None:
        """The number that serves the subscription while it cannot have the one it names (N9); None: there is none.

        The newest that it had; where it never had the named one, even if it gave it up for what did not count after
        all. Before it had any, the one it would have had to begin with.
        """
        s = self.state
        assert s.heard is not None
        never_had = s.heard.number not in s.served
        for number in given_up(s):
            if had_from(s, number) is None:
                continue  # it came by a swap that did not count after all, or for no time
            if number in s.served:
                life = self.work.state(NUMBER, number).life
                gone = _swapped_out_at(life)
                kept = never_had or gone is None or gone < named_since(s, number)
                return number if kept and owned(life, self.subscription_id) and self._stay(number) else None
            if number not in s.denied and never_had and self._stay(number):
                return number
        return None

    def _stay(self, number: str) -> bool:
        return self._try(number, wanted(self.state, number))

    def _try(self, number: str, target: Target) -> bool:
        """Move a number that is not worth waiting for; whether it is the subscription's now."""
        try:
            return self._move(number, target)
        except Refused:
            self._note(forgo(self.state, number, self.work.now))
            return False

    def _move(self, number: str, target: Target) -> bool:
        """Let the number follow; whether its present episode is now this subscription's.

        Raises:
            Refused: it should be had and cannot be.
        """
        n = self.work.state(NUMBER, number)
        heard = self.state.heard
        assert heard is not None
        events = follow(n, self.party, self.subscription_id, target, heard.at, self.policy, self.work.now)
        if events:
            if self.remark is not None:
                events = [_remarked(event, self.remark) for event in events]
            n = self.work.record(NUMBER, number, events, self.cause)
            for event in events:
                if isinstance(event, NumberAssigned) and number not in self.state.served:
                    self._note([SubscriptionServed(at=event.at, number=number)])
        return owned(n.life, self.subscription_id)

    def _note(self, events: list[Event]) -> None:
        self.work.record(SUBSCRIPTION, self.subscription_id, events, self.cause)


def _remarked(event: Event, remark: str) -> Event:
    """What a person had done, with why; what merely fell due meanwhile is nobody's act."""
    return replace(event, remark=remark) if isinstance(event, NumberAssigned | NumberReserved) else event


def _swapped_out_at(life: Life) -> datetime | None:
    """Since when a number is, or was at last, reserved because it was swapped out."""
    match life:
        case Reserved(cause="swapped"):
            return life.since
        case Available(lapsed=Lapsed() as lapsed):
            cause, at, _ = lapsed.resolved[-1]
            return at if cause == "swapped" else None
        case _:
            return None


def serve(
    work: Work,
    subscription_id: str,
    cause: Cause,
    policy: Policy,
    *,
    woken: bool = False,
    remark: str | None = None,
) -> None:
    """Give a subscription's numbers the places its state says, or put on record why not (S6, N9).

    Args:
        work: what is not in hand is loaded; a batch has read it all at once before.
        subscription_id: something has been heard of it.
        cause: goes into the envelopes.
        policy: the periods in force.
        woken: it may have waited for its organization or partner, and does so no more if they are known now.
        remark: why, where a person had it done.
    """
    loaded = work.get(SUBSCRIPTION, subscription_id)
    heard = loaded.state.heard
    if heard is None or heard.product != "number" or heard.number is None:
        return
    party = party_of(work, heard.organization_id)
    if party is None or woken:
        missing = _missing_party(work, heard.organization_id)
        for known in {heard.organization_id, missing} if woken else ():
            work.stop_waiting(PARTY.stream(known), loaded.stream_id)
        if party is None:
            work.wait(PARTY.stream(missing), loaded.stream_id, work.now, f"{missing} is not known yet")
            return
        work.load((NUMBER, number) for number in numbers_of(loaded.state))
    Serving(work, subscription_id, loaded, party, cause, policy, remark).serve()


def _missing_party(work: Work, organization_id: str) -> str:
    """The party that must be heard of next: the organization, else its partner."""
    heard = work.state(PARTY, organization_id).heard
    return heard.partner_id if heard is not None and heard.partner_id is not None else organization_id
