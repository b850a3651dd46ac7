"""Bodies of simple shapes in HU, at 2 mm, whose landmarks lie where the constants say."""

from __future__ import annotations

import numpy as np

SHAPE = (180, 110, 150)
MIDDLE_X, MIDDLE_Y = 75, 55
APEX, CARINA, CREST = 165, 130, 60
"""Slices of the tops of lungs, the carina and the tops of the hip bones; the domes lie 20 slices above the lungs' ends."""
LUNG_END = 85
SCAPULA, SCAPULA_X = 98, 64
"""Slice of the lower ends of the scapulae, and how far beside the middle they lie."""
KIDNEY_HALVES = (26, 12, 14)
"""Half axes (z,y,x) of the kidneys; their middles lie so far beside the spine, and at this slice and row."""
KIDNEY_BESIDE, KIDNEY_Z, KIDNEY_Y = 34, 60, 66


def trunk() -> np.ndarray:
    """An elliptic body `[z,y,x]` with lungs over domes, an airway that divides, two hip bones and two scapulae."""
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    hu = np.where(((x - MIDDLE_X) / 70) ** 2 + ((y - MIDDLE_Y) / 48) ** 2 < 1, 40, -1024).astype(np.int16)
    for side in (-1, 1):
        x_lung = MIDDLE_X + side * 33
        across = ((x - x_lung) / 22) ** 2 + ((y - MIDDLE_Y) / 32) ** 2
        dome = LUNG_END + 20 * np.clip(1 - across, 0, None)
        top = APEX - 30 * across
        hu[(across < 1) & (z > dome) & (z <= top)] = -850
        bronchus = (abs(x - MIDDLE_X - side * (CARINA - z + 4) * 0.7) < 5) & (abs(y - MIDDLE_Y) < 4)
        hu[bronchus & (z <= CARINA) & (z > CARINA - 10)] = -1000
        hip = (abs(x - MIDDLE_X - side * 40) < 8) & (abs(y - MIDDLE_Y) < 20) & (z > 5) & (z <= CREST)
        hu[hip] = 600
        scapula = (abs(x - MIDDLE_X - side * SCAPULA_X) < 4) & (abs(y - MIDDLE_Y - 6) < 7)
        hu[scapula & (z >= SCAPULA) & (z < APEX)] = 600
    trachea = ((x - MIDDLE_X) ** 2 + (y - MIDDLE_Y) ** 2 < 16) & (z > CARINA)
    hu[trachea] = -1000
    return hu


def abdomen(kidney_hu: int = 160) -> np.ndarray:
    """Fat with a spine, kidneys, and a liver of 110 HU that touches the right one."""
    z, y, x = np.mgrid[:120, : SHAPE[1], : SHAPE[2]]
    hu = np.where(((x - MIDDLE_X) / 70) ** 2 + ((y - MIDDLE_Y) / 48) ** 2 < 1, -100, -1024).astype(np.int16)
    hu[(x - MIDDLE_X) ** 2 + (y - KIDNEY_Y - 4) ** 2 < 100] = 400
    liver = ((x - 38) / 26) ** 2 + ((y - 42) / 30) ** 2 + ((z - 95) / 24) ** 2 < 1
    hu[liver] = 110
    depth, height, width = KIDNEY_HALVES
    for side in (-1, 1):
        across = ((x - MIDDLE_X - side * KIDNEY_BESIDE) / width) ** 2 + ((y - KIDNEY_Y) / height) ** 2
        hu[across + ((z - KIDNEY_Z) / depth) ** 2 < 1] = kidney_hu
    return hu
