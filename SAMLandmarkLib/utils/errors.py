"""The errors of SAMLandmark; every message says what was wrong, what was got and what to do."""

from __future__ import annotations


class SAMLandmarkError(Exception):
    """Base of every error that SAMLandmark raises on purpose."""


class VolumeError(SAMLandmarkError):
    """A volume can't be read or can't be used."""


class LandmarkError(SAMLandmarkError):
    """A landmark file can't be read, or its landmarks can't be used."""


class LesionError(SAMLandmarkError):
    """A file of lesions can't be read, or its lesions can't be followed."""


class ModelError(SAMLandmarkError):
    """A model file can't be read, or doesn't compute here what it computed where it was exported."""


class AtlasError(SAMLandmarkError):
    """An atlas file can't be read, or doesn't belong to the model."""


class OutputError(SAMLandmarkError):
    """A result can't be written."""


class RegistrationError(SAMLandmarkError):
    """Two scans can't be registered: they do not show enough of the same anatomy."""


class ReviewError(SAMLandmarkError):
    """A review can't be read, or an operation on it isn't possible."""


class UsageError(SAMLandmarkError):
    """A function or command was called with settings that don't make sense."""


class VolumeWarning(UserWarning):
    """A volume is usable, but something about it looks wrong."""
