"""The protocols of which a user may choose one instead of a template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..engine.protocols import SUFFIX, bundled_protocols
from ..study.protocol import AUTOMATIC

__all__ = ["AUTOMATIC", "SUFFIX", "protocol_argument", "protocol_name", "protocol_names"]


def protocol_names() -> tuple[str, ...]:
    """The names of the bundled protocols, and AUTOMATIC where there is a choice; none where they are missing."""
    names = tuple(bundled_protocols())
    return (*names, AUTOMATIC) if len(names) > 1 else names


def protocol_name(name: str, files: Sequence[Path]) -> str:
    """The name by which a session knows the protocol of a study: that of a bundled one, or the path of its atlas file."""
    return name if name in protocol_names() else str(files[0])


def protocol_argument(name: str) -> str | None:
    """What the engine is asked for."""
    return None if name == AUTOMATIC else name
