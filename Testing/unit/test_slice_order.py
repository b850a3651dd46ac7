"""Slices of a stack: located by geometry in one sense for all patients, and warned of where they are out of order."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.core.planes import SlicePlane
from SAMLandmarkLib.core.slice_order import (
    check_order,
    check_predicted_order,
    rank_correlation,
    relative_locations,
)
from SAMLandmarkLib.utils.errors import VolumeError

BASE_TO_APEX = np.array([0.6, -0.6, -0.53])


def stack(heights, normal=BASE_TO_APEX, flip: bool = False) -> list[SlicePlane]:
    normal = np.asarray(normal, dtype=float) / np.linalg.norm(normal)
    u = np.cross(normal, [0.3, 0.9, 0.1])
    u /= np.linalg.norm(u)
    v = np.cross(normal, u) * (-1 if flip else 1)
    return [SlicePlane(height * normal, 1.5 * u, 1.5 * v, 20, 24) for height in heights]


@pytest.mark.parametrize("flip", [False, True])
def test_the_base_is_first_whatever_the_order_and_the_hand_of_the_pixels(flip):
    heights = np.array([16.0, 0, 8, 40, 24])
    assert relative_locations(stack(heights, flip=flip)) == pytest.approx([0.4, 0, 0.2, 1, 0.6])
    assert relative_locations(stack(heights, -BASE_TO_APEX, flip)) == pytest.approx([0.6, 1, 0.8, 0, 0.4])


def test_axial_slices_run_from_the_head_downwards():
    locations = relative_locations(stack([0, 5, 10], [0, 0, 1.0]))
    assert locations == pytest.approx([1, 0.5, 0])


def test_what_is_no_stack_is_refused():
    with pytest.raises(VolumeError, match="needs 3 slices"):
        relative_locations(stack([0, 5]))
    with pytest.raises(VolumeError, match="turned against each other"):
        relative_locations([*stack([0, 5, 10]), *stack([15], BASE_TO_APEX + [0, 0, 0.05])])
    with pytest.raises(VolumeError, match="neither of its ends"):
        relative_locations(stack([0, 5, 10], [1.0, 1.0, 0.0]))
    with pytest.raises(VolumeError, match="one place"):
        relative_locations(stack([5, 5, 5]))


def test_a_stack_out_of_order_is_told():
    names = ["a", "b", "c", "d", "e"]
    assert check_order(stack([0, 8, 16, 24, 32]), names).warnings == ()
    assert check_order(stack([32, 24, 16, 8, 0]), names).warnings == ()
    (swapped,) = check_order(stack([0, 16, 8, 24, 32]), names).warnings
    assert "c lies on the wrong side of b" in swapped
    (gap,) = check_order(stack([0, 8, 16, 32, 40]), names).warnings
    assert "c and d are 16.0 mm apart, others 8.0 mm" in gap
    (twice,) = check_order(stack([0, 8, 8, 16, 24]), names).warnings
    assert "b and c lie in one place" in twice


def test_pictures_that_run_the_other_way_are_told():
    located, names = [0.0, 0.25, 0.5, 0.75, 1.0], list("abcde")
    assert check_predicted_order(located, [0.1, 0.2, 0.6, 0.5, 0.9], names).warnings == ()
    (upside,) = check_predicted_order(located, [0.9, 0.7, 0.6, 0.2, 0.1], names).warnings
    assert "upside down" in upside and "a to e" in upside
    (mixed,) = check_predicted_order(located, [0.5, 0.9, 0.1, 0.4, 0.6], names).warnings
    assert "out of order" in mixed


def test_ranks_correlate_as_ranks():
    assert rank_correlation(np.array([1.0, 10, 100, 1000]), np.array([1.0, 2, 4, 3])) == pytest.approx(0.8)
    assert rank_correlation(np.ones(4), np.arange(4.0)) == 0.0
