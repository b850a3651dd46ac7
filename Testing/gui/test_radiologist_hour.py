"""An hour of a radiologist: three patients with five follow-ups each, corrections, saves, a crash, a removed scan.

At its end the views, the review, the export and the saved scene say the same.
"""

from __future__ import annotations

import csv
import os
import signal

import numpy as np
import pytest
import slicer
from samples import add_points, add_volume, points_inside
from scipy import ndimage
from user import positions

from SAMLandmarkLib.core.volume import Volume

PATIENTS = ("Ada", "Ben", "Cleo")
POINTS, FOLLOW_UPS = 40, 5
DATES = ("20230105", "20230410", "20230712", "20231003", "20240111", "20240415")


def scans_of(number: int, crops) -> list[Volume]:
    """A patient's six scans: the sample pair and four that count from other origins, each in a grid of 3 mm."""
    template, follow_up = (_coarse(volume) for volume in crops)
    moved = [_moved(volume, shift + number) for shift in (3, 9) for volume in (template, follow_up)]
    return [template, follow_up, *moved]


def _coarse(volume: Volume) -> Volume:
    """The same scan in voxels of 3 mm in the slice, so that an hour takes minutes."""
    factors = np.array([1.0, *(volume.spacing_mm[:2][::-1] / 3.0)])
    array = ndimage.zoom(volume.array.astype(np.float32), factors, order=1).round().astype(np.int16)
    scale = np.diag([*(np.array(volume.size_ijk[:2]) / array.shape[:0:-1]), 1.0, 1.0])
    return Volume(array, volume.ijk_to_lps @ scale, volume.name)


def _moved(volume: Volume, shift_mm: float) -> Volume:
    ijk_to_lps = volume.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] += (shift_mm, -shift_mm, 2 * shift_mm)
    return Volume(volume.array, ijk_to_lps, volume.name)


def landmarks(crops, number: int) -> dict[str, np.ndarray]:
    """Forty points of a template, RAS mm: the known ones, and others around them."""
    known = points_inside("template", crops[0])
    random, points = np.random.default_rng(number), dict(known)
    names = list(known)
    while len(points) < POINTS:
        name = names[len(points) % len(names)]
        points[f"{name} {len(points)}"] = known[name] + random.uniform(-6, 6, 3)
    return dict(list(points.items())[:POINTS])


def loneliest(points: dict[str, np.ndarray]) -> str:
    """The point that is farthest from all others: one that can be grabbed with the mouse."""
    places = np.array(list(points.values()))
    distances = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e6 * np.eye(len(places))
    return list(points)[int(distances.min(axis=1).argmax())]


