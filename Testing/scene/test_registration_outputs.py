"""Follow-ups registered in a session: the outputs in the scene mean what the library computed, on real MRML and engine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk
from scene_steps import LABELS, fill, lay_on_its_side, wait_for

from SAMLandmarkLib.core.geometry import LPS_FROM_RAS, swap_lps_ras, transform_points
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.runtime import EngineRuntime
from SAMLandmarkLib.registration.registration import Registration
from SAMLandmarkLib.scene.beginning import Beginning
from SAMLandmarkLib.scene.registration_nodes import RegistrationNodes, grid_shown, show_grid
from SAMLandmarkLib.scene.volumes import ijk_to_ras, selectable_scans, upright_from_own, volume_arrays
from SAMLandmarkLib.session import Change, TransferSession
from SAMLandmarkLib.session.registrations import registration_words
from SAMLandmarkLib.utils.errors import UsageError

SECONDS = 600.0
PROFILE = "fast"
OUTPUTS = ("vtkMRMLTransformNode", "vtkMRMLScalarVolumeNode")
NEAR_MM = 4.0


def turned(axis: int, degrees: float) -> np.ndarray:
    """A rotation, 4x4, about an axis through the origin."""
    a, matrix = np.deg2rad(degrees), np.eye(4)
    first, second = [number for number in range(3) if number != axis]
    matrix[[first, second], [first, second]] = np.cos(a)
    matrix[first, second], matrix[second, first] = -np.sin(a), np.sin(a)
    return matrix


OBLIQUE = turned(0, 7.0) @ turned(2, -5.0)
"""What makes April an oblique scan, in RAS: the patient lies askew in it."""


def register(session: TransferSession, profile: str = PROFILE) -> None:
    session.registrations.register(session.follow_ups[0].key, profile)
    assert session.registrations.running
    wait_for(session, lambda: not session.registrations.running, SECONDS)


def outputs(session: TransferSession) -> RegistrationNodes:
    return session.registrations.outputs(session.follow_ups[0].key)


def carried(transform: object, points_lps: np.ndarray) -> np.ndarray:
    """Points through the FromParent side of a node, LPS mm in and out."""
    from_parent = transform.GetTransformFromParent()
    found = [from_parent.TransformPoint(point) for point in swap_lps_ras(points_lps).tolist()]
    return swap_lps_ras(np.array(found))


def volume_names(scene: object) -> list[str]:
    return sorted(node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene))


@pytest.fixture(scope="module")
def small(scans) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """The scans cut to the spine, which takes a moment to compute."""
    cut, shift = (slice(10, 60), slice(15, 100), slice(15, 95)), np.eye(4)
    shift[:3, 3] = [part.start for part in cut[::-1]]
    return {
        name: (np.ascontiguousarray(array[cut]), ijk_to_lps @ shift, date)
        for name, (array, ijk_to_lps, date) in scans.items()
    }


@pytest.fixture(scope="module")
def registered_scene(
    _another_slicer_like, worker, settings, small, places, tmp_path_factory
) -> tuple[str, Registration, np.ndarray]:
    """A scene with an oblique template and a registered follow-up that a transform puts upright, saved.

    With it the same registration by the library, and the map from the follow-up's own frame to where it is upright.
    """
    scene, path = _another_slicer_like.scene, str(tmp_path_factory.mktemp("scene") / "registered.mrb")
    fill(scene, {name: small[name] for name in ("April", "May")}, places)
    april, may = (scene.GetFirstNodeByName(name) for name in ("April", "May"))
    april.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(OBLIQUE @ ijk_to_ras(april)))
    lay_on_its_side(scene, may)
    session = TransferSession(scene, worker, "AB")
    session.set_template(april, scene.GetFirstNodeByName("Landmarks"))
    session.set_follow_ups([may])
    register(session)
    assert session.registrations.text(session.follow_ups[0].key) == ""
    session.close()
    registration, upright = registration_of(settings, april, may), upright_from_own(may)
    assert scene.WriteToMRB(path, None)
    scene.Clear(False)
    return path, registration, upright


def registration_of(settings, *nodes: object) -> Registration:
    """What the library computes of two volumes where they are upright, from the worker's embeddings."""
    runtime, embedded = EngineRuntime(settings), []
    for node in nodes:
        array, ijk_to_lps = volume_arrays(node)
        volume = Volume(array, upright_from_own(node) @ ijk_to_lps, node.GetName())
        embedded.append(runtime.embed_volume(volume))
    assert all(scan.from_cache for scan in embedded)
    return runtime.register(*embedded, PROFILE)


@pytest.fixture
def registered(scene, session, registered_scene) -> Iterator[TransferSession]:
    """A session that took up the registered scene."""
    assert scene.ReadFromMRB(registered_scene[0], True)
    session.set_template(scene.GetFirstNodeByName("April"), scene.GetFirstNodeByName("Landmarks"))
    session.set_follow_ups([scene.GetFirstNodeByName("May")])
    session.poll()
    return session


