"""When numbers answers what licensing asked for an extension: twice, late, in any order, or not at all (X5, L16)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

from trunkline.testing import Story
from trunkline_licensing.domain.extension.events import (
    AnyEvent,
    BulkRow,
    ExtensionDeleted,
    ExtensionNumberBound,
    ExtensionNumberLost,
    ExtensionNumberRefused,
    ExtensionNumberResumed,
    ExtensionNumberSuspended,
    Facts,
    NumberBindingRequested,
    NumberOn,
    NumberUnbindingRequested,
)
from trunkline_licensing.domain.extension.extension import (
    EXTENSION,
    Extension,
    assign,
    delete,
    due,
    give_up_number,
    provision,
)
from trunkline_licensing.domain.extension.number_request import (
    TIMEOUT,
    bound,
    compensated,
    is_unknown,
    lost,
    number_is,
    refused,
    request_number,
    unanswered,
)

EXT, ORG, ANN, BEN = (f"0a9e0000-0000-4000-8000-{place:012d}" for place in range(1, 5))
A, B = "+6531580101", "+6531580102"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=60)


def extension(number: str | None = None, user: str | None = ANN, bulk: BulkRow | None = None) -> Story[Extension]:
    on = NumberOn(number=number, generation=1, answer_by=LATER) if number else None
    facts = Facts(organization_id=ORG, ext_key="101", subscription_id=EXT, user_id=user, number=on)
    return Story(EXTENSION, EXT).given(*provision(facts, NOW, bulk))


def answered_bound(x: Extension, generation: int = 1, number: str = A, user: str | None = ANN) -> list[AnyEvent]:
    return bound(x, number, generation, user, NOW)


def with_number(generation: int = 1) -> Story[Extension]:
    """A is bound."""
    return extension(A).when(lambda x: answered_bound(x, generation))


def number_of(x: Extension) -> tuple[str, str] | None:
    on = x.facts.number if x.facts else None
    return (on.number, on.status) if on else None


def test_then_it_has_the_number_and_waits_no_more() -> None:
    """X5: said again it is nothing new."""
    story = extension(A)
    assert due(story.state) == LATER
    story.when(answered_bound).then(ExtensionNumberBound)
    story.then_state(lambda x: number_of(x) == (A, "bound") and due(x) is None)
    story.when(answered_bound).then_nothing()


def test_then_a_refusal_keeps_the_extension_and_shows_why() -> None:
    """X5: asked by hand; the same number can be asked for again."""
    story = extension().when(lambda x: request_number(x, A, NOW, LATER)).then(NumberBindingRequested)
    story.when(lambda x: refused(x, 1, "number-unavailable", "It is not.", NOW)).then(ExtensionNumberRefused)
    assert story.state.facts is not None
    on = story.state.facts.number
    assert on is not None
    assert (on.status, on.code, on.reason) == ("refused", "number-unavailable", "It is not.")
    assert story.state.alive
    assert due(story.state) is None
    story.when(lambda x: request_number(x, A, NOW, LATER)).then(NumberBindingRequested)
    story.then_state(lambda x: x.generation == 2)


def test_then_only_a_row_that_was_born_with_the_number_is_compensated() -> None:
    """L12: what is asked for later by hand keeps the extension."""
    row = BulkRow(EXT, 7)
    by_hand = extension(bulk=row).when(lambda x: request_number(x, A, NOW, LATER))
    for story, generation, gone in (
        (extension(A, bulk=row), 1, True),
        (extension(A), 1, False),
        (by_hand, 1, False),
        (with_bulk_history(row), 2, False),
    ):
        events = refused(story.state, generation, "number-unavailable", "No.", NOW)
        assert events
        story.given(*events)
        assert compensated(story.state, events) is gone


def with_bulk_history(row: BulkRow) -> Story[Extension]:
    story = extension(A, bulk=row).when(answered_bound)
    return story.when(lambda x: request_number(x, B, NOW, LATER))


def test_then_another_number_gives_up_the_first_and_an_answer_about_it_counts_no_more() -> None:
    """L16, X5: the withdrawal has the generation of what it withdraws."""
    story = extension(A).when(lambda x: request_number(x, B, NOW, LATER))
    story.then(NumberUnbindingRequested, NumberBindingRequested)
    assert [e.generation for e in story.events] == [1, 2]  # type: ignore[attr-defined]
    story.when(answered_bound).then_nothing()
    story.when(lambda x: refused(x, 1, "number-unavailable", "No.", NOW)).then_nothing()
    story.when(lambda x: lost(x, 1, "asked", NOW)).then_nothing()
    story.when(lambda x: answered_bound(x, 2, B)).then(ExtensionNumberBound)
    story.then_state(lambda x: number_of(x) == (B, "bound"))
    story.when(lambda x: request_number(x, B, NOW, LATER)).then_nothing()


def test_then_removing_it_asks_numbers_to_unbind() -> None:
    """L16: and a number that was refused or lost is on nothing."""
    with_number().when(lambda x: give_up_number(x, NOW, "by_hand")).then(NumberUnbindingRequested).then_state(
        lambda x: number_of(x) is None
    )
    for end in (lambda x: refused(x, 1, "c", "R.", NOW), lambda x: lost(x, 1, "terminated", NOW)):
        extension(A).when(end).when(lambda x: give_up_number(x, NOW, "by_hand")).then_nothing()


def test_then_silence_is_a_refusal_and_a_late_yes_finds_it_withdrawn() -> None:
    """X5, L10: numbers is told at once that the request is over, so nothing is left to say when the yes comes."""
    story = extension(A).when(lambda x: unanswered(x, NOW)).then_nothing()
    story.when(lambda x: unanswered(x, LATER)).then(NumberUnbindingRequested, ExtensionNumberRefused)
    assert story.events[-1].code == TIMEOUT  # type: ignore[attr-defined]
    assert [e.at for e in story.events] == [LATER, LATER]
    story.when(lambda x: unanswered(x, LATER)).then_nothing()
    story.when(answered_bound).then_nothing()
    story.when(lambda x: delete(x, LATER, "by_hand")).then(ExtensionDeleted)


def test_then_what_was_never_requested_is_never_given_up() -> None:
    """X5, S7, §10.16: the log is a stranger's, or was restored: the customer keeps the number, and a person looks."""
    for story in (Story(EXTENSION, EXT), extension(), with_number()):
        story.when(lambda x: answered_bound(x, 5, B)).then_nothing()
        assert is_unknown(story.state, 5)
    assert not is_unknown(with_number().state, 1)


