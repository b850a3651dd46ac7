"""Tracks over several dates: chained, bridged, and nothing lost where a list is odd."""

from __future__ import annotations

import numpy as np
import pytest
from lesions_by_hand import Shift, mark

from SAMLandmarkLib.core.lesions import LesionStatus, Role, Source
from SAMLandmarkLib.tracking.chain import Chain


def follow(carrier: Shift, *dates) -> Chain:
    chain = Chain(carrier)
    chain.begin(dates[0])
    for visit, marks in enumerate(dates[1:], start=1):
        chain.follow(visit, marks)
    return chain


def statuses(chain: Chain, name: str) -> list[str]:
    track = next(track for track in chain.tracks if track.lesion.name == name)
    return [finding.status.value for finding in track.findings.values()]


def test_a_lesion_keeps_its_identity_over_all_dates(shifted):
    chain = follow(
        shifted,
        [mark("T1", [0, 0, 0]), mark("T2", [50, 0, 0])],
        [mark("1", [71, 1, 0]), mark("2", [19, 0, 0])],
        [mark("1", [40, 0, 1]), mark("2", [91, 0, 0])],
    )
    names = [track.lesion.name for track in chain.tracks]
    assert names == ["T1", "T2"]
    assert chain.tracks[0].at(2).position_lps == (40, 0, 1)
    assert statuses(chain, "T1") == ["PRESENT"] * 3


def test_one_missed_date_is_bridged(shifted):
    chain = follow(
        shifted,
        [mark("T1", [0, 0, 0]), mark("T2", [50, 0, 0])],
        [mark("2", [70, 0, 0])],
        [mark("1", [40, 0, 0]), mark("2", [90, 0, 0])],
    )
    assert statuses(chain, "T1") == ["PRESENT", "UNCERTAIN", "PRESENT"]
    assert "at the next one again" in chain.tracks[0].at(1).note
    assert (0, 2) in shifted.calls and len(chain.tracks) == 2


def test_two_missed_dates_are_not(shifted):
    other = [mark("2", [70, 0, 0])], [mark("2", [90, 0, 0])]
    last = [mark("1", [60, 0, 0]), mark("2", [110, 0, 0])]
    chain = follow(shifted, [mark("T1", [0, 0, 0]), mark("T2", [50, 0, 0])], *other, last)
    assert statuses(chain, "T1") == ["PRESENT", "DISAPPEARED", "DISAPPEARED", "DISAPPEARED"]
    assert statuses(chain, "N1") == ["NEW"]
    assert chain.tracks[2].lesion.role is Role.NEW


def test_a_new_lesion_is_followed_from_then_on(shifted):
    first = [mark("T1", [0, 0, 0])]
    chain = follow(
        shifted,
        first,
        [mark("1", [20, 0, 0]), mark("2", [20, 70, 0], 8.0)],
        [mark("1", [40, 70, 0], 9.0), mark("2", [40, 0, 0])],
    )
    assert statuses(chain, "N1") == ["NEW", "PRESENT"]
    assert chain.tracks[1].at(2).size_mm == 9.0


def test_a_name_that_says_something_is_kept_for_a_new_lesion(shifted):
    chain = follow(shifted, [mark("T1", [0, 0, 0])], [mark("T1", [20, 0, 0]), mark("dome", [20, 90, 0])])
    assert [track.lesion.name for track in chain.tracks] == ["T1", "dome"]
    twice = follow(shifted, [mark("T1", [0, 0, 0])], [mark("T2", [20, 0, 0]), mark("T1", [20, 90, 0])])
    assert [track.lesion.name for track in twice.tracks] == ["T1", "N1"]
    assert "T2 lies where T1 was carried to" in twice.notes[0]


def test_what_leaves_the_field_of_view_is_not_gone():
    carrier = Shift(np.array([20.0, 0.0, 0.0]), left_end=60.0)
    chain = follow(carrier, [mark("T1", [50, 0, 0]), mark("T2", [38, 0, 0], 10.0), mark("T3", [0, 0, 0])], [])
    assert statuses(chain, "T1") == ["PRESENT", "OUT_OF_VIEW"]
    assert statuses(chain, "T2") == ["PRESENT", "UNCERTAIN"]
    assert "partly outside" in chain.tracks[1].at(1).note
    assert statuses(chain, "T3") == ["PRESENT", "DISAPPEARED"]


