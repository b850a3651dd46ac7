"""Small real scans for the benchmark's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume

HALF_MM = 60.0


def cube_around(volume: Volume, center_lps: np.ndarray, spacing_mm: float) -> Volume:
    """A cube of 120 mm around a point."""
    canonical = volume.canonical(spacing_mm)
    first = np.rint(canonical.grid.index_from_lps(center_lps - HALF_MM)).astype(int)
    count = int(2 * HALF_MM / spacing_mm)
    i, j, k = (slice(max(0, low), max(0, low) + count) for low in first)
    ijk_to_lps = canonical.grid.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = canonical.grid.lps_from_index([part.start for part in (i, j, k)])
    return Volume(np.rint(canonical.array[k, j, i]).astype(np.int16), ijk_to_lps)


def write_scan(path: Path, volume: Volume, landmarks: LandmarkSet) -> None:
    """The volume and, in the .csv beside it, those of the landmarks that it shows."""
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetOrigin(volume.ijk_to_lps[:3, 3].tolist())
    sitk.WriteImage(image, str(path))
    lines = [
        f"{item.label},{','.join(str(value) for value in item.position_lps)},1"
        for item in landmarks
        if volume.contains_lps(item.position_lps)
    ]
    path.with_name(path.name.replace(".nii.gz", ".csv")).write_text(
        "\n".join(["label,x,y,z,quality", *lines])
    )


@pytest.fixture(scope="session")
def small_cube(sample_template, sample_landmarks) -> Volume:
    """A cube of the bundled template around the middle of its landmarks, with enough voxels for every baseline."""
    return cube_around(sample_template, np.median(sample_landmarks.positions_lps, axis=0), 2.5)


@pytest.fixture(scope="session")
def small_sets(tmp_path_factory, sample_template, sample_followup, sample_landmarks, sample_truth) -> Path:
    """A folder with one test set, `cubes`: a cube of the bundled template and one of its follow-up, at 3 mm."""
    folder = tmp_path_factory.mktemp("sets") / "cubes"
    folder.mkdir()
    for name, volume, landmarks in (
        ("template", sample_template, sample_landmarks),
        ("followup", sample_followup, sample_truth),
    ):
        cube = cube_around(volume, np.median(landmarks.positions_lps, axis=0), 3.0)
        write_scan(folder / f"{name}.nii.gz", cube, landmarks)
    return folder.parent
