"""Which lesion of one date is which of the next: pairs, new and vanished ones, merged and split ones, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest

from SAMLandmarkLib.tracking.assignment import (
    FAR,
    AssignmentOptions,
    Sizes,
    assign,
    merges_and_splits,
    pair_costs,
    vanish_costs,
)
from SAMLandmarkLib.tracking.carried import Carried


def carried(places: list[list[float]], sigma_mm: float = 2.0) -> Carried:
    count = len(places)
    return Carried(
        np.reshape(np.array(places, dtype=float), (-1, 3)),
        np.full(count, sigma_mm),
        np.ones(count),
        np.tile(np.eye(3), (count, 1, 1)),
        np.full(count, 50.0),
    )


def sizes(*lengths: float, organs: tuple[str, ...] = ()) -> Sizes:
    return Sizes(np.array(lengths, dtype=float), organs or ("",) * len(lengths))


def paired(before, sized_before, after, sized_after, **options):
    """The rows of the marks for each earlier lesion, -1 where it has none, and the whole pairing."""
    chosen = AssignmentOptions(**options)
    scene, marks = carried(before), np.reshape(np.array(after, dtype=float), (-1, 3))
    costs = pair_costs(scene, sized_before, marks, sized_after, options=chosen)
    pairing = assign(costs, vanish_costs(scene, sized_before, chosen), chosen)
    return pairing.rows.tolist(), pairing


def test_lesions_are_paired_by_where_they_lie():
    rows, pairing = paired(
        [[0, 0, 0], [40, 0, 0], [80, 0, 0]],
        sizes(10, 10, 10),
        [[81, 1, 0], [1, -1, 0], [39, 0, 2]],
        sizes(11, 9, 12),
    )
    assert rows == [1, 2, 0]
    assert not pairing.new.any()
    assert (pairing.confidence > 0.95).all()


def test_the_whole_list_decides_and_not_the_nearest_mark():
    """The first lesion's nearest mark is the second one's only choice."""
    rows, _pairing = paired([[0, 0, 0], [6, 0, 0]], sizes(10, 10), [[3.5, 0, 0], [-3, 0, 0]], sizes(10, 10))
    assert rows == [1, 0]


def test_size_tells_apart_what_lies_close_together():
    rows, _pairing = paired([[0, 0, 0], [4, 0, 0]], sizes(24, 6), [[2, 1, 0], [2, -1, 0]], sizes(7, 22))
    assert rows == [1, 0]


def test_another_organ_is_dearer_than_a_longer_way():
    rows, _pairing = paired(
        [[0, 0, 0]],
        sizes(10, organs=("liver",)),
        [[1, 0, 0], [3, 0, 0]],
        sizes(10, 10, organs=("lung", "liver")),
    )
    assert rows == [1]


@pytest.mark.parametrize("away_mm", [25.0, 31.0, 200.0])
def test_what_is_too_far_away_is_new_and_the_other_gone(away_mm):
    rows, pairing = paired([[0, 0, 0]], sizes(10), [[away_mm, 0, 0]], sizes(10))
    assert rows == [-1]
    assert pairing.new.tolist() == [True]


def test_nothing_is_paired_beyond_the_gate_however_uncertain_it_is():
    scene = carried([[0, 0, 0]], sigma_mm=50.0)
    costs = pair_costs(scene, sizes(10), np.array([[31.0, 0, 0], [29.0, 0, 0]]), sizes(10, 10))
    assert costs[0, 0] == FAR and costs[0, 1] < FAR


def test_new_and_vanished_lesions_among_others():
    rows, pairing = paired(
        [[0, 0, 0], [50, 0, 0], [100, 0, 0]],
        sizes(10, 12, 14),
        [[1, 0, 0], [101, 0, 0], [0, 60, 0]],
        sizes(10, 14, 8),
    )
    assert rows == [0, -1, 1]
    assert pairing.new.tolist() == [False, False, True]


def test_a_pair_is_the_less_sure_the_more_alike_another_one_is():
    _rows, near = paired([[0, 0, 0], [6, 0, 0]], sizes(10, 10), [[2.8, 1, 0], [3.2, -1, 0]], sizes(10, 10))
    _rows, apart = paired([[0, 0, 0], [20, 0, 0]], sizes(10, 10), [[0, 1, 0], [20, -1, 0]], sizes(10, 10))
    assert near.confidence.max() < 0.8 < 0.99 < apart.confidence.min()


def test_unknown_sizes_leave_it_to_the_place():
    rows, _pairing = paired(
        [[0, 0, 0], [30, 0, 0]], sizes(np.nan, 10), [[29, 0, 0], [1, 0, 0]], sizes(5, np.nan)
    )
    assert rows == [1, 0]


def test_empty_lists_are_fine():
    rows, pairing = paired([], sizes(), [[0, 0, 0]], sizes(10))
    assert rows == [] and pairing.new.tolist() == [True]
    rows, pairing = paired([[0, 0, 0]], sizes(10), [], sizes())
    assert rows == [-1] and pairing.new.tolist() == []


def test_a_large_lesion_vanishes_more_seldom_than_a_small_one():
    scene = carried([[0, 0, 0], [0, 0, 0]], sigma_mm=20.0)
    small, large = vanish_costs(scene, sizes(8, 40), AssignmentOptions(radius_share=0.0))
    assert large > small


def joined(before, sized_before, after, sized_after):
    scene, marks = carried(before), np.array(after, dtype=float)
    costs = pair_costs(scene, sized_before, marks, sized_after)
    pairing = assign(costs, vanish_costs(scene, sized_before))
    return merges_and_splits(scene, sized_before, marks, sized_after, pairing)


def test_two_lesions_that_grew_together_are_merged():
    found = joined([[0, 0, 0], [14, 0, 0]], sizes(14, 10), [[4, 0, 0]], sizes(30))
    assert found.merged_into == {1: 0} and found.split_from == {}


def test_a_lesion_beside_one_that_shrank_has_vanished_and_not_merged():
    found = joined([[0, 0, 0], [8, 0, 0]], sizes(14, 10), [[0, 0, 0]], sizes(9))
    assert found.merged_into == {}


def test_a_lesion_that_fell_into_two_is_split():
    found = joined([[0, 0, 0]], sizes(30), [[-6, 0, 0], [9, 0, 0]], sizes(14, 9))
    assert found.split_from == {1: 0} and found.merged_into == {}


def test_a_new_lesion_beside_another_is_no_part_of_it():
    found = joined([[0, 0, 0]], sizes(10), [[0, 0, 0], [14, 0, 0]], sizes(10, 8))
    assert found.split_from == {}
