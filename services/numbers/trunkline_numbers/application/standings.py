"""How the numbers that a subscription names stand towards it, now and before others got them (S6, X4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import LoadedStream, UnitOfWork
from trunkline_numbers.domain.number.errors import NothingToDismiss
from trunkline_numbers.domain.number.number import NUMBER, check_assignable
from trunkline_numbers.domain.number.state import Available, Episode, Life, Number, Party, Reserved, kept_by, owned
from trunkline_numbers.domain.number.subscription_sync import free_since, period
from trunkline_numbers.domain.policy import Policy, ReservationCause
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, Subscription, is_dismissed
from trunkline_numbers.domain.subscription.tenures import Earlier, Standing

_CAUSES: Final[tuple[ReservationCause, ...]] = ("expired", "terminated", "swapped")


@dataclass(slots=True)
class Standings:
    """Of the numbers of one subscription, all in hand."""

    uow: UnitOfWork
    loaded: LoadedStream[Subscription]
    party: Party
    policy: Policy

    def of(self, number: str) -> Standing:
        """How a number stands towards the subscription, as far as the walk through its past must know."""
        s, n = self.loaded.state, self.uow.state(NUMBER, number)
        denied = number in s.denied
        episode = n.episode
        if owned(n.life, s.subscription_id):
            before, last = (episode.before, episode.last_organization_id) if episode else (None, None)
            since = free_since(n, before, last, self.party, denied=denied)
            earlier = self._earlier(n, episode.outer if episode else None, denied=denied)
            if episode is None:
                return Standing(True, since, None, n.acted_at, earlier)
            return Standing(True, since, None, n.acted_at, earlier, episode.since, _reserved_by_hand(episode.before))
        going_on = episode if episode is not None and owned(n.life, episode.subscription_id) else None
        if s.terms is not None and number == s.terms.number and is_dismissed(s, number):
            return Standing(
                False, refused=NothingToDismiss(subscription_id=self.loaded.state.subscription_id), acted_at=n.acted_at
            )
        try:
            check_assignable(n, self.party, self.policy, self.uow.now)
        except Refused as refused:
            return Standing(False, None, refused, n.acted_at, self._earlier(n, going_on, denied=denied))
        since = free_since(n, n.life, n.last_organization_id, self.party, denied=denied)
        earlier = self._earlier(n, going_on, denied=denied)
        return Standing(False, since, None, n.acted_at, earlier, by_hand=_reserved_by_hand(n.life))

    def _earlier(self, n: Number, episode: Episode | None, *, denied: bool) -> tuple[Earlier, ...]:
        """How the number stood before other subscriptions got it, or a person acted on it, the latest first.

        `episode`: the latest one's.
        """
        found: list[Earlier] = []
        then = n
        while episode is not None:
            if episode.survived and episode.subscription_id != self.loaded.state.subscription_id:
                found += self._in_expiries(episode)
            got_by = then.last_organization_id
            then = replace(n, life=episode.before, last_organization_id=episode.last_organization_id)
            if episode.subscription_id != self.loaded.state.subscription_id and self._could_have(then):
                since = self._had_since(n, episode.before)
                if since is None:
                    since = free_since(n, episode.before, episode.last_organization_id, self.party, denied=denied)
                quarantined = got_by != self.party.id
                kept = self._periods(n, quarantined=quarantined, reserved=quarantined)
                found.append(Earlier(since, episode.since, kept))
            episode = episode.outer
        found += self._free_times(n, denied=denied)
        found.sort(key=lambda earlier: earlier.until, reverse=True)
        return tuple(found)

    def _in_expiries(self, episode: Episode) -> Iterator[Earlier]:
        """When it was kept for the organization, as another subscription of it that has it was expired (D10.8)."""
        self.uow.load([(SUBSCRIPTION, episode.subscription_id)])
        other = self.uow.state(SUBSCRIPTION, episode.subscription_id).terms
        if other is None or other.organization_id != self.party.id:
            return
        at_once = dict.fromkeys(_CAUSES, timedelta())
        for gap in other.gaps or ():
            if gap.expired_at in episode.survived:
                yield Earlier(gap.expired_at, gap.reactivated_at, at_once)

    def _free_times(self, n: Number, *, denied: bool) -> Iterator[Earlier]:
        """How the number stood before people acted on it: what they did stands (D10.10)."""
        for free in n.free_times:
            then = replace(n, life=free.life, last_organization_id=free.last_organization_id)
            if self._could_have(then):
                since = self._had_since(n, free.life)
                if since is None:
                    since = free_since(then, free.life, free.last_organization_id, self.party, denied=denied)
                same = free.reserver_id in (None, self.party.id)  # locks and deletions do not mind a quarantine (N15)
                yield Earlier(since, free.until, self._periods(n, quarantined=not same, reserved=True))

    def _had_since(self, n: Number, life: Life) -> datetime | None:
        """Since when a number was the subscription's that led this life after it; None: another one's, or nobody's."""
        s = self.loaded.state
        if not owned(life, s.subscription_id):
            return None
        return min((at for number, at in s.grants if number == n.number), default=None)

    def _could_have(self, n: Number) -> bool:
        return is_assignable(n, self.party, self.policy, self.uow.now)

    def _periods(self, n: Number, *, quarantined: bool, reserved: bool) -> dict[ReservationCause, timedelta]:
        """How long after each kind of fact a number is not to be had by somebody (N3, N15).

        Args:
            n: the number.
            quarantined: the quarantine keeps it from them.
            reserved: the reservation does.
        """
        quarantine = self.policy.quarantine(n.listing.country) if quarantined else timedelta()
        return {cause: (period(n, cause, self.policy) if reserved else timedelta()) + quarantine for cause in _CAUSES}


def _reserved_by_hand(life: Life) -> datetime | None:
    """Since when a person has, or had, the number reserved, nobody having had it after that."""
    kept = life.kept if isinstance(life, Available) else None
    if isinstance(life, Reserved):
        kept = kept_by(life)
    return None if kept is None or kept.by_subscription else kept.since


def is_assignable(n: Number, party: Party, policy: Policy, at: datetime) -> bool:
    """Whether a subscription of the organization may have the number."""
    try:
        check_assignable(n, party, policy, at)
    except Refused:
        return False
    return True
