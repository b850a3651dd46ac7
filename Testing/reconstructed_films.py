"""Radiographs that anybody may have, made from the bundled CT."""

from __future__ import annotations

import numpy as np

from SAMLandmarkLib.core.volume import Volume


def reconstructed_radiograph(scan: Volume) -> np.ndarray:
    """A digitally reconstructed radiograph of a CT from the front, `[y,x]` from 0 to 1, bone bright."""
    attenuation = np.clip(scan.array.astype(np.float32) + 1000, 0, 2500).sum(axis=1)[::-1]
    rows = np.repeat(attenuation, 2, axis=0)
    film: np.ndarray = (rows - rows.min()) / np.ptp(rows)
    return film
