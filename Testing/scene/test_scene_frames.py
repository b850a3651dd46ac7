"""Volumes and points keep their place, whatever the orientation and whatever transforms they are under."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from numpy.testing import assert_allclose

from SAMLandmarkLib.core.geometry import affine_from_parts, transform_points
from SAMLandmarkLib.review import ReviewItem
from SAMLandmarkLib.scene.follow_up import create_follow_up_markups, read_follow_up, write_follow_up
from SAMLandmarkLib.scene.frames import local_lps_from_world_ras, world_ras_from_local_lps
from SAMLandmarkLib.scene.points import label_problem, read_points
from SAMLandmarkLib.scene.volumes import content_mark, find_volume, scan_key, upright_from_own, volume_arrays
from SAMLandmarkLib.utils.errors import VolumeError

# Linear maps are exact; VTK iterates the inverse of the others to 0.01 mm.
LINEAR_MM, NON_LINEAR_MM = 1e-3, 0.05


def under(node: object, transform: object | None) -> object:
    node.SetAndObserveTransformNodeID(None if transform is None else transform.GetID())
    return node


def voxel_in_world(volume: object, ijk: tuple[float, float, float]) -> np.ndarray:
    """Where Slicer itself draws a voxel: its RAS point through the volume's parent transform to the world."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    point = np.array(matrix.MultiplyPoint((*ijk, 1.0))[:3])
    transform = volume.GetParentTransformNode()
    if transform is None:
        return point
    to_world = vtk.vtkGeneralTransform()
    transform.GetTransformToWorld(to_world)
    return np.array(to_world.TransformPoint(point))


class TestVolumes:
    def test_an_array_comes_with_the_place_of_every_voxel(self, add_volume, direction):
        array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
        ijk_to_lps = affine_from_parts((-12.5, 33.0, 840.0), (0.7, 0.9, 2.5), direction)
        got_array, got_map = volume_arrays(add_volume("CT", array, ijk_to_lps))
        assert_allclose(got_array, array)
        assert_allclose(got_map, ijk_to_lps, atol=1e-9)

    def test_a_parent_transform_does_not_change_the_own_frame(self, add_volume, volume_transform):
        volume = add_volume()
        array, ijk_to_lps = volume_arrays(volume)
        moved_array, moved_map = volume_arrays(under(volume, volume_transform))
        assert_allclose(moved_map, ijk_to_lps)
        assert_allclose(moved_array, array)

    def test_a_volume_without_voxels_is_refused_by_name(self, scene):
        with pytest.raises(VolumeError, match="'empty one' has no voxels"):
            volume_arrays(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty one"))

    def test_a_color_volume_is_refused(self, scene):
        node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
        slicer.util.updateVolumeFromArray(node, np.zeros((4, 5, 6, 3), np.uint8))
        with pytest.raises(VolumeError, match="3 values a voxel"):
            volume_arrays(node)

    def test_keys_stay_and_differ(self, scene, add_volume):
        first, second = add_volume("a"), add_volume("b")
        keys = scan_key(first), scan_key(second)
        assert keys == (scan_key(first), scan_key(second)) and keys[0] != keys[1]
        assert find_volume(scene, keys[1]) is second

    def test_a_cloned_volume_gets_a_key_of_its_own(self, scene, add_volume):
        original = add_volume("a")
        key, clone = scan_key(original), add_volume("clone")
        clone.CopyContent(original)
        clone.SetAttribute("SAMLandmark.ScanKey", key)
        assert scan_key(clone) != key
        assert scan_key(original) == key

    def test_changed_voxels_and_geometry_are_noticed_but_not_a_parent_transform(self, scene, add_volume):
        volume = add_volume()
        mark = content_mark(volume)
        under(volume, scene.AddNewNodeByClass("vtkMRMLLinearTransformNode"))
        assert content_mark(volume) == mark
        slicer.util.arrayFromVolume(volume)[0, 0, 0] += 1
        slicer.util.arrayFromVolumeModified(volume)
        changed = content_mark(volume)
        volume.SetSpacing(1.0, 1.0, 1.0)
        assert len({mark, changed, content_mark(volume)}) == 3


class TestUpright:
    def turned(self, scene, volume, degrees):
        turn = vtk.vtkTransform()
        turn.RotateZ(degrees)
        turn.Scale(1.5, 1.0, 1.0)
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(turn.GetMatrix())
        return under(volume, transform)

    def test_a_volume_that_a_transform_turns_is_turned_without_stretching_it(self, scene, add_volume):
        upright = upright_from_own(self.turned(scene, add_volume(), 90.0))
        assert_allclose(upright, [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], atol=1e-9)

    @pytest.mark.parametrize("degrees", [0.0, 12.0, -19.0])
    def test_small_turns_are_left_to_the_network(self, scene, add_volume, degrees):
        assert_allclose(upright_from_own(self.turned(scene, add_volume(), degrees)), np.eye(4))

    def test_a_mirroring_transform_never_mirrors_the_patient(self, scene, add_volume):
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([-1.0, 1.0, 1.0, 1.0])))
        assert_allclose(upright_from_own(under(add_volume(), transform)), np.eye(4))

    def test_no_and_non_linear_transforms_leave_the_volume_as_it_is(self, add_volume, volume_transform):
        assert_allclose(upright_from_own(under(add_volume(), volume_transform)), np.eye(4))


