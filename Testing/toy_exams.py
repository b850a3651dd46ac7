"""Exams whose pictures tell where their planes lie: a bright ball on a ramp, cut in planes that turn with the patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from SAMLandmarkLib.core.planes import SlicePlane
from SAMLandmarkLib.io.dicom_slices import SliceLabels, write_slice

PIXELS, SPACING_MM = 48, 4.0


def anatomy(points: np.ndarray) -> np.ndarray:
    """Grey values at places of the patient, `(..., 3)` mm about the middle of the heart: a body, a heart, a marker."""
    body = (np.linalg.norm(points / [80.0, 60.0, 120.0], axis=-1) < 1) * 200.0
    heart = np.exp(-np.square(points).sum(axis=-1) / (2 * 18.0**2)) * 700.0
    marker = np.exp(-np.square(points - [30.0, -20.0, 40.0]).sum(axis=-1) / (2 * 12.0**2)) * 500.0
    return body + heart + marker + 1.0 * points[..., 2]


def write_exam(folder: Path, name: str, seed: int) -> None:
    """A stack across the patient and a slice along it, both through the heart, in a patient who lies a little turned."""
    rng = np.random.default_rng(seed)
    small = rng.normal(0, 0.08, (3, 3))
    turn = np.linalg.qr(np.eye(3) + small - small.T)[0]
    turn = turn * np.sign(np.diag(turn))
    place = rng.uniform(-15, 15, 3)
    x, y, z = turn.T
    half = (PIXELS - 1) / 2 * SPACING_MM

    def plane(center: np.ndarray, u: np.ndarray, v: np.ndarray) -> SlicePlane:
        middle = place + center + rng.uniform(-12, 12) * u + rng.uniform(-12, 12) * v
        return SlicePlane(middle - half * (u + v), SPACING_MM * u, SPACING_MM * v, PIXELS, PIXELS)

    views = {
        "sax": [plane(height * z, x, y) for height in (-40.0, -20.0, 0.0, 20.0, 40.0)],
        "4ch": [plane(0 * z, x, -z)],
    }
    for number, (view, planes) in enumerate(views.items(), start=1):
        for index, part in enumerate(planes, start=1):
            values = anatomy((part.grid_lps() - place) @ turn)
            labels = SliceLabels(name, view, number, 8.0)
            folder.mkdir(parents=True, exist_ok=True)
            write_slice(folder / f"{name}-{view}-{index}.dcm", values, part, labels, index)


def write_exams(folder: Path, count: int) -> Path:
    """So many exams, each in a folder of its own."""
    for number in range(count):
        write_exam(folder / f"P{number:02d}", f"P{number:02d}", number)
    return folder
