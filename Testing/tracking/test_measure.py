"""How long lesions are: drawn regions, lesions put into a made scan, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from lesions_by_hand import diameter

from SAMLandmarkLib.core.feret import longest_diameter, perpendicular_diameter
from SAMLandmarkLib.core.lesions import Diameter, Finding, LesionStatus, Source
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.tracking.carried import Carried
from SAMLandmarkLib.tracking.ellipse import Ellipse
from SAMLandmarkLib.tracking.measure import look_of, measure
from SAMLandmarkLib.tracking.proposals import Proposer, carried_diameter

CENTRE = np.array([3.0, -4.0, 5.0])
LIVER_HU, NOISE_HU = 100.0, 10.0
STRAIGHT = np.eye(3)
WIDTH_MM = 64.0


def scan(
    half_axes: tuple[float, ...] | None, contrast: float, turned: np.ndarray = STRAIGHT, **more: object
) -> Volume:
    """Even tissue of 64 mm with a soft-edged ellipsoid in the middle; its grid is tilted by `turned`."""
    random = np.random.default_rng(1)
    spacing = np.array(more.get("spacing", (1.0, 1.0, 1.5)))
    size = np.round(WIDTH_MM / spacing).astype(int)
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = turned * spacing
    ijk_to_lps[:3, 3] = CENTRE - ijk_to_lps[:3, :3] @ ((size - 1) / 2)
    k, j, i = np.indices(size[::-1])
    places = np.stack([i, j, k], axis=-1) @ ijk_to_lps[:3, :3].T + ijk_to_lps[:3, 3] - CENTRE
    array = random.normal(LIVER_HU, NOISE_HU, size[::-1])
    if half_axes is not None:
        radius = np.linalg.norm(places / half_axes, axis=-1)
        array += contrast / (1 + np.exp((radius - 1) * min(half_axes) / 0.35))
    return Volume(array.astype(np.float32), ijk_to_lps)


def ellipse(long_mm: float, short_mm: float, off: tuple[float, ...] = (0, 0, 0)) -> Ellipse:
    centre = CENTRE + off
    return Ellipse.of(diameter(centre, long_mm), diameter(centre, short_mm, 1))


# ---- regions


@pytest.mark.parametrize("degrees", [0, 20, 45, 77])
@pytest.mark.parametrize("half", [(15.0, 9.0), (6.0, 5.9)])
def test_the_diameters_of_an_ellipse(degrees, half):
    pixel = 0.25
    steps = np.arange(-20, 20 + pixel, pixel)
    x, y = np.meshgrid(steps, steps)
    turn = np.radians(degrees)
    along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    mask = (along / half[0]) ** 2 + (across / half[1]) ** 2 <= 1
    long = longest_diameter(mask, pixel)
    short = perpendicular_diameter(mask, pixel, long)
    assert np.linalg.norm(long[1] - long[0]) == pytest.approx(2 * half[0], abs=2 * pixel)
    assert np.linalg.norm(short[1] - short[0]) == pytest.approx(2 * half[1], abs=3 * pixel)
    assert abs((long[1] - long[0]) @ (short[1] - short[0])) < 1e-6


def test_one_pixel_has_its_own_side():
    long = longest_diameter(np.ones((1, 1), dtype=bool), 2.0)
    assert np.linalg.norm(long[1] - long[0]) == pytest.approx(2.0)


def test_pixels_that_are_no_squares():
    long = longest_diameter(np.ones((3, 4), dtype=bool), np.array([2.0, 1.0]))
    assert np.linalg.norm(long[1] - long[0]) == pytest.approx(8.0, abs=0.6)


# ---- on the image


@pytest.mark.parametrize("contrast", [-60.0, 45.0, 100.0])
@pytest.mark.parametrize(
    ("half", "growth"), [((8.0, 6.0, 7.0), 1.0), ((12.0, 9.0, 10.0), 0.6), ((6.0, 5.0, 6.0), 1.7)]
)
def test_a_lesion_is_measured_however_it_has_grown(contrast, half, growth):
    before, now = scan(half, contrast), scan(tuple(growth * axis for axis in half), contrast)
    drawn = ellipse(2 * half[0], 2 * half[1])
    found = measure(now, ellipse(2 * half[0], 2 * half[1], off=(1.0, -0.8, 0.7)), look_of(before, drawn))
    assert found.refusal == ""
    assert found.long.length_mm == pytest.approx(2 * growth * half[0], abs=1.5)
    assert found.short.length_mm == pytest.approx(2 * growth * half[1], abs=1.5)
    assert np.linalg.norm(found.centre_lps - CENTRE) < 2.0
    assert found.long.source is Source.IMAGE


def test_in_a_tilted_scan_the_diameters_lie_in_its_slices():
    turn = np.radians(20)
    turned = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    half = (10.0, 7.0, 7.0)
    found = measure(scan(half, 80.0, turned), ellipse(20, 14), look_of(scan(half, 80.0), ellipse(20, 14)))
    assert found.long.length_mm == pytest.approx(20, abs=1.0)
    normal = turned[:, 2]
    assert abs((found.long.ends[1] - found.long.ends[0]) @ normal) < 0.1
    assert abs((found.short.ends[1] - found.short.ends[0]) @ normal) < 0.1


def refusal(now: Volume, before: Volume, size: float = 16.0) -> str:
    found = measure(now, ellipse(size, size), look_of(before, ellipse(size, size)))
    assert (found.long, found.short, found.centre_lps) == (None, None, None)
    return found.refusal


def test_what_has_no_contrast_is_refused():
    assert "contrast is too low" in refusal(scan((8.0,) * 3, 8.0), scan((8.0,) * 3, 60.0))
    assert "contrast is too low" in refusal(scan(None, 0.0), scan((8.0,) * 3, 60.0))


def test_what_has_the_opposite_contrast_is_refused():
    assert refusal(scan((8.0,) * 3, -60.0), scan((8.0,) * 3, 60.0)) != ""


def test_what_is_more_than_four_times_as_large_is_refused():
    assert refusal(scan((18.0,) * 3, 60.0), scan((8.0,) * 3, 60.0)) != ""


def test_other_tissue_around_it_is_refused():
    lung = scan((8.0,) * 3, 60.0)
    lung = Volume(lung.array - 800, lung.ijk_to_lps)
    assert "surrounds it differs" in refusal(lung, scan((8.0,) * 3, 60.0))


def test_a_lesion_outside_of_the_scan_is_told():
    inside = scan((8.0,) * 3, 60.0)
    found = measure(inside, ellipse(16, 16, off=(0.0, 300.0, 0.0)), look_of(inside, ellipse(16, 16)))
    assert found.refusal == "the lesion lies outside of the scan"
    assert look_of(inside, ellipse(16, 16, off=(0.0, 300.0, 0.0))) is None


# ---- proposals


def carried_to(place: np.ndarray, confidence: float = 0.95, border: float = 30.0, linear=STRAIGHT) -> Carried:
    return Carried(place[None], np.array([2.0]), np.array([confidence]), linear[None], np.array([border]))


def proposed(now: Volume, before: Volume, carried: Carried) -> Finding:
    drawn = Finding(LesionStatus.PRESENT, tuple(CENTRE), diameter(CENTRE, 16), diameter(CENTRE, 16, 1))
    return Proposer([before, now].__getitem__)(0, drawn, 1, carried, 0)


def test_a_diameter_is_carried_as_a_whole():
    turn = np.array([[0.0, -2.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    place = np.array([50.0, 0.0, 0.0])
    moved = carried_diameter(diameter((0, 0, 0), 10.0), carried_to(place, linear=turn), 0, np.zeros(3))
    assert moved.ends.tolist() == [[50, -5, 0], [50, 5, 0]]
    across = carried_diameter(diameter((0, 0, 0), 10.0, 1), carried_to(place, linear=turn), 0, np.zeros(3))
    assert across.length_mm == 20 and across.source is Source.CARRIED


def test_a_proposal_keeps_what_was_carried_beside_what_is_measured():
    found = proposed(scan((6.0,) * 3, 70.0), scan((8.0,) * 3, 70.0), carried_to(CENTRE))
    assert found.long.length_mm == pytest.approx(12, abs=1.2) and found.source is Source.IMAGE
    assert found.carried_long.length_mm == pytest.approx(16)
    assert not found.by_hand


def test_what_shrank_below_5_mm_is_too_small():
    fine = {"spacing": (0.7, 0.7, 1.0)}
    drawn = Finding(LesionStatus.PRESENT, tuple(CENTRE), diameter(CENTRE, 7), diameter(CENTRE, 7, 1))
    before, now = scan((3.5,) * 3, 150.0, **fine), scan((2.2,) * 3, 150.0, **fine)
    found = Proposer([before, now].__getitem__)(0, drawn, 1, carried_to(CENTRE), 0)
    assert found.status is LesionStatus.TOO_SMALL and found.long.length_mm < 5


@pytest.mark.parametrize(
    ("carried", "status", "told"),
    [
        (carried_to(CENTRE, confidence=0.2), "UNCERTAIN", "measure by hand: it is not sure where it lies"),
        (carried_to(CENTRE, border=4.0), "PRESENT", "measure by hand: it is partly outside of the scan"),
        (carried_to(CENTRE, border=-3.0), "OUT_OF_VIEW", "it lies outside of the scan"),
    ],
)
def test_a_proposal_says_why_it_has_no_size(carried, status, told):
    both = scan((8.0,) * 3, 70.0)
    found = proposed(both, both, carried)
    assert (found.status.value, found.long, found.note) == (status, None, told)


def test_a_lesion_without_diameters_is_to_be_measured_by_hand():
    both = scan((8.0,) * 3, 70.0)
    point = Finding(LesionStatus.PRESENT, tuple(CENTRE))
    found = Proposer([both, both].__getitem__)(0, point, 1, carried_to(CENTRE), 0)
    assert found.note == "measure by hand: it was not measured before"
    assert isinstance(diameter(CENTRE, 3.0), Diameter)
