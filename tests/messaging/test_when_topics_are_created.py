"""When `trunkline topics create` is run against a real Kafka."""

from tests.messaging.ear import create_topic, new_name
from trunkline.contracts import billing, licensing
from trunkline.contracts.contract import Contract
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.topics import create_topics


def contracts() -> list[Contract]:
    """One event that is heard and one that is said, on topics of this test's own."""
    return [
        Contract("heard", billing.Expired, key="subscription_id", topic=new_name("heard"), description="it is over"),
        Contract(
            "said", licensing.Partner, key="partner_id", source="/trunkline/x", topic=new_name("said"), description="x"
        ),
    ]


async def test_missing_ones_are_created_and_a_second_run_changes_nothing(settings: KafkaSettings) -> None:
    """X1: one topic for each event, the dead letters, the two compacted states."""
    both = contracts()
    own = {contract.topic for contract in both}
    told = await create_topics(settings, both, partitions=2, dry_run=True)
    assert {t.name for t in told} == own | {"DeadLetters", "NumberState", "ExtensionState", "TrunklineInstallation"}
    assert [t.action for t in told if t.name in own] == ["missing", "missing"]
    created = await create_topics(settings, both, partitions=2)
    assert [t.action for t in created if t.name in own] == ["created", "created"]
    again = {t.name: t for t in await create_topics(settings, both, partitions=2)}
    assert [again[name].action for name in own] == ["as wanted", "as wanted"]
    # These three every test of the session shares, so their number of partitions is another's.
    for state in ("NumberState", "ExtensionState"):
        assert "cleanup.policy" not in again[state].detail
    assert "max.message.bytes" not in again["DeadLetters"].detail


async def test_what_differs_is_told_and_left_alone(settings: KafkaSettings) -> None:
    """An operator decides: more partitions move keys, another clean-up removes history."""
    heard, said = contracts()
    await create_topic(settings.bootstrap, heard.topic, 1)
    await create_topic(settings.bootstrap, said.topic, 3, cleanup_policy="compact")
    told = {t.name: t for t in await create_topics(settings, [heard, said], partitions=2)}
    assert told[heard.topic].action == told[said.topic].action == "differs"
    assert "has 1 partitions, 2 wanted" in told[heard.topic].detail
    assert "max.message.bytes 1048588, at least 2097152 wanted" in told[heard.topic].detail
    assert told[said.topic].detail == "has 3 partitions, 2 wanted; has cleanup.policy compact, delete wanted"
