"""Where slices cut each other: against brute force, in both frames, with flips and pixels that are not square."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.core.geometry import LPS_FROM_RAS
from SAMLandmarkLib.core.planes import (
    SlicePlane,
    angle_degrees,
    are_near_parallel,
    heat_map,
    line_of,
    seen_by_guide,
    signed_distance_mm,
    trace_of,
)
from SAMLandmarkLib.utils.errors import VolumeError

PAIRS = 1000


def random_plane(rng: np.random.Generator, sheared: bool = False) -> SlicePlane:
    """An oblique slice with axes of either hand and pixels that are not square."""
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.choice([-1, 1], 3)
    u, v = axes[:, 0], axes[:, 1]
    if sheared:
        v = v + 0.3 * u
    du, dv = rng.uniform(0.5, 3.0, 2)
    rows, columns = rng.integers(12, 40, 2)
    middle = (columns - 1) / 2 * du * u + (rows - 1) / 2 * dv * v
    return SlicePlane(rng.uniform(-25, 25, 3) - middle, du * u, dv * v, int(rows), int(columns))


def pairs(count: int = PAIRS, sheared: bool = False):
    rng = np.random.default_rng(5)
    while count:
        host, guide = random_plane(rng, sheared), random_plane(rng, sheared)
        if angle_degrees(host, guide) >= 5:
            count -= 1
            yield host, guide


def brute_force_line(host: SlicePlane, guide: SlicePlane) -> tuple[np.ndarray, np.ndarray]:
    """A point and the direction of the line of two planes, from their equations alone (least squares, null space)."""
    normals = np.stack([np.cross(p.column_step_lps, p.row_step_lps) for p in (host, guide)])
    offsets = [normal @ p.origin_lps for normal, p in zip(normals, (host, guide))]
    point = np.linalg.lstsq(normals, np.array(offsets), rcond=None)[0]
    return point, np.linalg.svd(normals)[2][2]


def brute_force_distance(host: SlicePlane, guide: SlicePlane) -> np.ndarray:
    """Distance of each pixel from the closest point of the line in space."""
    point, direction = brute_force_line(host, guide)
    column, row = np.meshgrid(np.arange(host.columns), np.arange(host.rows))
    places = host.origin_lps + column[..., None] * host.column_step_lps + row[..., None] * host.row_step_lps
    along = (places - point) @ direction
    return np.linalg.norm(places - point - along[..., None] * direction, axis=-1)


@pytest.mark.parametrize("sheared", [False, True])
def test_distances_are_those_of_the_closest_point_of_the_line_in_space(sheared):
    worst = 0.0
    for host, guide in pairs(PAIRS if not sheared else 100, sheared):
        distance = signed_distance_mm(host, guide)
        worst = max(worst, np.abs(np.abs(distance) - brute_force_distance(host, guide)).max())
        side = np.sign((host.grid_lps() - guide.origin_lps) @ guide.normal_lps)
        clear = np.abs(distance) > 1e-6
        assert (np.sign(distance)[clear] == side[clear]).all()
    assert worst < 1e-6


def test_both_frames_give_the_same_distances():
    for host, guide in pairs(50):
        in_ras = signed_distance_mm(host.in_ras(), guide.in_ras())
        assert np.abs(in_ras - signed_distance_mm(host, guide)).max() < 1e-9


def test_a_slice_is_the_same_from_dicom_tags_and_from_an_affine():
    rng = np.random.default_rng(2)
    for _ in range(50):
        plane = random_plane(rng)
        du, dv = plane.pixel_spacing_mm
        orientation = (*(plane.column_step_lps / du), *(plane.row_step_lps / dv))
        read = SlicePlane.from_dicom(
            tuple(plane.origin_lps), orientation, (dv, du), plane.rows, plane.columns
        )
        to_ras = np.eye(4)
        to_ras[:3] = np.column_stack(
            [plane.column_step_lps, plane.row_step_lps, plane.normal_lps * 5, plane.origin_lps]
        )
        to_ras = LPS_FROM_RAS @ to_ras
        size = (plane.columns, plane.rows, 3)
        of_nifti = SlicePlane.of_stack(LPS_FROM_RAS @ to_ras, size)
        for other in (read, of_nifti[0]):
            assert np.abs(other.grid_lps() - plane.grid_lps()).max() < 1e-9
        assert np.allclose(of_nifti[2].origin_lps, plane.origin_lps + 10 * plane.normal_lps)


def test_pixels_lead_to_places_and_back():
    for host, _ in pairs(20, sheared=True):
        pixels = np.random.default_rng(0).uniform(-10, 50, (30, 2))
        beside = host.lps_of(pixels) + np.linspace(-5, 5, 30)[:, None] * host.normal_lps
        assert np.abs(host.pixels_of(beside) - pixels).max() < 1e-9


def test_a_trace_ends_at_the_edges_of_both_slices():
    crossing = 0
    for host, guide in pairs(200):
        trace = trace_of(host, guide)
        point, direction = line_of(host, guide)
        along = point + np.linspace(-150, 150, 3001)[:, None] * direction
        inside = host.contains_pixels(host.pixels_of(along)) & guide.contains_pixels(guide.pixels_of(along))
        if trace is None:
            assert inside.sum() <= 1
            continue
        crossing += 1
        ends_lps = host.lps_of(trace)
        assert np.abs((ends_lps - guide.origin_lps) @ guide.normal_lps).max() < 1e-6
        length = np.linalg.norm(ends_lps[1] - ends_lps[0])
        assert length == pytest.approx(inside.sum() * 0.1, abs=0.21)
    assert 40 < crossing < 199


def test_a_trace_along_the_pixels_is_found():
    host = SlicePlane(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 2.0, 0]), 10, 20)
    guide = SlicePlane(np.array([0, 6.0, -5]), np.array([1.0, 0, 0]), np.array([0, 0, 1.0]), 11, 8)
    assert trace_of(host, guide) == pytest.approx(np.array([[-0.5, 3.0], [7.5, 3.0]]))
    beyond = SlicePlane(np.array([0, 60.0, -5]), np.array([1.0, 0, 0]), np.array([0, 0, 1.0]), 11, 8)
    assert trace_of(host, beyond) is None


def test_only_what_the_guide_shows_counts():
    host = SlicePlane(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 10, 20)
    guide = SlicePlane(np.array([4.0, 5, -5]), np.array([1.0, 0, 0]), np.array([0, 0, 1.0]), 11, 6)
    seen = seen_by_guide(host, guide)
    assert (seen == seen[0]).all()
    assert np.flatnonzero(seen[0]).tolist() == [4, 5, 6, 7, 8, 9]


def test_near_parallel_planes_have_no_line():
    host = SlicePlane(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 10, 10)
    for degrees, parallel in ((0.0, True), (4.9, True), (5.1, False), (90.0, False), (177.0, True)):
        turn = np.radians(degrees)
        tilted = SlicePlane(
            np.array([0, 0, 1.0]), np.array([1.0, 0, 0]), np.array([0, np.cos(turn), np.sin(turn)]), 10, 10
        )
        assert are_near_parallel(host, tilted) is parallel
        assert angle_degrees(host, tilted) == pytest.approx(min(degrees, 180 - degrees), abs=1e-6)
        if parallel:
            assert trace_of(host, tilted) is None
            with pytest.raises(VolumeError, match="meet at"):
                signed_distance_mm(host, tilted)


@pytest.mark.parametrize(
    ("u", "v", "rows"),
    [
        ((0, 0, 0), (0, 1, 0), 5),
        ((1, 0, 0), (2, 0, 0), 5),
        ((1, 0, 0), (0, np.nan, 0), 5),
        ((1, 0, 0), (0, 1, 0), 0),
    ],
)
def test_what_is_no_plane_is_refused(u, v, rows):
    with pytest.raises(VolumeError, match="export"):
        SlicePlane(np.zeros(3), np.array(u, dtype=float), np.array(v, dtype=float), rows, 5)
    with pytest.raises(VolumeError, match="0020,0032"):
        SlicePlane.from_dicom((), (1, 0, 0, 0, 1, 0), (1, 1), 5, 5)


def test_heat_is_a_gaussian_in_mm():
    assert heat_map(np.array([0.0, 7.5, -15.0]), 7.5) == pytest.approx([1.0, np.exp(-0.5), np.exp(-2.0)])
