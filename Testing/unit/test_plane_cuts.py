"""Exams cut from CT: planes that turn with the patient, and headers that tell where the slices lie."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.geometry import transform_points
from SAMLandmarkLib.core.modality import CT
from SAMLandmarkLib.core.planes import angle_degrees, trace_of
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.io.exams import read_exams
from SAMLandmarkLib.training.plane_cuts import SPACING_MM, find_anatomy, symmetry_plane
from SAMLandmarkLib.utils.errors import UsageError


def test_the_plane_of_symmetry_of_a_tilted_skeleton_is_found():
    z, y, x = np.indices((60, 70, 80))
    across = x - (42.0 + 0.15 * (z - 30) - 0.1 * (y - 35))
    rng = np.random.default_rng(0)
    ribs = (np.abs(np.abs(across) - 22) < 2) & (z % 8 < 3) & (np.abs(y - 35) < 20)
    spine = (np.abs(across) < 5) & (y > 45) & (y < 58)
    one_sided = (across > 10) & (across < 14) & (z > 50) & (y < 20)
    offset, along_z, along_y = symmetry_plane(ribs | spine | one_sided | (rng.random(z.shape) < 0.001))
    assert along_z == pytest.approx(0.15, abs=0.02) and along_y == pytest.approx(-0.1, abs=0.02)
    assert offset + along_z * 30 + along_y * 35 == pytest.approx(42.0, abs=0.7)


def test_what_has_no_skeleton_is_refused():
    with pytest.raises(UsageError, match="too little of a skeleton"):
        symmetry_plane(np.zeros((20, 20, 20), dtype=bool))


@pytest.fixture(scope="module")
def template(sample_folder):
    return Volume.read(sample_folder / "template.nii.gz")


def test_axes_and_places_turn_with_the_patient(template):
    lying = find_anatomy(template.canonical(SPACING_MM))
    assert lying.left[0] > 0.97 and lying.up[2] > 0.93 and lying.front[1] < -0.93
    assert template.contains_lps(lying.spine)
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("yz", [5, 6], degrees=True).as_matrix()
    turned = Volume(template.array, turn @ template.ijk_to_lps, modality=CT)
    found = find_anatomy(turned.canonical(SPACING_MM))
    for name in ("left", "up", "front"):
        cosine = getattr(found, name) @ turn[:3, :3] @ getattr(lying, name)
        assert np.degrees(np.arccos(min(cosine, 1.0))) < 4.0, name
    moved = transform_points(turn, lying.spine) - found.spine
    assert abs(moved @ found.left) < 6.0


def test_exams_are_written_with_true_headers(template, sample_folder, tmp_path):
    result = CliRunner().invoke(
        app, ["planes", str(sample_folder / "template.nii.gz"), "--output", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    (exam,) = read_exams(tmp_path).exams
    series = {part.view: part for part in exam.series}
    assert {"sagittal", "coronal", "axial"} <= set(series) and exam.name == "template"
    middle = {
        view: series[view].planes[len(series[view].planes) // 2] for view in ("sagittal", "coronal", "axial")
    }
    assert angle_degrees(middle["sagittal"], middle["coronal"]) == pytest.approx(90, abs=1e-6)
    assert angle_degrees(middle["sagittal"], middle["axial"]) == pytest.approx(90, abs=1e-6)
    assert all(trace_of(middle["axial"], middle[view]) is not None for view in ("sagittal", "coronal"))
    # values are those of the scan at the places that the header names
    part = series["axial"].slices[len(series["axial"].slices) // 2]
    places = part.plane.lps_of(np.array([[60, 80], [80, 80], [90, 70], [70, 95]]))
    index = np.rint(template.index_from_lps(places)).astype(int)
    for (i, j, k), value in zip(index, part.values[[80, 80, 70, 95], [60, 80, 90, 70]]):
        near = template.array[k - 1 : k + 2, j - 2 : j + 3, i - 2 : i + 3]
        assert near.min() - 20 <= value <= near.max() + 20


def test_what_holds_no_ct_is_refused(tmp_path):
    (tmp_path / "x.nii.gz").write_bytes(b"nothing")
    result = CliRunner().invoke(app, ["planes", str(tmp_path), "--output", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "x.nii.gz was left out" in result.output and "no CT volume" in result.output