@pytest.fixture
def own_places(places, truth) -> tuple[np.ndarray, np.ndarray]:
    """The landmarks in the own frames of April and May, LPS mm."""
    oblique = LPS_FROM_RAS @ OBLIQUE @ LPS_FROM_RAS
    lying = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], dtype=float)
    in_april = transform_points(oblique, [places[label] for label in LABELS])
    return in_april, transform_points(LPS_FROM_RAS @ lying @ LPS_FROM_RAS, [truth[label] for label in LABELS])


def test_the_transform_is_the_one_that_the_library_computes(registered, registered_scene, own_places):
    _path, registration, upright = registered_scene
    assert not np.allclose(upright, np.eye(4))
    near = own_places[0].mean(axis=0) + np.random.default_rng(1).uniform(-90, 90, (200, 3))
    points = np.concatenate([own_places[0], near])
    expected = transform_points(np.linalg.inv(upright), registration.apply_points(points))
    found = carried(outputs(registered).transform, points)
    assert np.linalg.norm(found - expected, axis=1).max() <= 0.01
    error_mm = np.linalg.norm(found[: len(LABELS)] - own_places[1], axis=1)
    assert error_mm.mean() < NEAR_MM, error_mm


def test_what_slicer_saves_is_the_same_transform_in_simpleitk(registered, own_places, tmp_path):
    transform = outputs(registered).transform
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(tmp_path / "saved.h5"))
    assert storage.WriteData(transform)
    read = sitk.ReadTransform(str(tmp_path / "saved.h5"))
    found = np.array([read.TransformPoint(point) for point in own_places[0].tolist()])
    assert np.linalg.norm(found - carried(transform, own_places[0]), axis=1).max() <= 0.01


def test_what_is_hung_under_the_transform_appears_in_the_templates_frame(registered, own_places):
    scene, transform = registered.scene, outputs(registered).transform
    in_april, in_may = own_places[0], carried(outputs(registered).transform, own_places[0])
    points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "points of May")
    for place in swap_lps_ras(in_may):
        points.AddControlPoint(vtk.vtkVector3d(*place))
    box = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box of May")
    box.SetCenter(*swap_lps_ras(in_may[:1])[0])
    box.SetSize(10.0, 10.0, 10.0)
    for node in (points, box):
        node.SetAndObserveTransformNodeID(transform.GetID())
    for number, place in enumerate(swap_lps_ras(in_april)):
        world = [0.0, 0.0, 0.0]
        points.GetNthControlPointPositionWorld(number, world)
        assert np.linalg.norm(np.array(world) - place) < 0.05
    center = [0.0, 0.0, 0.0]
    box.GetCenterWorld(center)
    assert np.linalg.norm(np.array(center) - swap_lps_ras(in_april[:1])[0]) < 0.05
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(*swap_lps_ras(in_may[:1])[0])
    sphere.SetRadius(4.0)
    sphere.Update()
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segmentation of May")
    segmentation.SetSourceRepresentationToClosedSurface()
    segmentation.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "organ")
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    segmentation.HardenTransform()
    surface = vtk.vtkPolyData()
    (segment,) = segmentation.GetSegmentation().GetSegmentIDs()
    segmentation.GetClosedSurfaceRepresentation(segment, surface)
    found = vtk.util.numpy_support.vtk_to_numpy(surface.GetPoints().GetData()).mean(axis=0)
    assert np.linalg.norm(found - swap_lps_ras(in_april[:1])[0]) < 1.0


def test_the_registered_volume_lies_on_the_template_and_looks_like_it(registered):
    april, volume = registered.template_volume, outputs(registered).volume
    template, ijk_to_lps = volume_arrays(april)
    voxels, placed = volume_arrays(volume)
    np.testing.assert_allclose(placed, ijk_to_lps, atol=1e-6)
    assert voxels.shape == template.shape and volume.GetName() == "May registered to April"
    seen = voxels > voxels.min()
    assert seen.mean() > 0.7
    assert np.corrcoef(voxels[seen], template[seen])[0, 1] > 0.7


def test_a_saved_scene_keeps_the_outputs_and_no_list_takes_them_for_scans(registered):
    nodes, scene = outputs(registered), registered.scene
    assert nodes.transform.GetName() == "May to April" and len(nodes.existing) == 2
    words = registration_words(nodes.facts)
    assert words.startswith("Profile fast: ") and "% of the body folds" in words
    assert volume_names(scene) == ["April", "May", "May registered to April"]
    assert [node.GetName() for node in selectable_scans(scene)] == ["April", "May"]
    assert [node.GetName() for node in Beginning.of_scene(scene).follow_ups] == ["May"]
    assert not grid_shown(nodes.transform)
    show_grid(nodes.transform, True)
    assert grid_shown(nodes.transform)
    registered.set_template(registered.follow_ups[0].volume_node, None)
    registered.set_follow_ups([scene.GetFirstNodeByName("April")])
    assert outputs(registered).existing == []


