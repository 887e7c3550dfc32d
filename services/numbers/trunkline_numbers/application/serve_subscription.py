"""Serving a subscription: each of its numbers is moved to where the subscription's state says it belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from msgspec.structs import replace

from trunkline.errors import Refused
from trunkline.eventstore.decider import Event, key_of
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import LoadedStream, UnitOfWork
from trunkline_numbers.domain.number.errors import NothingToDismiss
from trunkline_numbers.domain.number.events import (
    AssignmentUndone,
    NumberAssigned,
    NumberReserved,
    NumberUnbound,
    ReservationEnding,
)
from trunkline_numbers.domain.number.evolution import evolve
from trunkline_numbers.domain.number.number import NUMBER, check_assignable, unbound
from trunkline_numbers.domain.number.state import (
    Assigned,
    Available,
    Episode,
    Life,
    Number,
    Party,
    Reserved,
    kept_by,
    owned,
)
from trunkline_numbers.domain.number.subscription_sync import (
    Hold,
    Keep,
    Leave,
    Target,
    assigned,
    assignment_undone,
    before_another,
    follow,
    free_since,
    period,
)
from trunkline_numbers.domain.party_replica import PARTY, PLATFORM, as_party
from trunkline_numbers.domain.policy import Policy, ReservationCause
from trunkline_numbers.domain.subscription.bindings import bindings_after
from trunkline_numbers.domain.subscription.events import ServiceUndone, SubscriptionServed
from trunkline_numbers.domain.subscription.subscription import (
    SUBSCRIPTION,
    Subscription,
    end_refusal,
    forgo,
    is_dismissed,
    numbers_of,
    refuse,
)
from trunkline_numbers.domain.subscription.tenures import (
    Earlier,
    Standing,
    Tenure,
    is_missed,
    losses,
    lost_at,
    named,
    target,
    tenures,
)

_MOST_TURNS = 3
"""How often a subscription is looked at anew because a number went to somebody else meanwhile, and a number undone."""

_last_above: dict[str, str] = {}
"""Organization -> the party above it when it was read last: tells what to read with it, never what is so."""
_MOST_REMEMBERED = 100_000


def likely_parties(organization_ids: Iterable[str]) -> set[str]:
    """Organizations and, as far as they were read before, what is above them: to be read in one query."""
    ids = set(organization_ids)
    return ids | {_last_above[key] for key in ids if key in _last_above}


def load_parties(work: UnitOfWork, organization_ids: Iterable[str]) -> None:
    """Read organizations and the partners they belong to, in two queries at most."""
    ids = set(organization_ids)
    work.load((PARTY, key) for key in ids)
    copies = {key: heard for key in ids if (heard := work.state(PARTY, key).heard) is not None}
    above = {key: heard.partner_id or PLATFORM for key, heard in copies.items()}
    work.load((PARTY, key) for key in above.values())
    if len(_last_above) > _MOST_REMEMBERED:
        _last_above.clear()
    _last_above.update(above)


def party_of(work: UnitOfWork, organization_id: str) -> Party | None:
    """An organization as number decisions see it; None where it, or its partner, is not known yet (S7)."""
    copy = work.state(PARTY, organization_id)
    above = (copy.heard.partner_id or PLATFORM) if copy.heard else None
    return as_party(copy, work.state(PARTY, above) if above else None)


@dataclass(slots=True)
class Serving:
    """One subscription being served: because of something heard of it, or because what it waited for has changed."""

    work: UnitOfWork
    subscription_id: str
    loaded: LoadedStream[Subscription]
    party: Party
    cause: Causation
    policy: Policy
    remark: str | None = None

    @property
    def state(self) -> Subscription:
        """What numbers knows of the subscription, up to the last thing recorded."""
        return self.loaded.state

    def serve(self) -> None:
        """Move the number that the subscription has, then the others; a refusal goes on record and waits (S6, N9)."""
        if self._simple():
            return
        for _ in range(_MOST_TURNS):
            had = tenures(self.state, self._standing)
            if not self._yielded(had) and self._moved(had):
                return

    def _simple(self) -> bool:
        """Serve one that named one number all the time, as nearly all do; False: its whole past must be looked at."""
        s = self.state
        heard = s.heard
        if heard is None or heard.number is None or heard.swapped_out or heard.gaps:
            return False
        if s.denied or s.dismissed or not s.served.keys() <= {heard.number}:
            return False
        n = self.work.state(NUMBER, heard.number)
        match n.life:
            case Assigned(since=heard.started_at, subscription_id=self.subscription_id):
                if heard.status != "active":
                    self._move(heard.number, Keep(losses(heard)))
            case Available(lapsed=None, quarantined_until=None, kept=None, open_since=None) as free:
                if heard.status != "active" or (free.since > heard.started_at and free.since != n.added_at):
                    return False
                try:
                    self._move(heard.number, Hold(heard.started_at, heard.at))
                except Refused:
                    return False
            case _:
                return False
        return True

    def _yielded(self, had: list[Tenure]) -> bool:
        """Whether a number went to who waits for it with an older start (S6).

        The subscription was given it after it had given it up by all facts: it claims it for an earlier time only now.
        """
        for tenure in had:
            n = self.work.state(NUMBER, tenure.number)
            if n.episode is None or not owned(n.life, self.subscription_id):
                continue
            since = n.episode.since
            turns = [turn for turn in had if turn.number == tenure.number]
            if any(turn.recorded or turn.until is None or since < turn.until or since == turn.since for turn in turns):
                continue
            if _undone(self.work, tenure.number) > _MOST_TURNS or not self._who_waits(tenure.number, tenure.since):
                continue
            undone = assignment_undone(n, self.party.id, self.work.now)
            self.work.record(NUMBER, tenure.number, [undone], self.cause)
            self._note([ServiceUndone(at=self.work.now, number=tenure.number)])
            for key in self._who_waits(tenure.number, tenure.since):
                serve(self.work, key, self.cause, self.policy, woken=True)
            return True
        return False

    def _who_waits(self, number: str, before: datetime) -> list[str]:
        return _who_waits(self.work, number, self.subscription_id, before)

    def _moved(self, had: list[Tenure]) -> bool:
        """Move every number to where it belongs; False: one went to somebody who waited, so all is to be seen anew."""
        heard = self.state.heard
        assert heard is not None
        assert heard.number is not None
        for number in {tenure.number for tenure in had if tenure.found}:
            since = next(tenure.since for tenure in had if tenure.number == number)
            self._note([SubscriptionServed(at=since, number=number, found=True)])
            self._wait(number, "its time is over")
        held = had[-1].number if had else None
        if held is not None:
            try:
                self._hold(held, had)
            except Refused:
                if isinstance(target(self.state, held, had), Hold) and held != heard.number:
                    self._note(forgo(self.state, held, self.work.now))  # it went elsewhere, and is not waited for
                elif self._standing(held).refused is None:
                    return False
        self._claimed(heard.number, had)
        for number in numbers_of(self.state):
            if number != held:
                self._follow(number, had)
        return True

    def _claimed(self, number: str, had: list[Tenure]) -> None:
        """Put on record whether the subscription has the number it names, and let it wait where it has not."""
        life = self.work.state(NUMBER, number).life
        if had and had[-1].number == number and owned(life, self.subscription_id):
            self._end_refusal()
            return
        if is_dismissed(self.state, number):
            self._end_refusal()
            return
        refused, wanted = self._standing(number).refused, isinstance(target(self.state, number, had), Hold | Leave)
        if refused is None:
            self._end_refusal()
            self._wait(number, "its time is over")
            return
        if self.state.refused is not None and self.state.refused.number != number:
            self._end_refusal()
        active = self.state.heard is not None and self.state.heard.status == "active"
        if active or (wanted and number not in self.state.denied):
            self._note(refuse(self.state, number, refused.code, refused.sentence, self.work.now))
        if not active:
            self._end_refusal()
        self._wait(number, refused.code)

    def _wait(self, number: str, code: str) -> None:
        """Wait for a number: also for one whose time is over, as a late fact may show that it could be had then."""
        heard = self.state.heard
        assert heard is not None
        acted_at = self.work.state(NUMBER, number).acted_at
        until = [each.until or lost_at(heard) for each in named(heard) if each.number == number]
        if all(end is not None and acted_at is not None and end <= acted_at for end in until):
            self.work.stop_waiting(NUMBER.stream(number), self.loaded.stream_id)
            return
        self.work.wait(NUMBER.stream(number), self.loaded.stream_id, heard.started_at, code)

    def _end_refusal(self) -> None:
        refused = self.state.refused
        if refused is not None:
            self._note(end_refusal(self.state, self.work.now))
            self.work.stop_waiting(NUMBER.stream(refused.number), self.loaded.stream_id)

    def _standing(self, number: str) -> Standing:
        """How a number stands towards the subscription, as far as the walk through its past must know."""
        s, n = self.state, self.work.state(NUMBER, number)
        denied = number in s.denied
        episode = n.episode
        if owned(n.life, self.subscription_id):
            before, last = (episode.before, episode.last_organization_id) if episode else (None, None)
            since = free_since(n, before, last, self.party, denied=denied)
            earlier = self._earlier(n, episode.outer if episode else None, denied=denied)
            if episode is None:
                return Standing(True, since, None, n.acted_at, earlier)
            return Standing(True, since, None, n.acted_at, earlier, episode.since, _reserved_by_hand(episode.before))
        going_on = episode if episode is not None and owned(n.life, episode.subscription_id) else None
        if s.heard is not None and number == s.heard.number and is_dismissed(s, number):
            return Standing(False, refused=NothingToDismiss(subscription_id=self.subscription_id), acted_at=n.acted_at)
        try:
            check_assignable(n, self.party, self.policy, self.work.now)
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
            got_by = then.last_organization_id
            then = replace(n, life=episode.before, last_organization_id=episode.last_organization_id)
            if episode.subscription_id != self.subscription_id and self._could_have(then):
                since = free_since(n, episode.before, episode.last_organization_id, self.party, denied=denied)
                quarantined = got_by != self.party.id
                kept = self._periods(n, quarantined=quarantined, reserved=quarantined)
                found.append(Earlier(since, episode.since, kept))
            episode = episode.outer
        if n.free_times:
            found += self._free_times(n, denied=denied)
            found.sort(key=lambda earlier: earlier.until, reverse=True)
        return tuple(found)

    def _free_times(self, n: Number, *, denied: bool) -> Iterator[Earlier]:
        """How the number stood before people acted on it: what they did stands (D10.10)."""
        for free in n.free_times:
            then = replace(n, life=free.life, last_organization_id=free.last_organization_id)
            if self._could_have(then):
                since = free_since(then, free.life, free.last_organization_id, self.party, denied=denied)
                same = free.reserver_id in (None, self.party.id)  # locks and deletions do not mind a quarantine (N15)
                yield Earlier(since, free.until, self._periods(n, quarantined=not same, reserved=True))

    def _could_have(self, n: Number) -> bool:
        return _is_assignable(n, self.party, self.policy, self.work.now)

    def _periods(self, n: Number, *, quarantined: bool, reserved: bool) -> dict[ReservationCause, timedelta]:
        """How long after each kind of fact a number is not to be had by somebody (N3, N15).

        Args:
            n: the number.
            quarantined: the quarantine keeps it from them.
            reserved: the reservation does.
        """
        quarantine = self.policy.quarantine(n.listing.country) if quarantined else timedelta()
        return {
            cause: (period(n, cause, self.policy) if reserved else timedelta()) + quarantine
            for cause in ("expired", "terminated", "swapped")
        }

    def _follow(self, number: str, had: list[Tenure]) -> None:
        """Move a number that the subscription has no more."""
        wanted = target(self.state, number, had)
        if self._corrected(number, wanted) or (isinstance(wanted, Leave) and self._awaited(number)):
            return
        if is_missed(self.state, number, had):
            self._awaited(number)
        try:
            self._move(number, wanted)
        except Refused as refused:
            self._note(forgo(self.state, number, self.work.now))
            self._wait(number, refused.code)
        else:
            self._bindings(number, had)

    def _awaited(self, number: str) -> bool:
        """Wait for a number that was named for a time and is not the subscription's; False: it is no such number."""
        heard = self.state.heard
        assert heard is not None
        standing = self._standing(number)
        if standing.mine or number == heard.number or all(each.number != number for each in named(heard)):
            return False
        if standing.refused is not None:
            self._note(forgo(self.state, number, self.work.now))
        self._wait(number, standing.refused.code if standing.refused is not None else "its time is over")
        return True

    def _hold(self, number: str, had: list[Tenure]) -> None:
        """Move the number that the subscription has; through each time in which it was lost in between (D10.17).

        Raises:
            Refused: it should be had and cannot be: somebody who waited got it, or took it when it was free.
        """
        if self._corrected(number, target(self.state, number, had)):
            return
        turns = [tenure for tenure in had if tenure.number == number]
        life = self.work.state(NUMBER, number).life
        if isinstance(life, Assigned) and owned(life, self.subscription_id):
            since = life.since
            for lost, back in pairwise(turns):
                if back.since > since:
                    self._lose(number, lost, back)
            self._redate(number, turns)
        self._move(number, target(self.state, number, had))
        self._bindings(number, had)

    def _corrected(self, number: str, wanted: Target) -> bool:
        """Whether another subscription got the number since when this one had left it, and that was at another instant.

        Then it is as this one left it, and the other one gets it anew. It keeps what it was given (X4, S6).
        """
        n, heard = self.work.state(NUMBER, number), self.state.heard
        left = before_another(n, self.subscription_id)
        if left is None or isinstance(wanted, Hold) or n.episode is None or heard is None:
            return False
        got_at = n.episode.since
        if isinstance(wanted, Keep):
            wanted = Keep(tuple(fact for fact in wanted.facts if fact[1] <= got_at))

        about = (self.party, self.subscription_id, wanted, min(heard.at, got_at), self.policy)
        events = follow(left, *about, got_at)
        if not any(isinstance(event, NumberReserved | AssignmentUndone) for event in events):
            return False
        for event in events:
            left = evolve(left, event)
        if _undone(self.work, number) > _MOST_TURNS:
            return False
        other = self._party_of(n.episode.subscription_id)
        if other is None or not _is_assignable(left, other, self.policy, got_at):
            return False
        give_anew(self.work, number, lambda m: follow(m, *about, self.work.now), self.cause, self.policy)
        return True

    def _party_of(self, subscription_id: str) -> Party | None:
        self.work.load([(SUBSCRIPTION, subscription_id)])
        heard = self.work.state(SUBSCRIPTION, subscription_id).heard
        if heard is None:
            return None
        load_parties(self.work, [heard.organization_id])
        return party_of(self.work, heard.organization_id)

    def _lose(self, number: str, lost: Tenure, back: Tenure) -> None:
        """The number was lost and came back: what is so in between is recorded, and who waited may get it (S6).

        Raises:
            Refused: somebody got it.
        """
        assert lost.until is not None
        assert lost.cause is not None
        n, id_ = self.work.state(NUMBER, number), self.subscription_id
        keep = Keep(((lost.cause, lost.until),))
        events = follow(n, self.party, id_, keep, lost.until, self.policy, min(back.since, self.work.now))
        users = {(b.kind, b.user_id, b.extension_id) for b in n.bindings if b.at is not None and b.at >= back.since}
        kept = [
            event
            for event in events
            if not isinstance(event, ReservationEnding)
            and not (isinstance(event, NumberUnbound) and (event.kind, event.user_id, event.extension_id) in users)
        ]
        n = self.work.record(NUMBER, number, kept, self.cause)
        if isinstance(n.life, Available):
            for key in self._who_waits(number, back.since):
                serve(self.work, key, self.cause, self.policy, woken=True)
        self._move(number, Hold(back.since))

    def _redate(self, number: str, turns: list[Tenure]) -> None:
        """The number was believed to have come back at another instant than the facts give, now that all are known."""
        n, heard = self.work.state(NUMBER, number), self.state.heard
        if not isinstance(n.life, Assigned) or not owned(n.life, self.subscription_id):
            return
        unexplained = heard is not None and heard.gaps is None and n.episode is not None and n.episode.survived
        if not unexplained and isinstance(target(self.state, number, turns), Hold):
            since = max(turns[-1].again or turns[-1].since, turns[-1].since)
            event = assigned(n, self.party, self.subscription_id, since, restored=True)
            if event.at != n.life.since:
                self.work.record(NUMBER, number, [event], self.cause)

    def _bindings(self, number: str, had: list[Tenure]) -> None:
        """End and restore the bindings of a number as its subscription's past has it (D10.17)."""
        n = self.work.state(NUMBER, number)
        if owned(n.life, self.subscription_id) and (n.bindings or (n.episode is not None and n.episode.ended)):
            turns = [tenure for tenure in had if tenure.number == number]
            over = self.state.heard is not None and self.state.heard.status == "terminated"
            events = bindings_after(n, turns, self.policy, terminated=over)
            self.work.record(NUMBER, number, events, self.cause)

    def _move(self, number: str, wanted: Target) -> None:
        """Let the number follow.

        Raises:
            Refused: it should be had and cannot be.
        """
        n = self.work.state(NUMBER, number)
        heard = self.state.heard
        assert heard is not None
        denied = number in self.state.denied
        events = follow(n, self.party, self.subscription_id, wanted, heard.at, self.policy, self.work.now)
        if not events:
            return
        if self.remark is not None:
            events = [_remarked(event, self.remark) for event in events]
        self.work.record(NUMBER, number, events, self.cause)
        for event in events:
            if isinstance(event, AssignmentUndone):
                self._note([ServiceUndone(at=event.at, number=number)])
            if isinstance(event, NumberAssigned) and (number not in self.state.served or heard.swapped_out):
                self._note([SubscriptionServed(at=event.at, number=number)])
                if denied:
                    self.work.stop_waiting(NUMBER.stream(number), self.loaded.stream_id)

    def _note(self, events: list[Event]) -> None:
        self.work.record(SUBSCRIPTION, self.subscription_id, events, self.cause)