def test_then_a_request_after_a_restore_is_newer_than_all_before_it() -> None:
    """X1, X5: numbers remembers request 7, which the restored log has forgotten."""
    story = extension(A).when(lambda x: request_number(x, B, NOW, LATER, epoch=1))
    generation = story.state.generation
    assert generation > 7
    story.when(lambda x: answered_bound(x, 2, B)).then_nothing()
    story.when(lambda x: bound(x, B, generation, ANN, NOW, 1)).then(ExtensionNumberBound)
    story.when(lambda x: assign(x, BEN, NOW, 1)).then_state(lambda x: x.generation == generation + 1)


def test_then_the_end_of_a_binding_may_be_heard_before_its_beginning() -> None:
    """X5: two topics; in either order the number is lost, with its cause."""
    says = {
        "bound": answered_bound,
        "lost": lambda x: lost(x, 1, "terminated", NOW),
    }
    for order in permutations(says):
        story = extension(A)
        for word in (*order, *order):
            story.when(says[word])
        on = story.state.facts.number if story.state.facts else None
        assert on is not None
        assert (on.status, on.code) == ("lost", "terminated")


def test_then_expiry_suspends_and_restoring_resumes() -> None:
    """X5: each once; what is not bound is not suspended."""
    story = extension(A).when(lambda x: number_is(x, 1, NOW, suspended=True)).then_nothing()
    story = with_number().when(lambda x: number_is(x, 1, NOW, suspended=True)).then(ExtensionNumberSuspended)
    story.when(lambda x: number_is(x, 1, NOW, suspended=True)).then_nothing()
    story.when(lambda x: number_is(x, 2, NOW, suspended=False)).then_nothing()
    story.when(lambda x: number_is(x, 1, NOW, suspended=False)).then(ExtensionNumberResumed)
    story.when(lambda x: number_is(x, 1, NOW, suspended=True)).when(lambda x: lost(x, 1, "released", NOW))
    story.then(ExtensionNumberLost)


def test_then_numbers_hears_of_another_person_and_the_number_stays() -> None:
    """X5, L15: told while it is bound; what is only asked for is told once it is bound."""
    story = with_number().when(lambda x: assign(x, BEN, NOW))
    asked = story.events[-1]
    assert isinstance(asked, NumberBindingRequested)
    assert (asked.user_id, asked.generation, asked.answer_by) == (BEN, 2, None)
    story.then_state(lambda x: number_of(x) == (A, "bound") and due(x) is None)
    story.when(lambda x: answered_bound(x, 2, A, BEN)).then_nothing()
    story.when(lambda x: lost(x, 1, "terminated", NOW)).then_nothing()
    story.when(lambda x: refused(x, 2, "number-unavailable", "No.", NOW)).then(ExtensionNumberRefused)
    early = extension(A).when(lambda x: assign(x, BEN, NOW))
    assert len(early.events) == 1
    early.when(answered_bound).then(ExtensionNumberBound, NumberBindingRequested)


def test_then_nothing_reaches_an_extension_that_is_no_more() -> None:
    """X5: its number was given back as it ended."""
    story = extension(A).when(lambda x: delete(x, NOW, "by_hand")).then(NumberUnbindingRequested, ExtensionDeleted)
    for word in (
        answered_bound,
        lambda x: refused(x, 1, "c", "R.", NOW),
        lambda x: lost(x, 1, "asked", NOW),
        lambda x: unanswered(x, LATER),
        lambda x: number_is(x, 1, NOW, suspended=True),
    ):
        story.when(word).then_nothing()
