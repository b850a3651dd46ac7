"""Small images as they are before anybody damages them, and how the library reads their files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from SAMLandmarkLib.core.volume import Volume

from .case import Reading

TYPES = ("i2", "i2", "i2", "i2", "u2", "u1", "i4", "f4", "f8")


def made_image(rng: np.random.Generator, types: tuple[str, ...] = TYPES, turned: bool = True) -> Reading:
    """An image of random values in Hounsfield units, of a random size, place, spacing and direction."""
    size = rng.integers(5, 14, 3)
    kind = np.dtype(str(rng.choice(types)))
    low, high = (0, 255) if kind == np.dtype("u1") else (0, 2500) if kind == np.dtype("u2") else (-1000, 1500)
    array = rng.integers(low, high, size).astype(kind)
    direction = np.eye(3)[:, rng.permutation(3)] * rng.choice([-1.0, 1.0], 3)
    if turned and rng.random() < 0.5:
        direction = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = direction * rng.uniform(1.0, 4.0, 3).round(3)
    ijk_to_lps[:3, 3] = rng.uniform(-300, 300, 3).round(3)
    return Reading(array, ijk_to_lps)


def read_image(path: Path) -> Reading:
    """The image of a file as the library reads it."""
    return reading_of(volume_of(path))


def volume_of(path: Path) -> Volume:
    """The volume of a file, its doubts kept and not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Volume.read(path)


def reading_of(volume: Volume) -> Reading:
    """A volume of the library as a reading."""
    return Reading(volume.array, volume.ijk_to_lps, bool(volume.warnings))
