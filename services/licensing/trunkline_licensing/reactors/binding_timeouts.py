"""Requests for numbers that nobody has answered in time are refused; a row's extension goes with them (X5, L12)."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.deadlines.deadlines import Postpone
from trunkline.eventstore.decider import key_of
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.extensions.terminate import withdraw
from trunkline_licensing.domain.extension.extension import EXTENSION, due
from trunkline_licensing.domain.extension.number_request import compensated, unanswered
from trunkline_licensing.message_handlers.number_replies import REFUSED
from trunkline_licensing.reactors.reply_barrier import AnswersRead


def handle(uow: UnitOfWork, stream_ids: Sequence[str], answers: AnswersRead) -> None:
    """Refuse what has been waited for long enough; one whose answer has come meanwhile is left as it is.

    Args:
        uow: `uow.now` is the instant up to which is settled.
        stream_ids: `extension/…` streams, each once.
        answers: up to when all answers have been processed.

    Raises:
        Later: some may have an answer that is not read yet.
    """
    keys = [key_of(stream_id) for stream_id in stream_ids]
    uow.load((EXTENSION, key) for key in keys)
    waiting = {key: at for key in keys if (at := due(uow.state(EXTENSION, key))) is not None and at <= uow.now}
    later = {
        EXTENSION.stream(key): until
        for key, at in waiting.items()
        if (until := answers.put_off(at, uow.now)) is not None
    }
    if later:
        raise Postpone(later)
    causes: dict[str, Causation] = {}
    for key in keys:
        x = uow.state(EXTENSION, key)
        cause = Causation("timer", EXTENSION.stream(key), f"due/{key}")
        events = unanswered(x, uow.now)
        x = uow.record(EXTENSION, key, events, cause)
        uow.touch(EXTENSION, key)
        if compensated(x, events):
            causes[key] = cause
    if causes:
        withdraw(uow, list(causes), REFUSED, Causation("timer", "due", "due"), causes=causes)
