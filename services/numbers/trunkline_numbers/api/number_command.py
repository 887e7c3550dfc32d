"""One command on one number: authorize, check the version, decide, record, answer.

Every operation of that kind is a route that calls `number_command` with a function of its own module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from fastapi import Response
from pydantic import BaseModel

from trunkline.errors import Refused
from trunkline.eventstore.decider import Event
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import WriteRequest
from trunkline.http.idempotency import CommandResult, change, check_version
from trunkline.security.authorization import Resource, authorize, visible
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.error_details import explained
from trunkline_numbers.api.number_schemas import shown_number
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.application.phone_number import key_in_path
from trunkline_numbers.application.retry_dependents import load_to_act, serve_waiting
from trunkline_numbers.application.visibility import Visibility, party
from trunkline_numbers.domain.number.errors import RemarkMissing, RemarkUnreadable
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Number, Party
from trunkline_numbers.domain.policy import Policy

Input = TypeVar("Input", bound=BaseModel)


class NumberCommand:
    """A caller's command on one number, within one unit of work."""

    def __init__(self, uow: UnitOfWork, request: WriteRequest, key: str) -> None:
        """Read the number.

        Args:
            uow: where it is decided.
            request: the caller, and the version that it expects.
            key: the number.
        """
        load_to_act(uow, [THE_POLICY, (NUMBER, key)])
        self.uow, self.request = uow, request
        self.visibility = Visibility(uow, request.principal)
        self.policy: Policy = in_force(uow)
        self._key = key

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

    def record(self, events: Sequence[Event]) -> None:
        """Record what was decided of the number; `number` is as it stands after it."""
        self.uow.record(NUMBER, self._key, events, self.request.cause)

    def result(self) -> CommandResult:
        """Serve who waited for the number, and show it after that.

        A number that goes to another branch thereby is shown as the command left it.
        """
        loaded = self.uow.get(NUMBER, self._key)
        left, version = self.number, loaded.version + len(loaded.new)
        serve_waiting(self.uow, self.request.cause)
        now, newest = self.number, loaded.version + len(loaded.new)
        if not visible(self.visibility.branch, self.visibility.number(now)):
            return CommandResult(shown_number(left, self.visibility), version=version if newest == version else None)
        return CommandResult(shown_number(now, self.visibility), version=newest)


def number_command(
    context: ServiceContext,
    request: WriteRequest,
    number: str,
    verb: str,
    decide: Callable[[NumberCommand, Input], None],
    body: Input,
) -> Response:
    """Answer one command on the number in a path, once for each idempotency key.

    Args:
        context: numbers.
        request: the caller, the key, and the version that it expects.
        number: as the path has it.
        verb: what is to be done, as the caller names it.
        decide: authorizes, decides and records; a module-level function beside its route.
        body: what the caller sent.

    Raises:
        Refused: as `decide` raises it, with what the caller may know of the number beside it.
    """
    key = key_in_path(number)
    return change(context, request, partial(_execute, request, key, verb, decide, body))


def _execute(
    request: WriteRequest,
    key: str,
    verb: str,
    decide: Callable[[NumberCommand, Input], None],
    body: Input,
    uow: UnitOfWork,
) -> CommandResult:
    command = NumberCommand(uow, request, key)
    try:
        decide(command, body)
    except (RemarkMissing, RemarkUnreadable) as refused:
        raise type(refused)(**refused.facts, pointer="#/remark") from None
    except Refused as refused:
        raise explained(refused, command.number, command.visibility, verb) from None
    return command.result()
