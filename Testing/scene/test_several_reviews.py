"""Several reviews in one scene, several sessions on one review, and follow-ups that take no part any more."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
from scene_steps import LABELS, TIMEOUT, move_in_view

from SAMLandmarkLib.review import Decision, ReviewItem, ReviewState
from SAMLandmarkLib.scene.review_node import ReviewNode
from SAMLandmarkLib.session import TransferSession


@pytest.fixture
def script(scene, worker) -> Iterator[TransferSession]:
    """A second session in the same scene, such as a script makes beside the panel."""
    session = TransferSession(scene, worker, who="script")
    yield session
    session.close()


def names(session: TransferSession) -> list[str]:
    return [column.name for column in session.follow_ups]


def test_each_template_comes_with_its_own_follow_ups(transferred, loaded, add_markups):
    other = add_markups({"a": (1.0, 2.0, -350.0)}, "Points of May")
    transferred.set_template(loaded.may, other)
    transferred.set_follow_ups([loaded.june])
    transferred.set_template(loaded.april, loaded.markups)
    assert names(transferred) == ["May", "June"]
    assert len(transferred.state.items(transferred.follow_ups[0].key)) == len(LABELS)
    transferred.set_template(loaded.may, other)
    assert names(transferred) == ["June"]


def test_a_scene_of_two_reviews_goes_on_with_the_one_that_was_open(
    transferred, loaded, add_markups, another_scene, worker, tmp_path
):
    transferred.accept(transferred.follow_ups[0].key, LABELS[0])
    transferred.set_template(loaded.may, add_markups({"a": (1.0, 2.0, -350.0)}, "Points of May"))
    transferred.set_template(loaded.april, loaded.markups)
    path = str(tmp_path / "two.mrb")
    assert transferred.scene.WriteToMRB(path, None)
    assert another_scene.ReadFromMRB(path, True)
    session = TransferSession(another_scene, worker, "CD")
    try:
        assert session.restore() and session.template_volume.GetName() == "April"
        assert session.item(session.follow_ups[0].key, LABELS[0]).decision is Decision.ACCEPTED
    finally:
        session.close()


def test_a_scene_that_is_added_twice_has_two_complete_reviews(transferred, saved_scene, scene):
    may = transferred.follow_ups[0]
    transferred.accept(may.key, LABELS[0])
    assert scene.ReadFromMRB(saved_scene, False)
    first, second = ReviewNode.all(scene)
    assert first.template != second.template
    transferred.set_template(*second.template)
    assert names(transferred)[0].startswith("May") and transferred.follow_ups[0].key != may.key
    assert transferred.follow_ups[0].markups_node not in (None, may.markups_node)
    items = transferred.state.items(transferred.follow_ups[0].key)
    assert [item.decision for item in items.values()] == [Decision.OPEN] * len(LABELS)
    move_in_view(transferred.follow_ups[0].markups_node, 1, (2.0, 0.0, 0.0))
    transferred.set_template(*first.template)
    assert transferred.item(may.key, LABELS[0]).decision is Decision.ACCEPTED
    assert transferred.item(may.key, LABELS[1]).decision is Decision.OPEN


def test_what_a_script_transfers_is_no_correction_by_the_user(transferred, script, worker):
    assert script.restore()
    may = transferred.follow_ups[0]
    script.accept(may.key, LABELS[0])
    assert transferred.item(may.key, LABELS[0]).decision is Decision.ACCEPTED
    script.correct(may.key, LABELS[1], (1.0, 2.0, -350.0))
    assert transferred.item(may.key, LABELS[1]).position_lps == (1.0, 2.0, -350.0)
    script.transfer(again=True)
    assert worker.wait(TIMEOUT)
    assert transferred.state == script.state
    assert {item.decision for item in transferred.state.items(may.key).values()} == {Decision.OPEN}
    # and the other way round
    transferred.reject(may.key, LABELS[2])
    assert script.item(may.key, LABELS[2]).decision is Decision.REJECTED


def test_a_drag_is_one_correction_whoever_watches(transferred, script):
    assert script.restore()
    may = transferred.follow_ups[0]
    move_in_view(may.markups_node, 1, (2.0, -3.0, 1.0))
    assert transferred.state == script.state
    assert [entry.action for entry in transferred.state.log] == ["corrected"]


def test_scans_that_are_no_longer_ticked_do_not_count(transferred, loaded, tmp_path):
    june = transferred.follow_ups[1]
    transferred.accept(june.key, LABELS[0])
    transferred.set_follow_ups([loaded.may])
    assert transferred.counts["total"] == len(LABELS) and transferred.counts["accepted"] == 0
    transferred.export(tmp_path)
    with open(tmp_path / "review.csv", encoding="utf-8", newline="") as file:
        assert {row["scan"] for row in csv.DictReader(file)} == {"May"}
    exported = ReviewState.from_json((tmp_path / "review.json").read_text(encoding="utf-8"))
    assert list(exported.scans) == [transferred.follow_ups[0].key] and exported.log == ()
    assert "June" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    transferred.set_follow_ups([loaded.may, loaded.june])
    assert transferred.counts["accepted"] == 1


def test_the_sentence_on_the_confidence_names_the_models_own_limit(transferred):
    from SAMLandmarkLib.session.review_actions import ReviewActions

    may, actions = transferred.follow_ups[0], ReviewActions(transferred)
    transferred.select(may.key, LABELS[0])
    assert "sure to be within 10 mm" in actions.details()
    provenance = transferred._store.provenance(may.key)
    provenance["model"]["error_limit_mm"] = 4.5
    transferred._store.remember_provenance(may.key, provenance)
    assert "sure to be within 4.5 mm" in actions.details()


def test_an_item_is_written_once_and_says_the_same():
    item = ReviewItem.of("a", "FOUND", 0.9, position_lps=(1.0, 2.0, 3.0))
    state = ReviewState().with_labels(["a"]).with_result("may", [item])
    assert ReviewState.from_json(state.to_json()) == state
    assert state.reject("may", "a").to_json() != state.to_json()
