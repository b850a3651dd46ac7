"""Transforms written by a registration mean the same in SimpleITK and in 3D Slicer's own classes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import slicer

from SAMLandmarkLib.core.geometry import CanonicalGrid, FieldOfView, swap_lps_ras
from SAMLandmarkLib.core.transforms import ZERO_CELLS, DisplacementField, PointTransform, resample_through
from SAMLandmarkLib.core.volume import Volume


@pytest.fixture(scope="module")
def transform() -> PointTransform:
    """An affine map after a field with displacements of about a centimetre."""
    random = np.random.default_rng(2)
    displacement = np.zeros((34, 30, 32, 3))
    inner = (slice(ZERO_CELLS, -ZERO_CELLS),) * 3
    coarse = random.normal(scale=8.0, size=(*(1 + np.array(displacement[inner].shape[:3]) // 8), 3))
    for axis in range(3):
        coarse = np.repeat(coarse, 8, axis=axis)
    depth, height, width = displacement[inner].shape[:3]
    displacement[inner] = coarse[:depth, :height, :width]
    affine = np.eye(4)
    affine[:3] += random.normal(scale=0.05, size=(3, 4))
    affine[:3, 3] += (7.0, -20.0, 31.0)
    grid = CanonicalGrid(np.array([-60.0, -55.0, -70.0]), 4.0, displacement.shape[2::-1])
    return PointTransform((DisplacementField.through(displacement, grid), affine))


@pytest.fixture(scope="module")
def points_lps() -> np.ndarray:
    """Points inside the field and well beyond it."""
    return np.random.default_rng(3).uniform(-120.0, 120.0, (500, 3))


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
def test_a_written_transform_is_the_same_in_simpleitk(transform, points_lps, tmp_path, suffix):
    transform.write(tmp_path / f"map{suffix}")
    read = sitk.ReadTransform(str(tmp_path / f"map{suffix}"))
    found = np.array([read.TransformPoint(point) for point in points_lps.tolist()])
    assert np.abs(found - transform.apply(points_lps)).max() <= 0.01
    assert np.abs(found - points_lps).max() > 20


def test_a_written_transform_is_slicers_from_parent(transform, points_lps, tmp_path):
    transform.write(tmp_path / "map.h5")
    from_parent = _read_by_slicer(tmp_path / "map.h5").GetTransformFromParent()
    found_ras = np.array([from_parent.TransformPoint(point) for point in swap_lps_ras(points_lps).tolist()])
    assert np.linalg.norm(swap_lps_ras(found_ras) - transform.apply(points_lps), axis=1).max() <= 0.01


def test_a_transform_saved_by_slicer_is_still_the_same(transform, points_lps, tmp_path):
    transform.write(tmp_path / "map.h5")
    node = _read_by_slicer(tmp_path / "map.h5")
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(tmp_path / "saved.h5"))
    assert storage.WriteData(node)
    read = sitk.ReadTransform(str(tmp_path / "saved.h5"))
    found = np.array([read.TransformPoint(point) for point in points_lps.tolist()])
    assert np.abs(found - transform.apply(points_lps)).max() <= 0.01


def test_images_are_resampled_where_points_go(direction):
    """A ramp of positions, in a volume with any axes, read through a shift onto another volume with those axes."""
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = direction * (2.0, 3.0, 2.5)
    volume = Volume(np.zeros((20, 20, 20), dtype=np.float32), ijk_to_lps)
    places = volume.lps_from_index(
        np.stack(np.meshgrid(*[np.arange(20)] * 3, indexing="ij"), axis=-1)[..., ::-1]
    )
    weights = np.array([1.0, -2.0, 0.5])
    ramp = Volume((places @ weights).astype(np.float32), ijk_to_lps)
    shift = np.eye(4)
    shift[:3, 3] = ijk_to_lps[:3, :3] @ (1.5, -0.5, 2.25)
    seen = resample_through(ramp, PointTransform((shift,)), FieldOfView(ijk_to_lps, (20, 20, 20)))
    inner = (slice(4, -4),) * 3
    np.testing.assert_allclose(seen[inner], ((places + shift[:3, 3]) @ weights)[inner], atol=0.01)


def _read_by_slicer(path) -> slicer.vtkMRMLTransformNode:
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    return node
