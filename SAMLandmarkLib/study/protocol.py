"""The protocol of a study without a template: named landmarks, found by the vote of an atlas's marked patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..embedding.atlas_metadata import read_atlas_metadata
from ..engine.protocols import protocol_files
from ..engine.settings import WorkerSettings
from ..models.registry import bundled_model
from ..utils.files import sha256_of

AUTOMATIC = "auto"
"""What a user writes for the protocol to be chosen anew for every scan."""
PROTOCOL, ATLAS_SHA256 = "protocol", "atlas_sha256"
"""Settings of a study with a protocol: its name, and the checksums of its atlas files."""


@dataclass(frozen=True)
class StudyProtocol:
    """A protocol whose landmarks every scan gets; of several atlas `files` each scan takes the one that fits it best.

    `sha256` holds the checksum of each file when the study was planned.
    """

    name: str
    files: tuple[Path, ...]
    sha256: tuple[str, ...]

    @classmethod
    def named(cls, name: str, settings: WorkerSettings) -> StudyProtocol:
        """The protocol of a bundled atlas's name, of an atlas file, or AUTOMATIC for all bundled ones.

        Raises AtlasError where there is none, its file is damaged, or the model of `settings` has not made it.
        """
        files = tuple(path.absolute() for path in protocol_files(None if name == AUTOMATIC else name))
        described = [read_atlas_metadata(path) for path in files]
        for path, metadata in zip(files, described, strict=True):
            model = settings.model or bundled_model(metadata.modality)
            metadata.require_model(sha256_of(model), source=path)
        chosen = described[0].name if len(files) == 1 else AUTOMATIC
        return cls(chosen, files, tuple(map(sha256_of, files)))

    @property
    def title(self) -> str:
        """What is said in the place of a template's name."""
        return "atlas chosen for each scan" if len(self.files) > 1 else f"atlas {self.name}"

    def settings(self) -> dict[str, Any]:
        """What a study records, so that another atlas is noticed."""
        return {PROTOCOL: self.name, ATLAS_SHA256: list(self.sha256)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> StudyProtocol:
        """The protocol that a plan in types of JSON tells."""
        return cls(document["name"], tuple(map(Path, document["files"])), tuple(document["sha256"]))


def source_words(settings: Mapping[str, Any]) -> str:
    """Where the landmarks of a study with these settings come from, in words."""
    if PROTOCOL not in settings:
        return "the landmarks of templates"
    checksums = ", ".join(checksum[:12] for checksum in settings[ATLAS_SHA256])
    return f"the protocol '{settings[PROTOCOL]}' (atlas {checksums})"
