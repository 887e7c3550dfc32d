"""One act by hand as the product carries it out, in one piece of work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.end_to_end.pair import BY_HAND
from tests.model.convergence.facts import Act
from tests.model.convergence.histories import TRUNK
from tests.model.convergence.product import World, new_id
from trunkline.contracts.cloudevents.message import Message
from trunkline.contracts.licensing import NumberBindingRequested, NumberUnbindingRequested
from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.application import manual_assignment, paid_reservations
from trunkline_numbers.application.parties import load_parties, party_of
from trunkline_numbers.application.retry_dependents import load_to_act
from trunkline_numbers.domain.extension import EXTENSION
from trunkline_numbers.domain.number import attribute_commands, bindings, operator_commands
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Assigned, Number
from trunkline_numbers.domain.policy import Policy
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION
from trunkline_numbers.message_handlers import binding_requests

POLICY_OF_THE_MODEL = Policy(quarantine_days={"MY": 10})


def listing(world: World) -> Listing:
    """What the numbers of a history are: in a country with a quarantine, or in one without."""
    country = "MY" if world.history.quarantine_days else "SG"
    return Listing(country=country, sku="SG-LOCAL", vendor="Vendor")


class Acting:
    """One act in one piece of work."""

    def __init__(self, organizations: dict[str, str], uow: UnitOfWork, world: World, act: Act) -> None:
        self.organizations, self.work, self.world, self.act = organizations, uow, world, act
        self.number = world.numbers[act.number]
        self.policy, self.now = POLICY_OF_THE_MODEL, uow.now

    def do(self) -> None:
        """Record what the product decides.

        Raises:
            Refused: as the product refuses.
        """
        subscription = self.world.ids.get(self.act.subscription, "")
        match self.act.kind:
            case "assign":
                self._known(subscription)
                manual_assignment.give(self.work, subscription, self.number, None, BY_HAND, self.policy)
            case "swap":
                self._known(subscription)
                old = self.world.numbers[self.act.old]
                manual_assignment.swap(self.work, subscription, old, self.number, None, BY_HAND, self.policy)
            case "extend":
                self._known(subscription)
                paid_reservations.extend_by(self.work, subscription, self.number, None, BY_HAND, self.policy)
            case _:
                load_to_act(self.work, [(NUMBER, self.number)])
                n = self.work.state(NUMBER, self.number)
                self.work.record(NUMBER, self.number, self._decide(n), BY_HAND)

    def _known(self, subscription: str) -> None:
        if self.work.state(SUBSCRIPTION, subscription).terms is None:
            raise SubscriptionUnheard

    def _decide(self, n: Number) -> list[Any]:
        policy, now = self.policy, self.now
        decisions: dict[str, Callable[[], list[Any]]] = {
            "add": lambda: operator_commands.add(n, listing(self.world), None, None, policy, now),
            "reserve": lambda: operator_commands.reserve(n, self._party(), "kept", policy, now),
            "release": lambda: operator_commands.release(n, "free", policy, now),
            "lock": lambda: operator_commands.lock(n, "locked", policy, now),
            "unlock": lambda: operator_commands.unlock(n, "free", policy, now),
            "delete": lambda: operator_commands.delete(n, "faulty", "gone", policy, now),
            "recover": lambda: operator_commands.recover(n, "back", now),
            "bind": lambda: self._bind(n),
            "unbind": lambda: self._unbind(n),
            "allocate": lambda: attribute_commands.allocate(n, self._party(), None, lambda _: None, None, policy, now),
            "take_back": lambda: attribute_commands.take_back(n, None, None, policy, now),
        }
        return decisions[self.act.kind]()

    def _party(self) -> Any:
        organization = self.organizations[self.act.party]
        load_parties(self.work, [organization])
        found = party_of(self.work, organization)
        assert found is not None
        return found

    def _bind(self, n: Number) -> list[Any]:
        """Bind it for whose it is at this instant, to a trunk or to an extension, which licensing requests (X5)."""
        organization = n.life.organization_id if isinstance(n.life, Assigned) else n.holder_id
        organization = organization or new_id()
        if self.act.user == TRUNK:
            return bindings.bind(n, "trunk", new_id(), organization, self.policy, self.now)
        extension = new_id()
        self._request(NumberBindingRequested, extension, organization, 1)
        if self.work.state(EXTENSION, extension).number is None:
            raise ExtensionRefused
        return []

    def _unbind(self, n: Number) -> list[Any]:
        pbx = next((b for b in n.bindings if b.kind == "pbx"), None)
        if pbx is None:
            return bindings.unbind(n, "trunk", self.policy, self.now)
        assert pbx.extension_id is not None
        self._request(NumberUnbindingRequested, pbx.extension_id, pbx.organization_id, 1)
        return []

    def _request(self, kind: Any, extension: str, organization: str, generation: int) -> None:
        data = kind(
            number=self.number,
            organization_id=organization,
            extension_id=extension,
            user_id=None,
            generation=generation,
        )
        source = "/trunkline/licensing"
        message = Message(new_id(), source, kind.__name__, extension, self.now, generation, None, None, data)
        binding_requests.handle(self.work, [message])


class ExtensionRefused(Refused):
    """The number is not bound to the extension."""


class SubscriptionUnheard(Refused):
    """There is no such subscription."""
