"""When an operator publishes history again, by command, on a real Kafka (O1, O4, P6)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import ConsumerRecord

from deploy.local_servers.servers import Servers
from tests.conftest import start_broker
from tests.end_to_end.shell import Shell, event, up
from tests.faults.topics import Saying, Topics
from trunkline.cli.client.api_client import ApiClient, operator_token
from trunkline.messaging.kafka.client import source_name
from trunkline.settings import load_settings

LISTING = ("--vendor", "Carrier", "--country", "GB", "--sku", "GB-LONDON")
NUMBERS = [f"+4420794600{n:02}" for n in range(1, 7)]
Place = tuple[str, int]
COMMAND = (sys.executable, "-c", "from trunkline.cli.main import main; main()")


@pytest.fixture(scope="module")
def topics(servers: Servers) -> Iterator[Topics]:
    """A broker of this file's own, with all topics and one that Trunkline does not know."""
    with ExitStack() as running:
        broker = start_broker(running, servers, "again")
        found = running.enter_context(Topics(broker.bootstrap))
        found.create()
        found.add("backfill")
        yield found


@pytest.fixture(scope="module")
def service(databases: Any, topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`trunkline up` on that broker."""
    urls = databases.create(), databases.create()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRUNKLINE_KAFKA_BOOTSTRAP", topics.settings.bootstrap)
        with up(tmp_path_factory.mktemp("home"), *urls) as said:
            yield said
    for url in urls:
        databases.drop(url)


@pytest.fixture(scope="module")
def history(service: dict[str, Any], topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Six numbers are added; one is assigned, and expires."""
    environment = os.environ | {"TRUNKLINE_HOME": service["home"], "TRUNKLINE_URL": service["url"]}

    def typed(*argv: str) -> Any:
        done = subprocess.run([*COMMAND, *argv, "--json"], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    given = ("--name", "Harbour", "--billing-email", "billing@harbour.example")
    organization = typed("party", "register", "organization", *given)["organization_id"]
    typed("number", "add", *NUMBERS, *LISTING)
    subscription, at = str(uuid4()), datetime.now(UTC)
    number = {"product": "number", "number": NUMBERS[0], "sku": "GB-LONDON"}
    facts = [event("started", subscription, organization, at, **number)]
    facts.append(event("expired", subscription, organization, at + timedelta(milliseconds=1)))
    file = tmp_path_factory.mktemp("billing") / "facts.jsonl"
    file.write_text("".join(f"{json.dumps(fact)}\n" for fact in facts))
    typed("billing", "publish", str(file))
    topics.until(lambda: topics.count("NumberReserved") == 1)
    topics.until(lambda: typed("doctor")["well"] and not _unpublished(typed))
    return {"number": NUMBERS[0], "subscription": subscription}


def _unpublished(typed: Any) -> bool:
    checks = typed("doctor")["checks"]
    return any(check["what"] == "relay" and not check["found"].startswith("0 ") for check in checks)


def same(record: ConsumerRecord) -> tuple[Any, ...]:
    """What of a record must be the same when it is said again."""
    return record.key, record.value, tuple(record.headers)


def read(topics: Topics, topic: str, after: dict[Place, int] | None = None) -> list[ConsumerRecord]:
    return [record for records in topics.read([topic], after).values() for record in records]


def end_of_log(shell: Shell, service: str) -> int:
    found = next(c for c in shell.json("doctor")["checks"] if (c["service"], c["what"]) == (service, "database"))
    return int(found["found"].split(", ")[1].split()[0].replace(",", ""))


@pytest.mark.usefixtures("history")
def test_then_each_event_comes_again_as_it_was_and_nothing_follows_from_it(
    shell: Shell, service: dict[str, Any], topics: Topics
) -> None:
    """O4, X3: the same key, bytes and id on its own topic; numbers hears what licensing said, and records nothing."""
    events = {"PartnerRegistered": 0, "OrganizationRegistered": 1, "SubscriptionActivated": 1, "SubscriptionExpired": 1}
    before = topics.ends(events)
    first = {topic: sorted(map(same, read(topics, topic))) for topic in events}
    ends = end_of_log(shell, "licensing"), end_of_log(shell, "numbers")
    told = shell.json("republish", "licensing", "--all")
    assert told["topics"].items() >= {name: count for name, count in events.items() if count}.items()
    assert (told["events"], told["to"]) == (sum(told["topics"].values()), None)
    for topic, said in first.items():
        assert sorted(map(same, read(topics, topic, before))) == said
    topics.until(lambda: has_heard(service, topics, events))
    assert (end_of_log(shell, "licensing"), end_of_log(shell, "numbers")) == ends
    done = [(a["command"], a["arguments"], a["outcome"]) for a in shell.json("audit")["items"]]
    assert ("republish", {"first": 1, "rate": 1000}, "done") in done


def has_heard(service: dict[str, Any], topics: Topics, names: Iterable[str]) -> bool:
    """Whether numbers has heard all that some topics hold."""
    remote = ApiClient({"numbers": service["url"]}, operator_token(load_settings()))
    heard = remote.get("/numbers/operate/doctor")["heard"]
    ends = topics.ends(names)
    return all(heard.get(source_name(topics.cluster, *place), -1) >= end - 1 for place, end in ends.items())


def test_then_one_stream_goes_to_another_topic(shell: Shell, topics: Topics, history: dict[str, Any]) -> None:
    """O4: in order, and its own topics get nothing."""
    before = topics.ends(["NumberAdded", "backfill"])
    given = ("republish", "numbers", "--stream", f"number/{history['number']}", "--topic", "backfill")
    assert shell.text(*given, "--dry-run").startswith("Nothing was done.")
    assert topics.ends(["NumberAdded", "backfill"]) == before
    assert "3 events" in shell.text(*given, "--rate", "1000000")
    records = read(topics, "backfill", before)
    kinds = [dict(record.headers)["ce_type"] for record in records]
    assert kinds == [b"NumberAdded", b"NumberAssigned", b"NumberReserved"]
    assert {record.key for record in records} == {history["number"].encode()}
    assert topics.ends(["NumberAdded"]).items() <= before.items()


@pytest.mark.usefixtures("history")
def test_then_positions_instants_and_names_choose(shell: Shell, topics: Topics) -> None:
    """O4: all conditions hold; nothing at all is said plainly."""
    added = shell.json("republish", "numbers", "--event", "NumberAdded", "--topic", "backfill")
    assert added["topics"] == {"NumberAdded": 6}
    one = shell.json("republish", "numbers", "--from", "1", "--to", str(added["position"]), "--event", "NumberReserved")
    assert one["events"] <= 1
    assert "Nothing that was published" in shell.text("republish", "numbers", "--until", "2020-01-01")
    assert (
        shell.json("republish", "licensing", "--since", "2020-01-01", "--event", "SubscriptionExpired")["events"] == 1
    )


@pytest.mark.usefixtures("history")
def test_then_ctrl_c_stops_it_and_tells_where_to_go_on(shell: Shell, service: dict[str, Any], topics: Topics) -> None:
    """O4, P6: 3, since a part of it is done; the service stops too, and that is on record."""
    before = topics.count("backfill")
    environment = os.environ | {"TRUNKLINE_HOME": service["home"], "TRUNKLINE_URL": service["url"]}
    argv = [*COMMAND, "republish", "numbers", "--all", "--topic", "backfill", "--rate", "1"]
    with subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) as process:
        topics.until(lambda: topics.count("backfill") > before)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 3, said
    assert "does the rest" in said
    topics.until(lambda: any("stopped after position" in a["outcome"] for a in shell.json("audit")["items"]))
    sent = topics.count("backfill")
    assert sent < before + 8
    assert shell.json("republish", "numbers", "--all", "--topic", "backfill")["events"] == 8


def test_then_a_state_that_is_gone_from_its_topic_is_filled_in(
    shell: Shell, topics: Topics, history: dict[str, Any]
) -> None:
    """§10.16, X1: `topics refill` sends what is missing, older or gone, and nothing where all is there; on record."""
    command = ("topics", "refill", "--service", "numbers")
    topics.until(lambda: _filled(shell.json(*command))["on_topic"] == len(NUMBERS))
    topics.send([Saying("NumberState", history["number"].encode(), None, [])])
    before = topics.ends(["NumberState"])
    would = shell.text(*command, "--dry-run")
    assert would.startswith("Nothing was done.")
    assert topics.ends(["NumberState"]) == before
    (line,) = [line for line in shell.text(*command).splitlines() if line.startswith("NumberState")]
    assert line.split() == ["NumberState", "6", "5", "1", "0", "0"]
    (sent,) = read(topics, "NumberState", before)
    assert (sent.key, sent.value is None) == (history["number"].encode(), False)
    assert _filled(shell.json(*command))["sent"] == 0
    assert ("topics refill", "done") in {(a["command"], a["outcome"]) for a in shell.json("audit")["items"]}


def _filled(document: dict[str, Any]) -> dict[str, Any]:
    (service,) = document["services"]
    (topic,) = service["topics"]
    found: dict[str, Any] = topic
    return found


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        ((), 2, "Say which history"),
        (("--all", "--from", "1"), 2, "Say which history"),
        (("--since", "yesterday"), 2, "--since"),
        (("--all", "--topic", "nowhere"), 1, "no topic nowhere"),
        (("--all", "--topic", "NumberAssigned"), 1, "is for other events"),
        (("--all", "--topic", "a b"), 1, "topic"),
        (("--event", "NumberEaten"), 1, "NumberAdded"),
        (("--stream", "number/+000"), 1, "no stream number/+000"),
        (("--stream", "number"), 1, "stream"),
        (("--from", "9", "--to", "3"), 1, "from 9 to 3"),
        (("--since", "2030-01-01", "--until", "2020-01-01"), 1, "ends before it begins"),
    ],
    ids=str,
)
def test_then_what_cannot_be_meant_is_refused(
    shell: Shell, topics: Topics, argv: tuple[str, ...], code: int, sentence: str
) -> None:
    """O4, §9: by name, before anything is sent."""
    before = topics.ends(["NumberAssigned", "backfill"])
    done = shell("republish", "numbers", *argv)
    assert (done.code, sentence in done.err) == (code, True), done.err
    assert topics.ends(["NumberAssigned", "backfill"]) == before


@pytest.mark.usefixtures("history")
def test_then_a_topic_of_the_events_own_may_be_named(shell: Shell) -> None:
    """O4: it is no other."""
    told = shell.json("republish", "numbers", "--event", "NumberAssigned", "--topic", "NumberAssigned")
    assert told["events"] == 1
