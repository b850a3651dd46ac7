"""Results as one JSON document with everything that is known about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any, cast

from ... import __version__
from ...core.results import TransferResult
from ...utils.errors import SAMLandmarkError
from ...utils.files import sha256_of, write_atomically
from ..json_values import to_json
from ..target_names import markups_name
from .writer import ResultSet, Scope

TRANSFER_FORMAT = "samlandmark-transfer"


class JsonDocument:
    """`transfer.json`: model, settings, every target with its inputs, landmarks and candidates, and the failures."""

    name = "json"
    suffix = ".json"
    scope = Scope.RUN

    def write(self, results: ResultSet, path: Path) -> None:
        """Write the document, UTF-8."""
        write_atomically(path, json_text(result_document(results)))


def json_text(document: dict[str, Any]) -> str:
    """A document as it stands in a file."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def result_document(results: ResultSet) -> dict[str, Any]:
    """The content of `transfer.json` in types of JSON."""
    checksum = results.checksum or cache(_checksum)
    document = {
        "format": TRANSFER_FORMAT,
        "format_version": 1,
        "samlandmark_version": __version__,
        "written_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "coordinate_system": "LPS",
        "unit": "mm",
        "model": results.results[0].provenance.get("model") if results.results else None,
        "settings": results.settings,
        "targets": [_target_document(result, checksum) for result in results.results],
        "failures": [asdict(failure) for failure in results.failures],
    }
    return cast("dict[str, Any]", to_json(document))


def _target_document(result: TransferResult, checksum: Callable[[str], str | None]) -> dict[str, Any]:
    sources = {role: str(path) for role, path in result.provenance.get("sources", {}).items() if path}
    return {
        "target": result.target,
        "template": result.template,
        "markups": markups_name(result.target),
        "counts": result.counts(),
        "inputs": {role: {"path": path, "sha256": checksum(path)} for role, path in sources.items()},
        "provenance": {key: value for key, value in result.provenance.items() if key != "sources"},
        "landmarks": [item.to_document() for item in result],
    }


def _checksum(path: str) -> str | None:
    try:
        return sha256_of(path)
    except SAMLandmarkError:
        return None  # the scan was moved meanwhile; what was found in it is still worth writing
