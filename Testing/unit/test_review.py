"""What the user decides about landmarks is kept, logged and never overwritten."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from SAMLandmarkLib.core.results import Candidate, Status, TransferredLandmark
from SAMLandmarkLib.review import Decision, ReviewItem, ReviewState, next_doubtful, review_queue
from SAMLandmarkLib.utils.errors import ReviewError

MAY, JUNE = "scan-may", "scan-june"


def an_answer(label: str, status: str = "FOUND", confidence: float = 0.9, position=(1.0, 2.0, 3.0)):
    """The engine's answer with two candidates; its position is refined and so beside the first of them."""
    candidates = (Candidate(np.array([1.0, 2.0, 4.0]), 0.8), Candidate(np.array([9.0, 9.0, 9.0]), 0.6))
    place = None if position is None else np.array(position)
    return TransferredLandmark(label, place, Status(status), confidence, 0.8, np.nan, candidates, "why", 2.5)


def an_item(
    label: str, status: str = "FOUND", confidence: float = 0.9, position=(1.0, 2.0, 3.0)
) -> ReviewItem:
    return ReviewItem.from_answer(an_answer(label, status, confidence, position), (1.0, 2.0, 0.0))


@pytest.fixture
def state() -> ReviewState:
    """Two follow-ups with a found, two doubtful and a missing landmark each."""
    may = [
        an_item("carina"),
        an_item("hilum", "DOUBTFUL", 0.6),
        an_item("apex", "DOUBTFUL", 0.3),
        an_item("nodule", "MISSING", 0.1, None),
    ]
    june = [replace(item, answer=replace(item.answer, confidence=item.confidence + 0.05)) for item in may]
    labels = [item.label for item in may]
    return ReviewState().with_labels(labels).with_result(MAY, may).with_result(JUNE, june)


DECISIONS = {
    "accept": (lambda state: state.accept(MAY, "hilum", "AB"), Decision.ACCEPTED, (1.0, 2.0, 3.0)),
    "reject": (lambda state: state.reject(MAY, "hilum", "AB"), Decision.REJECTED, None),
    "set missing": (lambda state: state.set_missing(MAY, "hilum", "AB"), Decision.SET_MISSING, None),
    "correct": (
        lambda state: state.correct(MAY, "hilum", np.array([5, 6, 7]), "AB"),
        Decision.CORRECTED,
        (5.0, 6.0, 7.0),
    ),
}


@pytest.mark.parametrize(("decide", "decision", "position"), DECISIONS.values(), ids=DECISIONS.keys())
class TestDecisions:
    def test_sets_decision_and_position_of_that_item_only(self, state, decide, decision, position):
        decided = decide(state)
        item = decided.item(MAY, "hilum")
        assert (item.decision, item.position_lps) == (decision, position)
        assert decided.items(JUNE) == state.items(JUNE)
        assert decided.item(MAY, "carina") == state.item(MAY, "carina")

    def test_leaves_the_earlier_state_as_it_was(self, state, decide, decision, position):
        decide(state)
        assert state.item(MAY, "hilum").decision is Decision.OPEN and state.log == ()

    def test_logs_who_when_before_and_after(self, state, decide, decision, position):
        (entry,) = decide(state).log
        assert (entry.who, entry.scan, entry.label) == ("AB", MAY, "hilum")
        assert (entry.before_lps, entry.after_lps) == ((1.0, 2.0, 3.0), position)
        assert entry.when.endswith("+00:00")

    def test_survives_a_new_transfer(self, state, decide, decision, position):
        decided = decide(state)
        later = decided.with_result(
            MAY, [an_item("hilum", position=(0.0, 0.0, 0.0)), an_item("carina", confidence=0.5)]
        )
        assert later.item(MAY, "hilum") == decided.item(MAY, "hilum")
        assert later.item(MAY, "carina").confidence == 0.5

    def test_is_replaced_by_a_new_transfer_only_when_asked_and_then_logged(
        self, state, decide, decision, position
    ):
        later = decide(state).with_result(MAY, [an_item("hilum", position=(0.0, 0.0, 0.0))], again=True)
        assert later.item(MAY, "hilum").decision is Decision.OPEN
        assert (later.log[-1].action, later.log[-1].before_lps) == ("replaced", position)

    def test_keeps_what_the_engine_said(self, state, decide, decision, position):
        item = decide(state).item(MAY, "hilum")
        assert item.transferred_lps == (1.0, 2.0, 3.0)
        assert (item.status, item.confidence, item.reason) == ("DOUBTFUL", 0.6, "why")

    def test_can_be_reopened_as_the_engine_answered(self, state, decide, decision, position):
        assert decide(state).reopen(MAY, "hilum").item(MAY, "hilum") == state.item(MAY, "hilum")

    def test_survives_text(self, state, decide, decision, position):
        decided = decide(state)
        assert ReviewState.from_json(decided.to_json()) == decided


def test_displacement_is_the_distance_from_the_template_point_and_follows_a_correction(state):
    assert state.item(MAY, "carina").displacement_mm == pytest.approx(3.0)
    corrected = state.correct(MAY, "carina", (1.0, 6.0, 3.0))
    assert corrected.item(MAY, "carina").displacement_mm == pytest.approx(5.0)
    assert state.item(MAY, "nodule").displacement_mm is None


