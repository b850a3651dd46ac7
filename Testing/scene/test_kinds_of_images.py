"""Volumes that are no CT: one sentence before any transfer, whichever models are bundled."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from SAMLandmarkLib.models.registry import BUNDLED, REGISTRY, BundledModel, ModelRegistry
from SAMLandmarkLib.scene.modality import kind_of, modality_problem
from SAMLandmarkLib.session import TransferSession

UNKNOWN = ["PT", "US"]


@pytest.fixture
def add_series(scene, add_volume):
    """A function that adds a volume as Slicer does when it loads a series of this DICOM modality."""

    def add(name: str, modality: str, array: np.ndarray | None = None) -> object:
        node = add_volume(name, array)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
        hierarchy.SetItemAttribute(item, "DICOM.Modality", modality)
        return node

    return add


def film() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4000, (1, 40, 30)).astype(np.int16)


@pytest.mark.parametrize("modality", UNKNOWN)
def test_a_template_without_a_model_is_told_in_one_sentence(session, add_series, add_markups, modality):
    session.set_template(add_series("scan", modality), add_markups({"a": (10.0, 20.0, 110.0)}))
    session.set_follow_ups([add_series("other", modality)])
    assert session.blocking_reason.startswith(
        f"scan is of the modality {modality}, for which there is no model"
    )
    assert session.blocking_reason.endswith("there is one for CT.") or len(REGISTRY.modalities) > 1
    assert session.blocking_reason in session.messages and not session.busy
    assert session.batch.blocking_reason == session.blocking_reason


def test_a_follow_up_without_a_model_is_told_and_the_others_are_done(
    session: TransferSession, add_series, add_markups
):
    session.set_template(add_series("baseline", "CT"), add_markups({"a": (10.0, 20.0, 110.0)}))
    session.set_follow_ups([add_series("follow-up", "CT"), add_series("magnet", UNKNOWN[0])])
    usable, refused = session.follow_ups
    assert usable.message == "" and session.blocking_reason == ""
    assert "no model yet" in refused.message and session.messages.count(refused.message) == 1
    session.set_follow_ups([refused.volume_node])
    assert session.blocking_reason == refused.message


def test_a_scan_of_another_kind_than_the_template_is_refused_until_the_template_fits(
    add_series, add_volume, monkeypatch
):
    """With a registry that has models of both kinds, as when one of radiographs is bundled."""
    both = ModelRegistry((*BUNDLED, BundledModel("radiograph", "any.pt", "0")))
    scan, picture = add_series("scan", "CT"), add_series("picture", "DX", film())
    assert modality_problem(picture, None, both) == modality_problem(scan, None, both) == ""
    assert modality_problem(picture, scan, both) == (
        "picture is of the modality Radiograph, the template is of CT; choose scans of one modality."
    )
    assert modality_problem(picture, picture, both) == ""


def test_what_dicom_does_not_tell_is_told_by_the_voxels(add_volume, scene):
    assert kind_of(add_volume("scan")).name == "ct"
    assert kind_of(add_volume("film", film())).name == "radiograph"
    assert kind_of(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")) is None


def test_every_bundled_model_s_own_kind_is_welcome(add_volume, add_series):
    head = np.random.default_rng(1).integers(0, 900, (30, 40, 35)).astype(np.int16)
    volumes = {
        "ct": add_volume("scan"),
        "radiograph": add_volume("film", film()),
        "mr-brain": add_volume("head", head),
    }
    assert kind_of(volumes["mr-brain"]).title == "Brain MR"
    assert kind_of(add_series("series", "MR")).name == "mr-brain", "whatever its values are"
    for modality, volume in volumes.items():
        assert bool(modality_problem(volume)) == (modality not in REGISTRY.modalities)


def test_a_refused_follow_up_is_taken_as_soon_as_it_is_of_the_right_kind(
    session: TransferSession, add_series, add_markups, scene
):
    node = add_series("magnet", UNKNOWN[0])
    session.set_template(add_series("baseline", "CT"), add_markups({"a": (10.0, 20.0, 110.0)}))
    session.set_follow_ups([node])
    assert session.blocking_reason
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(node), "DICOM.Modality", "CT")
    assert session.blocking_reason == ""
    session.transfer()
    assert session.follow_ups[0].message == ""
    session.cancel()
