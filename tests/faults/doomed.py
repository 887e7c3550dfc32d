"""A service that kills itself, as if the machine had lost its power, when it passes a named point.

`run` is what `trunkline-licensing` and `trunkline-numbers` are, in a process of its own; before that, functions of the
product are wrapped from here. The product has no hooks for it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from trunkline.deadlines import deadlines
from trunkline.eventstore import event_store
from trunkline.eventstore import log_subscriber as follower
from trunkline.mail.outbox import MailSender
from trunkline.mail.transports import Mailbox
from trunkline.messaging import inbox
from trunkline.messaging.kafka import producer
from trunkline.messaging.kafka.topics import STATE_TOPICS
from trunkline.projections.builds import ProjectionBuilds
from trunkline.projections.runner import ProjectionRunner
from trunkline_licensing.application.bulk_assignment import runner
from trunkline_numbers.application.imports import run as upload_running


class Fuse(NamedTuple):
    """Where a service is to end (see `POINTS`), and at which passage."""

    point: str
    passage: int = 1


class Burning:
    """Ends the process at the n-th passage."""

    def __init__(self, passage: int) -> None:
        self._left = passage
        self._guard = threading.Lock()

    def burn(self) -> None:
        """Pass by."""
        with self._guard:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


_here = threading.local()
"""What the thread is in the middle of."""


def _during(module: Any, what: str) -> None:
    """Know while the `run` of a module works."""
    run = module.run

    @wraps(run)
    def running(*args: Any, **kwargs: Any) -> Any:
        _here.what = what
        try:
            return run(*args, **kwargs)
        finally:
            _here.what = None

    module.run = running


def _around(
    owner: Any,
    name: str,
    before: Callable[..., None] = lambda *_: None,
    after: Callable[..., None] = lambda *_: None,
) -> None:
    """Do something before and after a function, with its arguments."""
    wrapped = getattr(owner, name)

    @wraps(wrapped)
    def around(*args: Any, **kwargs: Any) -> Any:
        before(*args)
        done = wrapped(*args, **kwargs)
        after(*args)
        return done

    setattr(owner, name, around)


def _around_sending(
    wanted: Callable[[str], bool],
    before: Callable[[], None] = lambda: None,
    after: Callable[[], None] = lambda: None,
) -> None:
    """Do something before and after a page of certain topics is sent and acknowledged."""
    send_page = producer.Producer.send_page

    async def around(self: Any, page: Any) -> None:
        ours = bool(page) and wanted(page[0].topic)
        if ours:
            before()
        await send_page(self, page)
        if ours:
            after()

    producer.Producer.send_page = around  # type: ignore[method-assign]


def _first_batch_acknowledged(fuse: Burning) -> None:
    """A page goes out as a batch for each partition: pass by when the first is safe and the others may not be."""
    hand_over = producer._hand_over

    async def around(client: Any, records: Any) -> Any:
        sent = await hand_over(client, records)
        if records and _is_event(records[0].topic):
            await sent[0]
            fuse.burn()
        return sent

    producer._hand_over = around


def _is_state(topic: str) -> bool:
    return topic in STATE_TOPICS


def _is_event(topic: str) -> bool:
    return topic not in STATE_TOPICS and topic != "DeadLetters"


def _uncommitted(module: Any, what: str, fuse: Burning) -> None:
    """All is written, and the transaction is still open: also where one call would write and commit."""
    _during(module, what)
    _around(event_store, "write", after=lambda *_: fuse.burn() if getattr(_here, "what", None) == what else None)
    write_at_once = event_store.write_at_once

    def around(conn: Any, batch: Any, sender: str) -> int:
        with conn.transaction():
            position = write_at_once(conn, batch, sender)
            if getattr(_here, "what", None) == what:
                fuse.burn()
        return position

    event_store.write_at_once = around


def _committed(module: Any, what: str, fuse: Burning) -> None:
    """The transaction is committed, and nobody has been told."""
    _during(module, what)

    def after(_store: Any, _batch: Any, conn: Any = None) -> None:
        if conn is None and getattr(_here, "what", None) == what:
            fuse.burn()

    _around(event_store.Store, "append", after=after)


def _moved(follower: str, fuse: Burning, *, after: bool) -> None:
    """A follower's position alone is about to be recorded, or has been."""

    def burn(_store: Any, name: str, *_: Any) -> None:
        if name.startswith(follower):
            fuse.burn()

    _around(event_store.Store, "move", **{"after" if after else "before": burn})