def test_what_all_landmarks_of_a_scan_have_in_common_is_not_counted_as_movement():
    items = [
        ReviewItem.of(str(x), "FOUND", 0.9, template_lps=(x, 0.0, 0.0), position_lps=(x + 30.0, -8.0, z))
        for x, z in ((0.0, 5.0), (10.0, 5.0), (20.0, 5.0), (30.0, 11.0))
    ]
    state = ReviewState().with_labels([item.label for item in items]).with_result(MAY, items)
    assert state.shift_lps(MAY) == (30.0, -8.0, 5.0)
    assert state.relative_displacement_mm(MAY, "0.0") == 0.0
    assert state.relative_displacement_mm(MAY, "30.0") == 6.0
    assert state.with_labels(["20.0", "30.0"]).relative_displacement_mm(MAY, "30.0") is None


def test_candidates_are_gone_through_round_and_round_beginning_with_the_refined_one(state):
    places = []
    for _ in range(3):
        state = state.next_candidate(MAY, "hilum")
        places.append(state.item(MAY, "hilum").position_lps)
    assert places == [(9.0, 9.0, 9.0), (1.0, 2.0, 3.0), (9.0, 9.0, 9.0)]


def test_a_missing_landmark_can_be_put_at_its_candidates(state):
    moved = state.next_candidate(MAY, "nodule")
    assert moved.item(MAY, "nodule").position_lps == (1.0, 2.0, 4.0)
    assert moved.next_candidate(MAY, "nodule").item(MAY, "nodule").position_lps == (9.0, 9.0, 9.0)


def test_a_landmark_without_other_candidates_stays_as_it_is(state):
    item = an_item("hilum")
    single = replace(item, answer=replace(item.answer, candidates=item.answer.candidates[:1]))
    state = state.with_result(MAY, [single])
    assert state.next_candidate(MAY, "hilum") is state


def test_the_queue_is_doubtful_by_rising_confidence_then_missing_then_found(state):
    assert review_queue(state) == [
        (MAY, "apex"), (JUNE, "apex"), (MAY, "hilum"), (JUNE, "hilum"),
        (MAY, "nodule"), (JUNE, "nodule"), (MAY, "carina"), (JUNE, "carina"),
    ]  # fmt: skip


def test_going_to_the_next_doubtful_visits_each_once_and_ends(state):
    visited, current = [], None
    while current := next_doubtful(state, current):
        visited.append(current)
        state = state.accept(*current)
    assert visited == [
        (MAY, "apex"), (JUNE, "apex"), (MAY, "hilum"), (JUNE, "hilum"), (MAY, "nodule"), (JUNE, "nodule"),
    ]  # fmt: skip


def test_skipped_landmarks_come_again_after_the_last_one(state):
    assert next_doubtful(state, (JUNE, "nodule")) == (MAY, "apex")
    assert next_doubtful(state, (MAY, "apex")) == (JUNE, "apex")


def test_renaming_keeps_decisions_and_the_order(state):
    renamed = state.accept(MAY, "hilum").renamed({"hilum": "left hilum"})
    assert renamed.labels == ("carina", "left hilum", "apex", "nodule")
    assert list(renamed.items(MAY)) == list(renamed.labels)
    assert renamed.item(MAY, "left hilum").decision is Decision.ACCEPTED
    assert renamed.item(MAY, "left hilum").label == "left hilum"


def test_names_can_be_swapped(state):
    swapped = state.accept(MAY, "hilum").renamed({"hilum": "apex", "apex": "hilum"})
    assert swapped.labels == ("carina", "apex", "hilum", "nodule")
    assert swapped.item(MAY, "apex").decision is Decision.ACCEPTED
    assert swapped.item(MAY, "hilum").confidence == 0.3


def test_only_the_scans_in_use_are_gone_through(state):
    assert next_doubtful(state, scans=[JUNE]) == (JUNE, "apex")
    assert next_doubtful(state, (JUNE, "nodule"), [JUNE]) == (JUNE, "apex")


def test_removing_a_decided_landmark_keeps_its_place_in_the_log(state):
    labels = [label for label in state.labels if label != "hilum"]
    removed = state.correct(MAY, "hilum", (5, 6, 7)).with_labels(labels)
    assert removed.item(MAY, "hilum") is None and removed.item(JUNE, "hilum") is None
    assert [(entry.action, entry.before_lps) for entry in removed.log[1:]] == [("removed", (5.0, 6.0, 7.0))]


def test_the_counts_tell_what_is_left_to_do(state):
    counts = state.accept(MAY, "hilum").reject(MAY, "apex").counts()
    assert counts == {
        "open": 6, "accepted": 1, "corrected": 0, "rejected": 1, "set_missing": 0,
        "doubtful": 2, "missing": 2, "total": 8,
    }  # fmt: skip


def test_labels_of_any_script_and_quotes_survive_text():
    item = an_item('左 "hilum" <é>\n')
    state = ReviewState().with_labels([item.label]).with_result(MAY, [item])
    assert ReviewState.from_json(state.to_json()) == state


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"labels"', '"names"'),
        lambda text: text.replace('"decision": "OPEN"', '"decision": "MAYBE"', 1),
        lambda text: text.replace('"confidence"', '"certainty"', 1),
        lambda text: text.replace("samlandmark-review", "something-else"),
    ],
)
def test_damaged_text_is_refused_with_one_clear_sentence(state, damage):
    with pytest.raises(ReviewError, match=r"transfer again|give the right text"):
        ReviewState.from_json(damage(state.to_json()))


def test_text_of_a_newer_version_asks_for_an_update(state):
    document = json.loads(state.to_json()) | {"version": 99}
    with pytest.raises(ReviewError, match="update the extension"):
        ReviewState.from_json(json.dumps(document))
