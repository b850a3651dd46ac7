"""A scan on its way into the scene."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.volume import Volume


@dataclass(frozen=True)
class ReceivedScan:
    """A volume from a file or a browser; `date` is the study's, like "2024-05-31", where the files tell it."""

    volume: Volume
    date: str | None