class Hour:
    """What the radiologist does, through the panel."""

    def __init__(self, user, crops) -> None:
        self.user, self.crops = user, crops

    def load(self, number: int) -> None:
        """Load a patient's scans, as from the DICOM database."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), PATIENTS[number])
        for place, volume in enumerate(scans_of(number, self.crops)):
            node = add_volume(volume, f"{PATIENTS[number]} {place}", DATES[place])
            hierarchy.SetItemParent(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)), patient)
        add_points(landmarks(self.crops, number), f"Points of {PATIENTS[number]}")

    def choose(self, number: int) -> None:
        """Choose a patient's baseline, points and follow-ups."""
        name = PATIENTS[number]
        self.user.choose(slicer.util.getNode(f"{name} 0"), slicer.util.getNode(f"Points of {name}"))
        self.user.parameters.followUps = [slicer.util.getNode(f"{name} {n + 1}") for n in range(FOLLOW_UPS)]
        self.user.bench.settle()

    def review(self) -> None:
        """Accept what is sure, walk on, correct, reject, set missing, and take one thing back."""
        user, session = self.user, self.user.session
        user.ui.acceptLimitBox.value = 95
        user.click(user.ui.acceptFoundButton)
        for key in ("N", "R", "U", "M", "U", "A", "A", "Shift+N"):
            user.press(key)
        scan = session.follow_ups[1]
        label = loneliest(positions(scan.markups_node))
        session.select(scan.key, label)
        user.bench.settle()
        start = positions(scan.markups_node)[label]
        user.bench.hover(user.view_of(scan.volume_node), tuple(start + [6.0, 6.0, 0.0]))
        user.press("P")
        assert session.item(scan.key, label).decision.value == "CORRECTED"
        user.press("R")
        user.press("Ctrl+Z")

    def save_and_load(self, folder) -> None:
        """Save the scene, close it, and load it."""
        path = str(folder / "hour.mrb")
        assert slicer.mrmlScene.WriteToMRB(path, None)
        self.user.start_anew()
        slicer.mrmlScene.ReadFromMRB(path)
        self.user.bench.settle(150)

    def crash(self) -> None:
        """The engine is killed in the middle of a transfer; the radiologist presses the button again."""
        user = self.user
        with user.engine_held() as process_id:
            user.click(user.ui.transferButton)
            os.kill(process_id, signal.SIGKILL)
        user.bench.wait_until(lambda: not user.session.transferring, 120, "the end of the worker is noticed")
        user.bench.settle(100)
        assert user.ui.messageLabel.text
        user.transfer()

    def said(self) -> dict[tuple[str, str], tuple[str, tuple[float, ...] | None]]:
        """What the review says: decision and place (RAS mm) of every landmark by scan and label."""
        state = self.user.session.state
        return {
            (scan.name, label): (item.decision.value, _ras(item.position_lps))
            for scan in self.user.session.follow_ups
            for label, item in state.items(scan.key).items()
        }

    def shown(self) -> dict[tuple[str, str], tuple[float, ...]]:
        """What the views show of the present follow-ups; nothing else of results may be visible."""
        shown = {}
        for scan in self.user.session.follow_ups:
            assert scan.markups_node.GetDisplayVisibility()
            for label, place in positions(scan.markups_node).items():
                shown[scan.name, label] = tuple(np.round(place, 2))
        return shown

    def exported(self, folder) -> dict[tuple[str, str], tuple[str, tuple[float, ...] | None]]:
        """What an export says."""
        self.user.ui.exportFolderButton.directory = str(folder)
        self.user.ui.picturesSelector.setCurrentIndex(2)
        self.user.export()
        with open(folder / "review.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            (row["scan"], row["label"]): (
                row["decision"],
                _ras(tuple(float(row[f"{axis}_lps"]) for axis in "xyz")) if row["x_lps"] else None,
            )
            for row in rows
        }


def _ras(place_lps) -> tuple[float, ...] | None:
    return None if place_lps is None else tuple(np.round(np.multiply(place_lps, (-1, -1, 1)), 2))


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(
        a[0] == b[0]
        and (a[1] is None) == (b[1] is None)
        and (a[1] is None or np.allclose(a[1], b[1], atol=0.03))
        for a, b in ((one[key], other[key]) for key in one)
    )


@pytest.mark.slow
def test_at_the_end_of_an_hour_everything_says_the_same(user, sample_crops, tmp_path):
    hour = Hour(user, sample_crops)
    for number in range(3):
        hour.load(number)
    user.bench.settle(100)
    for number in range(3):
        hour.choose(number)
        if number == 1:
            hour.crash()
        else:
            user.transfer()
        assert user.session.counts["total"] == POINTS * FOLLOW_UPS
        hour.review()
        if number < 2:
            hour.save_and_load(tmp_path)
            assert user.session.template_volume.GetName() == f"{PATIENTS[number]} 0"
    gone = user.session.follow_ups[3]
    slicer.mrmlScene.RemoveNode(gone.volume_node)
    user.bench.settle(100)
    assert len(user.session.follow_ups) == FOLLOW_UPS - 1
    assert gone.markups_node is None or not gone.markups_node.GetDisplayVisibility()

    kept = {}
    for number in range(3):
        hour.choose(number) if number != 2 else user.choose(
            slicer.util.getNode("Cleo 0"), slicer.util.getNode("Points of Cleo")
        )
        said, folder = hour.said(), tmp_path / PATIENTS[number]
        assert len(said) == POINTS * (FOLLOW_UPS if number < 2 else FOLLOW_UPS - 1)
        visible = {key: value[1] for key, value in said.items() if value[1] is not None}
        shown = hour.shown()
        assert shown.keys() == visible.keys()
        assert all(np.allclose(shown[key], visible[key], atol=0.03) for key in shown)
        assert same(said, hour.exported(folder))
        assert {"CORRECTED", "REJECTED", "ACCEPTED"} <= {decision for decision, _place in said.values()}
        kept[number] = said
    hour.save_and_load(tmp_path)
    for number in range(3):
        user.choose(
            slicer.util.getNode(f"{PATIENTS[number]} 0"), slicer.util.getNode(f"Points of {PATIENTS[number]}")
        )
        assert same(kept[number], hour.said())
        assert {
            key: value[1] for key, value in kept[number].items() if value[1]
        }.keys() == hour.shown().keys()
