"""The state topics of a running service, compared and filled at its start, or when an operator asks (X1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from trunkline.messaging.compacted_topics.fill import Filled, fill, is_filled
from trunkline.messaging.kafka.client import AWAY, KafkaSettings
from trunkline.messaging.retry import Backoff

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

log = structlog.get_logger(__name__)

_VIEWS_SECONDS: Final = 600.0


async def fill_states(
    runtime: ServiceRuntime,
    kafka: KafkaSettings,
    *,
    dry_run: bool = False,
    wanted: Callable[[str], bool] = lambda _name: True,
) -> list[Filled]:
    """Compare the state topics of a service with its views, and fill them.

    Args:
        runtime: the running service.
        kafka: the cluster.
        dry_run: only count.
        wanted: by the contract's name; else all.

    Raises:
        KafkaError, OSError, TimeoutError: the cluster does not answer, or the views do not come up to the log.
    """

    def views_reach(position: int) -> None:
        if not runtime.wait_for_views(position, _VIEWS_SECONDS):
            msg = f"the views of {runtime.name} do not come up to the log"
            raise TimeoutError(msg)

    transport = runtime.transport
    return [
        await fill(kafka, runtime.store, topic, transport.send_page, runtime.clock.now, views_reach, dry_run=dry_run)
        for topic in runtime.service.states
        if wanted(topic.contract.name)
    ]


async def keep_whole(runtime: ServiceRuntime, kafka: KafkaSettings) -> None:
    """Fill the state topics that were not compared yet on this broker and in this epoch, however long it is away."""
    filling = asyncio.ensure_future(_keep_whole(runtime, kafka))
    stopping = asyncio.ensure_future(runtime.stopping.wait())
    await asyncio.wait({filling, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    filling.cancel()  # one that has ended takes no notice; the next start compares again
    await asyncio.wait({filling})
    if not filling.cancelled():
        filling.result()


async def _keep_whole(runtime: ServiceRuntime, kafka: KafkaSettings) -> None:
    backoff = Backoff()
    for topic in runtime.service.states:
        name = topic.contract.name
        while True:
            try:
                if not await is_filled(kafka, runtime.store, topic):
                    (done,) = await fill_states(runtime, kafka, wanted=lambda each, name=name: each == name)  # type: ignore[misc]
                    log.info("a state topic was compared with its view", service=runtime.name, **_figures(done))
                break
            except AWAY as error:
                log.info("waiting for the broker, to compare a state topic", topic=name, error=type(error).__name__)
                await asyncio.sleep(backoff.pause())


def _figures(done: Filled) -> dict[str, object]:
    return {
        "topic": done.topic, "subjects": done.subjects, "on_topic": done.on_topic, "sent": done.sent,
        "tombstones": done.tombstones,
    }  # fmt: skip
