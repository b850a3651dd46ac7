"""Semi-synthetic follow-ups with lesions: a real scan and its deformed copy, both with lesions that were put into them.

Lesions grow and shrink, some are gone, some new, some merged or split, and some are cut off by the field of view.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.ndimage import uniform_filter

from ..core.landmarks import LandmarkSet
from ..core.volume import Volume
from .inserted_lesions import Shape, background, inserted
from .synthetic import synthetic_target

LENGTHS_MM, LENGTHS_IN_LUNG_MM = (5.0, 30.0), (5.0, 22.0)
GROWTH, CONTRAST_HU = (0.5, 2.0), (30.0, 100.0)
GONE, NEW, MERGED, SPLIT = 0.1, 0.1, 0.06, 0.06
"""Which part of the lesions is gone, is new, merges with its neighbour, falls into two."""
LEAST_GAP_MM = 10.0
CUT_OFF = 0.08
"""Which part of the follow-up's slices is left out at its lower end."""
KINDS = ("sphere", "ellipsoid", "spiculated")
_TEXTURE_MM = 14.0


@dataclass(frozen=True, eq=False)
class PlacedLesion:
    """A lesion in one scan: number of the lesion, shape, place `(3,)` LPS mm, and contrast in HU."""

    number: int
    shape: Shape
    centre_lps: np.ndarray
    contrast_hu: float

    @property
    def box_mm(self) -> np.ndarray:
        """Extents `(3,)` mm of the box around it."""
        extents: np.ndarray = 2 * np.linalg.norm(self.shape.turned * self.shape.half_axes_mm, axis=1)
        return extents


@dataclass(frozen=True, eq=False)
class LesionPair:
    """Two scans with lesions; `fates` tells of each number "kept", "gone", "new", "merged" or "split".

    A lesion that merged into another one is not in the follow-up, and the second part of one that split has a number of its
    own; `joined` leads from either to the other lesion.
    """

    baseline: Volume
    followup: Volume
    before: tuple[PlacedLesion, ...]
    after: tuple[PlacedLesion, ...]
    fates: dict[int, str]
    joined: dict[int, int] = field(default_factory=dict)

    @property
    def true_pairs(self) -> dict[int, int]:
        """Rows of `after` by rows of `before` that are the same lesion."""
        rows = {item.number: row for row, item in enumerate(self.after)}
        return {row: rows[item.number] for row, item in enumerate(self.before) if item.number in rows}


def lesion_pair(scan: Volume, count: int, random: np.random.Generator) -> LesionPair:
    """A baseline with about `count` lesions, and its follow-up."""
    sites = _sites(scan, count, random)
    warped = synthetic_target(
        scan, LandmarkSet.from_points([f"{n}" for n in range(len(sites))], _places(sites)), random
    )
    target = _without_lowest_slices(warped.volume)
    moved = [replace(site, centre_lps=place) for site, place in zip(sites, warped.positions_lps, strict=True)]
    before, after, fates, joined = _lives(sites, moved, random)
    before = [item for item in before if scan.contains_lps(item.centre_lps)]
    shown = [item for item in after if target.contains_lps(item.centre_lps)]
    return LesionPair(
        _with(scan, before, random), _with(target, after, random), tuple(before), tuple(shown), fates, joined
    )


def _places(lesions: list[PlacedLesion]) -> np.ndarray:
    return np.array([item.centre_lps for item in lesions])


def _with(volume: Volume, lesions: list[PlacedLesion], random: np.random.Generator) -> Volume:
    for item in lesions:
        volume = inserted(volume, item.shape, item.centre_lps, item.contrast_hu, random)
    return volume


def _without_lowest_slices(volume: Volume) -> Volume:
    """The volume without some of the slices nearest to the feet."""
    count = round(CUT_OFF * volume.size_ijk[2])
    lower_first = volume.ijk_to_lps[2, 2] > 0
    part = slice(count, None) if lower_first else slice(None, volume.size_ijk[2] - count)
    ijk_to_lps = volume.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = volume.lps_from_index([0, 0, count if lower_first else 0])
    return replace(volume, array=volume.array[part], ijk_to_lps=ijk_to_lps)


