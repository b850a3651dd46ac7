"""Lesions of tests, written down as few numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from SAMLandmarkLib.core.lesions import (
    Diameter,
    Finding,
    Lesion,
    LesionHistory,
    LesionStatus,
    Mark,
    Role,
    Track,
    Visit,
    plain_point,
)
from SAMLandmarkLib.tracking.carried import Carried

Lengths = Mapping[str, Sequence[float | str | None]]
NOTHING: Lengths = MappingProxyType({})
GONE, SMALL, UNSEEN = "gone", "too small", "not evaluated"


def diameter(centre: Sequence[float], length_mm: float, axis: int = 0) -> Diameter:
    """A diameter along an axis of LPS."""
    half = np.eye(3)[axis] * length_mm / 2
    return Diameter.between(np.array([centre - half, centre + half]))


def finding(
    length_mm: float | str | None, centre: Sequence[float] = (0, 0, 0), short_mm: float | None = None
) -> Finding:
    """A finding of a length, or one of the words above."""
    place = plain_point(np.array(centre, dtype=float))
    if length_mm == GONE:
        return Finding(LesionStatus.DISAPPEARED, place)
    if length_mm == SMALL:
        return Finding(LesionStatus.TOO_SMALL, place)
    if length_mm == UNSEEN:
        return Finding(LesionStatus.OUT_OF_VIEW)
    long = None if length_mm is None else diameter(centre, length_mm)
    short = None if short_mm is None else diameter(centre, short_mm, 1)
    return Finding(LesionStatus.PRESENT, place, long, short)


def mark(
    name: str, centre: Sequence[float], length_mm: float | None = 10.0, organ: str = "", **lesion: object
) -> Mark:
    return Mark(Lesion(name, organ=organ, **lesion), finding(length_mm, centre))


def history(
    targets: Lengths,
    nodes: Lengths = NOTHING,
    others: Lengths = NOTHING,
    new: Lengths = NOTHING,
    dates: Sequence[str] = (),
) -> LesionHistory:
    """A history from lengths at each date; of nodes these are short axes, and all nodes are targets."""
    tracks = [_track(Lesion(name), lengths) for name, lengths in targets.items()]
    tracks += [_node(Lesion(name, is_node=True), axes) for name, axes in nodes.items()]
    tracks += [_track(Lesion(name, Role.NON_TARGET), lengths) for name, lengths in others.items()]
    for name, lengths in new.items():
        tracks.append(_track(Lesion(name, Role.NEW), lengths))
    count = max(len(lengths) for part in (targets, nodes, others) for lengths in part.values())
    days = dates or [f"2024-{month + 1:02}-01" for month in range(count)]
    return LesionHistory(
        "P1", tuple(Visit(f"scan {n + 1}", day) for n, day in enumerate(days)), tuple(tracks)
    )


def _track(lesion: Lesion, lengths: Sequence[float | str | None]) -> Track:
    return Track(lesion, {n: finding(length) for n, length in enumerate(lengths) if length is not None})


def _node(lesion: Lesion, axes: Sequence[float | str | None]) -> Track:
    findings = {
        n: finding(2.0 * axis, short_mm=axis) if isinstance(axis, float | int) else finding(axis)
        for n, axis in enumerate(axes)
    }
    return Track(lesion, findings)


class Shift:
    """A carrier that moves everything by one step a date; what it is off by and where the scans end can be set."""

    def __init__(self, step: np.ndarray, sigma_mm: float = 2.0, left_end: float = np.inf) -> None:
        self.step, self.sigma_mm, self.left_end = step, sigma_mm, left_end
        self.calls: list[tuple[int, int]] = []

    def carry(self, source: int, target: int, points_lps: np.ndarray) -> Carried:
        self.calls.append((source, target))
        places = points_lps + self.step * (target - source)
        count = len(places)
        return Carried(
            places,
            np.full(count, self.sigma_mm),
            np.full(count, 0.9),
            np.tile(np.eye(3), (count, 1, 1)),
            np.minimum(self.left_end - places[:, 0], 100.0),
        )