POINTS: dict[str, Callable[[Burning], None]] = {
    # what was heard
    "intake: not yet committed": lambda fuse: _uncommitted(inbox, "intake", fuse),
    "intake: committed, nobody told": lambda fuse: _committed(inbox, "intake", fuse),
    "intake: taken, the consumer not told": lambda fuse: _around(inbox.Inbox, "accept", after=lambda *_: fuse.burn()),
    # what is said
    "relay: page not sent": lambda fuse: _around_sending(_is_event, before=fuse.burn),
    "relay: page sent in part": _first_batch_acknowledged,
    "relay: page sent, its answer lost": lambda fuse: _around_sending(_is_event, after=fuse.burn),
    "relay: page sent, position not recorded": lambda fuse: _moved("relay", fuse, after=False),
    "relay: position recorded": lambda fuse: _moved("relay", fuse, after=True),
    # what falls due
    "deadlines: not yet committed": lambda fuse: _uncommitted(deadlines, "deadlines", fuse),
    "deadlines: committed, nobody told": lambda fuse: _committed(deadlines, "deadlines", fuse),
    # mail
    "notices: not yet committed": lambda fuse: _uncommitted(follower, "notices", fuse),
    "notices: committed, nobody told": lambda fuse: _committed(follower, "notices", fuse),
    "mail: not delivered": lambda fuse: _around(Mailbox, "_keep", before=lambda *_: fuse.burn()),
    "mail: written beside its place": lambda fuse: _around(Path, "rename", before=lambda *_: fuse.burn()),
    "mail: delivered, not recorded": lambda fuse: _around(Mailbox, "_keep", after=lambda *_: fuse.burn()),
    "mail: recorded": lambda fuse: _around(MailSender, "_record", after=lambda *_: fuse.burn()),
    # views, and the topics that follow them
    "view: page applied, not yet committed": lambda fuse: _around(
        ProjectionBuilds, "move", before=lambda *_: fuse.burn()
    ),
    "view: page committed": lambda fuse: _around(ProjectionRunner, "_apply", after=lambda *_: fuse.burn()),
    "state topic: page not sent": lambda fuse: _around_sending(_is_state, before=fuse.burn),
    "state topic: page sent, position not recorded": lambda fuse: _moved("states/", fuse, after=False),
    "state topic: position recorded": lambda fuse: _moved("states/", fuse, after=True),
}
"""Where a service can be made to end."""

UPLOAD_POINTS: dict[str, Callable[[Burning], None]] = {
    "upload: at a row": lambda fuse: _around(upload_running, "add", before=lambda *_: fuse.burn()),
    "upload: chunk not yet committed": lambda fuse: _uncommitted(upload_running, "upload", fuse),
    "upload: chunk committed, nobody told": lambda fuse: _committed(upload_running, "upload", fuse),
}
"""Where numbers can be made to end while it runs an upload; the passages of the first are rows."""

BULK_POINTS: dict[str, Callable[[Burning], None]] = {
    "bulk: chunk not yet committed": lambda fuse: _uncommitted(runner, "bulk", fuse),
    "bulk: chunk committed, nobody told": lambda fuse: _committed(runner, "bulk", fuse),
    "bulk: answers not yet committed": lambda fuse: _uncommitted(follower, "bulk answers", fuse),
    "bulk: answers committed, nobody told": lambda fuse: _committed(follower, "bulk answers", fuse),
}
"""Where licensing can be made to end while it runs a bulk assignment."""


def run(service: str, fuse: Fuse | None, settings: Mapping[str, str], log: Path) -> None:
    """Be a service, with or without a fuse.

    Args:
        service: `licensing` or `numbers`.
        fuse: where to end; None: when told to.
        settings: environment variables.
        log: the file of all it says.
    """
    with log.open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.update(settings)
    if fuse is not None:
        (POINTS | UPLOAD_POINTS | BULK_POINTS)[fuse.point](Burning(fuse.passage))
    import_module(f"trunkline_{service}.__main__").main([])