def test_the_registered_volume_lies_over_the_template_in_its_views(registered):
    key = registered.follow_ups[0].key
    registered.show_side_by_side()
    registered.registrations.show_over_template(key, True)
    assert registered.registrations.is_over_template(key)
    over = {
        node.GetBackgroundVolumeID(): node.GetForegroundVolumeID()
        for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", registered.scene)
        if node.GetLayoutName().startswith("SAMLandmark")
    }
    april, may = registered.template_volume, registered.follow_ups[0].volume_node
    assert over[april.GetID()] == outputs(registered).volume.GetID() and not over[may.GetID()]
    registered.registrations.show_over_template(key, False)
    assert not registered.registrations.is_over_template(key)
    registered.leave_side_by_side()


def test_registering_again_replaces_the_outputs_and_keeps_what_hangs_under_them(registered, own_places):
    before, may = outputs(registered), registered.follow_ups[0].volume_node
    deformed = carried(before.transform, own_places[0])
    upright = may.GetParentTransformNode()
    tilted = registered.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "tilted table")
    tilted.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(turned(1, 4.0)))
    registered.template_volume.SetAndObserveTransformNodeID(tilted.GetID())
    box = registered.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box of May")
    box.SetAndObserveTransformNodeID(before.transform.GetID())
    register(registered, "affine")
    after = outputs(registered)
    assert [node.GetID() for node in after.existing] == [node.GetID() for node in before.existing]
    assert after.facts["profile"] == "affine" and after.transform.IsLinear()
    assert box.GetParentTransformNode() is after.transform and may.GetParentTransformNode() is upright
    # in the frame of the template, wherever that is in the world
    assert all(node.GetParentTransformNode() is tilted for node in after.existing)
    moved = np.linalg.norm(carried(after.transform, own_places[0]) - deformed, axis=1)
    assert 0.05 < moved.max() < 15.0


def test_outputs_are_removed_and_not_undone(registered):
    registered.correct(*_first_landmark(registered))
    registered.undo()
    assert len(outputs(registered).existing) == 2
    box = registered.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box of May")
    box.SetAndObserveTransformNodeID(outputs(registered).transform.GetID())
    registered.registrations.remove(registered.follow_ups[0].key)
    assert outputs(registered).existing == [] and box.GetParentTransformNode() is None
    assert volume_names(registered.scene) == ["April", "May"]


def _first_landmark(session: TransferSession) -> tuple[str, str, tuple[float, float, float]]:
    session.transfer()
    assert session.worker.wait(SECONDS)
    key = session.follow_ups[0].key
    return key, LABELS[0], (0.0, 0.0, 0.0)


# ---- without a result


@pytest.fixture
def hopeless(scene, session, add_volume, small, places) -> TransferSession:
    """A session whose follow-up shows noise."""
    fill(scene, {"April": small["April"]}, places)
    session.set_template(scene.GetFirstNodeByName("April"), None)
    noise = np.random.default_rng(6).integers(-200, 200, (20, 30, 30)).astype(np.int16)
    session.set_follow_ups([add_volume("Noise", noise, np.diag([4.0, 4.0, 4.0, 1.0]))])
    return session


def test_scans_that_show_different_things_are_refused_in_a_sentence(hopeless):
    heard: list[Change] = []
    hopeless.add_listener(heard.append)
    register(hopeless)
    text = hopeless.registrations.text(hopeless.follow_ups[0].key)
    assert text.startswith("Noise: ") and "same part of the body" in text, text
    assert outputs(hopeless).existing == [] and volume_names(hopeless.scene) == ["April", "Noise"]
    assert not slicer.util.getNodesByClass("vtkMRMLTransformNode", hopeless.scene)
    assert Change.REGISTRATION in heard


def test_a_registration_is_canceled_and_only_one_runs(hopeless):
    registrations, key = hopeless.registrations, hopeless.follow_ups[0].key
    wait_for(hopeless, lambda: not hopeless.busy, SECONDS)
    registrations.register(key)
    results = registrations._pair.results.path
    assert results.is_dir() and registrations.running
    with pytest.raises(UsageError, match="wait for its end"):
        registrations.register(key)
    wait_for(hopeless, lambda: registrations._job._process._process is not None, SECONDS)
    registrations.cancel()
    assert registrations.text(key) == "Canceled." and not registrations.running and not results.exists()
    assert outputs(hopeless).existing == []


def test_a_process_that_dies_and_a_scan_that_is_gone_are_told(hopeless):
    registrations, key = hopeless.registrations, hopeless.follow_ups[0].key
    wait_for(hopeless, lambda: not hopeless.busy, SECONDS)
    registrations.register(key)
    process, results = registrations._job._process, registrations._pair.results.path
    wait_for(hopeless, lambda: process._process is not None, SECONDS)
    os.kill(process._process.pid, signal.SIGKILL)
    wait_for(hopeless, lambda: not registrations.running, SECONDS)
    assert "ended unexpectedly" in registrations.text(key) and not results.exists()
    hopeless.set_follow_ups([])
    with pytest.raises(UsageError, match="Choose at least one follow-up"):
        registrations.register(key)
    hopeless.set_template(None, None)
    with pytest.raises(UsageError, match="Choose the template"):
        registrations.register(key)
