"""Which installation a database and a broker belong to, and whether they may be joined: decided at a start (D10.16).

An installation is the databases of both services and the topics of one broker (under one prefix). Its id is made once.
What a stranger would read and answer takes effect on somebody else's customers, so it is refused before it does either.
Pure: what the database and the broker have on record in, the decision out.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from trunkline.errors import EndsProcess


class InstallationRefused(EndsProcess):
    """The service does not start; the message names what does not belong together, and what to do."""

    code: ClassVar[str] = "installation-refused"


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """What a service's database has on record of itself.

    Attributes:
        id: of its installation; None: it has none yet.
        identity: which database it is: a restored or copied one is another.
        start_ids: of the starts that the broker may have on record.
        epoch: of its log.
        restored: an operator has declared that it takes the place of the one before.
        has_history: its log has events.
        knows_broker: it has read from this broker before.
    """

    id: str | None = None
    identity: str = ""
    start_ids: frozenset[str] = frozenset()
    epoch: int = 0
    restored: bool = False
    has_history: bool = False
    knows_broker: bool = False


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker has on record of a service: its installation, and the database of its newest start."""

    installation: str
    identity: str
    start_id: str
    epoch: int = 0


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """What a broker has on record.

    Attributes:
        id: of the installation whose topics these are; None: none has registered.
        registration: of the service that asks.
        published: the service's own topics hold events.
        known: some of the newest of them are in its log.
        ahead: some of the newest of them are not in its log, though their streams' other events may be.
    """

    id: str | None = None
    registration: Registration | None = None
    published: bool = False
    known: bool = False
    ahead: bool = False


class Admission(msgspec.Struct, frozen=True):
    """The service may start.

    Attributes:
        id: of its installation; None: neither side has one, so one is to be made.
        epoch: that its log is to be in from now on, unless it is there already.
        restored: the database is older than what was published, or an operator says so.
    """

    id: str | None
    epoch: int
    restored: bool


def judge(service: str, where: str, database: Database, broker: Broker) -> Admission:
    """Decide whether a service may read and publish.

    Args:
        service: its name.
        where: the broker, with the prefix, for the refusal.
        database: its own record.
        broker: the broker's.

    Raises:
        InstallationRefused: the two do not belong together, or it is not certain that they do.
    """
    known = broker.registration
    seen = known is not None or broker.published
    join = _ways(service)
    if database.id is not None and broker.id is not None and database.id != broker.id:
        raise InstallationRefused(
            f"The database of {service} belongs to installation {database.id}, and {where} serves installation"
            f" {broker.id}; nothing was read or published. {join}"
        )
    if database.id is None and seen and not database.has_history:
        raise InstallationRefused(
            f"The database of {service} is empty, and {service} of installation {broker.id or '(without an id)'}"
            f" already publishes on {where}; nothing was read or published. {join}"
        )
    if database.id is None and seen and not (broker.known or database.knows_broker or database.restored):
        raise InstallationRefused(
            f"What {service} has published on {where} is not in this database of {service}; nothing was read or"
            f" published. {join}"
        )
    if known is not None and known.identity != database.identity and not database.restored:
        raise InstallationRefused(
            f"This database of {service} is a copy of the one that {where} has on record for it, or was moved or"
            f" restored; nothing was read or published. If it takes the place of that one, stop whatever runs on that"
            f" one and run `trunkline restored --service {service}`; if it is another installation, set"
            " TRUNKLINE_TOPIC_PREFIX, which stands before every topic and consumer group."
        )
    older = broker.ahead or (known is not None and known.start_id not in database.start_ids)
    if not (older or database.restored):
        return Admission(broker.id or database.id, database.epoch, restored=False)
    published = known.epoch if known is not None else 0
    own = database.epoch if database.restored else database.epoch + 1
    return Admission(broker.id or database.id, max(own, published + 1), restored=True)


def rivals(service: str, where: str) -> InstallationRefused:
    """The refusal of a restored database whose predecessor is still in use."""
    return InstallationRefused(
        f"This database of {service} is older than what {service} has published on {where}, and another {service}"
        f" runs there on another database; nothing was read or published. Stop that one first if this database takes"
        " its place; if this is another installation, set TRUNKLINE_TOPIC_PREFIX, which stands before every topic and"
        " consumer group."
    )


def judge_together(databases: dict[str, Database]) -> str | None:
    """Decide whether services without a broker may talk to each other in one process; the id, None: none has one.

    Args:
        databases: of each service; `knows_broker` means here that another one has read what it published.

    Raises:
        InstallationRefused: the databases belong to different installations, or one was replaced by an empty one.
    """
    ids = {d.id for d in databases.values() if d.id is not None}
    if len(ids) > 1:
        listed = ", ".join(f"that of {name} to {d.id or 'none'}" for name, d in sorted(databases.items()))
        raise InstallationRefused(
            f"The databases belong to different installations: {listed}; nothing was read. Give the databases of one"
            " installation (TRUNKLINE_LICENSING_DATABASE_URL, TRUNKLINE_NUMBERS_DATABASE_URL), or start each"
            " installation with its own TRUNKLINE_HOME."
        )
    for name, database in sorted(databases.items()):
        if database.id is None and not database.has_history and database.knows_broker:
            raise InstallationRefused(
                f"The database of {name} is empty, and the other service has read what {name} published before;"
                f" nothing was read. Give {name} its own database (TRUNKLINE_{name.upper()}_DATABASE_URL), or restore"
                " it from a back-up; an installation that begins anew needs both databases empty."
            )
    return next(iter(ids), None)


def _ways(service: str) -> str:
    return (
        f"To join that installation, give {service} its database (TRUNKLINE_{service.upper()}_DATABASE_URL), or restore"
        f" it from a back-up and run `trunkline restored --service {service}`; to run another installation on this"
        " broker, set TRUNKLINE_TOPIC_PREFIX, which stands before every topic and consumer group."
    )
