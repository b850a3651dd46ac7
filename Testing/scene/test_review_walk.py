"""Walking through the results: first, next, back, accept and go on, accept many at once."""

from __future__ import annotations

import pytest
from scene_steps import LABELS, TIMEOUT, move_in_view

from SAMLandmarkLib.review import Decision, ReviewItem, ReviewState, review_queue
from SAMLandmarkLib.review.order import next_undecided, previous
from SAMLandmarkLib.session.review_actions import ReviewActions


@pytest.fixture
def state() -> ReviewState:
    found = [
        ReviewItem.of("a", "FOUND", 0.99, transferred_lps=(0, 0, 0), position_lps=(0, 0, 0)),
        ReviewItem.of("b", "DOUBTFUL", 0.4, transferred_lps=(0, 0, 1), position_lps=(0, 0, 1)),
        ReviewItem.of("c", "MISSING", 0.0),
        ReviewItem.of("d", "FOUND", 0.7, transferred_lps=(0, 0, 2), position_lps=(0, 0, 2)),
    ]
    return ReviewState().with_labels("abcd").with_result("may", found)


def test_the_walk_goes_from_the_doubtful_to_the_sure_and_leaves_out_what_is_decided(state):
    walk, key = [], None
    while (key := next_undecided(state, key)) is not None and len(walk) < 9:
        walk.append(key[1])
        state = state.accept(*key) if key[1] != "c" else state.set_missing(*key)
    assert walk == ["b", "c", "d", "a"]
    assert next_undecided(state) is None


def test_back_goes_where_one_was_also_if_that_is_decided(state):
    state = state.accept("may", "b")
    assert previous(state, ("may", "c")) == ("may", "b")
    assert previous(state, ("may", "b")) == ("may", "a") == previous(state)
    assert previous(ReviewState()) is None


def test_only_what_was_found_undecided_and_sure_is_accepted_at_once(state):
    accepted = state.correct("may", "a", (1, 1, 1)).accept_found("may", "abcd", 0.5)
    decisions = {label: item.decision.value for label, item in accepted.items("may").items()}
    assert decisions == {"a": "CORRECTED", "b": "OPEN", "c": "OPEN", "d": "ACCEPTED"}
    assert state.accept_found("may", "abcd", 0.8).item("may", "d").decision is Decision.OPEN


def test_after_a_transfer_the_point_that_needs_ones_eyes_most_is_under_review(just_transferred):
    assert just_transferred.current == review_queue(just_transferred.state)[0]


def test_another_transfer_leaves_the_user_where_he_is(just_transferred, worker):
    june = just_transferred.follow_ups[1]
    just_transferred.select(june.key, LABELS[2])
    just_transferred.transfer(again=True)
    assert worker.wait(TIMEOUT)
    assert just_transferred.current == (june.key, LABELS[2])


def test_accepting_goes_on_until_every_result_is_decided(transferred):
    actions = ReviewActions(transferred)
    actions.do("next_undecided")
    for _ in range(2 * len(LABELS)):
        before = transferred.current
        actions.do("accept_and_go_on")
        assert transferred.item(*before).decision is Decision.ACCEPTED
    assert transferred.message == "Every result is decided."
    assert transferred.counts["open"] == 0
    actions.do("previous")
    assert transferred.current != before
    for _ in range(2 * len(LABELS)):
        transferred.undo()
    assert transferred.counts["accepted"] == 0


def test_many_are_accepted_in_one_step_that_can_be_undone(transferred):
    start = transferred.state
    expected = [
        item
        for scan in transferred.follow_ups
        for item in start.items(scan.key).values()
        if item.status == "FOUND" and item.confidence >= 0.5
    ]
    assert transferred.decisions.accept_found(0.5) == len(expected) > 0
    assert transferred.counts["accepted"] == len(expected)
    transferred.undo()
    assert transferred.state == start
    levels = transferred.scene.GetNumberOfUndoLevels()
    assert transferred.decisions.accept_found(1.01) == 0
    assert transferred.scene.GetNumberOfUndoLevels() == levels


def test_outdated_points_are_not_accepted_with_the_others(transferred, loaded):
    move_in_view(loaded.markups, 0, (5.0, 0.0, 0.0))
    transferred.decisions.accept_found(0.0)
    for scan in transferred.follow_ups:
        assert transferred.item(scan.key, LABELS[0]).decision is Decision.OPEN


def test_the_same_point_is_looked_at_in_the_other_scans_one_after_the_other(transferred):
    may, june = transferred.follow_ups
    transferred.select(may.key, LABELS[1])
    assert transferred.decisions.other_scan(1) and transferred.current == (june.key, LABELS[1])
    assert transferred.decisions.other_scan(1) and transferred.current == (may.key, LABELS[1])
    assert transferred.decisions.other_scan(-1) and transferred.current == (june.key, LABELS[1])


def test_messages_stay_until_they_are_read(transferred):
    for text in ("one", "two", "one", "three"):
        transferred.notify_user(text)
    assert transferred.messages == ("two", "one", "three") and transferred.message == "three"
    transferred.clear_message()
    assert transferred.messages == () and transferred.message == ""
