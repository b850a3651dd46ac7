"""The errors of SAMLandmark, for users of the library."""

from __future__ import annotations

from .utils.errors import (
    AtlasError,
    LandmarkError,
    LesionError,
    ModelError,
    OutputError,
    RegistrationError,
    ReviewError,
    SAMLandmarkError,
    UsageError,
    VolumeError,
    VolumeWarning,
)

__all__ = [
    "AtlasError",
    "LandmarkError",
    "LesionError",
    "ModelError",
    "OutputError",
    "RegistrationError",
    "ReviewError",
    "SAMLandmarkError",
    "UsageError",
    "VolumeError",
    "VolumeWarning",
]
