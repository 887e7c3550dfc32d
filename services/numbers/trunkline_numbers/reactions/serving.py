"""Serving a subscription: each of its numbers is moved to where the subscription's state says it belongs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from trunkline.recorded import Cause
from trunkline.refusal import Refused
from trunkline.stream import Event
from trunkline.work import Work
from trunkline_numbers.number import NUMBER, Party
from trunkline_numbers.number_events import NumberAssigned
from trunkline_numbers.number_following import Target, follow, owned
from trunkline_numbers.party import PARTY, as_party
from trunkline_numbers.policy import Policy
from trunkline_numbers.subscription import (
    SUBSCRIPTION,
    Subscription,
    SubscriptionServed,
    end_refusal,
    fallbacks,
    given_up,
    numbers_of,
    refuse,
    wanted,
)


def load_parties(work: Work, organization_ids: Iterable[str]) -> None:
    """Read organizations and the partners they belong to, in two queries at most."""
    ids = set(organization_ids)
    work.load((PARTY, key) for key in ids)
    copies = (work.state(PARTY, key).heard for key in ids)
    work.load((PARTY, heard.partner_id) for heard in copies if heard is not None and heard.partner_id is not None)


def party_of(work: Work, organization_id: str) -> Party | None:
    """An organization as number decisions see it; None where it, or its partner, is not known yet (S7)."""
    copy = work.state(PARTY, organization_id)
    partner_id = copy.heard.partner_id if copy.heard else None
    return as_party(copy, work.state(PARTY, partner_id) if partner_id else None)


@dataclass(frozen=True)
class Serving:
    """One subscription being served because of one fact.

    Attributes:
        at: the instant of the fact that was heard; now, where the subscription had to wait.
        waited: an assignment counts from `at`, not from the subscription's start.
    """

    work: Work
    subscription_id: str
    party: Party
    at: datetime
    cause: Cause
    policy: Policy
    waited: bool

    @property
    def state(self) -> Subscription:
        """What numbers knows of the subscription, up to the last thing recorded."""
        return self.work.state(SUBSCRIPTION, self.subscription_id)

    def serve(self) -> None:
        """Move the named number, then those given up; while a swap is refused, stay with the old one (N9)."""
        s = self.state
        assert s.heard is not None
        number = s.heard.number
        assert number is not None
        given = given_up(s)
        stays = fallbacks(s)
        if not self._claim(number):
            for other in stays:
                if self._try(other, wanted(s, other, self.at, waited=self.waited)):
                    del given[other]
                    break
        for other, keep in given.items():
            self._move(other, keep)

    def _claim(self, number: str) -> bool:
        """Move the number the subscription names; a refusal goes on record and waits (S6). Whether it has it."""
        try:
            has = self._move(number, wanted(self.state, number, self.at, waited=self.waited))
        except Refused as refused:
            if self.state.refused is not None and self.state.refused.number != number:
                self._end_refusal()
            since = self.state.heard.started_at if self.state.heard else self.at
            self._note(refuse(self.state, number, refused.code, refused.sentence, self.work.now))
            self.work.wait(NUMBER.stream(number), SUBSCRIPTION.stream(self.subscription_id), since, refused.code)
            return False
        self._end_refusal()
        return has

    def _end_refusal(self) -> None:
        refused = self.state.refused
        if refused is not None:
            self._note(end_refusal(self.state, self.work.now))
            self.work.stop_waiting(NUMBER.stream(refused.number), SUBSCRIPTION.stream(self.subscription_id))

    def _try(self, number: str, target: Target) -> bool:
        try:
            return self._move(number, target)
        except Refused:
            return False

    def _move(self, number: str, target: Target) -> bool:
        """Let the number follow; whether its present episode is now this subscription's.

        Raises:
            Refused: it should be held and cannot be.
        """
        n = self.work.state(NUMBER, number)
        events = follow(n, self.party, self.subscription_id, target, self.at, self.policy, self.work.now)
        if events:
            n = self.work.record(NUMBER, number, events, self.cause)
            for event in events:
                if isinstance(event, NumberAssigned) and number not in self.state.served:
                    self._note([SubscriptionServed(at=event.at, number=number)])
        return owned(n.life, self.subscription_id)

    def _note(self, events: list[Event]) -> None:
        self.work.record(SUBSCRIPTION, self.subscription_id, events, self.cause)


def serve(
    work: Work, subscription_id: str, at: datetime, cause: Cause, policy: Policy, *, waited: bool = False
) -> None:
    """Give a subscription's numbers the places its state says, or put on record why not (S6, N9).

    Args:
        work: what is not in hand is loaded.
        subscription_id: something has been heard of it.
        at: the instant of the fact; now, where it has `waited` for a number or a party.
        cause: goes into the envelopes.
        policy: the periods in force.
        waited: a first assignment counts from `at`, not from the subscription's start.
    """
    s = work.state(SUBSCRIPTION, subscription_id)
    if s.heard is None or s.heard.product != "number" or s.heard.number is None:
        return
    party = party_of(work, s.heard.organization_id)
    waiter = SUBSCRIPTION.stream(subscription_id)
    missing = _missing_party(work, s.heard.organization_id)
    if party is None:
        work.wait(PARTY.stream(missing), waiter, work.now, f"{missing} is not known yet")
        return
    if waited:
        work.stop_waiting(PARTY.stream(s.heard.organization_id), waiter)
        work.stop_waiting(PARTY.stream(missing), waiter)
    work.load((NUMBER, number) for number in numbers_of(s))
    Serving(work, subscription_id, party, at, cause, policy, waited).serve()


def _missing_party(work: Work, organization_id: str) -> str:
    """The party that must be heard of next: the organization, else its partner."""
    heard = work.state(PARTY, organization_id).heard
    return heard.partner_id if heard is not None and heard.partner_id is not None else organization_id
