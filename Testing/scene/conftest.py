"""Fixtures for tests on real MRML, without Slicer's window."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="the tests of scenes need slicer-core")

import slicer
import vtk

# The tests share steps and fixtures that lie beside this file.
sys.path.insert(0, str(Path(__file__).parent))

from workflow_fixtures import *

from SAMLandmarkLib.core.geometry import LPS_FROM_RAS, affine_from_parts
from SAMLandmarkLib.scene.nodes import nodes_of_class


def a_new_scene() -> SimpleNamespace:
    """A scene with the logics that Slicer has at start-up; keep the whole answer, it keeps them alive."""
    scene = slicer.vtkMRMLScene()
    selection = scene.CreateNodeByClass("vtkMRMLSelectionNode")
    selection.UnRegister(None)
    selection.SetSingletonTag("Singleton")
    scene.AddNode(selection)
    logics = []
    for name in (
        "vtkSlicerMarkupsLogic",
        "vtkSlicerVolumesLogic",
        "vtkSlicerTransformLogic",
        "vtkSlicerSequencesLogic",
        "vtkSlicerSubjectHierarchyModuleLogic",
        "vtkMRMLLayoutLogic",
        "vtkMRMLColorLogic",
    ):
        logics.append(getattr(slicer, name)())
        logics[-1].SetMRMLScene(scene)
    logics[-1].AddDefaultColorNodes()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    return SimpleNamespace(scene=scene, logics=[*logics, *_file_access(scene)])


def _file_access(scene: object) -> list[object]:
    """What reading an .mrb needs; Slicer's window sets it up at start-up."""
    remote, manager = slicer.vtkMRMLRemoteIOLogic(), slicer.vtkDataIOManagerLogic()
    for logic in (remote, manager):
        logic.SetMRMLScene(scene)
    remote.GetCacheManager().SetRemoteCacheDirectory("")
    manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    return [remote, manager]


@pytest.fixture(scope="session")
def _slicer_like() -> SimpleNamespace:
    return a_new_scene()


@pytest.fixture(scope="session")
def _another_slicer_like() -> SimpleNamespace:
    return a_new_scene()


@pytest.fixture
def scene(_slicer_like: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """An empty scene as Slicer has it at start-up."""
    monkeypatch.setattr(slicer, "mrmlScene", _slicer_like.scene, raising=False)
    yield _slicer_like.scene
    _close(_slicer_like.scene)


@pytest.fixture
def another_scene(_another_slicer_like: SimpleNamespace) -> Iterator[object]:
    """A second scene, to load into what the first one saved."""
    yield _another_slicer_like.scene
    _close(_another_slicer_like.scene)


def _close(scene: object) -> None:
    """Close the scene as Slicer does, which keeps its singletons; and forget the views that a test made."""
    scene.Clear(False)
    for class_name in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"):
        for node in nodes_of_class(scene, class_name):
            if node.GetLayoutName().startswith("SAMLandmark"):
                scene.RemoveNode(node)
    scene.SetUndoOff()
    scene.ClearUndoStack()
    scene.ClearRedoStack()


@pytest.fixture
def add_volume(scene) -> Callable[..., object]:
    """A function that adds a volume of noise (or `array`) to the scene, placed by `ijk_to_lps`."""

    def add(
        name: str = "CT", array: np.ndarray | None = None, ijk_to_lps: np.ndarray | None = None
    ) -> object:
        if array is None:
            array = np.random.default_rng(1).integers(-1000, 1000, (12, 14, 16)).astype(np.int16)
        if ijk_to_lps is None:
            ijk_to_lps = affine_from_parts((-20.0, -30.0, 100.0), (0.7, 0.9, 2.5), np.eye(3))
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        slicer.util.updateVolumeFromArray(node, array)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_FROM_RAS @ ijk_to_lps))
        return node

    return add


@pytest.fixture
def add_markups(scene) -> Callable[..., object]:
    """A function that adds a point list with labels and world points in RAS mm to the scene."""

    def add(points_ras: dict[str, tuple[float, float, float]], name: str = "Landmarks") -> object:
        node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
        node.CreateDefaultDisplayNodes()
        for label, point in points_ras.items():
            node.AddControlPointWorld(vtk.vtkVector3d(*point), label)
        return node

    return add


def _linear(scene: object) -> object:
    matrix = np.eye(4)
    turned = [[np.cos(0.2), -np.sin(0.2), 0.0], [np.sin(0.2), np.cos(0.2), 0.0], [0.05, 0.0, 1.0]]
    matrix[:3, :3] = turned @ np.diag([1.0, 1.2, 0.9])
    matrix[:3, 3] = (30.0, -12.0, 55.0)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "turned, stretched, moved")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node


def _thin_plate(scene: object) -> object:
    random = np.random.default_rng(3)
    transform, before, after = vtk.vtkThinPlateSplineTransform(), vtk.vtkPoints(), vtk.vtkPoints()
    for point in random.uniform(-150, 150, (12, 3)):
        before.InsertNextPoint(point)
        after.InsertNextPoint(point + random.normal(0, 4, 3))
    transform.SetBasisToR()
    transform.SetSourceLandmarks(before)
    transform.SetTargetLandmarks(after)
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode", "thin plates")
    node.SetAndObserveTransformToParent(transform)
    return node


def _grid(scene: object) -> object:
    displacements = vtk.vtkImageData()
    displacements.SetDimensions(17, 17, 17)
    displacements.SetOrigin(-200, -200, -200)
    displacements.SetSpacing(25, 25, 25)
    displacements.AllocateScalars(vtk.VTK_DOUBLE, 3)
    values = vtk.util.numpy_support.vtk_to_numpy(displacements.GetPointData().GetScalars())
    values[:] = np.random.default_rng(4).normal(0, 3, values.shape)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(displacements)
    transform.SetInterpolationModeToCubic()
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "grid")
    node.SetAndObserveTransformToParent(transform)
    return node


def _grid_under_linear(scene: object) -> object:
    node = _grid(scene)
    node.SetAndObserveTransformNodeID(_linear(scene).GetID())
    return node


TRANSFORMS = {
    "none": lambda scene: None,
    "linear": _linear,
    "thin plates": _thin_plate,
    "grid": _grid,
    "grid under linear": _grid_under_linear,
}


@pytest.fixture(params=TRANSFORMS.values(), ids=TRANSFORMS.keys())
def volume_transform(request: pytest.FixtureRequest, scene) -> object | None:
    """Each kind of parent transform in turn, for a volume."""
    return request.param(scene)


@pytest.fixture(params=TRANSFORMS.values(), ids=TRANSFORMS.keys())
def markups_transform(request: pytest.FixtureRequest, scene) -> object | None:
    """Each kind of parent transform in turn, for a markups node."""
    return request.param(scene)
