"""How long a lesion is, by the image: grown from where it was carried to, in the slice where it is largest.

What can't be told from the image is refused, with the reason: it is then for a reader to measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..core.feret import longest_diameter, perpendicular_diameter
from ..core.lesions import Diameter, Source
from ..core.volume import Volume
from ..utils.translation import _
from .ellipse import Ellipse
from .slices import Cut, pixel_for, slice_cut


@dataclass(frozen=True)
class MeasureOptions:
    """How a lesion is measured.

    It is looked for in the carried ellipse made `reach` times as large, in the slices up to `slices` beside the carried
    one. Its core is the brightest (or darkest) `core_share` of the carried ellipse. Its surroundings are that of the rings
    `ring_mm` wide beyond `rings` times the ellipse which differs most from the core, but by no more than `same_tissue` (in
    the unit of the image) from what surrounded it before. It ends halfway between both. What is narrower than `cut_off` of
    its thickness is cut off until its area is `compact` of that of an ellipse. Lengths are smoothed by `smooth_share`.

    Refused are a contrast below `least_contrast` standard deviations of the surroundings, an area of more than
    `most_growth` times the carried one, an outline whose area is less than `least_compact` of an ellipse's, and one that
    grows more than `most_unstable` times when its end is moved from 0.6 to 0.4 of the contrast.
    """

    reach: float = 2.4
    slices: int = 2
    rings: tuple[float, ...] = (1.3, 1.8, 2.4)
    ring_mm: float = 5.0
    same_tissue: float = 150.0
    core_share: float = 0.3
    least_contrast: float = 1.5
    most_growth: float = 4.0
    smoothing_mm: float = 0.7
    cut_off: tuple[float, ...] = (0.3, 0.5, 0.7)
    compact: float = 0.9
    least_compact: float = 0.75
    smooth_share: float = 0.06
    most_unstable: float = 2.2


DEFAULTS = MeasureOptions()
_CHOSEN_SD = 1.04
"""The median of the brightest 0.3 of normal values lies so many standard deviations above their mean."""


@dataclass(frozen=True)
class Look:
    """What a lesion looks like: intensity of its core and of its surroundings, and how these vary, in the scan's unit.

    By `chance_sd` standard deviations the core differs by having been chosen, and is no contrast.
    """

    core: float
    rim: float
    rim_sd: float
    chance_sd: float = 0.0

    @property
    def sign(self) -> float:
        """1 for a lesion brighter than what is around it, -1 for a darker one."""
        return 1.0 if self.core >= self.rim else -1.0

    @property
    def contrast(self) -> float:
        """Difference of core and surroundings in standard deviations of the surroundings."""
        return abs(self.core - self.rim) / max(self.rim_sd, 1e-6) - self.chance_sd


@dataclass(frozen=True, eq=False)
class Measurement:
    """What the image says of a lesion: its diameters and centre `(3,)` LPS mm, or in `refusal` why it says nothing."""

    long: Diameter | None = None
    short: Diameter | None = None
    centre_lps: np.ndarray | None = None
    refusal: str = ""


def look_of(volume: Volume, ellipse: Ellipse, options: MeasureOptions = DEFAULTS) -> Look | None:
    """What a lesion looks like where a reader drew it; None where the scan does not show it."""
    cut = _cut(volume, ellipse, options)
    radius = ellipse.radius_in(cut)
    core, ring = cut.values[radius <= 0.6], cut.values[_ring(radius, options.rings[0], ellipse, options)]
    core, ring = core[np.isfinite(core)], ring[np.isfinite(ring)]
    if not core.size or not ring.size:
        return None
    return Look(float(np.median(core)), float(np.median(ring)), _spread(ring))


def measure(
    volume: Volume, carried: Ellipse, before: Look, options: MeasureOptions = DEFAULTS
) -> Measurement:
    """Measure a lesion where it was carried to; `before` is what it looked like in the scan before."""
    largest, reasons = None, []
    for step in range(-options.slices, options.slices + 1):
        cut = _cut(volume, carried, options, step)
        if not np.isfinite(cut.values).any():
            continue
        mask, reason = _segmented(cut, carried, before, options)
        if mask is None:
            reasons.append((abs(step), reason))
        elif largest is None or mask.sum() > largest[0].sum():
            largest = (mask, cut)
    if largest is None:
        refusal = min(reasons)[1] if reasons else _("the lesion lies outside of the scan")
        return Measurement(refusal=refusal)
    mask, cut = largest
    if mask.sum() * cut.pixel_mm**2 > options.most_growth * carried.area_mm2:
        told = _(
            "it would have grown to more than {times:g} times its area, so the image does not tell where it ends"
        )
        return Measurement(refusal=told.format(times=options.most_growth))
    return _measured(mask, cut)


def _measured(mask: np.ndarray, cut: Cut) -> Measurement:
    long = longest_diameter(mask, cut.pixel_mm)
    short = perpendicular_diameter(mask, cut.pixel_mm, long)
    rows, columns = np.nonzero(mask)
    centre = cut.lps_of(np.array([[columns.mean(), rows.mean()]]) * cut.pixel_mm)[0]
    first, second = (Diameter.between(cut.lps_of(part), Source.IMAGE) for part in (long, short))
    return Measurement(first, second, centre)


def _cut(volume: Volume, ellipse: Ellipse, options: MeasureOptions, step: int = 0) -> Cut:
    half_mm = options.reach * ellipse.length_mm / 2 + options.ring_mm + 1.0
    return slice_cut(volume, ellipse.centre_lps, half_mm, pixel_for(ellipse.length_mm), step)


def _ring(radius: np.ndarray, beyond: float, ellipse: Ellipse, options: MeasureOptions) -> np.ndarray:
    inside: np.ndarray = (radius > beyond) & (radius <= beyond + 2 * options.ring_mm / ellipse.length_mm)
    return inside


def _segmented(
    cut: Cut, carried: Ellipse, before: Look, options: MeasureOptions
) -> tuple[np.ndarray | None, str]:
    """The pixels of the lesion in a cut, or why there are none."""
    radius = carried.radius_in(cut)
    values = _smooth(cut, options)
    look = _look_in(cut, values, radius, carried, before, options)
    if look is None:
        return None, _("what surrounds it differs too much from what surrounded it before")
    if look.contrast < options.least_contrast or look.sign != before.sign:
        return None, _("its contrast is too low")
    depth = np.where(radius <= options.reach, (values - look.rim) / (look.core - look.rim), 0.0)
    mask, compact = _component(depth > 0.5, radius, cut.pixel_mm, options)
    if mask is None:
        return None, _("nothing there looks like it")
    if compact < options.least_compact or _is_unstable(depth, radius, cut.pixel_mm, options):
        return None, _("the image does not tell it from what lies beside it")
    return mask, ""


def _is_unstable(depth: np.ndarray, radius: np.ndarray, pixel_mm: float, options: MeasureOptions) -> bool:
    """Whether the outline depends on where exactly between core and surroundings it is drawn."""
    wide, narrow = (_component(depth > level, radius, pixel_mm, options)[0] for level in (0.4, 0.6))
    if wide is None or narrow is None:
        return True
    return float(wide.sum()) > options.most_unstable * float(narrow.sum())


def _smooth(cut: Cut, options: MeasureOptions) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    known = np.isfinite(cut.values)
    sigma = options.smoothing_mm / cut.pixel_mm
    weight = gaussian_filter(known.astype(np.float32), sigma)
    filled = gaussian_filter(np.where(known, cut.values, 0.0), sigma)
    return np.where(known, filled / np.maximum(weight, 1e-3), np.nan)


def _look_in(
    cut: Cut, values: np.ndarray, radius: np.ndarray, carried: Ellipse, before: Look, options: MeasureOptions
) -> Look | None:
    """What the lesion looks like here: its core, and the ring around it that differs most from it."""
    inner = values[(radius <= 1.0) & np.isfinite(values)]
    if not inner.size:
        return None
    ordered = np.sort(before.sign * inner)[::-1]
    core = before.sign * float(np.median(ordered[: max(1, round(options.core_share * inner.size))]))
    looks = list(_rings(cut.values, values, radius, core, carried, before, options))
    return max(looks, key=lambda look: before.sign * (look.core - look.rim), default=None)


def _rings(
    values: np.ndarray,
    smooth: np.ndarray,
    radius: np.ndarray,
    core: float,
    carried: Ellipse,
    before: Look,
    options: MeasureOptions,
) -> Iterator[Look]:
    for beyond in options.rings:
        inside = _ring(radius, beyond, carried, options) & np.isfinite(values)
        ring = values[inside]
        if ring.size and abs(np.median(ring) - before.rim) <= options.same_tissue:
            spread = _spread(ring)
            chance = _CHOSEN_SD * _spread(smooth[inside]) / max(spread, 1e-6)
            yield Look(core, float(np.median(ring)), spread, chance)


def _component(
    inside: np.ndarray, radius: np.ndarray, pixel_mm: float, options: MeasureOptions
) -> tuple[np.ndarray | None, float]:
    """The connected part that belongs to the carried place, without what hangs on it, and how compact it is.

    What is narrower than a share of the lesion's own thickness is cut off, more and more of it until the rest is compact.
    """
    best: tuple[np.ndarray | None, float] = (None, 0.0)
    for share in options.cut_off:
        mask = _core_part(inside, radius, share, options.smooth_share)
        if mask is None:
            break
        compact = _compactness(mask, pixel_mm)
        if compact > best[1]:
            best = (mask, compact)
        if compact >= options.compact:
            break
    return best


def _core_part(
    inside: np.ndarray, radius: np.ndarray, share: float, smooth_share: float
) -> np.ndarray | None:
    """The part around the carried place that is left when all is cut off that is thinner than a share of it."""
    from scipy.ndimage import binary_fill_holes, distance_transform_edt, label

    depth = distance_transform_edt(inside)
    thickness = float((depth * np.exp(-(radius**2))).max())
    if thickness <= 0:
        return None
    cut = share * float(depth[depth * np.exp(-(radius**2)) >= thickness].max())
    parts, count = label(depth > cut)
    near = np.exp(-2 * radius**2) * (radius <= 1.5)
    weights = np.bincount(parts.ravel(), near.ravel(), count + 1)[1:]
    if not count or weights.max() <= 0:
        return None
    core = parts == 1 + int(weights.argmax())
    grown = distance_transform_edt(~core) <= cut
    mask: np.ndarray = binary_fill_holes(inside & grown)
    return _rounded(mask, smooth_share)


def _rounded(mask: np.ndarray, share: float) -> np.ndarray | None:
    """A mask without the roughness that noise gives its edge: blurred by a share of its length, and cut at one half."""
    from scipy.ndimage import gaussian_filter

    length = 2 * np.sqrt(mask.sum() / np.pi)
    smooth: np.ndarray = gaussian_filter(mask.astype(np.float32), share * length) > 0.5
    return smooth if smooth.any() else None


def _compactness(mask: np.ndarray, pixel_mm: float) -> float:
    """Area as a part of that of the ellipse with the same diameters: 1 for an ellipse, less for what has arms."""
    long = longest_diameter(mask, pixel_mm)
    short = perpendicular_diameter(mask, pixel_mm, long)
    lengths = [float(np.linalg.norm(ends[1] - ends[0])) for ends in (long, short)]
    return float(mask.sum()) * pixel_mm**2 / (np.pi / 4 * lengths[0] * lengths[1])


def _spread(values: np.ndarray) -> float:
    """Standard deviation as half of the values know it, which vessels do not change."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
