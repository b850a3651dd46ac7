"""Semi-synthetic pairs: exact answers, volumes that agree with them, points worth finding."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.core.geometry import affine_from_parts
from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.evaluation.edge_points import edge_points
from SAMLandmarkLib.evaluation.synthetic import SyntheticSettings, cropped_target, synthetic_target
from SAMLandmarkLib.evaluation.warp import SmoothWarp
from SAMLandmarkLib.utils.bundled import bundled_folder
from SAMLandmarkLib.utils.errors import UsageError

TILTED = np.array([[0.98, 0.199, 0.0], [-0.199, 0.98, 0.0], [0.0, 0.0, -1.0]])


@pytest.fixture
def random():
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def scan():
    return Volume.read(bundled_folder("SampleData") / "template.nii.gz")


@pytest.fixture(scope="module")
def scan_points(scan):
    return edge_points(scan, 40, np.random.default_rng(3))


def waves(points_lps):
    """A smooth function of place that can be read off a volume with little interpolation error."""
    return 400 * np.sin(points_lps @ (0.06, 0.02, -0.03)) + 300 * np.cos(points_lps @ (-0.02, 0.05, 0.04))


@pytest.fixture
def wave_volume():
    size = (60, 50, 40)
    ijk_to_lps = affine_from_parts((-70.0, 30.0, 400.0), (2.0, 2.0, 2.5), TILTED)
    k, j, i = np.indices(size[::-1])
    volume = Volume(np.zeros(size[::-1], dtype=np.float32), ijk_to_lps, "waves")
    volume.array[:] = waves(volume.lps_from_index(np.stack([i, j, k], axis=-1)))
    return volume


def value_at(volume, points_lps):
    """Trilinear interpolation, written out."""
    index = volume.index_from_lps(points_lps)
    low = np.floor(index).astype(int)
    total = 0.0
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, index - low, 1 - (index - low)), axis=-1)
        total = total + weight * volume.array[tuple((low + corner).T[::-1])]
    return total


def warp_of(sd, spacing, random):
    return SmoothWarp.random(
        affine_from_parts((5.0, -40.0, 10.0), (1.5, 2.0, 3.0), TILTED),
        (80, 60, 40),
        np.array([20.0, -10.0, 5.0]),
        sd,
        spacing,
        random,
    )


def test_positions_invert_the_pull_back(random):
    warp = warp_of(5.0, 50.0, random)
    points = random.uniform(-60, 60, size=(200, 3))
    targets = warp.target_from_template(points)
    assert np.linalg.norm(warp.template_from_target(targets) - points, axis=1).max() < 0.01
    assert np.linalg.norm(targets - points - warp.shift_lps, axis=1).max() > 3.0


def test_voxels_and_points_are_moved_by_the_same_map(random):
    warp = warp_of(5.0, 50.0, random)
    dense = np.concatenate([positions for _, positions in warp.slabs()])
    for i, j, k in ((0, 0, 0), (79, 59, 39), (33, 21, 17)):
        point = warp.ijk_to_lps @ (i, j, k, 1)
        np.testing.assert_allclose(dense[k, j, i], warp.template_from_target(point[None, :3])[0], atol=1e-9)


def test_displacement_has_the_wanted_size(random):
    displacements = [
        np.concatenate([positions for _, positions in warp_of(4.0, 20.0, random).slabs()])
        - np.concatenate([positions for _, positions in warp_of(0.0, 20.0, random).slabs()])
        for _ in range(3)
    ]
    assert np.std(displacements) == pytest.approx(4.0, rel=0.1)


def test_a_folding_deformation_is_refused(random):
    with pytest.raises(UsageError, match="smaller displacement_sd_mm"):
        warp_of(40.0, 20.0, random).target_from_template(random.uniform(-50, 50, size=(200, 3)))


def test_target_shows_at_the_answers_what_the_template_shows_at_the_points(wave_volume, random):
    points = wave_volume.lps_from_index(random.uniform((15, 15, 12), (45, 35, 28), size=(50, 3)))
    settings = SyntheticSettings(shift_mm=12.0, control_spacing_mm=40.0, noise=0.0)
    target = synthetic_target(
        wave_volume, LandmarkSet.from_points([f"p{n}" for n in range(50)], points), random, settings
    )
    np.testing.assert_allclose(
        value_at(target.volume, target.positions_lps), value_at(wave_volume, points), atol=8.0
    )
    assert np.ptp(value_at(wave_volume, points)) > 500


def test_target_lies_on_another_grid_at_another_place(scan, scan_points, random):
    target = synthetic_target(scan, scan_points, random)
    np.testing.assert_allclose(target.volume.spacing_mm, scan.spacing_mm * (1.1, 1.1, 1.3))
    assert np.linalg.norm((target.positions_lps - scan_points.positions_lps).mean(axis=0)) == pytest.approx(
        30, abs=3
    )
    assert not np.allclose(
        target.volume.ijk_to_lps[:3, :3], np.diag(np.diag(target.volume.ijk_to_lps[:3, :3]))
    )
    assert target.volume.array.dtype == np.int16


def test_same_seed_gives_the_same_pair(scan, scan_points):
    first, second, other = (
        synthetic_target(scan, scan_points, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.volume.array, second.volume.array)
    np.testing.assert_array_equal(first.positions_lps, second.positions_lps)
    assert not np.allclose(first.positions_lps, other.positions_lps)


@pytest.mark.parametrize("seed", range(4))
def test_cropping_keeps_half_the_slices_where_they_were(scan, scan_points, seed):
    random = np.random.default_rng(seed)
    target = synthetic_target(scan, scan_points, random)
    cropped = cropped_target(target, random)
    assert cropped.volume.size_ijk[2] == round(target.volume.size_ijk[2] / 2)
    seen = cropped.distances_to_border_mm > 3
    assert 0 < seen.sum() < len(seen)
    np.testing.assert_allclose(
        value_at(cropped.volume, cropped.positions_lps[seen]),
        value_at(target.volume, target.positions_lps[seen]),
    )


def test_points_lie_on_edges_inside_the_body_and_apart(scan, scan_points):
    points = scan_points.positions_lps
    assert len(points) == 40
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.diag(np.full(40, np.inf))
    assert distances.min() >= 12.0
    array = scan.array.astype(float)
    steepness = np.linalg.norm(np.gradient(np.clip(array, -1000, 500)), axis=0)
    k, j, i = np.round(scan.index_from_lps(points)).astype(int).T[::-1]
    around = [steepness[c - 2 : c + 3, b - 2 : b + 3, a - 2 : a + 3].max() for a, b, c in zip(i, j, k)]
    assert np.median(around) > 2 * np.median(steepness[array > -300])


def test_points_depend_on_the_seed(scan, scan_points):
    again, other = (edge_points(scan, 40, np.random.default_rng(seed)) for seed in (3, 4))
    np.testing.assert_array_equal(again.positions_lps, scan_points.positions_lps)
    assert not np.array_equal(other.positions_lps[:10], scan_points.positions_lps[:10])


def test_air_has_no_points(random):
    air = Volume(np.full((20, 30, 30), -1000, dtype=np.int16), np.diag([2.0, 2.0, 2.0, 1.0]), "air")
    with pytest.raises(UsageError, match="air: no edges"):
        edge_points(air, 5, random)
