"""What tests of the workflow do again and again: fill a scene, and act as a user in Slicer's views does."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import slicer
import vtk

from SAMLandmarkLib.core.geometry import LPS_FROM_RAS
from SAMLandmarkLib.scene.volumes import ijk_to_ras
from SAMLandmarkLib.session import TransferSession

LABELS = ("transverse_process_tip_l1_left", "celiac_aorta_inferior_crotch", "spinous_tip_t12")
TIMEOUT = 120.0


def piece(
    volume, corner_ijk: tuple[int, int, int], size_ijk: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """A part of a volume: array and map."""
    (i, j, k), (width, height, depth) = corner_ijk, size_ijk
    ijk_to_lps = volume.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = volume.lps_from_index(corner_ijk)
    return np.ascontiguousarray(volume.array[k : k + depth, j : j + height, i : i + width]), ijk_to_lps


def fill(scene: object, scans: dict, points_lps: dict[str, np.ndarray]) -> None:
    """Put the scans and a point list "Landmarks" into a scene."""
    for name, (array, ijk_to_lps, date) in scans.items():
        volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        slicer.util.updateVolumeFromArray(volume, array)
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_FROM_RAS @ ijk_to_lps))
        volume.SetAttribute("DICOM.StudyDate", date)
    markups = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Landmarks")
    markups.CreateDefaultDisplayNodes()
    for label in LABELS:
        markups.AddControlPointWorld(vtk.vtkVector3d(*(points_lps[label] * (-1, -1, 1))), label)


def lay_on_its_side(scene: object, volume: object) -> None:
    """Turn a volume's own frame by 90 degrees, and put it right again by a parent transform."""
    turn = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=float)
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(turn.T @ ijk_to_ras(volume)))
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "upright")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(turn))
    volume.SetAndObserveTransformNodeID(node.GetID())


def nodes_of(scene: object, places: dict, truth: dict) -> SimpleNamespace:
    names = {"april": "April", "may": "May", "june": "June", "markups": "Landmarks"}
    nodes = {key: scene.GetFirstNodeByName(name) for key, name in names.items()}
    return SimpleNamespace(**nodes, places=places, truth=truth)


def wait_for(session: TransferSession, condition: Callable[[], bool], seconds: float = TIMEOUT) -> None:
    """Poll, as the timer of a user interface does, until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        session.poll()
        time.sleep(0.005)


def error_mm(session: TransferSession, column, label: str, truth: dict) -> float:
    return float(np.linalg.norm(np.array(session.item(column.key, label).position_lps) - truth[label]))


def move_in_view(node: object, number: int, shift_ras: tuple[float, float, float]) -> None:
    """Drag a point as Slicer's views do: state saved, interaction begun, moves, interaction ended."""
    node.GetScene().SaveStateForUndo()
    node.InvokeEvent(node.PointStartInteractionEvent)
    start = np.array(node.GetNthControlPointPosition(number))
    for part in (0.3, 0.7, 1.0):
        node.SetNthControlPointPosition(number, *(start + part * np.array(shift_ras)))
    node.InvokeEvent(node.PointEndInteractionEvent)


def place_in_view(node: object, label: str, point_lps: np.ndarray) -> None:
    """Place a point as a click in a view does: state saved, then a defined point."""
    node.GetScene().SaveStateForUndo()
    node.AddControlPointWorld(vtk.vtkVector3d(*(point_lps * (-1, -1, 1))), label)
