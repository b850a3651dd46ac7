"""What a model file says about itself, read without torch: it can be shown before anything is installed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

from ..utils.errors import ModelError
from ..utils.files import sha256_of
from ..utils.translation import _
from .header import read_header
from .registry import bundled_model

TORCHSCRIPT_METADATA = "samlandmark.json"
"""The member of a TorchScript file, of format 2, that holds its metadata."""


@dataclass(frozen=True)
class ModelCard:
    """A model's version, training day (like "2026-05-31"), number of scans that it saw in training, and SHA-256."""

    version: str
    trained: str
    scans: int
    sha256: str
    modality: str = "CT"


def read_model_card(path: Path | None = None) -> ModelCard:
    """Read the card of a model file, the bundled one by default; ModelError where there is none."""
    path = bundled_model() if path is None else path
    try:
        values = _torchscript_metadata(path) if is_zipfile(path) else _format_3_metadata(path)
        training = values.get("training", {})
        volumes = training.get("volumes", {}).values()
        trained = training.get("run", {}).get("date", "")[:10]
        title = values.get("modality", {}).get("title", ModelCard.modality)
        return ModelCard(values["version"], trained, sum(map(len, volumes)), sha256_of(path), title)
    except (OSError, BadZipFile, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        unreadable = _("{path} is no model file that can be read; install SAMLandmark again.")
        raise ModelError(unreadable.format(path=path)) from error


def _torchscript_metadata(path: Path) -> dict[str, Any]:
    with ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(f"/extra/{TORCHSCRIPT_METADATA}")]
        values: dict[str, Any] = json.loads(archive.read(names[0]))
    return values


def _format_3_metadata(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        metadata: dict[str, Any] = read_header(file)["metadata"]
    return metadata