def _reserved_by_hand(life: Life) -> datetime | None:
    """Since when a person has, or had, the number reserved, nobody having had it after that."""
    kept = life.kept if isinstance(life, Available) else None
    if isinstance(life, Reserved):
        kept = kept_by(life)
    return None if kept is None or kept.by_subscription else kept.since


def _undone(work: UnitOfWork, number: str) -> int:
    """How many assignments of a number have been undone in this piece of work."""
    stream_id = NUMBER.stream(number)
    return sum(other == stream_id and isinstance(event, AssignmentUndone) for other, event in work.recorded)


def _is_assignable(n: Number, party: Party, policy: Policy, at: datetime) -> bool:
    try:
        check_assignable(n, party, policy, at)
    except Refused:
        return False
    return True


def _remarked(event: Event, remark: str) -> Event:
    """What a person had done, with why; what merely fell due meanwhile is nobody's act."""
    return replace(event, remark=remark) if isinstance(event, NumberAssigned | NumberReserved) else event


def _who_waits(work: UnitOfWork, number: str, but: str, before: datetime) -> list[str]:
    """Who waits for a number since before an instant, oldest start first; not the one it is of."""
    awaited = NUMBER.stream(number)
    waiting = {key_of(waiter) for waiter in work.waiters([awaited]).get(awaited, ())} - {but}
    work.load((SUBSCRIPTION, key) for key in waiting)
    known = {key: heard for key in waiting if (heard := work.state(SUBSCRIPTION, key).heard) is not None}
    load_parties(work, (heard.organization_id for heard in known.values()))
    return [key for key in sorted(known, key=lambda k: (known[k].started_at, k)) if known[key].started_at < before]


