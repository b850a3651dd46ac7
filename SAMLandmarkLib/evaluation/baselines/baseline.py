"""What every baseline of the benchmark offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from importlib import import_module, metadata

import numpy as np

from ...core.landmarks import LandmarkSet
from ...core.volume import Volume

PACKAGES = {
    "SimpleITK": "SimpleITK",
    "itk": "itk-elastix",
    "ants": "antspyx",
    "convexAdam": "convexAdam",
    "torch": "torch",
}
"""The package that brings each module that a baseline needs; `itk` alone has no elastix."""


class Baseline(ABC):
    """A way to find landmarks of one scan in another.

    `modules` are the Python modules that it needs beside those of SAMLandmark's own core.
    """

    modules: tuple[str, ...] = ()

    def load(self) -> None:
        """Import all that the transfer needs, so that this can be timed apart."""
        for module in self.modules:
            import_module(module)

    @abstractmethod
    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        """Positions `(n,3)` LPS mm of the landmarks in the target, NaN where the baseline has none."""


def missing_packages(modules: Iterable[str]) -> str | None:
    """Why modules can't be used: which packages to install; None where all are there.

    >>> missing_packages(("torch",)) is None
    True
    """
    missing = [PACKAGES[name] for name in modules if package_version(PACKAGES[name]) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def package_version(package: str) -> str | None:
    """The version of an installed package, None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
