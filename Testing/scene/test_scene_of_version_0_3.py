"""A scene that version 0.3 has saved opens with its review."""

from __future__ import annotations

from pathlib import Path

from SAMLandmarkLib.review import Decision
from SAMLandmarkLib.scene.review_node import ReviewNode

SCENE = Path(__file__).parents[1] / "unit" / "data" / "version-0.3" / "review.mrml"


def test_its_review_is_there_and_can_be_saved_again(scene) -> None:
    scene.SetURL(str(SCENE))
    assert scene.Import()
    node = ReviewNode.find(scene)
    state = node.state
    decisions = [item.decision for item in state.items("may").values()]
    assert decisions[:3] == [Decision.ACCEPTED, Decision.CORRECTED, Decision.REJECTED]
    assert node.provenance["may"]["model"]["version"] == "0.2.2"
    node.state = state.accept("may", state.labels[3], "CD")
    assert node.state.item("may", state.labels[3]).decision is Decision.ACCEPTED
    assert node.state.items("may")[state.labels[1]] == state.items("may")[state.labels[1]]
