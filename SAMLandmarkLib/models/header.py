"""The header of a model file of format 3: what stands before the tensors of a safetensors file, as JSON."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

DAMAGE_ERRORS = (ValueError, LookupError, TypeError, RuntimeError, RecursionError, OverflowError)
"""What a damaged file of tensors can raise while it is taken apart."""
HEADER_KEY = "samlandmark"
GREATEST_HEADER = 1 << 24


def read_header(file: BinaryIO) -> dict[str, Any]:
    """Network configuration, metadata and checksum of a model file; ValueError where there are none."""
    length = int.from_bytes(file.read(8), "little")
    if not 0 < length <= GREATEST_HEADER:
        raise ValueError("it does not begin like a safetensors file")
    raw = file.read(length)
    if len(raw) < length:
        raise ValueError("it ends within its header")
    described = json.loads(raw)
    entries = described.get("__metadata__") if isinstance(described, dict) else None
    text = entries.get(HEADER_KEY) if isinstance(entries, dict) else None
    if not isinstance(text, str):
        raise ValueError("it was not written by SAMLandmark")
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError("its header is no group of fields")
    return header
