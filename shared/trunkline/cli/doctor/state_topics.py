"""What `doctor` finds of the contents of topics: the keys of state topics on both sides, and history on no topic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trunkline.cli.doctor.checks import Check
from trunkline.cli.terminal.exit_codes import Ended

if TYPE_CHECKING:
    from trunkline.cli.terminal.command import CommandContext


def state_checks(call: CommandContext, service: str) -> Iterator[Check]:
    """Count a service's subjects and the documents of its state topics (X1, O7).

    Args:
        call: the command.
        service: one that answers.
    """
    from trunkline.cli.run.prepare import refilled

    try:
        found = refilled(call, service, dry_run=True)
    except Ended as ended:
        yield Check(service, "state topics", "wrong", str(ended), "is the broker up? see /readyz")
        return
    yield from contents_checks(service, found)


def contents_checks(service: str, found: dict[str, Any]) -> Iterator[Check]:
    """The checks of what a dry run of the refill has found."""
    for topic in found["topics"]:
        counted = f"{topic['subjects']:,} subjects, {topic['on_topic']:,} on the topic"
        if topic["ahead"]:
            summary = f"{counted}, {topic['ahead']:,} newer there than here"
            remedy = f"stop {service}; trunkline restored --service {service}; start it"
            yield Check(service, topic["topic"], "wrong", summary, remedy)
        elif topic["sent"] or topic["tombstones"]:
            summary = f"{counted}, {topic['sent'] + topic['tombstones']:,} missing, older or gone"
            yield Check(service, topic["topic"], "wrong", summary, f"trunkline topics refill --service {service}")
        else:
            yield Check(service, topic["topic"], "good", counted)
    if found["missing_up_to"]:
        yield Check(
            service,
            "event topics",
            "look",
            f"events up to position {found['missing_up_to']:,} are from before this broker, and on no topic",
            f"trunkline republish {service} --to {found['missing_up_to']}",
        )
    else:
        yield Check(service, "event topics", "good", "begin with the log")