def _sites(scan: Volume, count: int, random: np.random.Generator) -> list[PlacedLesion]:
    """Lesions in even soft tissue and in aerated lung, no two of them closer than they are long."""
    soft, lung = _tissues(scan)
    pools = [indices for indices in (np.argwhere(soft), np.argwhere(lung)) if len(indices) > 1000]
    chosen: list[PlacedLesion] = []
    for _ in range(60 * count):
        pool = pools[len(chosen) % len(pools)]
        index_kji = pool[random.integers(len(pool))] + random.uniform(-0.5, 0.5, 3)
        centre = scan.lps_from_index(index_kji[::-1])
        in_lung = background(scan, centre, 6.0)[0] < -500
        length = random.uniform(*(LENGTHS_IN_LUNG_MM if in_lung else LENGTHS_MM))
        shape = Shape.random(str(random.choice(KINDS)), length, random)
        free = all(
            np.linalg.norm(centre - other.centre_lps)
            >= max(LEAST_GAP_MM, 2 * (shape.reach_mm + other.shape.reach_mm))
            for other in chosen
        )
        if free:
            contrast = random.uniform(*CONTRAST_HU) * random.choice((-1, 1))
            chosen.append(PlacedLesion(len(chosen), shape, centre, contrast))
        if len(chosen) == count:
            break
    return chosen


def _tissues(scan: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Where soft tissue is even, and where lung is aerated, `[z, y, x]` each."""
    values = scan.array.astype(np.float32)
    width = [max(1, round(_TEXTURE_MM / spacing)) for spacing in scan.spacing_mm[::-1]]
    mean = uniform_filter(values, width)
    spread = np.sqrt(np.maximum(uniform_filter(values**2, width) - mean**2, 0))
    return (mean > 0) & (mean < 150) & (spread < 35), (mean > -930) & (mean < -650) & (spread < 120)


def _lives(
    sites: list[PlacedLesion], moved: list[PlacedLesion], random: np.random.Generator
) -> tuple[list[PlacedLesion], list[PlacedLesion], dict[int, str], dict[int, int]]:
    """What lies in either scan, what became of each lesion, and which belong together."""
    before, after, fates, joined = [], [], {}, {}
    kinds = random.choice(
        ("gone", "new", "merged", "split", "kept"),
        len(sites),
        p=(GONE, NEW, MERGED, SPLIT, 1 - GONE - NEW - MERGED - SPLIT),
    )
    for site, place, kind in zip(sites, moved, kinds.tolist(), strict=True):
        fates[site.number] = kind
        grown = replace(place, shape=site.shape.grown(random.uniform(*GROWTH)))
        if kind != "new":
            before.append(site)
        if kind in ("kept", "new", "gone"):
            after += [] if kind == "gone" else [grown]
            continue
        other = len(sites) + site.number
        fates[other], joined[other] = kind, site.number
        for part in (
            _merged(site, place, other, random) if kind == "merged" else _split(site, place, other, random)
        ):
            (before if part[0] else after).append(part[1])
    return before, after, fates, joined


def _merged(
    site: PlacedLesion, place: PlacedLesion, other: int, random: np.random.Generator
) -> Iterator[tuple[bool, PlacedLesion]]:
    """A second lesion beside the first in the baseline, and one that covers both in the follow-up."""
    step = _direction(random) * (site.shape.reach_mm * 1.6 + 3.0)
    beside = replace(site, number=other, centre_lps=site.centre_lps + step, shape=site.shape.grown(0.6))
    yield True, beside
    yield False, replace(place, centre_lps=place.centre_lps + 0.4 * step, shape=site.shape.grown(1.9))


def _split(
    site: PlacedLesion, place: PlacedLesion, other: int, random: np.random.Generator
) -> Iterator[tuple[bool, PlacedLesion]]:
    """Two parts in the follow-up, where the lesion was."""
    step = _direction(random) * site.shape.reach_mm
    yield False, replace(place, centre_lps=place.centre_lps - 0.45 * step, shape=site.shape.grown(0.5))
    yield (
        False,
        replace(place, number=other, centre_lps=place.centre_lps + 0.65 * step, shape=site.shape.grown(0.4)),
    )


def _direction(random: np.random.Generator) -> np.ndarray:
    step = random.normal(size=3)
    unit: np.ndarray = step / np.linalg.norm(step)
    return unit
