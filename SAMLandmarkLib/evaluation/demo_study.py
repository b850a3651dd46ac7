"""A study of many small real scans, cut and resampled from one pair, to try the batch with."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ..core.landmarks import LandmarkSet
from ..core.volume import Volume
from ..io.landmark_files import write_markups
from ..utils.bundled import bundled_folder
from ..utils.files import create_folder

SIZE_MM = 120.0
_SPACINGS_MM = (2.0, 2.4, 3.0, 3.6)
_SHIFT_MM = 12.0
"""So far are the follow-ups cut beside the template's place, so that some landmarks leave the scan."""


def write_small_study(folder: Path, patients: int, follow_ups: int, size_mm: float = SIZE_MM) -> Path:
    """Write a study of `patients`, each with a template and so many follow-ups, into a folder; returns its manifest.

    The scans are cubes of `size_mm` from the bundled pair around its landmarks, at changing spacings and with flipped
    axes; the landmarks of a template are those of the pair inside it.
    """
    create_folder(folder)
    sample = bundled_folder("SampleData")
    template, followup = (Volume.read(sample / f"{name}.nii.gz") for name in ("template", "followup"))
    landmarks = LandmarkSet.read(sample / "template.csv", csv_frame="LPS")
    shift = _common_shift(landmarks, LandmarkSet.read(sample / "followup.csv", csv_frame="LPS"))
    random = np.random.default_rng(7)
    rows = []
    for patient in range(patients):
        center = landmarks.positions_lps[patient % len(landmarks)]
        name = f"patient-{patient + 1:03}"
        cube = _cube(template, center, size_mm, random)
        _write(folder / f"{name}-baseline.nrrd", cube)
        inside = [item for item in landmarks if cube.contains_lps(item.position_lps)]
        points = folder / f"{name}.mrk.json"
        write_markups(
            points, [item.label for item in inside], np.array([item.position_lps for item in inside])
        )
        rows.append((name, "template", "2024-01-01", f"{name}-baseline.nrrd", points.name))
        for number in range(follow_ups):
            beside = center + shift + random.uniform(-_SHIFT_MM, _SHIFT_MM, 3)
            file = f"{name}-followup-{number + 1:03}.nrrd"
            _write(folder / file, _cube(followup, beside, size_mm, random))
            rows.append((name, "follow-up", f"2024-{2 + number // 28:02}-{1 + number % 28:02}", file, ""))
    manifest = folder / "manifest.csv"
    with open(manifest, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("patient", "role", "date", "volume", "landmarks"))
        writer.writerows(rows)
    return manifest


def _common_shift(landmarks: LandmarkSet, others: LandmarkSet) -> np.ndarray:
    known = dict(zip(others.labels, others.positions_lps, strict=True))
    steps = [known[item.label] - item.position_lps for item in landmarks if item.label in known]
    return np.median(steps, axis=0)


def _cube(volume: Volume, center_lps: np.ndarray, size_mm: float, random: np.random.Generator) -> Volume:
    """The surroundings of a point, on a grid of another spacing whose axes run this way or that."""
    import SimpleITK as sitk

    spacing = float(random.choice(_SPACINGS_MM))
    count = round(size_mm / spacing)
    signs = random.choice((-1.0, 1.0), 3)
    first = center_lps - signs * spacing * (count - 1) / 2
    canonical = volume.canonical(2.0)
    image = sitk.GetImageFromArray(canonical.array)
    image.SetSpacing([2.0] * 3)
    image.SetOrigin(canonical.grid.origin_lps.tolist())
    resampled = sitk.Resample(
        image,
        [count] * 3,
        sitk.Transform(),
        sitk.sitkLinear,
        first.tolist(),
        [spacing] * 3,
        np.diag(signs).ravel().tolist(),
        -1000.0,
    )
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3], ijk_to_lps[:3, 3] = np.diag(signs * spacing), first
    return Volume(np.rint(sitk.GetArrayFromImage(resampled)).astype(np.int16), ijk_to_lps)


def _write(path: Path, volume: Volume) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetDirection((volume.ijk_to_lps[:3, :3] / volume.spacing_mm).ravel().tolist())
    image.SetOrigin(volume.ijk_to_lps[:3, 3].tolist())
    sitk.WriteImage(image, str(path), useCompression=True)
