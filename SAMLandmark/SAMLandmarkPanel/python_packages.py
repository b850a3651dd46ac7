"""Which Python packages SAMLandmark needs and which of them are missing; none is imported to find out."""

from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement


def requiredPackages(path: Path | None = None) -> list[Requirement]:
    """The packages that `path`, by default the bundled requirements.txt, asks for on this system.

    Raises SAMLandmarkError where the bundled file is missing.
    """
    if path is None:
        from SAMLandmarkLib.utils.bundled import bundled_file

        path = bundled_file("requirements.txt")
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    requirements = [_requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    return [item for item in requirements if item.marker is None or item.marker.evaluate()]


def missingRequirements(path: Path | None = None) -> list[str]:
    """What has to be installed, e.g. ["torch>=2.2"], because it is absent or too old; needs no network."""
    importlib.invalidate_caches()
    return [f"{item.name}{item.specifier}" for item in requiredPackages(path) if not _isSatisfied(item)]


def _requirement(line: str) -> Requirement:
    try:
        from packaging.requirements import Requirement
    except ImportError:
        # Slicer 5.10 may come without this package; pip carries a copy.
        from pip._vendor.packaging.requirements import Requirement
    return Requirement(line)


def _isSatisfied(requirement: Requirement) -> bool:
    try:
        version = importlib.metadata.version(requirement.name)
    except (importlib.metadata.PackageNotFoundError, FileNotFoundError):
        # FileNotFoundError: newer finders say so of a folder without metadata, as an interrupted installation leaves it.
        return False
    # Older ones know no version of such a folder. Builds such as 2.9.0.dev1 are good enough.
    return bool(version) and requirement.specifier.contains(version, prereleases=True)