def give_anew(
    work: UnitOfWork, number: str, correct: Callable[[Number], list[Event]], cause: Causation, policy: Policy
) -> None:
    """Correct what a number was before a subscription got it, and let that one get it anew.

    Its users stay, unless the subscription does not get it any more.

    Args:
        work: the number is in hand, in an episode of some subscription.
        number: of it.
        correct: what is to be recorded of it as it was before.
        cause: goes into the envelopes.
        policy: the periods in force.
    """
    n = work.state(NUMBER, number)
    assert n.episode is not None
    had_by, since = n.episode.subscription_id, n.episode.since
    users = {(b.kind, b.user_id, b.extension_id) for b in n.bindings if b.at is not None and b.at >= since}
    work.load([(SUBSCRIPTION, had_by)])
    heard = work.state(SUBSCRIPTION, had_by).heard
    assert heard is not None
    undone = assignment_undone(n, heard.organization_id, work.now)
    n = work.record(NUMBER, number, [undone], cause)
    work.record(SUBSCRIPTION, had_by, [ServiceUndone(at=work.now, number=number)], cause)
    kept = [event for event in correct(n) if not (isinstance(event, NumberUnbound) and _user(event) in users)]
    work.record(NUMBER, number, kept, cause)
    load_parties(work, [heard.organization_id])
    serve(work, had_by, cause, policy)
    n = work.state(NUMBER, number)
    if not owned(n.life, had_by) and not isinstance(n.life, Assigned):
        ended = [event for event in unbound(n, work.now, "released", n.state) if _user(event) in users]  # type: ignore[arg-type] # not absent
        work.record(NUMBER, number, ended, cause)


def _user(event: Event) -> tuple[str, str | None, str | None]:
    assert isinstance(event, NumberUnbound)
    return event.kind, event.user_id, event.extension_id


def serve(
    work: UnitOfWork,
    subscription_id: str,
    cause: Causation,
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


def _missing_party(work: UnitOfWork, organization_id: str) -> str:
    """The party that must be heard of next: the organization, else its partner."""
    heard = work.state(PARTY, organization_id).heard
    return heard.partner_id if heard is not None and heard.partner_id is not None else organization_id
