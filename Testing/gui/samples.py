"""The bundled sample pair, as volumes and points for the bench."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from SAMLandmarkLib.core.volume import Volume

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "Resources" / "SampleData"
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_CROPS = {"template": slice(6, 56), "followup": slice(11, 61)}


def read_points(name: str) -> dict[str, np.ndarray]:
    """The known points of "template" or "followup" by label, RAS mm."""
    with open(FOLDER / f"{name}.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["label"]: np.array([-float(row["x"]), -float(row["y"]), float(row["z"])]) for row in rows}


def crop_pair() -> tuple[Volume, Volume]:
    """Template and follow-up, cut to 7.5 cm around the kidneys: quick to embed, and enough to see where one is."""
    return _cropped("template"), _cropped("followup")


def _cropped(name: str) -> Volume:
    volume, rows = Volume.read(FOLDER / f"{name}.nii.gz"), _CROPS[name]
    shifted = volume.ijk_to_lps.copy()
    shifted[:3, 3] = volume.lps_from_index([0, 0, rows.start])
    return Volume(volume.array[rows], shifted, name)


def cut_to_spine(volume: Volume) -> Volume:
    """A part of a cropped scan around the spine, which takes a moment to compute."""
    ijk_to_lps = volume.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = volume.lps_from_index((90, 110, 0))
    return Volume(volume.array[:, 110:205, 90:180], ijk_to_lps, volume.name)


def points_inside(name: str, volume: Volume) -> dict[str, np.ndarray]:
    """The known points of a scan that lie in `volume`, 5 mm or more from its upper and lower end, RAS mm."""
    ends = (
        volume.lps_from_index([0, 0, 0])[2] + 5,
        volume.lps_from_index([0, 0, volume.size_ijk[2] - 1])[2] - 5,
    )
    return {label: point for label, point in read_points(name).items() if ends[0] < point[2] < ends[1]}


def add_volume(volume: Volume, name: str, date: str | None = None) -> Any:
    """Put a volume into the scene with an abdominal CT window; `date` is YYYYMMDD as in DICOM."""
    node = slicer.util.addVolumeFromArray(volume.array, LPS_TO_RAS @ volume.ijk_to_lps, name)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(400, 40)
    if date:
        _set_study_date(node, date)
    return node


def _set_study_date(node: Any, date: str) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), f"Study {date}")
    hierarchy.SetItemAttribute(study, "DICOM.StudyDate", date)
    hierarchy.CreateItem(study, node)


def add_points(points: dict[str, np.ndarray], name: str = "Landmarks") -> Any:
    """Put labelled points (RAS mm) into the scene."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    node.CreateDefaultDisplayNodes()
    for label, point in points.items():
        node.AddControlPoint(point, label)
    return node
