"""The heads that `brain_mr.py` measures with, and where their landmarks are."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.modality import MR_BRAIN
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.evaluation.synthetic import SyntheticSettings, synthetic_target

RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])
PAIRED = {
    "ventricle": (4, 43),
    "thalamus": (10, 49),
    "caudate": (11, 50),
    "putamen": (12, 51),
    "pallidum": (13, 52),
    "hippocampus": (17, 53),
    "amygdala": (18, 54),
    "accumbens": (26, 58),
    "cerebellum": (8, 47),
}
SINGLE = {"third ventricle": 14, "fourth ventricle": 15, "brain stem": 16}
WITH_POLES = ("ventricle", "hippocampus", "caudate")
"""Structures whose foremost and hindmost places are landmarks too."""
POLE_VOXELS = 0.03
FIXED_CONTRASTS: dict[str, dict[str, float]] = {
    "T1-like": {"fluid": 0.12, "cortex": 0.50, "deep": 0.58, "white": 0.80, "bone": 0.08, "soft": 0.45, "fat": 0.95},
    "T2-like": {"fluid": 0.95, "cortex": 0.55, "deep": 0.45, "white": 0.35, "bone": 0.05, "soft": 0.30, "fat": 0.60},
}  # fmt: skip
TISSUES: dict[str, tuple[int, ...]] = {
    "fluid": (4, 5, 14, 15, 24, 43, 44, 72),
    "cortex": (3, 42, 17, 18, 53, 54, 8, 47),
    "deep": (10, 11, 12, 13, 26, 49, 50, 51, 52, 58, 28, 60, 136, 137, 163, 164, 85, 30, 62),
    "white": (2, 41, 7, 46, 16),
    "bone": (514, 515, 516, 530),
    "fat": (511, 512),
}
WARP = SyntheticSettings(4.0, 60.0, 20.0, 15.0, (1.0, 1.0, 1.0), 0.02)


@dataclass(frozen=True)
class Head:
    """An image of a head and its landmarks, by name."""

    volume: Volume
    landmarks: LandmarkSet


def read_head(path: Path) -> Volume:
    return Volume.read(path, modality=MR_BRAIN)


def people(data: Path, number: int) -> tuple[Head, Head]:
    """T1 and FLAIR of one of the people, which share their coordinates, with the centroids of 17 structures."""
    folder, name = data / "nichart23", f"Subj{number:02d}"
    with open(folder / "centroids.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["subject"] == name]
    marks = LandmarkSet.from_points([row["name"] for row in rows], _points_lps(rows))
    return Head(read_head(folder / f"{name}_T1.nii.gz"), marks), Head(
        read_head(folder / f"{name}_FLAIR.nii.gz"), marks
    )


def stripped(data: Path, number: int) -> Head:
    """The T1 image of one of the people without anything around the brain."""
    head = people(data, number)[0]
    labels = read_head(data / "nichart23" / f"Subj{number:02d}_dlmuse.nii.gz").array
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(labels > 0, iterations=3))
    return replace(
        head, volume=replace(head.volume, array=np.where(brain, head.volume.array, 0), name="stripped")
    )


def fiducials(data: Path, name: str) -> Head:
    """One of the averaged heads with its 32 fiducials."""
    folder = data / "afids-templates"
    with open(folder / "landmarks.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["template"] == name]
    marks = LandmarkSet.from_points([row["name"] for row in rows], _points_lps(rows))
    return Head(read_head(folder / f"{name}.nii.gz"), marks)


def _points_lps(rows: list[dict[str, str]]) -> np.ndarray:
    return RAS_TO_LPS * np.array([[float(row[f"{axis}_mm"]) for axis in "ras"] for row in rows])


def warped(head: Head, seed: int) -> Head:
    """A head bent, turned by 15 degrees and moved by known maps."""
    target = synthetic_target(head.volume, head.landmarks, np.random.default_rng(seed), WARP)
    return Head(target.volume, LandmarkSet.from_points(head.landmarks.labels, target.positions_lps))


def label_head(data: Path, number: int, contrast: Mapping[str, float]) -> Head:
    """An image of a fixed contrast made of a label map, and landmarks derived from the labels."""
    volume = read_head(data / "label-maps" / f"subject-{number:02d}.nii.gz")
    labels = volume.array.astype(int)
    points = dict(derived_points(labels))
    marks = LandmarkSet.from_points(list(points), volume.lps_from_index(np.array(list(points.values()))))
    image = _image(labels, contrast, np.random.default_rng(number))
    return Head(replace(volume, array=image, name=f"subject-{number:02d}"), marks)


def _image(labels: np.ndarray, contrast: Mapping[str, float], rng: np.random.Generator) -> np.ndarray:
    means = np.full(labels.max() + 1, contrast["soft"])
    for tissue, own in TISSUES.items():
        means[[label for label in own if label < len(means)]] = contrast[tissue]
    means[0] = 0.0
    texture = ndimage.gaussian_filter(rng.normal(size=labels.shape), 1.0) * 0.15
    image = ndimage.gaussian_filter(means[labels] * (1 + texture), 0.6)
    return np.hypot(image + rng.normal(0, 0.03, labels.shape), rng.normal(0, 0.03, labels.shape)).astype(
        np.float32
    )


def derived_points(labels: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Names and indices (i,j,k) of centroids of structures, of each side, and of the poles of long ones."""
    for name, (left, right) in PAIRED.items():
        for side, label in (("left", left), ("right", right)):
            yield f"{side} {name}", _centroid(labels == label)
            if name in WITH_POLES:
                yield f"{side} {name} front", _pole(labels == label, front=True)
                yield f"{side} {name} back", _pole(labels == label, front=False)
    for name, label in SINGLE.items():
        yield name, _centroid(labels == label)


def _centroid(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(axis=0)[::-1]


def _pole(mask: np.ndarray, front: bool) -> np.ndarray:
    """The middle of the foremost or hindmost few voxels; j runs from front to back on these maps."""
    kji = np.argwhere(mask)
    order = np.argsort(kji[:, 1] if front else -kji[:, 1], kind="stable")
    return kji[order[: max(5, int(POLE_VOXELS * len(kji)))]].mean(axis=0)[::-1]
