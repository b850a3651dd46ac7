"""What a model file says about itself, read without torch: it can be shown before anything is installed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from ..bundled import bundled_folder
from ..errors import ModelError
from ..files import sha256_of
from ..translation import _

METADATA_FILE = "samlandmark.json"
BUNDLED_MODEL_NAME = "samlandmark.pt"


@dataclass(frozen=True)
class ModelCard:
    """A model's version, training day (like "2026-05-31"), number of scans that it saw in training, and SHA-256."""

    version: str
    trained: str
    scans: int
    sha256: str


def bundled_model() -> Path:
    """The model file that comes with SAMLandmark; SAMLandmarkError where it is missing."""
    return bundled_folder("Models") / BUNDLED_MODEL_NAME


def read_model_card(path: Path | None = None) -> ModelCard:
    """Read the card of a model file, the bundled one by default; ModelError where there is none."""
    path = bundled_model() if path is None else path
    try:
        with ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(f"/extra/{METADATA_FILE}")]
            values = json.loads(archive.read(names[0]))
        training = values.get("training", {})
        volumes = training.get("volumes", {}).values()
        trained = training.get("run", {}).get("date", "")[:10]
        return ModelCard(values["version"], trained, sum(map(len, volumes)), sha256_of(path))
    except (OSError, BadZipFile, ValueError, LookupError, TypeError, AttributeError) as error:
        unreadable = _("{path} is no model file that can be read; install SAMLandmark again.")
        raise ModelError(unreadable.format(path=path)) from error
