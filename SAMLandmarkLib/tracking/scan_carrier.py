"""Lesions carried between the scans of a patient by the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.landmarks import LandmarkSet
from ..core.results import LocalMaps, TransferredLandmark
from ..core.volume import Volume
from ..utils.progress import Progress
from .carried import LEAST_SIGMA_MM, Carried

if TYPE_CHECKING:
    from ..engine.runtime import EngineRuntime
    from ..engine.scans import EmbeddedScan

UNKNOWN_SIGMA_MM = 15.0
"""How far a place may be off of which nothing better is known."""
LOST_CONFIDENCE = 0.05
"""Confidence of a place that only the surroundings tell, and that matching did not find."""


class ScanCarrier:
    """Carries points between scans, each of which is read and embedded at its first use.

    `readers` give the volume of each visit; what they raise goes through.
    """

    def __init__(
        self,
        runtime: EngineRuntime,
        readers: Sequence[Callable[[], Volume]],
        progress: Progress | None = None,
    ) -> None:
        self._runtime, self._readers, self._progress = runtime, readers, progress
        self._embedded: dict[int, EmbeddedScan] = {}

    def carry(self, source: int, target: int, points_lps: np.ndarray) -> Carried:
        """Points `(n, 3)` of the scan of one visit in that of another."""
        points = np.reshape(np.asarray(points_lps, dtype=float), (-1, 3))
        if not len(points):
            return _nothing()
        scans = self._scan(source), self._scan(target)
        landmarks = LandmarkSet.from_points([f"{row}" for row in range(len(points))], points)
        found = self._runtime.transfer(scans[0], landmarks, scans[1])
        maps = self._runtime.local_maps(scans[0], points, scans[1])
        region = scans[1].embedding.field_of_view
        places, sigma, confidence = _placed(list(found), maps, points)
        linear = np.tile(np.eye(3), (len(points), 1, 1)) if maps is None else maps.linear
        return Carried(places, sigma, confidence, linear, region.distance_to_border_mm(places))

    def _scan(self, visit: int) -> EmbeddedScan:
        if visit not in self._embedded:
            scan = self._runtime.embed_volume(self._readers[visit](), self._progress)
            self._runtime.keep(scan)
            self._embedded[visit] = scan
        return self._embedded[visit]


def _placed(
    found: Sequence[TransferredLandmark], maps: LocalMaps | None, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, standard deviations and confidences: what matching found, else what the surroundings say."""
    predicted = points if maps is None else maps.positions_lps
    spread = np.full(len(points), UNKNOWN_SIGMA_MM) if maps is None else maps.sigma_mm
    places, sigma, confidence = predicted.copy(), spread.copy(), np.full(len(points), LOST_CONFIDENCE)
    for row, item in enumerate(found):
        if item.position_lps is not None:
            places[row], confidence[row] = item.position_lps, item.confidence
            known = np.isfinite(item.uncertainty_mm)
            sigma[row] = item.uncertainty_mm if known else spread[row]
    return places, np.maximum(sigma, LEAST_SIGMA_MM), confidence


def _nothing() -> Carried:
    none = np.zeros(0)
    return Carried(np.zeros((0, 3)), none, none, np.zeros((0, 3, 3)), none)