class TestPoints:
    def test_a_point_on_a_voxel_is_read_as_that_voxel(
        self, add_volume, add_markups, direction, volume_transform
    ):
        volume = under(
            add_volume("CT", None, affine_from_parts((-12.5, 33.0, 40.0), (0.7, 0.9, 2.5), direction)),
            volume_transform,
        )
        node = add_markups({"a": voxel_in_world(volume, (3, 4, 5))})
        (point,) = read_points(node, volume)
        ijk = transform_points(np.linalg.inv(volume_arrays(volume)[1]), point.position_lps)
        assert_allclose(ijk * (0.7, 0.9, 2.5), np.array([3, 4, 5]) * (0.7, 0.9, 2.5), atol=NON_LINEAR_MM)

    def test_linear_transforms_are_exact(self, scene, add_volume, add_markups, direction):
        matrix = np.eye(4)
        matrix[:3] = [[0.8, 0.6, 0.1, 30], [-0.6, 0.8, 0, -7], [0, 0.2, 1.1, 12]]
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        volume = under(
            add_volume("CT", None, affine_from_parts((-12.5, 33.0, 40.0), (0.7, 0.9, 2.5), direction)),
            transform,
        )
        (point,) = read_points(add_markups({"a": voxel_in_world(volume, (3, 4, 5))}), volume)
        assert_allclose(
            point.position_lps, transform_points(volume_arrays(volume)[1], (3, 4, 5)), atol=LINEAR_MM
        )

    def test_points_and_volume_may_be_under_different_transforms(
        self, add_volume, add_markups, volume_transform, markups_transform
    ):
        volume = under(add_volume(), volume_transform)
        node = under(add_markups({}), markups_transform)
        world = voxel_in_world(volume, (3, 4, 5))
        node.AddControlPointWorld(vtk.vtkVector3d(*world), "a")
        (point,) = read_points(node, volume)
        assert_allclose(
            point.position_lps, transform_points(volume_arrays(volume)[1], (3, 4, 5)), atol=NON_LINEAR_MM
        )

    def test_to_the_world_and_back(self, add_volume, volume_transform):
        volume = under(add_volume(), volume_transform)
        points = np.random.default_rng(0).uniform(-80, 80, (20, 3))
        back = local_lps_from_world_ras(volume, world_ras_from_local_lps(volume, points))
        assert_allclose(back, points, atol=NON_LINEAR_MM)

    def test_only_defined_points_are_read_hidden_ones_too(self, add_volume, add_markups):
        labels = ["defined", "undefined", "missing", "hidden"]
        node = add_markups(dict.fromkeys(labels, (1.0, 2.0, 3.0)))
        node.UnsetNthControlPointPosition(1)
        node.SetNthControlPointPositionMissing(2)
        node.SetNthControlPointVisibility(3, False)
        node.AddControlPoint(vtk.vtkVector3d(0, 0, 0), "preview")
        node.SetNthControlPointPosition(4, 0.0, 0.0, 0.0, node.PositionPreview)
        points = read_points(node, add_volume())
        assert [point.label for point in points] == ["defined", "hidden"]
        assert points[0].position_lps == (-1.0, -2.0, 3.0)

    @pytest.mark.parametrize(
        ("labels", "problem"),
        [
            (["a", "b"], ""),
            (["a", "a"], "Two landmarks of the template are called 'a'"),
            (["a", "  "], "no name"),
        ],
    )
    def test_labels_must_be_there_and_differ(self, add_volume, add_markups, labels, problem):
        node = add_markups({str(number): (number, 0, 0) for number in range(len(labels))})
        for number, label in enumerate(labels):
            node.SetNthControlPointLabel(number, label)
        assert (problem in label_problem(read_points(node, add_volume()))) and (
            bool(problem) == bool(label_problem(read_points(node, add_volume())))
        )


class TestFollowUpPoints:
    def test_what_is_written_is_seen_at_that_voxel(self, scene, add_volume, direction, volume_transform):
        volume = under(
            add_volume("CT", None, affine_from_parts((-12.5, 33.0, 40.0), (0.7, 0.9, 2.5), direction)),
            volume_transform,
        )
        place = tuple(transform_points(volume_arrays(volume)[1], (3, 4, 5)))
        node = create_follow_up_markups(scene, volume)
        write_follow_up(node, volume, ["a"], {"a": ReviewItem.of("a", "FOUND", 0.9, position_lps=place)})
        assert_allclose(
            node.GetNthControlPointPositionWorld(0), voxel_in_world(volume, (3, 4, 5)), atol=LINEAR_MM
        )

    def test_what_is_written_is_read_back_under_other_transforms_too(
        self, scene, add_volume, volume_transform, markups_transform
    ):
        volume = under(add_volume(), volume_transform)
        node = under(create_follow_up_markups(scene, volume), markups_transform)
        items = {label: ReviewItem.of(label, "FOUND", 0.9, position_lps=(5.0, -7.0, 60.0)) for label in "ab"}
        write_follow_up(node, volume, ["a", "b"], items)
        assert_allclose(
            list(read_follow_up(node, volume).values()), [(5.0, -7.0, 60.0)] * 2, atol=NON_LINEAR_MM
        )
        world = world_ras_from_local_lps(volume, [(5.0, -7.0, 60.0)])[0]
        assert_allclose(node.GetNthControlPointPositionWorld(1), world, atol=NON_LINEAR_MM)

    def test_points_move_with_their_volume(self, scene, add_volume):
        volume = add_volume()
        node = create_follow_up_markups(scene, volume)
        write_follow_up(
            node, volume, ["a"], {"a": ReviewItem.of("a", "FOUND", 0.9, position_lps=(5.0, -7.0, 60.0))}
        )
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        under(volume, transform), under(node, transform)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([1.0, -1.0, -1.0, 1.0])))
        assert_allclose(read_follow_up(node, volume)["a"], (5.0, -7.0, 60.0))