def test_it_is_looked_for_again_where_the_view_is_wider_again():
    carrier = Shift(np.array([20.0, 0.0, 0.0]), left_end=60.0)
    chain = Chain(carrier)
    chain.begin([mark("T1", [50, 0, 0])])
    for visit in (1, 2, 3):
        chain.follow(visit, [])
    carrier.left_end = 500.0
    chain.follow(4, [mark("1", [130, 0, 0])])
    assert statuses(chain, "T1") == ["PRESENT", *["OUT_OF_VIEW"] * 3, "PRESENT"]


def test_a_merged_lesion_stays_merged(shifted):
    chain = follow(
        shifted,
        [mark("T1", [0, 0, 0], 14.0), mark("T2", [14, 0, 0], 10.0)],
        [mark("1", [24, 0, 0], 30.0)],
        [mark("1", [44, 0, 0], 31.0)],
    )
    assert statuses(chain, "T2") == ["PRESENT", "MERGED", "MERGED"]
    assert chain.tracks[1].at(2).merged_into == "T1"


def test_the_part_of_a_split_lesion_stays_a_part(shifted):
    parts = [mark("1", [14, 0, 0], 14.0), mark("2", [29, 0, 0], 9.0)]
    later = [mark("1", [34, 0, 0], 13.0), mark("2", [49, 0, 0], 8.0)]
    chain = follow(shifted, [mark("T1", [0, 0, 0], 30.0)], parts, later)
    assert statuses(chain, "N1") == ["SPLIT", "SPLIT"]
    assert chain.tracks[1].at(2).split_from == "T1"


def test_in_a_scan_that_nobody_marked_places_are_proposed_from_the_last_marked_one(shifted):
    chain = follow(shifted, [mark("T1", [0, 0, 0])], None, None)
    assert statuses(chain, "T1") == ["PRESENT"] * 3
    assert chain.tracks[0].at(2).position_lps == (40, 0, 0)
    assert chain.tracks[0].at(2).source is Source.CARRIED
    assert shifted.calls == [(0, 1), (0, 2)]


def test_a_scan_that_nobody_marked_is_no_missed_date(shifted):
    chain = follow(shifted, [mark("T1", [0, 0, 0])], [], None, [mark("1", [60, 0, 0])])
    assert statuses(chain, "T1") == ["PRESENT", "UNCERTAIN", "PRESENT", "PRESENT"]


def test_the_same_tracking_uid_is_the_same_lesion_wherever_it_lies(shifted):
    first = [mark("T1", [0, 0, 0], uid="2.25.1"), mark("T2", [30, 0, 0], uid="2.25.2")]
    second = [mark("T1", [50, 0, 0], uid="2.25.1"), mark("T2", [20, 0, 0], uid="2.25.2")]
    chain = follow(shifted, first, second)
    assert chain.tracks[0].at(1).position_lps == (50, 0, 0)
    assert chain.tracks[1].at(1).position_lps == (20, 0, 0)


def test_two_lesions_in_one_place_are_told_and_kept(shifted):
    chain = follow(shifted, [mark("T1", [0, 0, 0]), mark("T2", [0.3, 0, 0])], None)
    assert len(chain.tracks) == 2
    assert "T1 and T2 lie in one place (0.3 mm apart)" in chain.notes[0]


@pytest.mark.parametrize("spacing_mm", [10.0, 14.0])
def test_no_identities_are_switched_among_many_lesions(spacing_mm):
    """Three dates, 27 lesions on a lattice, places off by about 1.5 mm, sizes by a tenth, lists in any order."""
    random = np.random.default_rng(4)
    lattice = spacing_mm * np.stack(np.meshgrid(*[np.arange(3.0)] * 3), axis=-1).reshape(-1, 3)
    lengths = random.uniform(6, 18, len(lattice))
    carrier = Shift(np.array([20.0, 0.0, 0.0]))
    chain = Chain(carrier)
    chain.begin([mark(f"T{n}", place, lengths[n]) for n, place in enumerate(lattice)])
    for visit in (1, 2):
        order = random.permutation(len(lattice))
        off = random.normal(0, 0.9, lattice.shape)
        places = lattice + visit * carrier.step + off
        chain.follow(
            visit, [mark(f"{k}", places[n], lengths[n] * random.normal(1, 0.1)) for k, n in enumerate(order)]
        )
        for n, track in enumerate(chain.tracks):
            assert track.at(visit).position_lps == pytest.approx(places[n])
    assert len(chain.tracks) == len(lattice)
    assert all(track.at(2).status is LesionStatus.PRESENT for track in chain.tracks)
