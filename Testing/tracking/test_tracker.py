"""Lesions followed by the engine: a real scan with lesions that were put into it, and what is odd about scans and marks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from lesions_by_hand import mark

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.lesions import Diameter, Finding, Lesion, LesionStatus, Mark, Visit, plain_point
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.runtime import EngineRuntime
from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.evaluation.inserted_lesions import Shape, inserted
from SAMLandmarkLib.evaluation.synthetic import SyntheticSettings, synthetic_target
from SAMLandmarkLib.tracking.tracker import DatedScan, track_lesions
from SAMLandmarkLib.utils.errors import LesionError

GROWTH = (0.8, 1.3)
LIVER_LPS = np.array([(-115.0, -4.0, -291.0), (-98.0, 50.0, -299.0)])
"""Places in the liver of the bundled scan."""


def part(volume: Volume) -> Volume:
    """The scan at every second voxel, which is enough for the engine and quick."""
    return Volume(volume.array[:, ::2, ::2], volume.ijk_to_lps @ np.diag([2, 2, 1, 1]), name=volume.name)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory) -> EngineRuntime:
    return EngineRuntime(WorkerSettings(device="cpu", threads=1), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def scans(sample_template: Volume) -> tuple[Volume, Volume, np.ndarray, list[Shape]]:
    """A baseline and a deformed follow-up with two lesions each, where they are in the latter, and their shapes."""
    random = np.random.default_rng(3)
    settings = SyntheticSettings(shift_mm=12.0, tilt_degrees=3.0, spacing_factor=(1.0, 1.0, 1.0), noise=8.0)
    before = part(sample_template)
    target = synthetic_target(before, LandmarkSet.from_points(["a", "b"], LIVER_LPS), random, settings)
    after = target.volume
    shapes = [Shape.random("sphere", length, random) for length in (18.0, 14.0)]
    for shape, place, moved, growth in zip(shapes, LIVER_LPS, target.positions_lps, GROWTH, strict=True):
        before = inserted(before, shape, place, -70.0, random)
        after = inserted(after, shape.grown(growth), moved, -70.0, random)
    return before, after, target.positions_lps, shapes


def marks_of(volume: Volume, places: np.ndarray, shapes: list[Shape], names: tuple[str, ...]) -> list[Mark]:
    marks = []
    for name, place, shape in zip(names, places, shapes, strict=True):
        long, short = (Diameter.between(ends) for ends in shape.diameters(volume, place))
        marks.append(Mark(Lesion(name), Finding(LesionStatus.PRESENT, plain_point(place), long, short)))
    return marks


@pytest.fixture(scope="module")
def proposed(runtime, scans):
    before, after, _places, shapes = scans
    marks = marks_of(before, LIVER_LPS, shapes, ("T1", "T2"))
    return track_lesions(
        runtime,
        "P1",
        [
            DatedScan(Visit("first", "2024-01-01"), lambda: before, marks),
            DatedScan(Visit("second", "2024-03-01"), lambda: after),
        ],
    )


def test_places_and_sizes_are_proposed_where_nobody_marked(proposed, scans):
    for track, place, shape, growth in zip(proposed.tracks, scans[2], scans[3], GROWTH, strict=True):
        found = track.at(1)
        assert np.linalg.norm(found.position - place) < 4.0
        assert found.long.length_mm == pytest.approx(2 * growth * shape.half_axes_mm[0], rel=0.2)
        assert not found.by_hand and found.carried_long is not None


def test_every_lesion_has_a_tracking_uid_and_every_visit_its_slices(proposed):
    uids = [track.lesion.uid for track in proposed.tracks]
    assert len(set(uids)) == 2 and all(uid.startswith("2.25.") for uid in uids)
    assert [visit.slice_mm for visit in proposed.visits] == pytest.approx([1.5, 1.5])


def test_lists_of_both_dates_are_paired_whatever_their_names(runtime, scans):
    before, after, places, shapes = scans
    grown = [shape.grown(growth) for shape, growth in zip(shapes, GROWTH, strict=True)]
    listed = marks_of(after, places[::-1], grown[::-1], ("1", "2"))
    second = [*listed, mark("3", places[0] + [40.0, 0.0, 0.0], 9.0)]
    history = track_lesions(
        runtime,
        "P1",
        [
            DatedScan(Visit("first"), lambda: before, marks_of(before, LIVER_LPS, shapes, ("T1", "T2"))),
            DatedScan(Visit("second"), lambda: after, second),
        ],
    )
    assert [track.lesion.name for track in history.tracks] == ["T1", "T2", "N1"]
    for track, place in zip(history.tracks, places, strict=False):
        assert track.at(1).position_lps == pytest.approx(place)
        assert track.at(1).confidence > 0.9
    assert history.track("N1").at(1).status is LesionStatus.NEW


def test_a_lesion_outside_of_its_scan_is_told_and_kept(runtime, scans):
    before, after, _places, shapes = scans
    marks = [*marks_of(before, LIVER_LPS[:1], shapes[:1], ("T1",)), mark("T2", [900.0, 0.0, 0.0])]
    history = track_lesions(
        runtime,
        "P1",
        [DatedScan(Visit("first"), lambda: before, marks), DatedScan(Visit("second"), lambda: after)],
    )
    assert any("T2 lies outside of the scan, so it is not followed" in note for note in history.notes)
    assert history.track("T2").at(0).status is LesionStatus.OUT_OF_VIEW
    assert history.track("T2").at(1).status is LesionStatus.UNCERTAIN
    assert history.track("T1").at(1).is_seen


def test_a_baseline_without_lesions_is_refused(runtime, scans):
    for marks in (None, []):
        with pytest.raises(LesionError, match="the baseline has no lesions"):
            track_lesions(runtime, "P1", [DatedScan(Visit("first"), lambda: scans[0], marks)])


def test_one_name_twice_is_refused(runtime, scans):
    marks = [mark("T1", LIVER_LPS[0]), mark("T1", LIVER_LPS[1])]
    with pytest.raises(LesionError, match="more than one lesion is called 'T1'"):
        track_lesions(runtime, "P1", [DatedScan(Visit("first"), lambda: scans[0], marks)])


def test_too_few_lesions_measured_are_no_reason_to_stop(runtime, scans):
    before, after, places, _shapes = scans
    points = [replace(item, finding=item.finding.changed(long=None)) for item in (mark("T1", LIVER_LPS[0]),)]
    dated: list[Callable[[], Volume]] = [lambda: before, lambda: after]
    history = track_lesions(
        runtime,
        "P1",
        [DatedScan(Visit("first"), dated[0], points), DatedScan(Visit("second"), dated[1])],
    )
    found = history.track("T1").at(1)
    assert found.note == "measure by hand: it was not measured before"
    assert np.linalg.norm(found.position - places[0]) < 10.0
