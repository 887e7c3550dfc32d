"""One command on one number, as every door of that kind carries it out: who may, in which version, and the answer."""

from __future__ import annotations

from collections.abc import Callable

from trunkline.errors import Refused
from trunkline.eventstore.decider import Event
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import WriteRequest
from trunkline.http.idempotency import CommandResult, check_version
from trunkline.security.authorization import Resource, authorize, visible
from trunkline_numbers.api.error_details import explained
from trunkline_numbers.api.number_schemas import shown_number
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.application.retry_dependents import load_to_act, serve_waiting
from trunkline_numbers.application.visibility import Visibility, party
from trunkline_numbers.domain.number.errors import RemarkMissing, RemarkUnreadable
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Number, Party
from trunkline_numbers.domain.policy import Policy


class NumberCommand:
    """One asker's command on one number, within one piece of work."""

    def __init__(self, uow: UnitOfWork, request: WriteRequest, key: str, verb: str) -> None:
        """Read the number.

        Args:
            uow: where it is decided.
            request: by whom.
            key: the number.
            verb: what is to be done, as the asker names it.
        """
        load_to_act(uow, [THE_POLICY, (NUMBER, key)])
        self.uow, self.request = uow, request
        self.visibility = Visibility(uow, request.principal)
        self.policy: Policy = in_force(uow)
        self._key, self._verb = key, verb

    @property
    def number(self) -> Number:
        """As it stands now: what fell due is settled, also where no timer has recorded it yet."""
        return self.uow.state(NUMBER, self._key)

    @property
    def by(self) -> Party | None:
        """The asker's own party; None: the platform."""
        return party(self.uow, self.request.principal.party_id)

    def authorize(self, action: str) -> None:
        """Hold the asker against a row of P3, and the version named against the one at hand.

        Raises:
            NumberUnknown, NotAllowed, VersionMismatch: as they say.
        """
        authorize(self.visibility.branch, action, self.visibility.number(self.number))
        loaded = self.uow.get(NUMBER, self._key)
        check_version(self.request, loaded.version + len(loaded.new))

    def authorize_for(self, action: str, party_id: str, pointer: str) -> Party:
        """Hold the asker against a row of P3 for the party that the number is to be for.

        Raises:
            HolderUnknown, NotAllowed: as they say.
        """
        resource: Resource = self.visibility.holder(party_id, pointer)
        authorize(self.visibility.branch, action, resource)
        found = party(self.uow, party_id)
        if found is None:
            raise resource.unknown
        return found

    def done(self, *decisions: Callable[[Number], list[Event]]) -> CommandResult:
        """Decide and record, serve who waited for it, and show the number after it.

        Should it have gone to somebody else thereby, it is shown as the asker left it.

        Raises:
            Refused: as a decision says it, with what the asker may know beside it.
        """

        def act() -> None:
            for decide in decisions:
                self.uow.record(NUMBER, self._key, decide(self.number), self.request.cause)

        return self.done_by(act)

    def done_by(self, act: Callable[[], None]) -> CommandResult:
        """The same, where more than the number is decided and recorded."""
        loaded, cause = self.uow.get(NUMBER, self._key), self.request.cause
        self._try(act)
        left, version = self.number, loaded.version + len(loaded.new)
        serve_waiting(self.uow, cause)
        now, newest = self.number, loaded.version + len(loaded.new)
        if not visible(self.visibility.branch, self.visibility.number(now)):
            return CommandResult(shown_number(left, self.visibility), version=version if newest == version else None)
        return CommandResult(shown_number(now, self.visibility), version=newest)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (RemarkMissing, RemarkUnreadable) as refused:
            raise type(refused)(**refused.facts, pointer="#/remark") from None
        except Refused as refused:
            raise explained(refused, self.number, self.visibility, self._verb) from None
