"""How well lesions are found again: the three definitions of "CPM" that are in use, and the pairing of lists.

CPM@10 and CPM@R (correct within 10 mm, within the radius) mean different things in the code that came with different papers:
DLT (Deep Lesion Tracker, CVPR 2021) takes half the long RECIST diameter as radius, and at most that for 10 mm; TLT
(Transformer Lesion Tracker, MICCAI 2022) the diagonal of the lesion's box; UAE (2022) asks whether the point lies in the box,
and for 10 mm nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

LIMIT_MM = 10.0


@dataclass(frozen=True)
class Hits:
    """Shares, from 0 to 1, of lesions that are found within 10 mm and within the radius, by one definition."""

    at_10: float
    at_radius: float


def hits(
    found_lps: np.ndarray, true_lps: np.ndarray, long_mm: np.ndarray, box_mm: np.ndarray
) -> dict[str, Hits]:
    """The shares by the definitions of DLT, TLT and UAE.

    Points `(n, 3)` mm, longest diameters `(n,)` mm, full extents `(n, 3)` mm of the boxes around the lesions, which lie
    around the true points. A point that was not found is NaN and counts as missed.
    """
    distance = np.nan_to_num(np.linalg.norm(found_lps - true_lps, axis=1), nan=np.inf)
    radius, diagonal = long_mm / 2, np.linalg.norm(box_mm, axis=1)
    steps = np.nan_to_num(np.abs(found_lps - true_lps), nan=np.inf)
    in_box = (steps <= box_mm / 2).all(axis=1)
    return {
        "DLT": Hits(_share(distance <= np.minimum(radius, LIMIT_MM)), _share(distance < radius)),
        "TLT": Hits(_share(distance <= np.minimum(diagonal, LIMIT_MM)), _share(distance < diagonal)),
        "UAE": Hits(_share(distance <= LIMIT_MM), _share(in_box)),
    }


def _share(right: np.ndarray) -> float:
    return float(right.mean()) if len(right) else float("nan")


@dataclass(frozen=True)
class PairingScore:
    """Counts of the pairs of two lists, added up over scans.

    `right`, `wrong` and `missed` pairs; `switched` are wrong ones in which another lesion's identity was taken; new lesions
    that were told as such, all there were, and old ones that were called new; the same of vanished ones.
    """

    right: int = 0
    wrong: int = 0
    missed: int = 0
    switched: int = 0
    new_found: int = 0
    new: int = 0
    new_false: int = 0
    gone_found: int = 0
    gone: int = 0
    scans: int = 0

    def __add__(self, other: PairingScore) -> PairingScore:
        return PairingScore(*(getattr(self, name) + getattr(other, name) for name in self.__annotations__))

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of the pairs."""
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)

    @property
    def new_sensitivity(self) -> float:
        """Which part of the new lesions was told as new."""
        return self.new_found / self.new if self.new else float("nan")

    @property
    def new_false_per_scan(self) -> float:
        """How many old lesions a scan were called new."""
        return self.new_false / self.scans if self.scans else float("nan")


def pairing_score(
    said: dict[int, int],
    true: dict[int, int],
    called_new: Collection[int],
    new: Collection[int],
    gone: Collection[int],
) -> PairingScore:
    """The score of one scan: pairs by number of the earlier lesion, as they were said and as they are."""
    right = sum(true.get(one) == other for one, other in said.items())
    owned = set(true.values())
    switched = sum(true.get(one) != other and other in owned for one, other in said.items())
    return PairingScore(
        right,
        len(said) - right,
        len(true) - right,
        switched,
        len(set(called_new) & set(new)),
        len(new),
        len(set(called_new) - set(new)),
        len(set(gone) - set(said)),
        len(gone),
        1,
    )
