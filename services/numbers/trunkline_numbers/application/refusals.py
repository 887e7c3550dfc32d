"""The refusal that a subscription waits on, and the numbers that it waits for (S6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import owned
from trunkline_numbers.domain.number.subscription_sync import Hold, Leave
from trunkline_numbers.domain.subscription.subscription import end_refusal, forgo, is_dismissed, refuse
from trunkline_numbers.domain.subscription.tenures import Tenure, lost_at, named, target

if TYPE_CHECKING:
    from trunkline_numbers.application.serve_subscription import Serving


def claim(serving: Serving, number: str, had: list[Tenure]) -> None:
    """Put on record whether the subscription has the number it names, and let it wait where it has not."""
    life = serving.uow.state(NUMBER, number).life
    if had and had[-1].number == number and owned(life, serving.subscription_id):
        end_wait(serving)
        return
    if is_dismissed(serving.state, number):
        end_wait(serving)
        return
    refused, wanted = serving.standing(number).refused, isinstance(target(serving.state, number, had), Hold | Leave)
    if refused is None:
        end_wait(serving)
        wait(serving, number, "its time is over")
        return
    if serving.state.refused is not None and serving.state.refused.number != number:
        end_wait(serving)
    active = serving.state.terms is not None and serving.state.terms.status == "active"
    if active or (wanted and number not in serving.state.denied):
        serving.note(refuse(serving.state, number, refused.code, refused.sentence, serving.uow.now))
    if not active:
        end_wait(serving)
    wait(serving, number, refused.code)


def wait(serving: Serving, number: str, code: str) -> None:
    """Wait for a number: also for one whose time is over, as a late fact may show that it could be had then."""
    terms = serving.state.terms
    assert terms is not None
    acted_at = serving.uow.state(NUMBER, number).acted_at
    until = [each.until or lost_at(terms) for each in named(terms) if each.number == number]
    if all(end is not None and acted_at is not None and end <= acted_at for end in until):
        serving.uow.stop_waiting(NUMBER.stream(number), serving.loaded.stream_id)
        return
    serving.uow.wait(NUMBER.stream(number), serving.loaded.stream_id, terms.started_at, code)


def end_wait(serving: Serving) -> None:
    """End the refusal on record, if there is one, and the wait for its number."""
    refused = serving.state.refused
    if refused is not None:
        serving.note(end_refusal(serving.state, serving.uow.now))
        serving.uow.stop_waiting(NUMBER.stream(refused.number), serving.loaded.stream_id)


def wait_if_named(serving: Serving, number: str) -> bool:
    """Wait for a number that was named for a time and is not the subscription's; False: it is no such number."""
    terms = serving.state.terms
    assert terms is not None
    standing = serving.standing(number)
    if standing.mine or number == terms.number or all(each.number != number for each in named(terms)):
        return False
    if standing.refused is not None:
        serving.note(forgo(serving.state, number, serving.uow.now))
    wait(serving, number, standing.refused.code if standing.refused is not None else "its time is over")
    return True
