"""The gauges of what waits for a person or fills up, brought up to date when somebody reads the metrics (O7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trunkline.eventstore.failed_items import KINDS, failed_item_counts, kind_of
from trunkline.runtime.disk import disks
from trunkline.runtime.status import counts, deadline_facts
from trunkline.telemetry import (
    CONFLICTS,
    DATABASE_BYTES,
    DEAD_LETTERS,
    DISK_FREE,
    DISK_TOTAL,
    FAILED_ITEMS,
    MAIL,
    OVERDUE,
    OVERDUE_SECONDS,
    WAITING,
)

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime


def update_gauges(runtime: ServiceRuntime) -> None:
    """Read the figures and set the gauges. Raises psycopg.Error."""
    name, store = runtime.service.name, runtime.store
    figures, due = counts(store), deadline_facts(store, runtime.clock)
    DEAD_LETTERS.labels(name).set(figures["parked"])
    CONFLICTS.labels(name).set(figures["quarantined"])
    WAITING.labels(name).set(figures["waiting"])
    OVERDUE.labels(name).set(due.overdue)
    OVERDUE_SECONDS.labels(name).set(due.overdue_seconds)
    for state in ("waiting", "failed"):
        MAIL.labels(name, state).set(figures[f"mail_{state}"])
    DATABASE_BYTES.labels(name).set(store.fetch("SELECT pg_database_size(current_database())")[0][0])
    failed = failed_item_counts(store)
    for kind in KINDS:
        FAILED_ITEMS.labels(name, kind).set(sum(n for loop, n in failed.items() if kind_of(loop) == kind))
    for disk in disks(store, runtime.settings, name):
        DISK_FREE.labels(name, disk.what).set(disk.free_bytes)
        DISK_TOTAL.labels(name, disk.what).set(disk.total_bytes)
